"""Rows about guests (O5, O7, O9, O12, O13), each beside the same done by hand: the same QEMU, the same QMP commands, ip(8), truncate(1), socat(1)."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

from measure import ROOT, ms

sys.path.insert(0, str(ROOT / "tests/lab"))
import lab as labs  # noqa: E402

ADD = ["gnt-instance", "add", "-t", "file", "-o", "noop", "--no-nics", "-B", "memory=128M", "-H", "kvm", "--no-name-check", "--no-ip-check"]
ROUNDS = 7
BRIDGE = "flotte-bench"
ANSWER_SECONDS_MAX = 120
# linux/if_tun.h
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x1000, 0x4000


class Guest:
    """One of the cluster's instances, as somebody sees it who has no cluster."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.runtime = cluster.root / "var/run/ganeti/kvm-hypervisor"
        self.link = cluster.root / f"var/run/ganeti/instance-disks/{name}:0"

    def pid(self):
        return int((self.runtime / f"pid/{self.name}").read_text())

    def argv(self):
        return pathlib.Path(f"/proc/{self.pid()}/cmdline").read_bytes().split(b"\0")[:-1]

    @contextlib.contextmanager
    def started_by_hand(self, argv, disk):
        """The same QEMU, until the end of the block at the latest; says how many milliseconds it took until its guest was let go."""
        def start():
            subprocess.run(argv, check=True, capture_output=True)
            self.qmp(("cont", {}))

        self.link.symlink_to(disk)
        try:
            yield ms(start)
        finally:
            with contextlib.suppress(ProcessLookupError):
                wait_for_end(self.pid(), lambda: os.kill(self.pid(), 9))
            (self.runtime / f"pid/{self.name}").unlink(missing_ok=True)
            self.link.unlink()

    def qmp(self, *commands, event=None, descriptor=None):
        """As a script would: connects, says them one after the other, and waits for the event that ends the first. A descriptor goes with `getfd`."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.runtime / f"ctrl/{self.name}.qmp"))
            stream = connection.makefile()
            stream.readline()
            for execute, arguments in (("qmp_capabilities", {}), *commands):
                said = json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n"
                socket.send_fds(connection, [said], [descriptor] if execute == "getfd" else [])
                awaited = {"return"} | ({event} if event and execute == commands[0][0] else set())
                while awaited:
                    said = json.loads(stream.readline())
                    if "error" in said:
                        raise RuntimeError(f"{execute}: {said['error']['desc']}")
                    awaited -= {"return"} if "return" in said else {said["event"]}

    def answers(self, *console):
        """A console program on a terminal, until the guest has answered what was typed."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe(console[0], console, self.cluster.env)
        said = b""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        try:
            os.write(terminal, b"echo hello\n")
            while b"probe: echo" not in said:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{console[0]}: no answer, but {said!r}")
                if select.select([terminal], [], [], 1)[0]:
                    said += os.read(terminal, 4096)
                else:
                    os.write(terminal, b"echo hello\n")  # it did not listen yet
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(terminal)

    def serial(self):
        return "socat", "-,rawer", f"UNIX-CONNECT:{self.runtime}/ctrl/{self.name}.serial"


def wait_for_end(pid, end):
    process = os.pidfd_open(pid)
    try:
        end()
        if not select.select([process], [], [], ANSWER_SECONDS_MAX)[0]:
            raise RuntimeError(f"process {pid} has not ended")
    finally:
        os.close(process)


def row(what, aim, ganeti, ours, how, by_hand):
    """Of measured milliseconds. The aim is so many times what it takes by hand; None: 60 ms more than that."""
    ours, by_hand = statistics.median(ours), statistics.median(by_hand)
    return what, ours, f"≤ {by_hand + 60:.0f}" if aim is None else f"≤ {by_hand * aim:.1f}", ganeti, f"{how}: {by_hand:.1f} ({ours / by_hand:.2f})"


def life_rows(cluster):
    """O5 and O7, of a guest without a system."""
    added, by_hand = [], []
    scratch = cluster.root / "srv/scratch.img"
    guest = Guest(cluster, "q1")
    for _ in range(ROUNDS):
        added.append(ms(lambda: cluster.run(*ADD, "-s", "64M", "q1")))
        argv, disk = guest.argv(), guest.link.resolve()
        cluster.run("gnt-instance", "shutdown", "--timeout", "0", "q1")
        made = ms(lambda: subprocess.run(["truncate", "-s", "64M", scratch], check=True))
        scripted = ms(lambda: subprocess.run([cluster.root / "usr/share/ganeti/os/noop/create"], env=cluster.env, check=True))
        with guest.started_by_hand(argv, disk) as started:
            by_hand.append(made + scripted + started)
        scratch.unlink()
        cluster.run("gnt-instance", "remove", "-f", "q1")
    rows = [row("O5: adding a guest, file, noop OS, started", 1.2, "1150", added, "truncate, the script, the same QEMU", by_hand)]

    cluster.run(*ADD, "-s", "64M", "--no-start", "q1")
    starts, stops, reboots, by_hand, ended = [], [], [], [], []
    for _ in range(ROUNDS):
        starts.append(ms(lambda: cluster.run("gnt-instance", "startup", "q1")))
        reboots.append(ms(lambda: cluster.run("gnt-instance", "reboot", "--type=hard", "--shutdown-timeout=0", "q1")))
        argv, disk = guest.argv(), guest.link.resolve()
        stops.append(ms(lambda: cluster.run("gnt-instance", "shutdown", "--timeout", "0", "q1")))
        with guest.started_by_hand(argv, disk) as started:
            by_hand.append(started)
            ended.append(ms(lambda: wait_for_end(guest.pid(), lambda: subprocess.run(["kill", "-9", str(guest.pid())], check=True))))
    cluster.run("gnt-instance", "remove", "-f", "q1")
    rows.append(row("O7: starting a guest", None, "1200", starts, "the same QEMU", by_hand))
    rows.append(row("O7: stopping it, --timeout 0", None, "1760", stops, "kill -9", ended))
    rows.append(row("O7: rebooting it, --type hard", 1.2, "2080", reboots, "kill -9, the same QEMU", [a + b for a, b in zip(by_hand, ended)]))
    return rows


def change_rows(cluster):
    """O7, O9, O12 and O13, of a guest with a system that answers: the probe."""
    guest = Guest(cluster, "p1")
    cluster.run(*ADD, "-s", "64M", "--no-start", "p1")
    [disk] = (cluster.root / "srv/files/p1").glob("*.disk0")
    shutil.copyfile(labs.probe_image(), disk)
    subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
    try:
        cluster.run("gnt-instance", "startup", "p1")
        guest.answers(*guest.serial())
        rows = [*nic_rows(guest), grow_row(guest), console_row(guest), shutdown_row(guest)]
        cluster.run("gnt-instance", "remove", "-f", "p1")
        return rows
    finally:
        subprocess.run(["ip", "link", "delete", BRIDGE], check=True)


def nic_rows(guest):
    modify = ["gnt-instance", "modify", "--net"]

    def add_by_hand():
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"bench0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
            subprocess.run(["ip", "link", "set", "bench0", "master", BRIDGE, "up"], check=True)
            guest.qmp(("getfd", {"fdname": "hand"}), ("netdev_add", {"type": "tap", "id": "hand", "fd": "hand"}),
                      ("device_add", {"driver": "virtio-net-pci", "id": "hand", "netdev": "hand", "mac": "aa:00:00:00:00:01"}), descriptor=tap)
        finally:
            os.close(tap)

    def remove_by_hand():
        guest.qmp(("device_del", {"id": "hand"}), ("netdev_del", {"id": "hand"}), event="DEVICE_DELETED")

    figures = {"add": [], "remove": [], "add by hand": [], "remove by hand": []}
    for _ in range(ROUNDS):
        figures["add"].append(ms(lambda: guest.cluster.run(*modify, f"add:link={BRIDGE}", "p1")))
        time.sleep(1)  # until the guest knows it
        figures["remove"].append(ms(lambda: guest.cluster.run(*modify, "remove", "p1")))
        figures["add by hand"].append(ms(add_by_hand))
        time.sleep(1)
        figures["remove by hand"].append(ms(remove_by_hand))
    return [row("O12: adding a NIC to a running guest", 1.2, "", figures["add"], "a tap, ip, three QMP commands", figures["add by hand"]),
            row("O12: removing it", 1.2, "", figures["remove"], "two QMP commands", figures["remove by hand"])]


def grow_row(guest):
    disk = guest.link.resolve()
    node = re.search(r"driver=raw,node-name=([^,]+),discard", b" ".join(guest.argv()).decode()).group(1)
    ours, by_hand = [], []

    def grow_by_hand(mib):
        subprocess.run(["truncate", "-s", f"{mib}M", disk], check=True)
        guest.qmp(("block_resize", {"node-name": node, "size": mib << 20}))

    mib = 64
    for _ in range(ROUNDS):
        mib += 16
        ours.append(ms(lambda: guest.cluster.run("gnt-instance", "grow-disk", "--absolute", "p1", "0", f"{mib}M")))
    for _ in range(ROUNDS):
        mib += 16
        by_hand.append(ms(lambda: grow_by_hand(mib)))
    return row("O13: growing a running guest's disk", 1.2, "810", ours, "truncate, one QMP command", by_hand)


def console_row(guest):
    ours = [ms(lambda: guest.answers("gnt-instance", "console", "p1")) for _ in range(ROUNDS)]
    by_hand = [ms(lambda: guest.answers(*guest.serial())) for _ in range(ROUNDS)]
    return row("O9: until the console's guest answers", 1.2, "", ours, "socat", by_hand)


def shutdown_row(guest):
    """The guest's own part is most of it."""
    argv, disk = guest.argv(), guest.link.resolve()
    ours, by_hand = [], []
    for _ in range(3):
        ours.append(ms(lambda: guest.cluster.run("gnt-instance", "shutdown", "p1")))
        with guest.started_by_hand(argv, disk):
            guest.answers(*guest.serial())
            by_hand.append(ms(lambda: wait_for_end(guest.pid(), lambda: guest.qmp(("system_powerdown", {})))))
        guest.cluster.run("gnt-instance", "startup", "p1")
        guest.answers(*guest.serial())
    return row("O7: shutting down a guest that hears it", 1.2, "", ours, "system_powerdown", by_hand)
