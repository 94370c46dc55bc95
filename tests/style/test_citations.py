"""What the repository cites is in it: files that are named exist, and so do the chapters that are named with them."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = "docs/ganeti.md"
HEADING = re.compile(r"^#+ (.+)$", re.M)
# Of a comment that goes on in the next line.
NEXT_LINE = re.compile(r"\n[ \t]*(?://|#)?[ \t]*")
# Not a path that a program puts together: it is looked for where it runs.
DOCUMENT = re.compile(r"(?<!/ \")(?<![\w./-])[\w./-]*\w\.md\b")
CHAPTER = re.compile(r'([\w./-]*\w\.md), "([^"]+)"')
# What is built and what lies elsewhere on a machine also begins with os/ and debian/.
PATH = re.compile(r"(?<![\w./-])(?:src|tests|docs|tools|bench|cmake|compat|design|spec)/[\w./-]*\w(?![\w]*[*{])")
# A text is cited by its file's name. QEMU's own documents are QEMU's.
NAMELESS = re.compile(r'§|\bArchitecture, "')
OF_OTHERS = re.compile(r"\bRFC\b|\bQEMU")


def texts():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    for name in names:
        path = ROOT / name
        if path == pathlib.Path(__file__).resolve() or path.is_symlink() or not path.is_file():
            continue
        try:
            yield name, path.read_text()
        except UnicodeDecodeError:
            continue


def document(cited, name):
    """The file that is meant: from the top, or beside the one that cites it."""
    for path in (ROOT / cited, (ROOT / name).parent / cited):
        if path.is_file():
            return path
    return None


def chapters(path):
    return HEADING.findall(path.read_text())


def cited_chapters(text):
    return CHAPTER.findall(NEXT_LINE.sub(" ", text))


def faults(name, text):
    for cited in sorted(set(DOCUMENT.findall(text))):
        if not document(cited, name):
            yield f"{name} cites {cited}, which isn't there"
    for cited, chapter in cited_chapters(text):
        path = document(cited, name)
        if path and chapter not in chapters(path):
            yield f"{name}: {cited} has no chapter \"{chapter}\""
    if pathlib.Path(name).suffix in (".h", ".cpp"):
        mentions, complete = text.count(RULES), [cited for cited, _ in cited_chapters(text)].count(RULES)
        if mentions != complete:
            yield f"{name} cites {RULES} without the chapter: {RULES}, \"Chapter\""
    for line in text.splitlines():
        if OF_OTHERS.search(line):
            continue
        for found in NAMELESS.findall(line):
            yield f"{name}: {found!r} names no file: {line.strip()}"
        for cited in PATH.findall(line):
            # src/cli/info is both info.h and info.cpp.
            path = ROOT / cited
            if not path.exists() and not list(path.parent.glob(f"{path.name}.*")):
                yield f"{name} cites {cited}, which isn't there"


def test_what_is_cited_is_there():
    assert [fault for name, text in texts() for fault in faults(name, text)] == []


def test_what_is_not_there_is_found():
    missing = {"// As peers.md has it.": "cites peers.md",
               "// design/jobs.txt tells more.": "cites design/jobs.txt",
               "// See src/base/nothing.h.": "cites src/base/nothing.h",
               f"// {RULES}, \"No\n// such\".": "no chapter \"No such\"",
               "// ARCHITECTURE.md, \"No such\".": "no chapter \"No such\"",
               f"// {RULES} has it.": "without the chapter",
               "// Source: inventory §4.": "names no file",
               "// Architecture, \"Layers\".": "names no file"}
    for text, told in missing.items():
        found = list(faults("src/base/size.h", text))
        assert len(found) == 1 and told in found[0], (text, found)
    assert list(faults("src/base/size.h", f"// {RULES}, \"Values and\n  // units\"; src/cli/info; src/model/*.h")) == []


def test_every_rule_of_ganeti_is_relied_on():
    cited = {chapter for name, text in texts() if name.startswith("src/") for path, chapter in cited_chapters(text) if path == RULES}
    unused = [chapter for chapter in chapters(ROOT / RULES)[1:] if chapter not in cited]
    assert unused == [], f"no code cites these chapters of {RULES}"
