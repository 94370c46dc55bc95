"""Disks that go to a cluster of Ganeti's, and come from one: on the other side is the import-export daemon of Debian's ganeti-3.0 as it is, and what is said to it and by it goes through Ganeti's own code (ganeti_peer.py)."""
import contextlib
import json
import pathlib
import shlex
import subprocess
import time

import pytest
from remote_api import with_cluster

FUNCTIONAL = pathlib.Path(__file__).resolve().parent
NODE = "node1.lab.test"
PACKAGES = "ganeti-3.0 python3-bitarray python3-psutil python3-simplejson python3-openssl python3-pyparsing python3-pycurl python3-cryptography python3-cffi-backend"
SIZES = 48, 8  # MiB
STORE = "/srv/ganeti/file-storage"
COMPRESSIONS = "none", "gzip-fast", "gzip-slow", "lzop"
# Ganeti's daemon looks two seconds whether a compressor is there.
KINDS = pytest.mark.parametrize("os_name, compress", [("", "none"), ("raw", "lzop"), *(pytest.param(os, how, marks=pytest.mark.long) for os, how in [("", "gzip-fast"), ("", "gzip-slow"), ("", "lzop"), ("raw", "none"), ("raw", "gzip-fast"), ("raw", "gzip-slow")])])


@pytest.fixture(scope="session")
def ganeti(tmp_path_factory):
    """Where Ganeti's packages are unpacked; none is installed."""
    folder = tmp_path_factory.mktemp("ganeti")
    try:
        for package in PACKAGES.split():
            subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package], cwd=folder, check=True, capture_output=True, text=True, timeout=120)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder], check=True)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"Debian's packages of Ganeti can't be had: {getattr(error, 'stderr', None) or error}")
    return folder


@pytest.fixture(scope="module")
def api(machine):
    made = with_cluster(machine)
    machine.copying_os()
    machine.ok(f"gnt-cluster modify --compression-tools=gzip,{','.join(COMPRESSIONS[1:])}")
    return made


class Peer:
    """Ganeti, with disks of its own."""
    def __init__(self, machine, ganeti):
        self.machine = machine
        self.ganeti = ganeti
        self.folder = "/srv/peer"
        self.disks = [f"{self.folder}/disk{index}" for index in range(len(SIZES))]
        machine.ok(f"rm -rf {self.folder}; mkdir {self.folder}")
        for disk, size in zip(self.disks, SIZES):
            machine.ok(f"truncate -s {size}M {disk}")

    def fill(self, noise=3):
        for disk in self.disks:
            fill(self.machine, disk, noise)

    def run(self, *words, timeout=120, **environment):
        paths = f"{self.ganeti}/usr/share/ganeti/3.0:{self.ganeti}/usr/lib/python3/dist-packages"
        said = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        return json.loads(self.machine.ok(f"cd {self.folder} && {said} PYTHONPATH={paths} /usr/bin/python3 -W ignore {FUNCTIONAL}/ganeti_peer.py {self.ganeti}/usr/share/ganeti/3.0/import-export {shlex.join(map(str, words))}", timeout))

    def receive(self, prepared, compress, timeout=60, **environment):
        """What the source is told."""
        return self.run("receive", json.dumps(prepared), compress, timeout, *self.disks, **environment)

    def send(self, told, compress, **environment):
        self.run("send", json.dumps(told), compress, *self.disks, **environment)

    def ended(self):
        """The exit codes of Ganeti's daemons."""
        return [one["exit_status"] for one in self.run("ended", len(SIZES))]

    def log(self):
        return self.machine.ok(f"cat {self.folder}/log*")


@pytest.fixture
def peer(machine, api, ganeti):
    yield Peer(machine, ganeti)
    machine.run("gnt-job list --no-headers -o id --running | xargs -r gnt-job cancel; pkill -KILL -f import-expor[t]; gnt-instance list --no-headers -o name | xargs -r -n1 gnt-instance remove -f --shutdown-timeout=0")


def fill(machine, disk, noise=3):
    """Noise, nothing, and an end."""
    machine.ok(f"head -c {noise}M /dev/urandom | dd of={disk} bs=1M seek=2 conv=notrunc status=none; printf end | dd of={disk} bs=1 seek=$(($(stat -c %s {disk}) - 3)) conv=notrunc status=none")


def sums(machine, disks):
    return [line.split()[0] for line in machine.ok(f"sha256sum {' '.join(disks)}").splitlines()]


def paths(machine, name):
    return machine.ok(f"ls {STORE}/{name}/*.disk[0-9] | sort -t. -k 3").split()


def nothing_is_left(machine, instances=()):
    """Of a move that has ended, however. Instances: those that are there, and run."""
    assert machine.ok("gnt-instance list --no-headers -o name,status").split() == [word for name in instances for word in (name, "running")]
    assert machine.ok("ls -A /var/run/ganeti/crypto 2> /dev/null || true") == ""
    machine.wait_until("! pgrep -x 'gzip|lzop|socat|import-export'", timeout=20)
    verified = machine.run("gnt-cluster verify")
    assert verified.returncode == 0, verified
    if not instances:
        assert machine.ok(f"find {STORE} -type f") == ""
    machine.wait_until("! ss -Htlnp | grep flotte-noded | grep -v :1811", timeout=20)


@contextlib.contextmanager
def instance(api, os="", start=True):
    """One of ours, with something on its disks."""
    machine = api.machine
    disks = " ".join(f"--disk {index}:size={size}M" for index, size in enumerate(SIZES))
    machine.ok(f"gnt-instance add -t file {f'-o {os}' if os else ''} --no-install --no-start -H fake -B memory=32M --net 0:link=br0 {disks} vm1")
    for disk in paths(machine, "vm1"):
        fill(machine, disk)
    if start:
        machine.ok("gnt-instance start vm1")
    try:
        yield "vm1"
    finally:
        machine.run("gnt-instance remove -f --shutdown-timeout=0 vm1")


def prepare(api):
    job = api.do("PUT", "/2/instances/vm1/prepare-export?mode=remote")
    return job["opresult"][0]


def export(told, compress, removes=True):
    return {"mode": "remote", "shutdown": True, "shutdown_timeout": 0, "remove_instance": removes, "long_sleep": not removes, "compress": compress, **told}


def wanted(source, os="", compress="none"):
    return {"__version__": 1, "mode": "remote-import", "instance_name": "vm2", "os_type": os or None, "disk_template": "file", "hypervisor": "fake", "beparams": {"memory": 32},
            "disks": [{"size": size} for size in SIZES], "nics": [{"link": "br0"}], "pnode": NODE, "compress": compress, "source_instance_name": "vm1", "source_shutdown_timeout": 0,
            "ip_check": False, "name_check": False, "start": True, **source}


def told_by(api, job):
    """What the job says of where it listens."""
    deadline = time.monotonic() + 20
    while True:
        answer = api.get(f"/2/jobs/{job}", "rw")
        for entry in [entry for log in answer["oplog"] for entry in log]:
            if entry[2] == "remote-import":
                return entry[3]
        assert answer["status"] not in ("error", "success") and time.monotonic() < deadline, answer
        time.sleep(0.05)


@KINDS
def test_ganeti_takes_what_we_send(api, peer, os_name, compress):
    machine = api.machine
    with instance(api, os_name):
        machine.ok("gnt-instance stop --timeout=0 vm1")
        expected = sums(machine, paths(machine, "vm1"))
        machine.ok("gnt-instance start vm1")
        api.do("PUT", "/2/instances/vm1/export", export(peer.receive(prepare(api), compress), compress))
        assert peer.ended() == [0, 0], peer.log()
        assert sums(machine, peer.disks) == expected
        nothing_is_left(machine)


@KINDS
def test_we_take_what_ganeti_sends(api, peer, os_name, compress):
    machine = api.machine
    peer.fill()
    job = api.submit("POST", "/2/instances", wanted(peer.run("as-source"), os_name, compress))
    peer.send(told_by(api, job), compress)
    assert peer.ended() == [0, 0], peer.log()
    ended = api.ended(job)
    assert ended["status"] == "success", ended
    assert sums(machine, paths(machine, "vm2")) == sums(machine, peer.disks)
    nothing_is_left(machine, ["vm2"])


# --- What goes wrong where we take

def not_taken(api, job):
    """What the job says; nothing came of it."""
    ended = api.ended(job)
    assert ended["status"] == "error", ended
    nothing_is_left(api.machine)
    return ended["opresult"][0][1][0]


def sends(api, peer, compress="none", **environment):
    """The job that takes what Ganeti sends."""
    job = api.submit("POST", "/2/instances", wanted(peer.run("as-source"), compress=compress))
    peer.send(told_by(api, job), compress, **environment)
    return job


def under_way(machine):
    """Each disk is on its way, in the middle."""
    machine.wait_until(f"[ $(ss -Htnp state established | grep -c socat) -ge {len(SIZES)} ]", timeout=20)
    time.sleep(0.5)


SLOWLY = "{ dd if=DISK bs=1M count=6; tail -f /dev/null; }"


@pytest.mark.parametrize("compress", ["none", "gzip-fast"])
def test_a_sender_that_is_killed(api, peer, compress):
    peer.fill()
    job = sends(api, peer, compress, PEER_EXPORT=SLOWLY)
    under_way(api.machine)
    api.machine.ok("pkill -KILL -x socat; pkill -x tail")
    assert "the connection was closed" in not_taken(api, job)


@pytest.mark.long
def test_a_sender_of_which_a_part_is_killed(api, peer):
    """socat says that this is the end, as if it were."""
    peer.fill()
    job = sends(api, peer, PEER_EXPORT=SLOWLY)
    under_way(api.machine)
    api.machine.ok("pkill -KILL -x tail")
    assert "MiB, but only 6291456 bytes came: the source stopped too early, see what its job says" in not_taken(api, job)


@pytest.mark.long
def test_another_disk_than_the_one_waited_for(api, peer):
    assert "Magic value mismatch" in not_taken(api, sends(api, peer, PEER_MAGIC="another-magic"))


@pytest.mark.long
def test_more_than_a_disk(api, peer):
    """Little of it on its way."""
    assert "MiB, and more than that came" in not_taken(api, sends(api, peer, "gzip-fast", PEER_EXPORT="head -c 2G /dev/zero"))


@pytest.mark.long
def test_what_is_not_compressed_as_announced(api, peer):
    job = api.submit("POST", "/2/instances", wanted(peer.run("as-source"), compress="gzip-fast"))
    peer.send(told_by(api, job), "lzop")
    assert "not in gzip format" in not_taken(api, job)


@pytest.mark.long
def test_no_room(api, peer):
    machine = api.machine
    for disk, noise in zip(peer.disks, (45, 5)):
        fill(machine, disk, noise)
    machine.ok(f"mount -t tmpfs -o size={SIZES[0]}M,mode=750 tmpfs {STORE}")
    try:
        assert "No space left on device" in not_taken(api, sends(api, peer))
    finally:
        machine.wait_until(f"umount {STORE}")


@pytest.mark.long
def test_others_who_connect(api, peer):
    """One who says nothing, one with another certificate, one who speaks no TLS; and then the one who is waited for."""
    machine = api.machine
    peer.fill()
    machine.ok("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ganeti.example.com -keyout /srv/other.key -out /srv/other.crt 2> /dev/null")
    job = api.submit("POST", "/2/instances", wanted(peer.run("as-source")))
    told = told_by(api, job)
    for _, port, *_ in told["disks"]:
        machine.run(f"(sleep 14 | socat -u STDIN TCP:192.0.2.1:{port}) > /dev/null 2>&1 & echo hello | socat -u STDIN TCP:192.0.2.1:{port}; socat -u /dev/zero OPENSSL:192.0.2.1:{port},verify=0,key=/srv/other.key,cert=/srv/other.crt < /dev/null > /dev/null 2>&1 & true")
    peer.send(told, "none")
    ended = api.ended(job)
    assert ended["status"] == "success", ended
    assert sums(machine, paths(machine, "vm2")) == sums(machine, peer.disks)
    machine.wait_until("! pgrep -x socat")
    nothing_is_left(machine, ["vm2"])


def test_certificates_that_are_not_taken(api, peer):
    def why(**environment):
        return api.fails("POST", "/2/instances", wanted(peer.run("as-source", **environment)))[0]
    assert "signature is invalid: the clusters don't share the same domain secret" in why(PEER_SECRET="other")
    assert "Certificate is expired" in why(PEER_BEGINS=str(-26 * 3600))
    assert "are the clocks of both clusters right?" in why(PEER_BEGINS="3600")


@pytest.mark.long
def test_a_clock_that_is_a_little_fast(api, peer):
    """Ganeti's certificates begin when they are made."""
    peer.fill()
    job = api.submit("POST", "/2/instances", wanted(peer.run("as-source", PEER_BEGINS="100")))
    told = told_by(api, job)
    peer.send(told, "none")
    ended = api.ended(job)
    assert ended["status"] == "success", ended


# --- What goes wrong where we send

@pytest.fixture
def vm1(api, peer):
    with instance(api) as name:
        yield name


def not_sent(api, told, compress="none", removes=False):
    """What the job says; the instance runs where it ran. One that was to be removed the watcher starts."""
    ended = api.ended(api.submit("PUT", "/2/instances/vm1/export", export(told, compress, removes)))
    assert ended["status"] == "error", ended
    words = ended["opresult"][0][1][0]
    api.machine.wait_until("gnt-instance list --no-headers -o status vm1 | grep running", timeout=60)
    nothing_is_left(api.machine, ["vm1"])
    return words


@pytest.mark.long
def test_a_destination_without_room(api, peer, vm1):
    assert "see what the job there says" in not_sent(api, peer.receive(prepare(api), "none", PEER_IMPORT="dd of=/dev/full bs=1M"))


def test_a_destination_that_takes_another(api, peer, vm1):
    """It refuses when all that is small has been written."""
    machine = api.machine
    machine.ok("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ganeti.example.com -keyout /srv/other.key -out /srv/other.crt 2> /dev/null")
    words = not_sent(api, peer.receive(prepare(api), "none", timeout=2, PEER_TRUSTS="/srv/other.crt"))
    assert "the other side refused TLS" in words


@pytest.mark.long
def test_a_destination_that_is_another(api, peer, vm1):
    told = peer.receive(prepare(api), "none", timeout=4)
    told["destination_x509_ca"] = peer.run("as-source")["source_x509_ca"]
    assert "TLS verification failed" in not_sent(api, told)


@pytest.mark.long
def test_a_destination_that_speaks_old_tls(api, peer, vm1):
    machine = api.machine
    told = peer.receive(prepare(api), "none", timeout=1)
    peer.ended()
    for _, port, *_ in told["destination"]:
        machine.start(f"exec openssl s_server -accept {port} -tls1_1 -cipher ALL:@SECLEVEL=0 -key {peer.folder}/key -cert {peer.folder}/cert -quiet")
    machine.wait_until(f"ss -Htln | grep :{port}")
    words = not_sent(api, told)
    machine.kill("openssl")
    assert "speaks no TLS as new as 1.2" in words


@pytest.mark.long
def test_a_destination_that_is_killed(api, peer, vm1):
    told = peer.receive(prepare(api), "none", PEER_IMPORT="tail -f /dev/null")
    job = api.submit("PUT", "/2/instances/vm1/export", export(told, "none", removes=False))
    under_way(api.machine)
    api.machine.ok("pkill -KILL -x socat; pkill -x tail")
    ended = api.ended(job)
    assert ended["status"] == "error", ended
    api.machine.wait_until("gnt-instance list --no-headers -o status vm1 | grep running", timeout=60)
    nothing_is_left(api.machine, ["vm1"])
