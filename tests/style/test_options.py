"""Options: Ganeti's commands with their arguments and options are there, and none that is accepted is dropped."""
import functools
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / os.environ.get("FLOTTE_PRESET", "dev") / "bin"
CLI = [path for path in (ROOT / "src/cli").glob("*.cpp") if not re.search(r"_test|completion|manual", path.name)]
UNITS = ROOT / "src/units"
COMMON = {"help", "debug", "reason"}


def ganetis_commands():
    """(usage line, [(letter or None, name, has a value)])"""
    blocks = (pathlib.Path(__file__).parent / "ganeti-3.0-commands.txt").read_text().splitlines()[1:]
    commands = []
    for line in blocks:
        if not line.startswith(" "):
            commands.append((line, []))
            continue
        for word in line.split():
            letter, name, value = re.fullmatch(r"(?:-(\w)/?)?(?:--([\w-]+))?(=?)", word).groups()
            commands[-1][1].append((letter, name or letter, bool(value)))
    return commands


@functools.cache
def help_of(program, command):
    return subprocess.run([BIN / program, command, "--help"], capture_output=True, text=True, check=True).stdout


def options(program, command):
    """{name: (letter, has a value, help)}"""
    found = {}
    for line in help_of(program, command).partition("Options\n=======\n")[2].splitlines():
        letter, name, value, text = re.match(r"  (?:-(\w), )?--([\w-]+)(=VALUE)?\s*(.*)", line).groups()
        found[name] = (letter, bool(value), text)
    return found


@pytest.mark.parametrize("usage,wanted", ganetis_commands(), ids=lambda value: value.split(" ")[1] if isinstance(value, str) else "")
def test_as_ganetis(usage, wanted):
    program, command = usage.split()[:2]
    assert help_of(program, command).splitlines()[2].split() == usage.split()
    ours = options(program, command)
    for letter, name, has_value in wanted:
        assert name in ours, name
        assert ours[name][:2] == (letter, has_value), name


def built_commands():
    """Of each program the commands that are not refused as a whole, as its man page has them."""
    for program in sorted(path.name for path in BIN.glob("gnt-*")):
        page = subprocess.run([BIN / "flotte", "manual", ROOT / f"docs/man/{program}.md"], capture_output=True, text=True, check=True).stdout
        for names in re.findall(r"^### ([a-z-]+)[a-z, -]*$", page, re.M):
            if names != "Not":
                yield program, names


def test_every_option_is_asked_for():
    """An option that a command takes is looked at, refused as not built, or its help says that it has no effect."""
    # Where an option is declared it stands behind its letter: {'f', "force", …}, {0, "all", …}.
    code = re.sub(r"\{\s*(?:'.'|0),\s*\"[\w-]+\"", "", "".join(path.read_text() for path in CLI))
    asked = set(re.findall(r'"([\w-]+)"', code))
    dropped = {(program, command, name) for program, command in built_commands() for name, (_, _, text) in options(program, command).items()
               if not text.startswith("No effect") and "(not built yet)" not in text and name not in COMMON | asked}
    assert not dropped


def words_of_unit(op_id):
    """What the unit of an opcode and the units that it includes say."""
    seen, wanted = {}, [op_id.removeprefix("OP_").lower()]
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen[name] = "".join((UNITS / f"{name}.{end}").read_text() for end in ("h", "cpp") if (UNITS / f"{name}.{end}").exists())
        wanted += re.findall(r'#include "units/(\w+)\.h"', seen[name])
    return set(re.findall(r"(?:\.|->|::)(\w+)", "".join(seen.values())))


def test_what_an_option_sets_is_read():
    """A command's function fills an opcode: op["force"] = call.arguments.has("force"). The opcode's unit must read that field."""
    members = {name: member for member, name in re.findall(r'field<&\w+::(\w+)>\(\s*"(\w+)"', (ROOT / "src/opcodes/all.cpp").read_text())}
    unread = set()
    for path in CLI:
        for function in re.split(r"\n}\n", path.read_text()):
            op_ids = re.findall(r'"(OP_\w+)"', function)
            if len(op_ids) != 1 or not (UNITS / f"{op_ids[0].removeprefix('OP_').lower()}.cpp").exists():
                continue
            fields = re.findall(r'op\["(\w+)"\] = ', function) + re.findall(r'std::pair\{"[\w-]+", "(\w+)"\}', function)
            fields += re.findall(r'put_\w+\(call, op, "[\w-]+", "(\w+)"\)', function)
            unread |= {(op_ids[0], field) for field in fields if members.get(field, field) not in words_of_unit(op_ids[0])}
    assert not unread
