"""`gnt-cluster verify` and `verify-disks` on volume groups and KVM: each finding by a fault that is made for real, named, and gone when the fault is.
The words of each are in tests/functional/test_verify.py."""
import subprocess

import pytest

from lab import QEMU

NODE = "node1.lab.test"
KEY = "/var/lib/ganeti/hmac.key"
# The node daemon's clock alone: the machine has only one.
CLOCK = """#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t clock, struct timespec* now) {
  long const result = syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += 3600;
  return (int)result;
}
"""
DROP_IN = "/run/systemd/system/flotte-noded.service.d"
RESTART = "systemctl daemon-reload && systemctl restart flotte-noded"

# what is wrong: (what makes it, what undoes it, exit code of verify, code, kind and name, what is said); {hdd} and {ssd} are the guest's volumes
FAULTS = {
    "an orphan volume": (
        "lvcreate -q -n left-over -L 64M vms", "lvremove -q -f vms/left-over", 0, "ENODEORPHANLV", f"node:{NODE}", "volume vms/left-over is unknown"),
    "a missing volume": (
        "lvrename -q vms_ssd/{ssd} vms_ssd/away", "lvrename -q vms_ssd/away vms_ssd/{ssd}", 1, "EINSTANCEMISSINGDISK", "instance:vm1",
        f"volume vms_ssd/{{ssd}} missing on node {NODE}"),
    "strays in /run": (
        "mkdir /run/ganeti/kvm-hypervisor/nic/ghost; touch /run/ganeti/kvm-hypervisor/pid/ghost", "rm -r /run/ganeti/kvm-hypervisor/*/ghost", 0,
        "ENODEORPHANINSTANCE", f"node:{NODE}", "stray files of instance ghost, which is not on this node: "
        "/var/run/ganeti/kvm-hypervisor/nic/ghost, /var/run/ganeti/kvm-hypervisor/pid/ghost"),
    "a guest that runs and shouldn't": (
        "gnt-instance shutdown vm1 && gnt-instance start --no-remember vm1", "gnt-instance shutdown --timeout=0 vm1 && gnt-instance start vm1", 1,
        "EINSTANCEWRONGNODE", "instance:vm1", f"instance runs on {NODE} and should be down"),
    "a guest that should run and doesn't": (
        f"pkill -9 {QEMU}; while pgrep {QEMU}; do sleep 0.1; done", "gnt-instance start vm1", 1, "EINSTANCEDOWN", "instance:vm1",
        f"instance not running on its primary node {NODE}"),
    "a volume that is too small": (
        "lvreduce -q -f -L 512M vms_ssd/{ssd}", "lvextend -q -L 1G vms_ssd/{ssd}", 1, "EINSTANCEFAULTYDISK", "instance:vm1",
        f"disk/1 on {NODE} has mismatched size: recorded 1024, actual 512"),
    "a volume that is too large": (
        "lvextend -q -L 2G vms_hdd/{hdd}", "lvreduce -q -f -L 1G vms_hdd/{hdd}", 0, "EINSTANCEFAULTYDISK", "instance:vm1",
        f"disk/0 on {NODE} has mismatched size: recorded 1024, actual 2048"),
    "a secret that others can read": (
        f"chmod 644 {KEY}", f"chmod 600 {KEY}", 1, "ENODEFILECHECK", f"node:{NODE}", f"File {KEY} has mode 0644 and should have 0600"),
    "a clock that is far off": (
        f"mkdir -p {DROP_IN} && printf '[Service]\\nEnvironment=LD_PRELOAD=/usr/local/lib/clock.so\\n' > {DROP_IN}/clock.conf && {RESTART}",
        f"rm {DROP_IN}/clock.conf && {RESTART}", 1, "ENODETIME", f"node:{NODE}", "Node time diverges by at least "),
}


def verify(node):
    done = node.run("gnt-cluster verify --error-codes")
    return done.returncode, [line.partition("  - ")[2] for line in done.stdout.splitlines() if "  - ERROR" in line or "  - WARNING" in line]


@pytest.fixture
def watched(running, tmp_path):
    """Nobody starts the guest again while faults are made."""
    running.ok("gnt-cluster watcher pause 1h")
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", tmp_path / "clock.so", tmp_path / "clock.c"], check=True)
    running.send(tmp_path / "clock.so", "/usr/local/lib/clock.so")
    return running


def test_each_fault_is_named_and_its_absence_too(watched):
    names = {group: watched.ok(f"lvs --noheadings -o lv_name vms_{group}").strip() for group in ("hdd", "ssd")}

    def fill(text):
        return text.replace("{hdd}", names["hdd"]).replace("{ssd}", names["ssd"])
    sound = verify(watched)
    assert sound[0] == 0 and not [line for line in sound[1] if line.startswith("ERROR")], sound
    for name, (make, undo, exit_code, code, whom, says) in FAULTS.items():
        watched.ok(fill(make))
        found = verify(watched)
        wanted = f"{'ERROR' if exit_code else 'WARNING'}:{code}:{whom}:{fill(says)}"
        assert found[0] == exit_code and [line for line in found[1] if line.startswith(wanted)], f"{name}: {wanted}\n{found}"
        watched.ok(fill(undo))
        assert verify(watched) == sound, name


def test_verify_disks(watched):
    assert "No disks need to be activated." in watched.ok("gnt-cluster verify-disks")
    volume = watched.ok("lvs --noheadings -o lv_name vms_ssd").strip()
    watched.ok(f"lvrename -q vms_ssd/{volume} away")
    done = watched.run("gnt-cluster verify-disks")
    assert done.returncode == 1 and f"Instance vm1 has missing logical volumes:\n\t{NODE} /dev/vms_ssd/{volume}\n" in done.stdout, done.stdout
    watched.ok(f"lvrename -q vms_ssd/away {volume}")
    # One that a stopped machine left inactive is none that is needed; of one that runs they are activated again.
    watched.ok("rm /var/run/ganeti/instance-disks/vm1:1")
    assert "Activating disks for instance 'vm1'" in watched.ok("gnt-cluster verify-disks")
    watched.ok("test -b /var/run/ganeti/instance-disks/vm1:1")
    assert "No disks need to be activated." in watched.ok("gnt-cluster verify-disks")
