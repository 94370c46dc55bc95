"""Pytest imports the modules of tests/ by their file names, so each has a name of its own."""
import collections
import pathlib

TESTS = pathlib.Path(__file__).resolve().parents[1]


def test_no_two_modules_share_a_name():
    folders = collections.defaultdict(list)
    for path in TESTS.rglob("*.py"):
        if path.name != "conftest.py":
            folders[path.name].append(str(path.parent.relative_to(TESTS)))
    assert {name: found for name, found in folders.items() if len(found) > 1} == {}


def test_nothing_is_imported_from_a_conftest():
    """There are several of that name, and whichever pytest met first would answer."""
    wrong = [str(path.relative_to(TESTS)) for path in TESTS.rglob("*.py")
             if any(line.startswith(("from conftest ", "import conftest")) for line in path.read_text().splitlines())]
    assert not wrong
