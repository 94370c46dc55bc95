"""Machines on real volume groups, real KVM and real bridges."""
import re
import time

import pytest

from lab import PATIENCE_SECONDS, QEMU
from probe_guest import ADD, Guest


def nothing_is_left(node, name):
    assert node.ok("lvs --noheadings -o lv_name vms vms_hdd vms_ssd") == ""
    assert "tap" not in node.ok("ip -brief link show")
    assert node.ok(f"find /run/ganeti -name '*{name}*'") == ""
    assert name not in node.ok("systemctl list-units --all --no-legend 'flotte-guest-*'")
    assert node.run(f"pgrep {QEMU}").returncode != 0
    assert node.ok("gnt-instance list --no-headers") == ""


@pytest.mark.core
def test_O5_a_machine_from_creation_to_removal(node):
    node.ok(ADD + " vm1", timeout=120)
    assert node.ok("lvs --noheadings -o vg_name,lv_size --units m --nosuffix").split() == ["vms_hdd", "1024.00", "vms_ssd", "1024.00"]
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
        seen = guest.report()
        assert {disk: value["size"] for disk, value in seen["disk"].items()} == {"vda": 1 << 30, "vdb": 1 << 30}
        [nic] = seen["nic"].values()
        assert nic["mac"] == node.ok("gnt-instance list --no-headers -o nic.mac/0 vm1").strip()
        assert nic["carrier"]
        assert seen["cpu"]["count"] == 1
        # KVM, not its emulation.
        assert "kvm-vcpu" in node.ok(f"ls -l /proc/$(pgrep {QEMU})/fd")

        # O7: the guest hears the power button.
        node.ok("gnt-instance shutdown vm1")
        guest.expect("power_button")
    assert node.ok("gnt-instance list --no-headers -o status vm1") == "ADMIN_down\n"
    assert "tap" not in node.ok("ip -brief link show")
    node.ok("gnt-instance start vm1")
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
        node.ok("gnt-instance reboot vm1")
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
    assert node.ok("gnt-instance list --no-headers -o status vm1") == "running\n"
    node.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    nothing_is_left(node, "vm1")


def test_O9_the_serial_console(running):
    command = running.ok("gnt-instance console --show-cmd vm1").strip()
    assert "vm1.serial" in command
    # As a person has it: on a terminal.
    console = running.start("script -qec 'gnt-instance console vm1' /dev/null")
    try:
        said = ""
        while "hello" not in said:
            console.stdin.write("echo hello\n")
            console.stdin.flush()
            said += console.stdout.readline()
    finally:
        console.kill()
        console.wait()


def until(sees, wanted):
    """A guest looks for what is new when it finds the time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (seen := sees()) != wanted:
        assert time.monotonic() < deadline, f"{seen} instead of {wanted}"
        time.sleep(0.2)


@pytest.mark.core
def test_O12_nics_while_the_machine_runs(running):
    def macs():
        return [nic.get("mac") for nic in guest.report()["nic"].values()]

    def bridge(index):
        return re.search(r"master (\S+)", running.ok(f"bridge link show dev $(cat /var/run/ganeti/kvm-hypervisor/nic/vm1/{index})")).group(1)

    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        [first] = macs()
        running.ok("gnt-instance modify --net add:link=br-foo vm1")
        added = running.ok("gnt-instance list --no-headers -o nic.mac/1 vm1").strip()
        until(macs, [first, added])
        assert [bridge(0), bridge(1)] == ["br-rzn-205", "br-foo"]
        running.ok("gnt-instance modify --net 0:modify,link=br-foo vm1")
        assert bridge(0) == "br-foo"
        # The first one goes, too; the other one is now the first.
        running.ok("gnt-instance modify --net 0:remove vm1")
        until(macs, [added])
        assert bridge(0) == "br-foo"
        # The last one only past the policy, which says so.
        assert "nic-count value 0 is not in range [1, 8]" in running.refused("gnt-instance modify --net 0:remove vm1")
        running.ok("gnt-instance modify --net 0:remove --ignore-ipolicy vm1")
        until(macs, [])
        assert "tap" not in running.ok("ip -brief link show")
    running.ok("gnt-cluster verify")


def test_disks_while_the_machine_runs(running):
    def disks():
        return {name: disk.get("size", 0) >> 20 for name, disk in guest.report()["disk"].items()}

    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        running.ok("gnt-instance modify --disk add:size=2G,vg=vms_hdd,name=data vm1")
        until(disks, {"vda": 1024, "vdb": 1024, "vdc": 2048})
        running.ok("gnt-instance grow-disk vm1 2 512m")
        until(disks, {"vda": 1024, "vdb": 1024, "vdc": 2560})
        # Not the last one: the others keep their places in the guest.
        running.ok("gnt-instance modify --disk 1:remove vm1")
        until(disks, {"vda": 1024, "vdc": 2560})
        assert running.ok("lvs --noheadings -o lv_name vms_ssd") == ""
        running.ok("gnt-instance modify --disk data:remove vm1")
        until(disks, {"vda": 1024})
    assert running.ok("lvs --noheadings -o vg_name vms vms_hdd vms_ssd").split() == ["vms_hdd"]
    running.ok("gnt-cluster verify")
    running.ok("gnt-instance reboot vm1")
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()


def test_O13_the_guest_sees_a_grown_disk_at_once(running):
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        running.ok("gnt-instance grow-disk vm1 1 512m")
        guest.expect("disk", where=lambda disk: disk["name"] == "vdb" and disk["size"] == 1536 << 20)


@pytest.mark.parametrize("where", ["-n node1.lab.test", pytest.param("", marks=pytest.mark.core)])
def test_O19_adopt_a_volume_that_is_already_here(node, where):
    node.ok("lvcreate -q -n moved-in -L 1G vms && dd if=/srv/probe.raw of=/dev/vms/moved-in bs=1M conv=fsync status=none")
    adopt = f'gnt-instance add {where} -o noop -t plain --disk 0:adopt=moved-in -B memory="512M",vcpus="1" --net=0:link=br-foo --no-name-check --no-ip-check --no-start vm1'
    # Somebody has it open: it stays what it is.
    holder = node.start("exec sleep infinity < /dev/vms/moved-in")
    node.wait_until("lvs --noheadings -o lv_device_open vms/moved-in | grep -q open")
    assert "Online logical volumes found, cannot adopt: vms/moved-in" in node.refused(adopt)
    holder.kill()
    holder.wait()
    node.ok("pkill -x sleep; udevadm settle")
    node.ok(adopt)
    assert node.ok("gnt-instance list --no-headers -o status,disk.sizes vm1").split() == ["ADMIN_down", "1024"]
    assert node.ok("lvs --noheadings -o lv_name,lv_tags vms").split()[0].endswith(".disk0")
    node.ok("gnt-instance start vm1")
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
    again = adopt.replace("vm1", "vm2")
    assert "Missing logical volume(s): vms/moved-in" in node.refused(again)
    name = node.ok("lvs --noheadings -o lv_name vms").strip()
    assert "used by another instance: vm1" in node.refused(again.replace("moved-in", name))
    node.ok("gnt-cluster verify")
    node.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    nothing_is_left(node, "vm1")


def test_O11_O16_which_volume_and_which_tap(running):
    volumes = running.ok("gnt-node volumes --no-headers --separator=: -o vg,instance")
    assert sorted(volumes.split()) == ["vms_hdd:vm1", "vms_ssd:vm1"]
    tap = running.ok("cat /var/run/ganeti/kvm-hypervisor/nic/vm1/0").strip()
    assert f"{tap}: " in running.ok("bridge link show").replace("@", ": ")
    assert "master br-rzn-205" in running.ok(f"bridge link show dev {tap}")


@pytest.mark.long
def test_a_guest_that_the_kernel_kills(running):
    """The list tells the truth, and the watcher's next look starts it again."""
    running.ok(f"pkill -9 {QEMU}")
    assert running.ok("gnt-instance list --no-headers -o status vm1") in ("ERROR_down\n", "running\n")
    running.wait_until("gnt-instance list --no-headers -o status vm1 | grep -q running")


# --- Mistakes and mishaps


def test_a_volume_group_that_is_not_there(node):
    said = node.refused(ADD.replace("vg=vms_ssd", "vg=vms_sdd") + " vm1")
    assert "vms_sdd" in said
    nothing_is_left(node, "vm1")


def test_a_volume_group_that_is_full(node):
    said = node.refused(ADD.replace("1:size=1G", "1:size=100G") + " vm1")
    assert re.search(r"space.*vms_ssd", said), said
    nothing_is_left(node, "vm1")
    # Filled between the look and the deed.
    node.ok("lvcreate -q -n other -l 100%FREE vms_ssd")
    said = node.refused(ADD + " vm1")
    assert "vms_ssd" in said
    node.ok("lvremove -qf vms_ssd/other")
    nothing_is_left(node, "vm1")


def test_a_volume_that_is_not_ours_is_left_alone(node):
    node.ok("lvcreate -q -n precious -L 64M vms && echo precious > /dev/vms/precious")
    node.ok(ADD + " vm1", timeout=120)
    node.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert node.ok("head -c 8 /dev/vms/precious") == "precious"
    assert "precious" in node.run("gnt-cluster verify").stdout


def test_a_bridge_that_is_removed_under_a_running_guest(node):
    node.ok(ADD.replace("br-rzn-205", "br-foo") + " vm1", timeout=120)
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
        node.ok("ip link delete br-foo")
        guest.say("echo still here")
        guest.expect("echo")
        assert node.ok("gnt-instance list --no-headers -o status vm1") == "running\n"
        node.ok("gnt-instance info vm1")
        assert "br-foo" in node.refused("gnt-instance reboot vm1")
        # Refused before it was stopped.
        guest.say("echo and still")
        guest.expect("echo")
    node.ok("gnt-instance shutdown vm1")
    said = node.refused("gnt-instance start vm1")
    assert "br-foo" in said and "ip link add" in said
    node.ok("gnt-instance remove -f vm1")
    nothing_is_left(node, "vm1")
