"""./lab: the lab for people."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

import lab as labs

DIRECTORY = pathlib.Path(os.environ.get("FLOTTE_LAB_DIR", "/var/tmp/flotte-lab"))
NAMESPACE = "flotte-lab"
USAGE = """Usage: ./lab up [1-3]          start nodes with Flotte installed and initialised
       ./lab ssh N [COMMAND]   a shell on node N, or one command
       ./lab console N         its serial console; Ctrl-] leaves
       ./lab logs [N]          what its console said
       ./lab down              end everything"""


def node_of(number):
    lab = labs.Lab.open(DIRECTORY)
    if not number.isdigit() or not 1 <= int(number) <= len(lab.nodes):
        raise labs.LabError(f"There is no node {number}; nodes are 1 to {len(lab.nodes)}")
    return lab.nodes[int(number) - 1]


def say(begun, text):
    print(f"{time.monotonic() - begun:5.0f} s  {text}", flush=True)


def up(count="1"):
    if count not in ("1", "2", "3"):
        raise labs.LabError(f"1 to 3 nodes, not '{count}'")
    if DIRECTORY.exists():
        raise labs.LabError("There is a lab already; end it with: ./lab down")
    if os.geteuid() != 0:
        raise labs.LabError("The lab needs root, for its network namespace")
    begun = time.monotonic()
    subprocess.run(["tools/setup"], check=True)
    subprocess.run(["tools/package"], check=True, stdout=subprocess.DEVNULL)
    say(begun, "packages are built")
    lab = labs.Lab.create(DIRECTORY, NAMESPACE, int(count))
    say(begun, "node image is there, starting")
    lab.boot()
    say(begun, f"{count} node(s) answer")

    def prepare(node):
        lab.prepare(node)
        lab.install(node)
        if node.number == 1:
            node.ok(labs.INIT)
        say(begun, f"{node.name}: Flotte is installed" + (", the cluster is initialised" if node.number == 1 else ""))

    with concurrent.futures.ThreadPoolExecutor() as threads:
        list(threads.map(prepare, lab.nodes))
    print(f"\n$ ./lab ssh 1 gnt-instance list\n{lab.nodes[0].ok('gnt-instance list')}")


def ssh(number, *command):
    argv = node_of(number).ssh_command(*([] if command else ["-t"]))
    os.execvp(argv[0], [*argv, *command])


def console(number):
    node = node_of(number)
    os.execvp("socat", ["socat", "-,raw,echo=0,escape=0x1d", f"unix-connect:{node.directory}/serial"])


def logs(number="1"):
    os.execvp("cat", ["cat", str(node_of(number).directory / "console.log")])


def down():
    labs.Lab.open(DIRECTORY).destroy()


def main(argv):
    verbs = {"up": up, "ssh": ssh, "console": console, "logs": logs, "down": down}
    if len(argv) < 2 or argv[1] not in verbs:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        verbs[argv[1]](*argv[2:])
    except TypeError:
        print(USAGE, file=sys.stderr)
        return 2
    except (labs.LabError, AssertionError, subprocess.CalledProcessError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main(sys.argv))
