"""kill -9 of either daemon at three instants: jobs finish or are undone, and guests keep running."""
import pytest

ADD = "gnt-instance add -t file -s 64M -o slow --no-name-check --no-ip-check --no-nics -B memory=64M -H kvm"

# Each leaves a mark when it is reached, and lasts long enough for a kill.
SLOW_OS = b"""#!/bin/sh
echo "begins $$" >> /tmp/writers
touch /tmp/reached
sleep 3
echo installed > "$DISK_0_PATH"
echo "ends $$" >> /tmp/writers
"""
SLOW_START = b"""#!/bin/sh
qemu-system-x86_64 "$@" || exit
case " $* " in *" -daemonize "*) touch /tmp/reached; sleep 2 ;; esac
"""
DAEMONS = ["flotte-controllerd", "flotte-noded"]


@pytest.fixture(scope="module", autouse=True)
def slow_parts(cluster):
    cluster.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/slow")
    cluster.write("/usr/share/ganeti/os/slow/create", SLOW_OS)
    cluster.write("/usr/local/bin/slow-kvm", SLOW_START)
    cluster.ok("chmod +x /usr/local/bin/slow-kvm && echo /usr/local/bin/slow-kvm >> /etc/ganeti/allowed-programs")


@pytest.fixture(autouse=True)
def clean(cluster):
    cluster.ok("rm -f /tmp/reached /tmp/writers")
    yield
    cluster.run("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert cluster.ok("gnt-instance list --no-headers -o name; find /srv/ganeti -type f") == ""
    assert not cluster.pids("qemu-system-x86_64")


def kill_when_reached(cluster, daemon, command):
    """Types a command, kills a daemon when the instant has come, starts it again; the command's output and exit code."""
    waiting = cluster.start(command)
    cluster.wait_until("test -e /tmp/reached")
    cluster.kill(daemon)
    cluster.ok("flotte daemons start")
    out, err = waiting.communicate(timeout=60)
    cluster.wait_until("! gnt-job list --no-headers -o status | grep -Eq 'running|waiting|queued|canceling'")
    return out + err, waiting.returncode


def state(cluster):
    return cluster.ok("gnt-instance list --no-headers --separator=, -o name,status").split()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_during_disk_creation(cluster, daemon):
    cluster.ok("gnt-cluster modify --prealloc-wipe-disks=yes")
    add = cluster.start(ADD.replace("-s 64M", "-s 3G") + " --no-install --no-start vm1")
    cluster.wait_until("find /srv/ganeti/file-storage -type f -size +0 -exec du -m {} + | awk '$1 > 50 {found=1} END {exit !found}'")
    cluster.kill(daemon)
    cluster.ok("flotte daemons start")
    said, _ = add.communicate(timeout=90)
    cluster.ok("gnt-cluster modify --prealloc-wipe-disks=no")
    assert add.returncode == 0, said
    assert state(cluster) == ["vm1,ADMIN_down"]
    assert int(cluster.ok("du -m /srv/ganeti/file-storage/vm1/*").split()[0]) >= 3072


@pytest.mark.parametrize("daemon", DAEMONS)
def test_while_a_disk_grows(cluster, daemon):
    cluster.ok(f"{ADD} --no-install --no-start vm1")
    cluster.ok("gnt-cluster modify --prealloc-wipe-disks=yes")
    growing = cluster.start("gnt-instance grow-disk vm1 0 3G")
    cluster.wait_until("find /srv/ganeti/file-storage -type f -size +0 -exec du -m {} + | awk '$1 > 50 {found=1} END {exit !found}'")
    cluster.kill(daemon)
    cluster.ok("flotte daemons start")
    said, _ = growing.communicate(timeout=300)
    cluster.ok("gnt-cluster modify --prealloc-wipe-disks=no")
    assert growing.returncode == 0, said
    assert "* Wiping disk 0 (from 64M to 3.1G)" in said
    assert int(cluster.ok("du -m /srv/ganeti/file-storage/vm1/*").split()[0]) >= 3072
    assert cluster.ok("gnt-instance list --no-headers -o disk.sizes vm1") == "3136\n"
    cluster.ok("gnt-instance start vm1 && gnt-instance remove -f --shutdown-timeout=0 vm1")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_during_the_os_script(cluster, daemon):
    said, code = kill_when_reached(cluster, daemon, f"{ADD} --no-start vm1")
    assert code == 0, said
    assert state(cluster) == ["vm1,ADMIN_down"]
    assert cluster.ok("head -c 9 /srv/ganeti/file-storage/vm1/*.disk0") == "installed"
    # One writer: no script of a first attempt goes on when the second has begun.
    log = cluster.ok("cat /tmp/writers").split()
    assert log[-2:] == ["ends", log[-3]] and log.count("ends") == 1, log
    cluster.ok("sleep 3")
    assert cluster.ok("cat /tmp/writers").split() == log


@pytest.mark.parametrize("daemon", DAEMONS)
def test_between_the_start_of_qemu_and_the_commit(cluster, daemon):
    cluster.ok(f"{ADD} --no-install --no-start vm1")
    said, code = kill_when_reached(cluster, daemon, "gnt-instance start -H kvm_path=/usr/local/bin/slow-kvm vm1")
    assert code == 0, said
    assert state(cluster) == ["vm1,running"]
    assert len(cluster.pids("qemu-system-x86_64")) == 1


@pytest.mark.parametrize("daemon", DAEMONS)
def test_guests_keep_running(cluster, daemon):
    cluster.ok(f"{ADD} --no-install vm1")
    guest = cluster.pid("qemu-system-x86_64")
    cluster.kill(daemon)
    cluster.ok("flotte daemons start")
    assert cluster.pid("qemu-system-x86_64") == guest
    assert state(cluster) == ["vm1,running"]


DAMAGE = """
import sqlite3
store = sqlite3.connect("/var/lib/ganeti/controller/store.sqlite")
key, value = store.execute("SELECT key, value FROM kv WHERE CAST(key AS TEXT) LIKE '/journal/%/step/000000'").fetchone()
store.execute("UPDATE kv SET value=? WHERE key=?", (value.replace(b"Creating", b"Createng"), key))
store.commit()
"""


def test_a_damaged_journal_is_set_aside_by_name(cluster):
    job = cluster.run(f"{ADD} --no-start --submit --print-jobid vm1").stdout.split()[-1]
    cluster.wait_until("test -e /tmp/reached")
    cluster.kill("flotte-controllerd")
    cluster.write("/tmp/damage.py", DAMAGE.encode())
    cluster.ok("/usr/bin/python3 /tmp/damage.py && flotte daemons start")
    why = "step/000000 of its journal is damaged: its checksum is wrong"
    assert why in cluster.ok(f"gnt-job info {job}")
    assert cluster.ok(f"gnt-job list --no-headers -o status {job}") == "error\n"
    verify = cluster.run("gnt-cluster verify")
    assert verify.returncode == 1 and f"ERROR: job {job}: set aside: {why}" in verify.stdout, verify.stdout
    # The rest of the queue goes on, and the admin has the last word.
    cluster.ok("gnt-debug delay 0")
    cluster.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    cluster.ok(f"gnt-job archive {job}")
    cluster.ok("gnt-cluster verify")
