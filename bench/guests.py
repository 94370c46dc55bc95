"""Rows about guests (O5, O7, O9, O12, O13), each beside the same typed by hand: the same QEMU, the same QMP commands, ip(8), truncate(1), socat(1)."""
import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import time

from measure import BRIDGE, ROOT, median_ms, ms

sys.path.insert(0, str(ROOT / "tests/lab"))
import lab as labs  # noqa: E402

ADD = ["gnt-instance", "add", "-t", "file", "-o", "noop", "--no-nics", "-B", "memory=128M", "-H", "kvm", "--no-name-check", "--no-ip-check"]
ROUNDS = 7
ANSWER_SECONDS_MAX = 120
GUEST_USER = "flotte-vm"
TUN = pathlib.Path("/dev/net/tun")
QMP = pathlib.Path(__file__).with_name("qmp")


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
    def started_by_hand(self, argv, disk, before=":"):
        """The same QEMU, until the end of the block at the latest; says how many milliseconds it took until its guest was let go, with what is typed before."""
        self.link.symlink_to(disk)
        try:
            yield ms(lambda: typed(before, shlex.join(os.fsdecode(word) for word in argv), self.qmp("cont")))
        finally:
            with contextlib.suppress(ProcessLookupError):
                wait_for_end(self.pid(), lambda: os.kill(self.pid(), 9))
            (self.runtime / f"pid/{self.name}").unlink(missing_ok=True)
            self.link.unlink()

    def qmp(self, *commands):
        """What is typed to say these to its monitor: names, or (name, arguments)."""
        pairs = [(command, {}) if isinstance(command, str) else command for command in commands]
        said = [json.dumps({"execute": name, "arguments": arguments}) for name, arguments in pairs]
        return shlex.join([str(QMP), f"{self.runtime}/ctrl/{self.name}.qmp", *said])

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


def typed(*commands):
    done = subprocess.run(["sh", "-c", " && ".join(commands)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(f"{' && '.join(commands)}: {done.stderr}")


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
    script = cluster.root / "usr/share/ganeti/os/noop/create"
    guest = Guest(cluster, "q1")
    for _ in range(ROUNDS):
        added.append(ms(lambda: cluster.run(*ADD, "-s", "64M", "q1")))
        argv, disk = guest.argv(), guest.link.resolve()
        cluster.run("gnt-instance", "shutdown", "--timeout", "0", "q1")
        with guest.started_by_hand(argv, disk, f"truncate -s 64M {scratch} && {script}") as took:
            by_hand.append(took)
        scratch.unlink()
        cluster.run("gnt-instance", "remove", "-f", "q1")
    rows = [row("O5: adding a guest, file, noop OS, started", 1.2, "1150", added, "truncate, the script, the same QEMU, cont", by_hand)]

    cluster.run(*ADD, "-s", "64M", "--no-start", "q1")
    starts, stops, reboots, by_hand, ended = [], [], [], [], []
    for _ in range(ROUNDS):
        starts.append(ms(lambda: cluster.run("gnt-instance", "startup", "q1")))
        reboots.append(ms(lambda: cluster.run("gnt-instance", "reboot", "--type=hard", "--shutdown-timeout=0", "q1")))
        argv, disk = guest.argv(), guest.link.resolve()
        stops.append(ms(lambda: cluster.run("gnt-instance", "shutdown", "--timeout", "0", "q1")))
        with guest.started_by_hand(argv, disk) as started:
            by_hand.append(started)
            ended.append(ms(lambda: wait_for_end(guest.pid(), lambda: typed(f"kill -9 {guest.pid()}"))))
    cluster.run("gnt-instance", "remove", "-f", "q1")
    rows.append(row("O7: starting a guest", None, "1200", starts, "the same QEMU, cont", by_hand))
    rows.append(row("O7: stopping it, --timeout 0", None, "1760", stops, "kill -9", ended))
    rows.append(row("O7: rebooting it, --type hard", 1.2, "2080", reboots, "kill -9, the same QEMU, cont", [a + b for a, b in zip(by_hand, ended)]))
    return rows


def change_rows(cluster):
    """O7, O9, O12 and O13, of a guest with a system that answers: the probe."""
    guest = Guest(cluster, "p1")
    cluster.run(*ADD, "-s", "64M", "--no-start", "p1")
    [disk] = (cluster.root / "srv/files/p1").glob("*.disk0")
    shutil.copyfile(labs.probe_image(), disk)
    mode = TUN.stat().st_mode
    try:
        TUN.chmod(0o666)  # as udev has it
        cluster.run("gnt-instance", "startup", "p1")
        guest.answers(*guest.serial())
        rows = [query_row(guest), *nic_rows(guest), grow_row(guest), console_row(guest), shutdown_row(guest)]
        cluster.run("gnt-instance", "remove", "-f", "p1")
        return rows
    finally:
        TUN.chmod(mode)


def query_row(guest):
    """What of the rows by hand is the start of socat(1) and a shell."""
    def said_by_us():
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(guest.runtime / f"ctrl/{guest.name}.qmp"))
            stream = connection.makefile("rw")
            stream.readline()
            for command in ("qmp_capabilities", "query-status"):
                stream.write(json.dumps({"execute": command}) + "\n")
                stream.flush()
                stream.readline()

    by_hand = median_ms(lambda: typed(guest.qmp("query-status")))
    return "(by hand, one QMP command)", by_hand, "", "", f"from a program that runs already: {median_ms(said_by_us):.1f}"


def nic_rows(guest):
    modify = ["gnt-instance", "modify", "--net"]

    add_by_hand = (f"ip tuntap add dev bench0 mode tap vnet_hdr user {GUEST_USER}", f"ip link set bench0 master {BRIDGE} up",
                   guest.qmp(("netdev_add", {"type": "tap", "id": "hand", "ifname": "bench0", "script": "no", "downscript": "no"}),
                             ("device_add", {"driver": "virtio-net-pci", "id": "hand", "netdev": "hand", "mac": "aa:00:00:00:00:01"})))
    remove_by_hand = guest.qmp(("device_del", {"id": "hand"}), ("netdev_del", {"id": "hand"})), "ip link delete bench0"

    figures = {"add": [], "remove": [], "add by hand": [], "remove by hand": []}
    for _ in range(ROUNDS):
        figures["add"].append(ms(lambda: guest.cluster.run(*modify, f"add:link={BRIDGE}", "p1")))
        time.sleep(1)  # until the guest knows it
        figures["remove"].append(ms(lambda: guest.cluster.run(*modify, "remove", "p1")))
        figures["add by hand"].append(ms(lambda: typed(*add_by_hand)))
        time.sleep(1)
        figures["remove by hand"].append(ms(lambda: typed(*remove_by_hand)))
    return [row("O12: adding a NIC to a running guest", 1.2, "", figures["add"], "ip, ip, two QMP commands", figures["add by hand"]),
            row("O12: removing it", 1.2, "", figures["remove"], "two QMP commands, ip", figures["remove by hand"])]


def grow_row(guest):
    disk = guest.link.resolve()
    node = re.search(r"driver=raw,node-name=([^,]+),discard", b" ".join(guest.argv()).decode()).group(1)
    ours, by_hand = [], []

    mib = 64
    for _ in range(ROUNDS):
        mib += 16
        ours.append(ms(lambda: guest.cluster.run("gnt-instance", "grow-disk", "--absolute", "p1", "0", f"{mib}M")))
    for _ in range(ROUNDS):
        mib += 16
        by_hand.append(ms(lambda: typed(f"truncate -s {mib}M {disk}", guest.qmp(("block_resize", {"node-name": node, "size": mib << 20})))))
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
            by_hand.append(ms(lambda: wait_for_end(guest.pid(), lambda: typed(guest.qmp("system_powerdown")))))
        guest.cluster.run("gnt-instance", "startup", "p1")
        guest.answers(*guest.serial())
    return row("O7: shutting down a guest that hears it", 1.2, "", ours, "system_powerdown", by_hand)
