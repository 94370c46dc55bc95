"""A machine of its own for a test: namespaces for processes, mounts, network and host name, with throw-away layers over
/etc, /usr, /var and /srv. Flotte runs in it at its default paths, and nothing of it outlives the test."""
import base64
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / os.environ.get("FLOTTE_PRESET", "dev") / "bin"

CLONE_NEWNET = 0x40000000

# The cluster of the transcripts.
INIT = """gnt-cluster init --master-netdev=br0 --enabled-hypervisors=fake,kvm --enabled-disk-templates=diskless,file,sharedfile \
  --file-storage-dir=/srv/ganeti/file-storage --shared-file-storage-dir=/srv/ganeti/shared-file-storage \
  --nic-parameters=mode=bridged,link=br0 \
  -H kvm:kernel_path=,kvm_path=/usr/local/bin/kvm-tcg,serial_console=true,vnc_bind_address=,boot_order=disk \
  --ipolicy-bounds-specs=min:cpu-count=1,disk-count=0,disk-size=0,memory-size=0,nic-count=0,spindle-use=0/max:cpu-count=64,disk-count=16,disk-size=1048576,memory-size=1048576,nic-count=8,spindle-use=64 \
  --ipolicy-vcpu-ratio=10000 --ipolicy-spindle-ratio=10000 cluster.lab.test"""

SETUP = r"""
set -e
cd /
layers=$1
if ! mount --make-rprivate / 2> /dev/null; then
  # In a chroot whose root is no mount point nothing can be private: go on below one that is.
  mkdir "$layers/root"
  mount --rbind / "$layers/root"
  mount --make-rprivate "$layers/root"
  exec chroot "$layers/root" bash -c "$4" init "$@"
fi
mount -t tmpfs flotte-test "$layers"
for top in etc usr var srv; do
  mkdir -p "$layers/$top" "$layers/$top.work"
  mount -t overlay overlay -o "lowerdir=/$top,upperdir=$layers/$top,workdir=$layers/$top.work" "/$top"
done
rm -rf /etc/ganeti /var/lib/ganeti /var/log/ganeti /srv/ganeti /usr/share/ganeti /var/cache/ganeti-instance-debootstrap
mount -t tmpfs run /run
mount -t sysfs sysfs /sys # that of this network namespace
hostname "$2"
ip link set lo up
ip link add br0 type bridge
ip address add "$5/24" dev br0
ip link set br0 up
{ printf '127.0.0.1 localhost\n%s %s\n%s9 cluster.lab.test\n' "$5" "$2" "${5%1}"
  for i in $(seq 40); do printf '192.0.2.%s inst%s.lab.test\n' $((100 + i)) "$i"; done; } > /etc/hosts
sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
mkdir -p /etc/ganeti /srv/ganeti /usr/share/ganeti/os
printf '/srv/ganeti/file-storage\n/srv/ganeti/shared-file-storage\n' > /etc/ganeti/file-storage-paths
# An OS whose scripts do nothing.
mkdir /usr/share/ganeti/os/noop
for script in create import export rename verify; do
  printf '#!/bin/sh\nexit 0\n' > /usr/share/ganeti/os/noop/$script
done
chmod +x /usr/share/ganeti/os/noop/*
echo 20 > /usr/share/ganeti/os/noop/ganeti_api_version
: > /usr/share/ganeti/os/noop/parameters.list
printf '#!/bin/sh\nexec qemu-system-x86_64 "$@"\n' > /usr/local/bin/kvm-tcg
chmod +x /usr/local/bin/kvm-tcg
echo /usr/local/bin/kvm-tcg > /etc/ganeti/allowed-programs
echo ready
sleep infinity & # bash reaps whoever loses its parent
wait
"""


class Machine:
    """Its address ends with 1, that of its cluster with 9 in the same place."""

    def __init__(self, name="node1.lab.test", address="192.0.2.1"):
        self._layers = tempfile.TemporaryDirectory(prefix="flotte-test-")
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "unchanged", "--uts", "--net", "--pid", "--fork", "--mount-proc", "--kill-child",
             "bash", "-c", SETUP, "init", self._layers.name, name, str(ROOT), SETUP, address],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self._holder.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError("this machine allows no namespaces or overlay mounts")
        children = pathlib.Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self._init = children[0]

    def close(self):
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()
        # Where the mounts of a chroot are shared, one is left.
        subprocess.run(["umount", "--recursive", "--lazy", f"{self._layers.name}/root"], stderr=subprocess.DEVNULL)
        self._layers.cleanup()

    def start(self, command, terminal=None, **options):
        """Starts a shell command in the machine, on a terminal (a descriptor) or on pipes; the caller waits for it."""
        environment = {"PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                       "HOME": "/root", "TERM": "dumb"}
        return subprocess.Popen(["nsenter", "-t", self._init, "-m", "-u", "-n", "-p", "-r", "-w", "--", "bash", "-c", command],
                                stdin=subprocess.DEVNULL if terminal is None else terminal, stdout=subprocess.PIPE if terminal is None else terminal,
                                stderr=subprocess.PIPE if terminal is None else terminal, text=True, env=environment, cwd="/", **options)

    def run(self, command, timeout=120):
        process = self.start(command)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def ok(self, command, timeout=120):
        """The output of a command that must succeed."""
        done = self.run(command, timeout)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}= {done.returncode}"
        return done.stdout

    def refused(self, command, exit_code=1, timeout=120):
        """The error text of a command that must fail with this exit code."""
        done = self.run(command, timeout)
        assert done.returncode == exit_code, f"$ {command}\n{done.stdout}{done.stderr}= {done.returncode}"
        return done.stderr

    def join(self, other):
        """Both bridges become one network."""
        subprocess.run(["nsenter", "-t", self._init, "-n", "--", "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", other._init], check=True)
        for one in (self, other):
            one.ok("ip link set wire master br0 up")

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread of the test makes meanwhile are in the machine's network."""
        def enter(network):
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        with open("/proc/thread-self/ns/net") as own, open(f"/proc/{self._init}/ns/net") as its:
            enter(its)
            try:
                yield
            finally:
                enter(own)

    def write(self, path, content):
        """Into a file of the machine."""
        self.ok(f"base64 -d > {path} <<END\n{base64.b64encode(content).decode()}\nEND")

    def copying_os(self):
        """Our OS definition noop as "raw", whose scripts copy; that of these machines does nothing."""
        self.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/raw")
        for script in ("export", "import"):
            self.write(f"/usr/share/ganeti/os/raw/{script}", (ROOT / "os/noop" / script).read_bytes())

    def pids(self, program):
        """Of all processes of a program, as the machine itself numbers them; one that has ended and waits for its parent is none."""
        return [int(pid) for pid in self.run(f"pgrep -r S,R,D,T,t,I -x {program[:15]}").stdout.split()]

    def pid(self, program):
        """Of a program that runs once."""
        [pid] = self.pids(program)
        return pid

    def kill(self, program, number=signal.SIGKILL):
        """Returns when they have ended: what is started next must not meet them."""
        found = self.pids(program)
        assert found, f"{program} does not run"
        self.ok(f"kill -{int(number)} {' '.join(map(str, found))}")
        self.wait_until_gone(program, found)

    def wait_until_gone(self, program, which=None, timeout=120):
        """Until none of these processes (of all that a program has now) is left."""
        deadline = time.monotonic() + timeout
        which = set(self.pids(program) if which is None else which)
        while which & set(self.pids(program)):
            assert time.monotonic() < deadline, f"{program} has not ended within {timeout} s"
            time.sleep(0.05)

    def wait_until(self, command, timeout=120):
        """Until a command succeeds."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.run(command)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < deadline, f"not within {timeout} s: {command}\n{done.stdout}{done.stderr}"
            time.sleep(0.1)
