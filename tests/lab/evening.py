"""docs/a-first-evening.md, typed again. The document is its own list of commands: what begins with `$ ` in a block is typed, what follows is what was printed."""
import re

import debian_guest
import lab as labs
from terminal import Terminal

DOCUMENT = labs.ROOT / "docs" / "a-first-evening.md"
MACHINE = "web1"
ADDRESS = "198.51.100.21"
# Not one of an earlier start: more would follow.
CONSOLE_SAYS = r"login: $"
WIDTH = 132


def prepare(node):
    """What the document begins with: the package, volume groups, a debootstrap that has been used before, a rescue system's CD."""
    debian_guest.prepare(node, {MACHINE: ADDRESS})
    node.ok("mkdir /srv/iso")
    node.send(labs.probe_cd(), "/srv/iso/rescue.iso")
    node.ok(f"printf '{ADDRESS} {MACHINE}\\n' >> /etc/hosts")
    node.ok(f"printf 'Host {MACHINE}\\n  StrictHostKeyChecking accept-new\\n  LogLevel ERROR\\n' > /root/.ssh/config")


def skeleton(text):
    """What must stay as it is from one evening to the next: all but ids, times, numbers and the width of columns."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "MAC", text)
    text = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ", "DAY ", text)
    text = re.sub(r"\d+(\.\d+)?", "N", text)
    # A job that is quick is not waited for.
    return [re.sub(r"[ -]{2,}", " ", line.strip()) for line in text.splitlines() if line.strip() and not line.startswith("Waiting for job ")]


def console(node, command):
    """A person on a terminal, who leaves with Ctrl-] when the guest has said its word."""
    with Terminal(node, command, columns=WIDTH) as terminal:
        shown = terminal.expect(CONSOLE_SAYS, timeout=600)
        terminal.type("\x1d")
        terminal.process.wait(timeout=60)
        shown += terminal.silence()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x07", "", shown).replace("\r", "")
    return "".join(line.rstrip() + "\n" for line in shown.splitlines() if line.strip())


def printed(node, command):
    if command.startswith("gnt-instance console"):
        return console(node, command)
    # A machine needs its time until somebody can log in.
    if command.startswith(f"ssh {MACHINE} "):
        node.wait_until(f"ssh {MACHINE} true", timeout=600)
    done = node.run(f"{{ {command}\n}} 2>&1", timeout=900)
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}= {done.returncode}"
    return "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())


def typed_again(node, document):
    """The document with what is printed today, and what is printed otherwise: [(command, then, now)]. What differs only by ids, times and numbers
    stays as it was."""
    changes = []

    def again(block):
        out = "```console\n"
        for found in re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ |```).*\n)*)", block.group(1), re.MULTILINE):
            command, then = found.group(1), found.group(2)
            now = printed(node, command)
            if skeleton(now) == skeleton(then):
                now = then
            else:
                changes.append((command, then, now))
            out += f"$ {command}\n{now}"
        return out + "```\n"

    return re.sub(r"```console\n(.*?)```\n", again, document, flags=re.DOTALL), changes
