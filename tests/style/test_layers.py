"""A folder of src/ includes only itself and the folders above it in the table of ARCHITECTURE.md."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `src/(\w+)/` \|", re.M)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
# Folders that stand side by side and meet in rpc/.
STRANGERS = {"node": {"jobs", "units", "store", "rapi", "controller", "cli", "query", "opcodes", "placement"},
             "units": {"node", "sys"}, "cli": {"node", "sys", "store", "jobs", "units", "rapi", "controller"}}


def layers():
    found = ROW.findall((ROOT / "ARCHITECTURE.md").read_text())
    assert len(found) > 10, "the table of folders is missing from ARCHITECTURE.md"
    return found


def wrong_includes():
    order = layers()
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        folder = path.relative_to(ROOT / "src").parts[0]
        for target in INCLUDE.findall(path.read_text()):
            other = target.split("/")[0]
            if other not in order or folder not in order:
                yield f"{path.relative_to(ROOT)}: \"{target}\" is in no folder of the table"
            elif order.index(other) > order.index(folder) or other in STRANGERS.get(folder, set()):
                yield f"{path.relative_to(ROOT)} must not include \"{target}\""


def test_folders_use_only_those_above():
    assert list(wrong_includes()) == []


def test_every_folder_stands_in_the_table():
    folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert folders == set(layers()) & folders, f"not in the table: {folders - set(layers())}"


def test_every_folder_says_what_it_is():
    for folder in layers():
        if not (ROOT / "src" / folder).is_dir():
            continue
        readme = ROOT / "src" / folder / "README.md"
        assert readme.is_file(), f"src/{folder} has no README.md"
        assert len(readme.read_text().splitlines()) <= 30, f"{readme} is longer than 30 lines"
