"""What the rows of bench/run are measured with: clocks, a limit of the disk, and a private cluster."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = ROOT / "build/dev/bin"
ROUNDS = 25
# Of all NICs: a machine that is measured need have none.
BRIDGE = "flotte-bench"


def ms(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def median_ms(work, rounds=ROUNDS):
    return statistics.median(ms(work) for _ in range(rounds))


def fsync_ms(directory):
    """Appending 4 KiB and waiting until the disk has it."""
    fd = os.open(directory / "fsync", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        return median_ms(lambda: (os.write(fd, b"x" * 4096), os.fsync(fd)), 200)
    finally:
        os.close(fd)


class LocalConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Cluster:
    def __init__(self, root):
        self.root = root
        self.env = {**os.environ, "FLOTTE_ROOT": str(root), "PATH": f"{BIN}:{os.environ['PATH']}"}

    def run(self, *argv):
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        files = self.root / "srv/files"
        for directory in ("etc/ganeti", "usr/share/ganeti", "srv/files"):
            (self.root / directory).mkdir(parents=True)
        (self.root / "etc/ganeti/file-storage-paths").write_text(f"{files}\n")
        (self.root / "usr/share/ganeti/os").symlink_to(ROOT / "os")
        # In memory, as on every machine.
        (self.root / "var/run").mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "run", self.root / "var/run"], check=True)
        subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
        self.run("flotte", "daemons", "start")
        self.run("gnt-cluster", "init", "--enabled-hypervisors=fake,kvm", "--enabled-disk-templates=diskless,file",
                 f"--file-storage-dir={files}", f"--nic-parameters=link={BRIDGE}", "-H", "kvm:kernel_path=", "--ipolicy-bounds-specs="
                 "min:cpu-count=1,disk-count=0,disk-size=0,memory-size=0,nic-count=0,spindle-use=0/"
                 "max:cpu-count=64,disk-count=16,disk-size=1048576,memory-size=1048576,nic-count=8,spindle-use=64",
                 "bench.example")

    def stop(self):
        """The daemons, and guests that a measurement has left."""
        subprocess.run(["flotte", "daemons", "stop"], env=self.env, check=False, capture_output=True)
        for pidfile in (self.root / "var/run/ganeti/kvm-hypervisor/pid").glob("*"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pidfile.read_text()), signal.SIGKILL)
        subprocess.run(["umount", "--lazy", self.root / "var/run"], check=False)
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False)

    def run_jobs(self, jobs):
        """Submits jobs in one request and waits for the end of each."""
        connection = LocalConnection(self.root / "var/run/ganeti/socket/flotte-controller")
        connection.request("POST", "/flotte/1/submit", json.dumps({"jobs": jobs, "follow": True}))
        ended = [line["done"] for line in map(json.loads, connection.getresponse()) if "done" in line]
        connection.close()
        good = sum(job["status"] == "success" for job in ended)
        if good != len(jobs):
            raise RuntimeError(f"{len(jobs)} jobs, {good} succeeded; the first of the others: {next((job for job in ended if job['status'] != 'success'), None)}")

    def pss_mb(self):
        total = 0
        for daemon in ("flotte-controllerd", "flotte-noded"):
            # The controller's has a directory of its own.
            pid = next((self.root / "var/run/ganeti").rglob(f"{daemon}.pid")).read_text().strip()
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / 1024
