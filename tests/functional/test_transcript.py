"""What real Ganeti prints for a list of commands, ours prints too (exit codes, output, error text)."""
import pathlib
import subprocess
import sys

from machine import INIT, Machine

HERE = pathlib.Path(__file__).parent / "transcript"

# What differs, and why that is right.
DIFFERENT = {
    "gnt-cluster version": "the version control's version is ours",
    "gnt-job info 1": "who submitted it is told, too",
    "gnt-node list -o name,role,pinst_cnt,dtotal,mtotal --separator=: --no-headers": "the disk of this machine is another one",
}

# The recording was made where Ganeti's own debootstrap definition was installed.
DEBOOTSTRAP = """
os=/usr/share/ganeti/os
cp -r $os/noop $os/debootstrap
printf '20\\n15\\n10\\n5\\n' > $os/debootstrap/ganeti_api_version
echo default > $os/debootstrap/variants.list
echo 'filesystem the file system' > $os/debootstrap/parameters.list
cp $os/debootstrap/create $os/debootstrap/verify
"""


def record(machine, commands):
    blocks = []
    for line in commands.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        done = machine.run(line)
        errors = "".join(f"! {text}\n" for text in done.stderr.splitlines())
        output = done.stdout if not done.stdout or done.stdout.endswith("\n") else done.stdout + "\n"
        blocks.append(f"$ {line}\n{output}{errors}= {done.returncode}\n")
    return "\n".join(blocks)


def differing(machine, commands, theirs, tmp_path):
    """The commands that Ganeti answers otherwise, and how."""
    ours = tmp_path / "ours.txt"
    ours.write_text(record(machine, HERE / commands))
    compared = subprocess.run([sys.executable, HERE / "compare.py", HERE / theirs, ours, "-v"], capture_output=True, text=True)
    return {line[2:].rsplit(" [", 1)[0] for line in compared.stdout.splitlines() if line.startswith("$ ")}, compared.stdout


def test_as_ganeti_prints_it(cluster, tmp_path):
    cluster.ok(DEBOOTSTRAP)
    different, shown = differing(cluster, "commands.txt", "ganeti-3.0.txt", tmp_path)
    assert different == set(DIFFERENT), shown


def test_mistakes_are_answered_as_ganeti_answers_them(tmp_path):
    machine = Machine()
    try:
        machine.ok(INIT)
        different, shown = differing(machine, "mistakes.txt", "mistakes-ganeti-3.0.txt", tmp_path)
        assert not different, shown
    finally:
        machine.close()
