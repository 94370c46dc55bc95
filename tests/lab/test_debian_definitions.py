"""Debian's own definition of an OS: machines from its cache to their login (O4, O5)."""
import pytest

import debian_guest
from terminal import Terminal

ADDRESSES = {"vm1": "198.51.100.21", "vm2": "198.51.100.22"}
ADD = ("gnt-instance add -o debootstrap+bookworm -t plain --disk 0:size=2G,vg=vms_hdd --disk 1:size=1G,vg=vms_ssd -B memory=500M --net=0:link=br-rzn-205 "
       "--no-name-check --no-ip-check --no-start")


@pytest.mark.long
def test_O4_O5_debian_s_debootstrap_from_its_cache_to_login_and_ssh(node):
    debian_guest.prepare(node, ADDRESSES)
    assert "debootstrap+bookworm" in node.ok("gnt-os list --no-headers").split()
    cache = node.ok(f"stat -c '%n %i %Y' {debian_guest.CACHE}/*")
    node.ok(f"{ADD} vm1", timeout=900)
    assert sorted(node.ok("gnt-node volumes --no-headers --separator=: -o vg,instance").split()) == ["vms_hdd:vm1", "vms_ssd:vm1"]
    # Nothing of the script's own is left.
    assert node.ok("dmsetup ls | grep -c part; true").strip() == "0"
    assert "/tmp/" not in node.ok("cat /proc/mounts")
    node.ok("gnt-instance start vm1")
    with Terminal(node, "gnt-instance console vm1") as terminal:
        terminal.expect("vm1 login: ", timeout=600)
    # Over the bridge, to a machine with both disks.
    ssh = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new"
    seen = node.wait_until(f"{ssh} {ADDRESSES['vm1']} 'hostname; lsblk -bdno NAME,SIZE /dev/vd?; grep -c vda1 /proc/mounts; cat /proc/cmdline'", timeout=120).split()
    assert seen[:6] == ["vm1", "vda", str(2 << 30), "vdb", str(1 << 30), "1"] and seen[6].startswith("BOOT_IMAGE=/boot/vmlinuz-"), seen
    # The next one from the same cache: there is no network that packages could come from.
    node.ok(f"{ADD} vm2", timeout=900)
    assert node.ok(f"stat -c '%n %i %Y' {debian_guest.CACHE}/*") == cache
    node.ok("gnt-instance remove -f --shutdown-timeout=0 vm1 && gnt-instance remove -f --shutdown-timeout=0 vm2")
    assert node.ok("lvs --noheadings vms_hdd vms_ssd") == ""
