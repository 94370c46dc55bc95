"""gnt-backup: an instance is exported, lost, and is there again. Volumes and their snapshots are in tests/volumes."""
import pytest

ADD = "gnt-instance add -t file -o raw --no-install --no-start -H fake -B memory=32M --net 0:mac=aa:00:00:12:34:56 --tags prod,of:alice"
EXPORTS = "/var/lib/ganeti/export"
# It keeps what it is told of a disk on its own way, so that it is seen that it was asked.
OS = """mkdir -p /srv/ganeti/os/turned && cd /srv/ganeti/os/turned && echo 20 > ganeti_api_version && touch parameters.list
printf '#!/bin/sh\\nexit 0\\n' | tee create rename verify >/dev/null
printf '#!/bin/sh\\necho "exporting disk $EXPORT_INDEX" >&2\\necho 8 >&$EXP_SIZE_FD\\ndd if=$EXPORT_DEVICE bs=1M skip=3 count=1 status=none | head -c 8 | rev\\n' > export
printf '#!/bin/sh\\nrev | dd of=$IMPORT_DEVICE bs=1M seek=3 conv=notrunc status=none\\n' > import
printf '#!/bin/sh\\necho "called $OLD_INSTANCE_NAME, now $INSTANCE_NAME"\\n' > rename
chmod 755 create rename verify export import"""


def put(cluster, name, text="precious", disk=0):
    cluster.ok(f"printf {text} | dd of=$(ls /srv/ganeti/file-storage/{name}/*.disk{disk}) bs=1M seek=3 conv=notrunc status=none")


def get(cluster, name, disk=0):
    return cluster.ok(f"dd if=$(ls /srv/ganeti/file-storage/{name}/*.disk{disk}) bs=1M skip=3 count=1 status=none | head -c 8")


def first_uuid(cluster):
    return cluster.ok("gnt-instance list --no-headers -o disk.uuids vm1").split("'")[1]


@pytest.fixture(scope="module")
def raw(cluster):
    """Our OS definition noop, whose scripts copy; that of these machines does nothing."""
    cluster.copying_os()


@pytest.fixture
def vm1(cluster, raw):
    cluster.ok(f"{ADD} --disk 0:size=512M,name=root --disk 1:size=8M vm1")
    put(cluster, "vm1")
    yield "vm1"
    for name in cluster.ok("gnt-instance list --no-headers -o name").split():
        cluster.ok(f"gnt-instance remove -f --shutdown-timeout=0 {name}")
    for name in cluster.ok("gnt-backup list --no-headers -o export").split():
        cluster.ok(f"gnt-backup remove {name}")
    assert cluster.ok(f"ls -A {EXPORTS}") == ""


def test_what_was_lost_is_there_again(cluster, vm1):
    said = cluster.ok("gnt-backup export -n node1.lab.test vm1")
    for line in ("Activating disks for vm1", "Exporting disk/0 from node1.lab.test to node1.lab.test", "Finalizing export on node1.lab.test"):
        assert f"{line}\n" in said
    assert cluster.ok("gnt-backup list --no-headers").split() == ["node1.lab.test", "vm1"]
    uuid = first_uuid(cluster)
    config = cluster.ok(f"cat {EXPORTS}/vm1/config.ini")
    assert f"disk0_dump = {uuid}\ndisk0_size = 512\ndisk0_name = root\n" in config
    assert "os = raw" in config and "nic0_mac = aa:00:00:12:34:56" in config and "tags = of:alice prod" in config
    # Only root reads it, and what was empty takes no room.
    assert cluster.ok(f"stat -c '%a %U' {EXPORTS}/vm1 {EXPORTS}/vm1/*").split() == ["700", "root"] + ["600", "root"] * 4
    assert int(cluster.ok(f"stat -c %b {EXPORTS}/vm1/{uuid}")) * 512 < 8 << 20
    cluster.ok("gnt-instance remove -f vm1")
    cluster.ok("gnt-backup import vm1")
    assert get(cluster, "vm1") == "precious"
    assert cluster.ok("gnt-instance list --no-headers -o name,os,status,be/maxmem,nic.mac/0,tags vm1").split() == [
        "vm1", "raw", "ADMIN_down", "32M", "aa:00:00:12:34:56", "of:alice,prod"]
    cluster.ok("gnt-instance start vm1 && gnt-cluster verify")


def test_a_second_one_is_made_of_it_and_the_first_goes(cluster, vm1):
    cluster.ok("gnt-backup export -n node1.lab.test --remove-instance vm1")
    assert cluster.ok("gnt-instance list --no-headers -o name") == ""
    cluster.ok("gnt-backup import --src-node node1.lab.test --src-dir vm1 --net 0:link=br0 -B memory=48M vm2")
    assert get(cluster, "vm2") == "precious"
    assert cluster.ok("gnt-instance list --no-headers -o be/maxmem,nic.mac/0 vm2").split()[0] == "48M"
    cluster.ok(f"mv {EXPORTS}/vm1 /root/elsewhere && gnt-backup import --src-node node1.lab.test --src-dir /root/elsewhere vm3")
    assert get(cluster, "vm3") == "precious"
    cluster.ok("rm -r /root/elsewhere")


def test_scripts_of_the_os(cluster, vm1):
    cluster.ok(OS)
    cluster.ok("gnt-instance modify -o turned vm1 || gnt-instance modify --os-type=turned vm1")
    said = cluster.ok("gnt-backup export -n node1.lab.test vm1")
    assert "exporting disk 0" in said
    uuid = first_uuid(cluster)
    assert cluster.ok(f"cat {EXPORTS}/vm1/{uuid}").strip() == "suoicerp"
    said = cluster.ok("gnt-backup import --src-dir vm1/ --net 0:link=br0 vm2")
    assert "called vm1, now vm2" in said
    assert get(cluster, "vm2") == "precious"
    cluster.ok("rm -r /srv/ganeti/os/turned")


def test_one_that_runs(cluster, vm1):
    cluster.ok("gnt-instance start vm1")
    assert "--long-sleep" in cluster.refused("gnt-backup export -n node1.lab.test vm1")
    assert "live export" in cluster.refused("gnt-backup export -n node1.lab.test --noshutdown vm1")
    assert cluster.ok("gnt-instance list --no-headers -o status vm1").strip() == "running"
    said = cluster.ok("gnt-backup export -n node1.lab.test --long-sleep vm1")
    assert said.index("Shutting down instance vm1") < said.index("disk/1 finished") < said.index("Starting instance vm1")
    assert cluster.ok("gnt-instance list --no-headers -o status vm1").strip() == "running"


def test_what_is_not_what_was_exported_is_not_imported(cluster, vm1):
    cluster.ok("gnt-backup export -n node1.lab.test vm1")
    uuid = first_uuid(cluster)
    cluster.ok(f"printf Z | dd of={EXPORTS}/vm1/{uuid} bs=1M seek=3 conv=notrunc status=none")
    assert "checksum" in cluster.refused("gnt-backup import --src-dir vm1 --net 0:link=br0 vm2")
    cluster.ok(f"truncate -s 1M {EXPORTS}/vm1/{uuid}")
    assert "has 1048576 bytes; when it was exported" in cluster.refused("gnt-backup import --src-dir vm1 --net 0:link=br0 vm2")
    cluster.ok(f"rm {EXPORTS}/vm1/{uuid}")
    assert f"has no file {uuid} of disk 0" in cluster.refused("gnt-backup import --src-dir vm1 --net 0:link=br0 vm2")
    assert cluster.ok("gnt-instance list --no-headers -o name").split() == ["vm1"]
    assert cluster.ok("ls /srv/ganeti/file-storage").split() == ["vm1"]


def test_a_disk_that_is_left_out_is_said(cluster, vm1):
    cluster.ok("gnt-backup export -n node1.lab.test vm1")
    said = cluster.ok("gnt-backup import --src-dir vm1 --net 0:link=br0 --disk 0:size=512M vm2")
    assert "WARNING: Disk 1 of the export is not imported" in said
    assert get(cluster, "vm2") == "precious"


def test_wrong_input(cluster, vm1):
    assert "Target node must be specified" in cluster.refused("gnt-backup export vm1")
    assert "pony" in cluster.refused("gnt-backup export -n pony vm1")
    assert "pony" in cluster.refused("gnt-backup export -n node1.lab.test pony")
    assert "No export found for relative path pony" in cluster.refused("gnt-backup import pony")
    assert "config.ini" in cluster.refused("gnt-backup import --src-node node1.lab.test --src-dir /etc pony")
    assert "requires a source node" in cluster.refused("gnt-backup import --src-dir /etc pony")
    assert "Export not found" in cluster.ok("gnt-backup remove pony")
    # A link is not followed, and a file elsewhere is no dump.
    cluster.ok(f"mkdir -p {EXPORTS}/evil && printf '[export]\\nversion = 0\\nos = noop\\n[instance]\\nname = evil\\ndisk_template = file\\ndisk0_size = 8\\ndisk0_dump = ../../../../etc/shadow\\n' > {EXPORTS}/evil/config.ini")
    assert "has no file ../../../../etc/shadow" in cluster.refused("gnt-backup import --no-nics evil")
    cluster.ok(f"cd {EXPORTS}/evil && sed -i 's,../../../../etc/shadow,link,' config.ini && ln -s /etc/shadow link")
    assert "has no file link" in cluster.refused("gnt-backup import --no-nics evil")
    # Its name becomes part of a log's name.
    cluster.ok(f"sed -i 's,^name = .*,name = ../../../../root/evil,' {EXPORTS}/evil/config.ini")
    assert "Invalid hostname '../../../../root/evil'" in cluster.refused("gnt-backup import --no-nics evil")


def test_others_keep_room_where_exports_lie(cluster, vm1):
    """The controller's store is on the same file system. What a failed one wrote is gone before it is undone."""
    cluster.ok(f"gnt-backup export -n node1.lab.test vm1 && mount -t tmpfs -o size=64M none {EXPORTS}")
    cluster.ok("head -c 80M /dev/urandom | dd of=$(ls /srv/ganeti/file-storage/vm1/*.disk0) bs=1M conv=notrunc status=none")
    refused = cluster.refused("gnt-backup export -n node1.lab.test vm1")
    assert "Not enough room in" in refused and "3 MiB of them stay so" in refused
    assert cluster.ok(f"ls -A {EXPORTS}") == ""
    cluster.ok(f"umount {EXPORTS}")
    assert cluster.ok("gnt-backup list --no-headers -o export").split() == ["vm1"]


def test_a_script_does_not_write_behind_the_end_of_a_disk(cluster, vm1):
    cluster.ok("gnt-backup export -n node1.lab.test vm1")
    refused = cluster.refused("gnt-backup import --src-dir vm1 --net 0:link=br0 --disk 0:size=512M --disk 1:size=4M vm2")
    assert "The import script wrote 8388608 bytes onto disk 1, which has 4194304" in refused
    assert cluster.ok("gnt-instance list --no-headers -o name").split() == ["vm1"]
    assert cluster.ok("ls /srv/ganeti/file-storage").split() == ["vm1"]


def test_a_script_that_does_nothing_takes_nothing_away(cluster, vm1):
    cluster.ok("gnt-backup export -n node1.lab.test vm1")
    cluster.ok("gnt-instance modify --os-type=noop vm1")
    assert "The export script of noop wrote nothing of disk 0: the instance is not removed" in cluster.refused("gnt-backup export -n node1.lab.test --remove-instance vm1")
    assert cluster.ok("gnt-instance list --no-headers -o name,os vm1").split() == ["vm1", "noop"]
    assert "os = raw" in cluster.ok(f"cat {EXPORTS}/vm1/config.ini")
    assert get(cluster, "vm1") == "precious"
    assert "WARNING: The export script of noop wrote nothing of disk 1" in cluster.ok("gnt-backup export -n node1.lab.test vm1")


@pytest.mark.parametrize("option", ["", "--remove-instance"])
def test_what_was_stopped_runs_again_when_it_is_canceled(cluster, vm1, option):
    """By the job itself: nobody watches."""
    cluster.ok("gnt-cluster watcher pause 1h && cp -r /usr/share/ganeti/os/raw /usr/share/ganeti/os/slow")
    cluster.write("/usr/share/ganeti/os/slow/export", b"#!/bin/sh\nexec sleep 600\n")
    cluster.ok("gnt-instance modify --os-type=slow vm1 && gnt-instance start vm1")
    job = cluster.ok(f"gnt-backup export --submit --print-jobid -n node1.lab.test --long-sleep {option} vm1").strip()
    cluster.wait_until("pgrep -f 'sleep 600'")
    assert cluster.ok("gnt-instance list --no-headers -o oper_state vm1").strip() == "N"
    cluster.ok(f"gnt-job cancel {job}; gnt-job wait {job} || true")
    assert cluster.ok(f"gnt-job list --no-headers -o status {job}").strip() == "canceled"
    assert cluster.ok("gnt-instance list --no-headers -o status vm1").strip() == "running"
    assert "Instance vm1 is started again" in cluster.ok(f"gnt-job info {job}")
    assert cluster.ok(f"ls -A {EXPORTS}") == ""
    cluster.ok("gnt-cluster watcher continue; gnt-cluster verify; rm -r /usr/share/ganeti/os/slow")


def test_what_was_stopped_runs_again_when_the_export_fails(cluster, vm1):
    cluster.ok("gnt-cluster watcher pause 1h && gnt-instance modify --os-type=noop vm1 && gnt-instance start vm1")
    assert "the instance is not removed" in cluster.refused("gnt-backup export -n node1.lab.test --long-sleep --remove-instance vm1")
    assert cluster.ok("gnt-instance list --no-headers -o status vm1").strip() == "running"
    cluster.ok("gnt-cluster watcher continue && gnt-cluster verify")


def test_disks_that_are_active_stay_so(cluster, vm1):
    cluster.ok("gnt-instance activate-disks vm1 && gnt-backup export -n node1.lab.test vm1")
    assert len(cluster.ok("ls /var/run/ganeti/instance-disks/").split()) == 2
    cluster.ok("gnt-instance deactivate-disks vm1 && gnt-backup export -n node1.lab.test vm1")
    assert cluster.ok("ls /var/run/ganeti/instance-disks/") == ""


def test_what_is_in_the_way_is_found_before_it_is_stopped(cluster, vm1):
    cluster.ok("gnt-instance start vm1")
    export = "gnt-backup export -n node1.lab.test --long-sleep vm1"
    cluster.ok(f"mkdir -p {EXPORTS} && mount -t tmpfs -o ro,size=16M none {EXPORTS}")
    assert "Read-only file system" in cluster.refused(export)
    cluster.ok(f"umount {EXPORTS} && ln -s /root {EXPORTS}/vm1")
    assert "/vm1 is a link" in cluster.refused(export)
    cluster.ok(f"rm {EXPORTS}/vm1 && mkdir {EXPORTS}/vm1 && mount -t tmpfs none {EXPORTS}/vm1")
    assert "Something is mounted at" in cluster.refused(export)
    cluster.ok(f"umount {EXPORTS}/vm1 && rmdir {EXPORTS}/vm1")
    disk = cluster.ok("ls /srv/ganeti/file-storage/vm1/*.disk1").strip()
    cluster.ok(f"mv {disk} /root/away")
    assert "Disk 1 of instance vm1 isn't there" in cluster.refused(export)
    cluster.ok(f"mv /root/away {disk}")
    assert cluster.ok("gnt-instance list --no-headers -o status vm1").strip() == "running"
    assert "Shutting down instance vm1" in cluster.ok(export)
