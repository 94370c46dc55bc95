"""Machines on volumes that get another name, new disks, or disks of another template."""
from probe_guest import ADD, Guest

FILES = "/srv/ganeti/file-storage"


def tags(node):
    return sorted(set(node.ok("lvs --noheadings -o lv_tags vms vms_hdd vms_ssd").replace(",", " ").split()))


def sum_of(node, path):
    return node.ok(f"sha256sum < {path}", timeout=120)


def starts(node, name):
    node.ok(f"gnt-instance start {name}")
    with Guest(node, name) as guest:
        guest.wait_until_ready()


def with_files(node):
    node.ok(f"echo {FILES} > /etc/ganeti/file-storage-paths && mkdir -p {FILES}")
    node.ok(f"gnt-cluster modify --file-storage-dir {FILES} --enabled-disk-templates plain,diskless,file --ipolicy-disk-templates plain,diskless,file")


def test_rename_on_volumes(node):
    node.ok(ADD + " vm1", timeout=120)
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
    assert "Instance 'vm1' is marked to be up, cannot rename" in node.refused("gnt-instance rename vm1 vm2")
    node.ok("gnt-instance stop --timeout=0 vm1")
    names = node.ok("lvs --noheadings -o lv_name vms_hdd vms_ssd")
    assert node.ok("gnt-instance rename vm1 vm2") == "Instance 'vm1' renamed to 'vm2'\n"
    # The volumes are called what they were; they say whose they are.
    assert node.ok("lvs --noheadings -o lv_name vms_hdd vms_ssd") == names
    assert "originstname+vm2" in tags(node) and "originstname+vm1" not in tags(node)
    assert node.ok("find /run/ganeti -name '*vm1*'") == ""
    assert sorted(node.ok("gnt-node volumes --no-headers --separator=: -o vg,instance").split()) == ["vms_hdd:vm2", "vms_ssd:vm2"]
    starts(node, "vm2")
    node.ok("gnt-cluster verify")
    node.ok("gnt-instance remove -f --shutdown-timeout=0 vm2")
    assert node.ok("lvs --noheadings vms vms_hdd vms_ssd") == ""


def test_recreate_a_lost_volume(node):
    node.ok(ADD + " --no-start vm1", timeout=120)
    [lost] = node.ok("lvs --noheadings -o lv_name vms_ssd").split()
    [kept] = node.ok("lvs --noheadings -o lv_name vms_hdd").split()
    before = sum_of(node, f"/dev/vms_hdd/{kept}")
    assert f"there is the volume vms_hdd/{kept}" in node.refused("gnt-instance recreate-disks vm1")
    node.ok(f"lvremove -f vms_ssd/{lost}")
    assert "Not enough disk space on target node" in node.refused("gnt-instance recreate-disks --disk=1:size=1T vm1")
    node.ok("gnt-instance recreate-disks --disk=1 vm1")
    assert node.ok("lvs --noheadings -o lv_name,lv_size --units m --nosuffix vms_ssd").split() == [lost, "1024.00"]
    assert sum_of(node, f"/dev/vms_hdd/{kept}") == before
    starts(node, "vm1")
    node.ok("gnt-cluster verify")


def test_from_volumes_to_files_and_back(node):
    with_files(node)
    # Smaller than the policy wants: each is read whole, several times, on an emulated node.
    node.ok(ADD.replace("1G", "128M") + " --ignore-ipolicy --no-start vm1", timeout=120)
    [root] = node.ok("ls /dev/vms_hdd/*").split()
    wanted = sum_of(node, root)
    # Somebody has it open: it stays what it is.
    node.ok(f"sleep 600 < {root} > /dev/null 2>&1 & echo $! > /tmp/holder")
    node.wait_until(f"lvs --noheadings -o lv_device_open {root} | grep -q open")
    assert "Disk 0 of vm1 is open; unmount it, or stop what has it open" in node.refused("gnt-instance modify --ignore-ipolicy -t file vm1")
    node.ok("kill $(cat /tmp/holder); udevadm settle")
    node.ok("gnt-instance modify --ignore-ipolicy -t file vm1", timeout=300)
    assert node.ok("lvs --noheadings vms vms_hdd vms_ssd") == ""
    [file] = node.ok(f"ls {FILES}/vm1/*.disk0").split()
    assert sum_of(node, file) == wanted
    # What is empty takes no room.
    assert int(node.ok(f"stat -c %b {FILES}/vm1/*.disk1")) == 0
    starts(node, "vm1")
    node.ok("gnt-instance stop --timeout=0 vm1")
    wanted = sum_of(node, file)
    # A new volume may lie where others were: what was there must not shine through.
    node.ok("lvcreate -q -y -n dirt -l 100%FREE vms && tr '\\0' x < /dev/zero | dd of=/dev/vms/dirt bs=1M count=300 status=none; lvremove -f vms/dirt", timeout=300)
    node.ok("gnt-instance modify --ignore-ipolicy -t plain vm1", timeout=300)
    assert node.ok(f"find {FILES} -type f") == ""
    volumes = node.ok("gnt-node volumes --no-headers --separator=: -o vg,instance").split()
    assert volumes == ["vms:vm1", "vms:vm1"]
    [root] = node.ok("ls /dev/vms/*.disk0").split()
    assert sum_of(node, root) == wanted
    assert node.ok("tr -d '\\0' < /dev/vms/*.disk1 | head -c 1") == ""
    starts(node, "vm1")
    node.ok("gnt-cluster verify")
    node.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert node.ok("lvs --noheadings vms vms_hdd vms_ssd") == ""
