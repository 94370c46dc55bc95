"""Disks that are gone are made anew; what is there is never touched."""
import pytest

ADD = "gnt-instance add -t file -o noop --no-install --no-start -H fake -B memory=32M --no-nics --no-name-check --no-ip-check"
RECREATE = "gnt-instance recreate-disks"


@pytest.fixture
def vm1(cluster):
    """With two disks, of which the second is gone."""
    cluster.ok(f"{ADD} --disk 0:size=16M --disk 1:size=8M vm1")
    cluster.ok("printf precious | dd of=$(ls /srv/ganeti/file-storage/vm1/*.disk0) conv=notrunc status=none")
    cluster.ok("rm /srv/ganeti/file-storage/vm1/*.disk1")
    yield "vm1"
    cluster.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert cluster.ok("find /srv/ganeti/file-storage /var/run/ganeti -name '*vm1*'") == ""


def disks(cluster):
    return cluster.ok("cd /srv/ganeti/file-storage/vm1 && stat -c '%s' *.disk0 *.disk1 2>/dev/null; true").split()


def test_the_missing_disk_is_made_anew(cluster, vm1):
    assert "is missing" in cluster.refused("gnt-instance start vm1")
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    assert cluster.ok(f"{RECREATE} --disk=1 vm1") == ""
    assert disks(cluster) == [str(16 << 20), str(8 << 20)]
    assert cluster.ok("head -c 8 /srv/ganeti/file-storage/vm1/*.disk0") == "precious"
    cluster.ok("gnt-instance start vm1")
    cluster.ok("gnt-cluster verify")


def test_with_another_size(cluster, vm1):
    cluster.ok(f"{RECREATE} --disk=1:size=12M,mode=ro,spindles=2 vm1")
    assert disks(cluster) == [str(16 << 20), str(12 << 20)]
    info = cluster.ok("gnt-instance info -s vm1")
    assert "disk/1: file, size 12M" in info and "access mode: ro" in info
    cluster.ok("gnt-cluster verify")


def test_all_of_them(cluster, vm1):
    cluster.ok("rm -r /srv/ganeti/file-storage/vm1")
    cluster.ok(f"{RECREATE} -n node1.lab.test vm1")
    assert disks(cluster) == [str(16 << 20), str(8 << 20)]
    cluster.ok("gnt-instance start vm1")


MISTAKES = [
    (f"{RECREATE} vm1", 1, "Disk 0 of vm1 is not missing: there is the file /srv/ganeti/file-storage/vm1/"),
    (f"{RECREATE} --disk=0:size=8M vm1", 1, "only missing disks are made anew, name them with --disk=N"),
    (f"{RECREATE} --disk=2 vm1", 1, "Invalid disk index '2': vm1 has disks 0 to 1"),
    (f"{RECREATE} --disk=pony vm1", 1, "option --disk: 'pony' is not a number"),
    (f"{RECREATE} --disk=1:size=pony vm1", 1, "pony"),
    (f"{RECREATE} --disk=1:vg=vms vm1", 1, "Parameters for disk 1 try to change unmodifyable parameter(s): vg"),
    (f"{RECREATE} --disk=1 --disk=1 vm1", 1, "Some disks have been specified more than once: 1"),
    (f"{RECREATE} --disk=1 -n node1.lab.test vm1", 1, "Can't recreate disks partially and change the nodes at the same time"),
    (f"{RECREATE} --disk=1 -n nosuch vm1", 1, "nosuch"),
    (f"{RECREATE} -I hail vm1", 2, "not built yet"),
    (f"{RECREATE} nosuch", 1, "Instance 'nosuch' not known"),
]


@pytest.mark.parametrize("command,code,says", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named(cluster, vm1, command, code, says):
    assert says in cluster.refused(command, exit_code=code)
    assert disks(cluster) == [str(16 << 20)]
    assert cluster.ok("head -c 8 /srv/ganeti/file-storage/vm1/*.disk0") == "precious"


def test_not_while_it_should_run(cluster, vm1):
    cluster.ok(f"{RECREATE} --disk=1 vm1; gnt-instance start vm1; rm /srv/ganeti/file-storage/vm1/*.disk1")
    assert "Instance 'vm1' is marked to be up, cannot recreate disks; stop it first with 'gnt-instance shutdown vm1'" in cluster.refused(f"{RECREATE} --disk=1 vm1")


def test_a_diskless_one_has_none(cluster):
    cluster.ok(f"{ADD} -t diskless vm2")
    assert "Instance 'vm2' has no disks" in cluster.refused(f"{RECREATE} vm2")
    cluster.ok("gnt-instance remove -f vm2")
