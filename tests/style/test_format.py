"""Formatting and size of the sources."""
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES_MAX = 1000


def sources():
    return sorted(p for folder in ("src", "tests") for p in (ROOT / folder).rglob("*") if p.suffix in (".h", ".cpp"))


@pytest.mark.skipif(not shutil.which("clang-format-19"), reason="clang-format-19 is not installed")
def test_sources_are_formatted():
    result = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *map(str, sources())],
                            capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in result.stderr.splitlines() if "error:" in line})
    assert not wrong, f"run tools/format; not formatted: {wrong}"


def test_no_file_holds_two_things():
    long = {str(p.relative_to(ROOT)): n for p in sources() if (n := len(p.read_text().splitlines())) > LINES_MAX}
    assert not long
