"""What nobody foresaw costs the piece of work that met it, not the daemon; and a job that ends the controller does so three times at most."""
import pytest

# Into a thread that works for a job, as a wild pointer of that job would be.
CRASH = """
import ctypes, pathlib, signal, sys
pid = int(sys.argv[1])
for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
    if (task / "comm").read_text() == "job-0\\n":
        SYS_tgkill = 234
        assert ctypes.CDLL(None).syscall(SYS_tgkill, pid, int(task.name), signal.SIGSEGV) == 0
        sys.exit()
sys.exit("no job runs")
"""


def test_links_in_circles_are_no_operating_systems(cluster):
    before = cluster.pid("flotte-noded")
    cluster.ok("mkdir -p /srv/ganeti/os && ln -s loop /srv/ganeti/os/loop && ln -s /nowhere /srv/ganeti/os/dangling")
    assert cluster.ok("gnt-os list --no-headers") == "noop\n"
    cluster.ok("gnt-os diagnose && gnt-cluster verify")
    assert cluster.pid("flotte-noded") == before


@pytest.mark.parametrize("place", ["/etc/ganeti/hooks/instance-start-pre.d", "/srv/ganeti/file-storage", "/var/run/ganeti/kvm-hypervisor/pid",
                                   "/var/run/ganeti/kvm-hypervisor/conf", "/var/run/ganeti/instance-disks", "/var/run/ganeti/fake-hypervisor"])
def test_links_in_circles_end_no_daemon_wherever_they_are(cluster, place):
    before = cluster.pid("flotte-noded"), cluster.pid("flotte-controllerd")
    cluster.ok(f"mkdir -p {place} && ln -s loop {place}/loop")
    cluster.run("gnt-cluster verify")
    cluster.run("gnt-instance list")
    cluster.ok("gnt-node list && gnt-debug delay 0")
    cluster.ok(f"rm {place}/loop")
    cluster.ok("flotte daemons stop && flotte daemons start")
    cluster.ok("gnt-cluster verify")
    assert before != (cluster.pid("flotte-noded"), cluster.pid("flotte-controllerd"))


def test_numbers_that_fit_nowhere_end_no_command(cluster):
    for command in ("gnt-instance shutdown --timeout 99999999999999999999 x", "gnt-debug locks --interval 99999999999999999999"):
        assert "invalid integer value" in cluster.refused(command, 2)


def test_a_job_that_ends_the_controller_three_times_is_set_aside(cluster):
    cluster.write("/srv/crash.py", CRASH.encode())
    cluster.ok("flotte daemons stop && flotte daemons start")
    job = cluster.ok("gnt-debug delay --submit --print-jobid 600").split()[-1]
    for _ in range(3):
        cluster.wait_until(f"gnt-job list --no-headers -o status {job} | grep -x running")
        cluster.wait_until(f"/usr/bin/python3 /srv/crash.py {cluster.pid('flotte-controllerd')}")
        cluster.wait_until("! pgrep -x flotte-controll")
        cluster.ok("flotte daemons start")
    why = "It ended the controller 3 times"
    assert why in cluster.ok(f"gnt-job info {job}")
    assert cluster.ok(f"gnt-job list --no-headers -o status {job}") == "error\n"
    verify = cluster.run("gnt-cluster verify")
    assert verify.returncode == 1 and f"ERROR: job {job}: set aside: {why}" in verify.stdout, verify.stdout
    # The rest of the queue goes on.
    cluster.ok("gnt-debug delay 0")
    cluster.ok(f"gnt-job archive {job}")
    cluster.ok("gnt-cluster verify")
