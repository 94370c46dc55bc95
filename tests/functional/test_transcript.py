"""What real Ganeti prints for a list of commands, ours prints too (exit codes, output, error text)."""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent / "transcript"

# What differs, and why that is right.
DIFFERENT = {
    "gnt-os diagnose": "the node's name stands behind its UUID",
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


def test_as_ganeti_prints_it(cluster, tmp_path):
    cluster.ok(DEBOOTSTRAP)
    ours = tmp_path / "ours.txt"
    ours.write_text(record(cluster, HERE / "commands.txt"))
    compared = subprocess.run([sys.executable, HERE / "compare.py", HERE / "ganeti-3.0.txt", ours, "-v"], capture_output=True, text=True)
    different = [line[2:].rsplit(" [", 1)[0] for line in compared.stdout.splitlines() if line.startswith("$ ")]
    assert set(different) == set(DIFFERENT), compared.stdout
