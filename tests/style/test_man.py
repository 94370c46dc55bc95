"""The man pages: each is made, by what makes the packages', and reads without a complaint."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / os.environ.get("FLOTTE_PRESET", "dev") / "bin"
PAGES = sorted(path.stem for path in (ROOT / "docs/man").glob("*.md"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("man")
    subprocess.run([ROOT / "tools/man-pages", made, BIN], check=True)
    return made


def test_every_program_has_a_page():
    assert {path.name for path in BIN.iterdir()} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_page(folder, page):
    shown = subprocess.run(["man", "--warnings", "-l", folder / f"{page}.8"], capture_output=True, text=True, check=True,
                           env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
    assert shown.stderr == ""
    assert re.search(rf"^NAME\n +{page} - [a-z].*[^.]$", shown.stdout, re.M)
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_pages_name_pages_that_there_are(folder):
    theirs = {"ssh(1)", "systemctl(1)", "systemd(1)", "go-md2man(1)", "qemu-system-x86_64(1)"}
    for page in PAGES:
        named = set(re.findall(r"\*\*([\w-]+)\*\*(\(\d\))", (ROOT / f"docs/man/{page}.md").read_text()))
        assert {name + section for name, section in named} <= {f"{known}(8)" for known in PAGES} | theirs


def test_prose_of_a_command_that_there_is_not(tmp_path):
    prose = tmp_path / "gnt-job.md"
    prose.write_text("# NAME\n# COMMANDS\n## frobnicate\n# COMMON OPTIONS\n")
    result = subprocess.run([BIN / "flotte", "manual", prose], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is no command 'frobnicate'" in result.stderr
