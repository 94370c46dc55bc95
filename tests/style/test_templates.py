"""A disk template is one row of src/model/disk_templates.cpp: what is asked of one is asked of its row, not of its name."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = "Diskless|File|SharedFile|Plain|Blockdev|Drbd|Rbd|Ext|Gluster"
BY_NAME = re.compile(rf"DiskTemplate::(?:{NAMES})\b|using enum (?:model::)?DiskTemplate")
# The table, the words of the wire, the parameters of each, and the defaults of what has none yet.
TABLES = {"src/model/disk_templates.cpp", "src/model/types.h", "src/model/params.cpp", "src/model/instance.h"}


def by_name(text):
    return [number for number, line in enumerate(text.splitlines(), 1) if BY_NAME.search(line)]


def test_who_asks_for_a_template_by_its_name_is_found():
    assert by_name("a\nif (kind == model::DiskTemplate::File) {\nusing enum model::DiskTemplate;\nDiskTemplate::Filename") == [2, 3]


def test_nobody_asks_for_a_template_by_its_name():
    wrong = [f"{name}:{line}" for path in sorted((ROOT / "src").rglob("*")) if path.suffix in (".cpp", ".h")
             and not re.search(r"_test\.|test_", path.name) and (name := str(path.relative_to(ROOT))) not in TABLES
             for line in by_name(path.read_text())]
    assert not wrong, "\n".join(wrong)
