"""The tables of tests/concerns.py are complete and name what is there."""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from concerns import ALL, BLACK_BOX, PROGRAMS, concerned  # noqa: E402


def files():
    return subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def test_every_source_has_a_row_of_its_own():
    for table, folders in ((PROGRAMS, ("src/", "tests/simulation/")), (BLACK_BOX, ("src/", "os/", "debian/"))):
        patterns = [pattern for pattern, _ in table if pattern != "*"]
        assert [path for path in files() if path.startswith(folders) and not any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)] == []


def test_every_row_fits_a_file_that_no_earlier_row_fits():
    for table in (PROGRAMS, BLACK_BOX):
        used = {next(pattern for pattern, _ in table if fnmatch.fnmatchcase(path, pattern)) for path in files()}
        assert [pattern for pattern, _ in table if pattern not in used] == []


def test_every_black_box_test_concerns_a_source():
    named = {name for _, wanted in BLACK_BOX for name in wanted.split()}
    assert [name for name in named if name != "{}" and not (ROOT / name).exists()] == []
    missing = [path for path in files() if re.fullmatch(r"tests/(?!style/).*/test_\w+\.py", path) and path not in named and path.rpartition("/")[0] not in named]
    assert missing == []


def test_every_test_program_concerns_its_folder():
    with_tests = {path.split("/")[1] for path in files() if re.fullmatch(r"src/.*_test\.cpp", path)}
    assert with_tests | {"simulation"} == set(ALL.split())
    for folder in with_tests:
        assert folder in concerned([f"src/{folder}/x.cpp"])[0], folder


def test_what_concerns_a_file():
    assert concerned(["src/cli/serial_console.cpp"]) == (["cli"], ["tests/functional/test_console.py", "tests/lab/test_manual.py", "tests/style"])
    assert concerned(["README.md"]) == ([], ["tests/style"])
    assert concerned(["src/base/id.h", "README.md"])[1] == ["tests"]
