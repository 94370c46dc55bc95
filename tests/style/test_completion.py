"""Completion in bash: the script that `flotte completion bash` prints, with a controller that is a stub."""
import os
import pathlib
import pty
import re
import select
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / os.environ.get("FLOTTE_PRESET", "dev") / "bin"
NAMES = {"instance": "web1.example\nweb2.example\nmail.example\n$(touch${IFS}evil)", "node": "n1.example", "job": "7\n12", "export": "web1.example\nold.example", "export-fields": "export\nnode",
         "tag": "blue\ngreen", "instance-fields": "name\nnetwork_port\nnic.count"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the script, a `flotte` that knows the names above, and a tree with OS definitions."""
    made = tmp_path_factory.mktemp("completion")
    script = subprocess.run([BIN / "flotte", "completion", "bash"], capture_output=True, text=True, check=True).stdout
    (made / "script").write_text(script)
    cases = "\n".join(f"{what}) cat <<'END'\n{names}\nEND\n;;" for what, names in NAMES.items())
    stub = made / "bin" / "flotte"
    stub.parent.mkdir()
    stub.write_text(f"#!/bin/bash\necho \"$FLOTTE_ROOT $*\" >>{made}/asked\ncase $2 in\n{cases}\nesac\n")
    stub.chmod(0o755)
    for name, variants in {"debootstrap": "default\nbookworm\n", "noop": None}.items():
        definition = made / "usr/share/ganeti/os" / name
        definition.mkdir(parents=True)
        (definition / "create").touch()
        if variants:
            (definition / "variants.list").write_text(variants)
    return made


@pytest.fixture
def complete(folder):
    """What is offered for a line; its words are parted as readline parts them."""
    def offered(line):
        words = re.findall(r"[=:]+|[^\s=:]+", line)
        # Readline's last word is empty after a blank.
        words += [""] if line.endswith(" ") else []
        (folder / "asked").unlink(missing_ok=True)
        result = subprocess.run(
            ["bash", "--norc", "-c", """source ./script; COMP_LINE=$1 COMP_POINT=${#1}; shift
               COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _flotte "$1"; printf '%s\\n' "${COMPREPLY[@]}" """, "bash", line, *words],
            cwd=folder, capture_output=True, text=True,
            env={"PATH": f"{folder}/bin:/usr/bin:/bin", "FLOTTE_ROOT": str(folder)})
        assert result.stderr == ""
        return set(result.stdout.split("\n")) - {""}
    return offered


def test_commands_and_aliases(complete):
    assert complete("gnt-instance sta") == {"start", "startup"}
    assert complete("/usr/sbin/gnt-job wa") == {"wait", "watch"}
    assert "migrate" not in complete("gnt-instance "), "what is not built is not offered"


def test_options(complete):
    options = complete("gnt-instance add --")
    assert {"--disk-template=", "--net=", "--no-start", "--submit", "--help"} <= options
    assert "--forthcoming" not in options, "what is not built is not offered"
    assert complete("gnt-instance start --no-r") == {"--no-remember"}
    assert complete("gnt-instance add -- --") == set()
    assert complete("gnt-instance shutdown web1 --") == set(), "nothing is an option after the first argument"


@pytest.mark.parametrize("line", ["gnt-instance add -t ", "gnt-instance add --disk-template ",
                                  "gnt-instance add --no-nics --disk-template="])
def test_values(complete, line):
    assert complete(line) == {"diskless", "file", "plain", "sharedfile"}


def test_names(complete, folder):
    assert complete("gnt-instance console web") == {"web1.example", "web2.example"}
    assert complete("gnt-instance grow-disk web1.example ") == set()
    assert complete("gnt-instance add-tags web1.example b") == {"blue"}
    assert complete("gnt-instance remove-tags web1.example blue gr") == {"green"}
    assert complete("gnt-instance add -n ") == {"n1.example"}
    assert complete("gnt-instance add web") == set(), "a new name is nobody's yet"
    assert complete("gnt-job watch 1") == {"12"}
    assert complete("flotte gnt-instance --root /other info mail") == {"mail.example"}
    assert (folder / "asked").read_text() == "/other names instance\n"


def test_exports(complete):
    assert complete("gnt-backup remove o") == complete("gnt-backup import --no-nics o") == {"old.example"}
    assert complete("gnt-backup export -n n1.example web") == {"web1.example", "web2.example"}
    assert complete("gnt-backup import --src-node ") == complete("gnt-backup list -n ") == {"n1.example"}
    assert complete("gnt-backup list -o e") == complete("gnt-backup list-fields e") == {"export"}


def test_no_process_is_started_but_for_names(complete, folder):
    complete("gnt-instance add -o ")
    complete("gnt-instance add --")
    assert not (folder / "asked").exists()


def test_os_definitions(complete):
    assert complete("gnt-instance add -o deb") == {"debootstrap+default", "debootstrap+bookworm"}
    assert complete("gnt-instance reinstall --os-type=") == {"debootstrap+default", "debootstrap+bookworm", "noop"}
    assert complete("gnt-os info deb") == {"debootstrap"}


def test_lists(complete):
    assert complete("gnt-instance list -o name,ne") == {"name,network_port"}
    assert complete("gnt-instance list -o +ne") == {"+network_port"}
    assert complete("gnt-instance start -H boot_order=cdrom,cdrom_im") == {"cdrom,cdrom_image_path="}
    assert complete("gnt-instance add -H kvm:vnc_b") == {"vnc_bind_address="}
    assert complete("gnt-cluster init --enabled-disk-templates=plain,disk") == {"plain,diskless"}


def test_a_program_without_commands(complete):
    assert complete("move-instance --src-c") == complete("flotte move-instance a b --src-c") == {"--src-ca-file="}
    assert complete("move-instance a b web1.example --compress gz") == {"gzip", "gzip-fast", "gzip-slow"}
    assert complete("move-instance a --keep-source-instance b web") == {"web1.example", "web2.example"}
    assert complete("move-instance a b web1.example ma") == {"mail.example"}
    assert complete("move-instance a ") == set()


def test_words(complete):
    assert complete("flotte daemons st") == {"start", "stop", "status"}
    assert complete("gnt-cluster queue ") == {"drain", "undrain", "info"}
    assert "daemons" in complete("flotte ")


def test_names_are_never_evaluated(complete, folder):
    assert r"\$\(touch\$\{IFS\}evil\)" in complete("gnt-instance info ")
    complete("gnt-instance $(touch${IFS}evil) ")
    complete("gnt-instance add -$(touch${IFS}evil) ")
    complete("flotte $(touch${IFS}evil) x")
    complete("flotte a[$(touch${IFS}evil)] x")
    complete("move-instance $(touch${IFS}evil) -$(touch${IFS}evil) x")
    assert not (folder / "evil").exists()


def test_in_a_terminal(folder):
    """Readline itself: what is typed, and what the command is given."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"],
                  {"PATH": f"{folder}/bin:/usr/bin:/bin", "FLOTTE_ROOT": str(folder), "PS1": "", "TERM": "dumb",
                   "INPUTRC": "/dev/null"})
    os.write(terminal, b"source ./script; gnt-instance() { printf 'given<%s>\\n' \"$*\"; }\n")
    for typed in ("add -t pl\tx", "add --disk-template=pl\tx", "add --net=\tbr0 x", "start -H cdrom_im\t/iso web1\t"):
        os.write(terminal, f"gnt-instance {typed}\n".encode())
    os.write(terminal, b"echo end$((1))\n")
    seen, deadline = "", time.monotonic() + 20
    while "end1" not in seen and time.monotonic() < deadline and select.select([terminal], [], [], 5)[0]:
        seen += os.read(terminal, 65536).decode()
    os.close(terminal)
    os.waitpid(child, 0)
    assert re.findall("given<(.*?)>\r", seen) == ["add -t plain x", "add --disk-template=plain x", "add --net=0:link=br0 x",
                                                  "start -H cdrom_image_path=/iso web1.example"]
