"""A lab of one to three production nodes: virtual machines with systemd, LVM, KVM and bridges, in a network namespace.

A node runs Debian's own kernel under an emulated CPU with SVM, so that guests inside run under real KVM. Everything of a lab
lies in one directory; images are cached by the content of their recipe."""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = pathlib.Path(os.environ.get("FLOTTE_LAB_CACHE", "/var/cache/flotte-lab"))
SSH_PORT = 51083
MEMORY_MIB = 2560
VOLUME_GROUPS = {"vms": "12G", "vms_hdd": "8G", "vms_ssd": "4G"}
BOOT_SECONDS_MAX = 180
# For what comes soon: a node and its guests are emulated, and stand still for half a minute when their host has other work.
PATIENCE_SECONDS = 180
HANG_SECONDS_MIN = 60
QEMU = "-f '^/usr/bin/kvm '"  # the processes of guests, for pgrep and pkill
CACHE_SECONDS = 24 * 3600
# Operation O1 (README.md, "Operations"), as it is typed.
INIT = ('gnt-cluster init --vg-name vms --master-netdev br-grenode --enabled-hypervisors kvm --hypervisor-parameters kvm:kernel_path="" '
        "--enabled-disk-templates plain,diskless --node-parameters ssh_port=51083 flotte.grenode.net")


class LabError(Exception):
    """What can't be done in the lab, for the person who asked."""


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise LabError(f"{' '.join(str(word) for word in command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def content_hash(*paths):
    """Of files and of all files below directories: names, modes and contents."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(path.parent)} {file.stat().st_mode:o}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def cached(kind, recipe, build):
    """A directory of the cache that `build(path)` makes once for each content of its recipe. Others of its kind go when nobody has asked for them for a day: a lab
    of another checkout may stand on one."""
    wanted = CACHE / f"{kind}-{content_hash(*recipe)}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            for left in CACHE.glob(".build-*"):
                shutil.rmtree(left)
            build(wanted)
        os.utime(wanted)
        for other in CACHE.glob(f"{kind}-*"):
            if other.stat().st_mtime < time.time() - CACHE_SECONDS:
                shutil.rmtree(other)
    return wanted


def node_image():
    return cached("node", [HERE / "image"], lambda path: subprocess.run([HERE / "image" / "build", path], check=True))


def cached_file(kind, recipe, name, *command):
    """One file of the cache, which a command makes that is told its path last."""
    def build(path):
        path.mkdir(parents=True)
        try:
            subprocess.run([*command, path / name], check=True)
        except BaseException:
            shutil.rmtree(path)
            raise
    return cached(kind, recipe, build) / name


PROBE = [HERE / "probe" / name for name in ("build", "init", "probe.cpp")]


def probe_image():
    return cached_file("probe", PROBE, "probe.raw", HERE / "probe" / "build")


def probe_cd():
    """An image that boots the probe as an installer's CD does."""
    return cached_file("cd", [*PROBE, HERE / "probe" / "cd"], "probe.iso", HERE / "probe" / "cd", probe_image())


def debian_tree():
    """A Debian with kernel and boot loader, as an OS definition's cache has it: a tar, compressed by zstd."""
    return cached("tree", [HERE / "tree"], lambda path: subprocess.run([HERE / "tree" / "build", path], check=True)) / "tree.tar.zst"


def packages():
    """Our own Debian packages, as tools/package leaves them."""
    found = sorted((ROOT / "build" / "packages").glob("flotte*.deb"))
    found = [path for path in found if "dbgsym" not in path.name]
    if not found:
        raise LabError("There are no packages in build/packages; make them with tools/package")
    return found


class Node:
    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.name = f"node{number}.lab.test"
        self.address = f"192.0.2.1{number}"
        self.directory = lab.directory / f"node{number}"
        self._tap = f"lab{number}"

    # --- the machine

    def create(self):
        self.directory.mkdir()
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", self.lab.image / "base.qcow2", self._disk("root"))
        for group, size in VOLUME_GROUPS.items():
            run("qemu-img", "create", "-q", "-f", "qcow2", self._disk(group), size)
        run("ip", "-n", self.lab.namespace, "tuntap", "add", "dev", self._tap, "mode", "tap")
        run("ip", "-n", self.lab.namespace, "link", "set", self._tap, "master", "br0", "up")

    def power_on(self, snapshot=None):
        """With a snapshot: as the machine was when it was saved."""
        if self.is_on():
            raise LabError(f"{self.name} is on already")
        disks = []
        for name in ["root", *VOLUME_GROUPS]:
            # LVM doesn't flush what it writes: a disk that forgets that when its power is cut is none.
            cache = "writethrough" if name in VOLUME_GROUPS else "writeback"
            disks += ["-drive", f"file={self._disk(name)},if=none,id={name},cache={cache},discard=unmap",
                      "-device", f"virtio-blk-pci,drive={name},serial={name}"]
        run("ip", "netns", "exec", self.lab.namespace, "qemu-system-x86_64", "-name", self.name,
            "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "EPYC,+svm", "-smp", self.lab.processors, "-m", MEMORY_MIB, "-nodefaults", "-display", "none",
            "-daemonize", "-pidfile", self.directory / "pid",
            "-chardev", f"socket,id=serial,path={self.directory}/serial,server=on,wait=off,logfile={self.directory}/console.log,logappend=on",
            "-serial", "chardev:serial", "-qmp", f"unix:{self.directory}/qmp,server=on,wait=off",
            "-kernel", self.lab.image / "kernel", "-initrd", self.lab.image / "initrd",
            "-append", f"root=LABEL=root console=ttyS0 quiet sysrq_always_enabled net.ifnames=1 lab.node={self.number}", *disks,
            "-nic", f"tap,model=virtio,ifname={self._tap},script=no,downscript=no,mac=52:54:00:00:01:0{self.number}",
            "-device", "virtio-rng-pci", *(["-loadvm", snapshot] if snapshot else []))

    def power_cut(self):
        """As if the plug was pulled."""
        self._forget_connection()
        pid = self._pid()
        if pid:
            # Its files are closed when it has ended, not when its command line is gone.
            process = os.pidfd_open(pid)
            os.kill(pid, signal.SIGKILL)
            select.select([process], [], [])
            os.close(process)

    def is_on(self):
        return self._pid() is not None

    def hangs(self):
        """It is on, and says nothing for longer than the busiest node needs."""
        return self.is_on() and self.run("true", timeout=HANG_SECONDS_MIN).returncode == 255

    def what_it_hangs_in(self):
        """Of a machine that doesn't answer: what its processors do, and the end of its console."""
        console = self.directory / "console.log"
        if not self.is_on():
            said = "its QEMU has ended"
        else:
            said = self._monitor("info status")
            for _ in range(2):  # do they go on?
                said += "".join(f"{line}\n" for line in self._monitor("info registers -a").splitlines() if line.startswith(("CPU#", "RIP=")))
            for key in ("l", "w", "m"):  # backtraces of processors, blocked tasks, memory
                self._monitor(f"sendkey alt-sysrq-{key}")
                time.sleep(3)
        return f"{said}\n{console.read_text(errors='replace')[-20000:]}"

    def save(self, snapshot):
        """Its guests stand still meanwhile: QEMU can't load what it saved of an emulated processor that was inside of one."""
        self.run(f"pkill -STOP {QEMU}; sleep 0.3")
        self._forget_connection()
        self._monitor_silently(f"savevm {snapshot}")
        self.run(f"pkill -CONT {QEMU}")

    def load(self, snapshot):
        """Back to what was saved; a machine that is off is started there."""
        self._forget_connection()
        if self.is_on():
            self._monitor_silently(f"loadvm {snapshot}")
            self._monitor_silently("cont")  # it stands where the last load failed
        else:
            self.power_on(snapshot)
        self.wait_for_ssh()
        self.ok(f"pkill -CONT {QEMU}; date -s @{time.time():.3f} > /dev/null")

    def wait_for_ssh(self):
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while self.run("true", timeout=20).returncode != 0:
            if not self.is_on() or time.monotonic() > deadline:
                raise LabError(f"{self.name} does not answer; see {self.directory}/console.log")
            time.sleep(0.2)

    # --- what is typed on it

    def ssh_command(self, *options):
        return ["ip", "netns", "exec", self.lab.namespace, "ssh", "-q", "-i", str(self.lab.image / "key"), "-p", str(SSH_PORT),
                # An emulated node may be silent for long when its host has much to do.
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20",
                "-o", "ControlMaster=auto", "-o", f"ControlPath={self.directory}/ssh", "-o", "ControlPersist=600",
                "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=24", *options, f"root@{self.address}"]

    def run(self, command, timeout=300, stdin=None):
        try:
            return subprocess.run([*self.ssh_command(), command], input=stdin, capture_output=True, text=stdin is None or isinstance(stdin, str),
                                  timeout=timeout, **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        except subprocess.TimeoutExpired:
            self._forget_connection()
            return subprocess.CompletedProcess(command, 255, "", f"no answer within {timeout} s")

    def start(self, command, terminal=None):
        """A command that the caller waits for, on a terminal (a descriptor) or on pipes."""
        if terminal is not None:
            return subprocess.Popen([*self.ssh_command("-tt"), command], stdin=terminal, stdout=terminal, stderr=terminal)
        return subprocess.Popen([*self.ssh_command(), command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ok(self, command, timeout=300):
        done = self.run(command, timeout)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}= {done.returncode}"
        return done.stdout

    def refused(self, command, exit_code=1, timeout=300):
        """What a command says on standard error that must fail with this exit code."""
        done = self.run(command, timeout)
        assert done.returncode == exit_code, f"$ {command}\n{done.stdout}{done.stderr}= {done.returncode}"
        return done.stderr

    def wait_until(self, command, timeout=PATIENCE_SECONDS):
        """Until a command succeeds; its output."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.run(command)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < deadline, f"not within {timeout} s: {command}\n{done.stdout}{done.stderr}"
            time.sleep(0.3)

    def send(self, source, target):
        """Copies a file of ours to a path on the node."""
        with open(source, "rb") as file:
            done = subprocess.run([*self.ssh_command("-C"), f"cat > {target}"], stdin=file, capture_output=True, text=True)
        assert done.returncode == 0, f"{source} to {self.name}:{target}: {done.stderr}"

    # --- inside

    def _disk(self, name):
        return self.directory / f"{name}.qcow2"

    def _pid(self):
        try:
            pid = int((self.directory / "pid").read_text())
            command_line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if str(self.directory).encode() in command_line else None

    def _forget_connection(self):
        if (self.directory / "ssh").exists():
            subprocess.run([*self.ssh_command("-O", "exit")], capture_output=True)

    def _monitor_silently(self, command):
        said = self._monitor(command)
        if said:
            raise LabError(f"{self.name}: {command}: {said}")

    def _monitor(self, command):
        """What the person's monitor of its QEMU says to it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.directory / "qmp"))
            stream = connection.makefile("rw")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"},
                            {"execute": "human-monitor-command", "arguments": {"command-line": command}}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "return" in answer or "error" in answer:
                        break
        if "error" in answer:
            raise LabError(f"{self.name}: {command}: {answer}")
        return answer["return"]


class Lab:
    """Its directory tells what there is of it, so that a person's commands and tests find it again."""

    def __init__(self, directory, namespace, image, processors):
        self.directory = pathlib.Path(directory)
        self.namespace = namespace
        self.image = image
        self.processors = processors  # of each node; with more than one it may hang as a whole (README.md)
        self.nodes = []

    @classmethod
    def create(cls, directory, namespace, count, processors=1):
        lab = cls(directory, namespace, node_image(), processors)
        lab.directory.mkdir(parents=True)
        (lab.directory / "lab.json").write_text(json.dumps({"namespace": namespace, "image": str(lab.image), "nodes": count, "processors": processors}))
        run("ip", "netns", "add", namespace)
        for command in ("link set lo up", "link add br0 type bridge", "address add 192.0.2.1/24 dev br0", "link set br0 up"):
            run("ip", "-n", namespace, *command.split())
        lab.nodes = [Node(lab, number) for number in range(1, count + 1)]
        for node in lab.nodes:
            node.create()
        return lab

    @classmethod
    def open(cls, directory):
        try:
            known = json.loads((pathlib.Path(directory) / "lab.json").read_text())
        except FileNotFoundError:
            raise LabError("There is no lab; start one with: ./lab up [1-3]") from None
        lab = cls(directory, known["namespace"], pathlib.Path(known["image"]), known["processors"])
        lab.nodes = [Node(lab, number) for number in range(1, known["nodes"] + 1)]
        return lab

    def boot(self):
        for node in self.nodes:
            node.power_on()
        for node in self.nodes:
            node.wait_for_ssh()

    def prepare(self, node):
        """What an administrator does before Flotte comes: volume groups."""
        node.ok(" && ".join(f"vgcreate -q {group} /dev/disk/by-id/virtio-{group}" for group in VOLUME_GROUPS))

    def install(self, node, debs=None):
        """As an administrator would."""
        names = []
        for deb in debs or [path for path in packages() if path.name.startswith("flotte_")]:
            node.send(deb, f"/root/{deb.name}")
            names.append(f"./{deb.name}")
        node.ok(f"cd /root && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --allow-downgrades {' '.join(names)}", timeout=600)

    def destroy(self):
        for node in self.nodes:
            node.power_cut()
        subprocess.run(["ip", "netns", "delete", self.namespace], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def fresh_node(namespace, processors=1):
    """A node with volume groups and our package, of one's own; it goes with the end of the block."""
    with tempfile.TemporaryDirectory(prefix=f"{namespace}-") as directory:
        lab = Lab.create(pathlib.Path(directory) / "lab", namespace, 1, processors)
        try:
            [node] = lab.nodes
            lab.boot()
            lab.prepare(node)
            lab.install(node)
            yield node
        finally:
            lab.destroy()
