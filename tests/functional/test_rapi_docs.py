"""docs/remote-api.md, typed: what begins with `$ ` in its console blocks is typed into one shell, one after the other, and must print what the document says, but for ids and numbers."""
import difflib
import itertools
import re

import pytest
from machine import ROOT
from remote_api import RemoteApi, with_cluster

DOCUMENT = ROOT / "docs" / "remote-api.md"
HOME = "/srv/home"


def skeleton(text):
    """What stays as it is from one time to the next."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    return [re.sub(r"\d+(\.\d+)?", "N", line.rstrip()) for line in text.splitlines() if line.strip()]


def commands(document):
    """[(command, what is printed)]"""
    blocks = "".join(re.findall(r"```console\n(.*?)```\n", document, re.DOTALL))
    typed = re.split(r"^\$ ", blocks, flags=re.MULTILINE)[1:]
    found = []
    for entry in typed:
        lines = entry.splitlines(keepends=True)
        # A command goes on as long as its quotes are open.
        length = next(count for count in range(1, len(lines) + 1) if "".join(lines[:count]).count("'") % 2 == 0)
        found.append(("".join(lines[:length]), "".join(lines[length:])))
    return found


@pytest.fixture(scope="module")
def node(machine):
    with_cluster(machine)
    machine.ok(f"rm /var/lib/ganeti/rapi/users; mkdir {HOME}")
    for name, program in re.findall(r"This is `([\w.]+)`.*?```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        machine.write(f"{HOME}/{name}", program.encode())
    return machine


@pytest.fixture(scope="module")
def session(node):
    """[(command, what the document says, what is printed, exit status)]"""
    typed = commands(DOCUMENT.read_text())
    script = f"export HOME={HOME}\ncd\n"
    for command, _ in typed:
        script += "{ " + command + "} 2>&1\necho \"#END $?\"\n"
    node.write(f"{HOME}/session", script.encode())
    printed = re.findall(r"(.*?)#END (\d+)\n", node.run(f"timeout 60 bash {HOME}/session").stdout, re.DOTALL)
    return [(command, told, *now) for (command, told), now in itertools.zip_longest(typed, printed, fillvalue=("", "it was not typed any more"))]


def test_what_is_typed_prints_what_is_told(session):
    wrong = ["".join([f"$ {command}", *(line + "\n" for line in difflib.unified_diff(skeleton(told), skeleton(now), "told", "printed", lineterm="", n=1)), f"= {status}\n"])
             for command, told, now, status in session if status != "0" or skeleton(told) != skeleton(now)]
    assert not wrong, "\n".join(wrong)


def test_an_account_by_hand_may_what_its_role_says(node, session):
    api = RemoteApi(node)
    jack = "jack", "abc123"
    assert api.ask("GET", "/2/query/node?fields=name", account=jack).status == 200
    assert api.ask("PUT", "/2/modify", {}, account=jack).status == 403


def test_every_resource_of_the_table_is_there(node, session):
    """With the methods that stand beside it: whatever else is wrong, it is neither the path nor the method."""
    api = RemoteApi(node)
    node.ok("gnt-instance add -o noop -t diskless -H fake --no-install --no-nics vm1; gnt-network add --network=198.51.100.0/28 lan")
    names = {"/instances/N": "/instances/vm1", "/nodes/N": "/nodes/node1.lab.test", "/groups/N": "/groups/default", "/networks/N": "/networks/lan", "/jobs/N": "/jobs/1", "KIND": "instance", "/disk/I": "/disk/0"}
    rows = re.findall(r"^\| (`/.*?) \| ([A-Z, ]+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) > 25
    for paths, methods in rows:
        first, *others = re.findall(r"`([^`]+)`", paths)
        for path in [first, *(other if other.startswith("/") else f"{first.rpartition('/')[0]}/{other}" for other in others if other != "tags")]:
            for pattern, name in names.items():
                path = path.replace(pattern, name)
            for method in methods.split(", "):
                got = api.ask(method, path, {"pony": 1} if method != "GET" else None, account=("deploy", "correct-horse"))
                assert got.status in (200, 400, 503), (method, path, got)  # 503: a console of what an operation has stopped
