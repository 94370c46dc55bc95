"""`gnt-instance modify -t`: the disks become others of another template, with what is on them. Volumes are in tests/lab."""
import signal
import time

import pytest

ADD = "gnt-instance add -t file -o noop --no-install --no-start -H fake -B memory=32M --no-nics --no-name-check --no-ip-check"
FILES = "/srv/ganeti/file-storage /srv/ganeti/shared-file-storage"


@pytest.fixture
def vm1(cluster):
    cluster.ok(f"{ADD} --disk 0:size=256M,name=root --disk 1:size=8M,mode=ro vm1")
    cluster.ok("printf precious | dd of=$(ls /srv/ganeti/file-storage/vm1/*.disk0) bs=1M seek=200 conv=notrunc status=none")
    yield "vm1"
    cluster.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert cluster.ok(f"find {FILES} /var/run/ganeti -name '*vm1*'") == ""


def paths(cluster):
    return cluster.ok(f"find {FILES} -name '*.disk?' | sort -t. -k3").split()


def test_there_and_back(cluster, vm1):
    before = cluster.ok("gnt-instance list --no-headers -o disk.uuids vm1")
    said = cluster.ok("gnt-instance modify -t sharedfile vm1")
    lines = [line.split(" ", 5)[-1] if line[:3].isalpha() and ":" in line[:20] else line for line in said.splitlines()]
    wanted = """Converting disk template from 'file' to 'sharedfile'
Generating new 'sharedfile' disk template...
Creating new empty disks of type 'sharedfile'...
Populating the new empty disks of type 'sharedfile'...
 - copying data from disk 0 (file), size 256M
 - copying data from disk 1 (file), size 8M
Detaching old disks (file) from the instance and removing them from cluster config
Adding new disks (sharedfile) to cluster config and attaching them to the instance
 - INFO: Waiting for instance vm1 to sync disks
 - INFO: Instance vm1's disks are in sync
Removing old block devices of type 'file'...
Modified instance vm1
 - disk_template -> sharedfile"""
    for line in wanted.splitlines():
        assert any(one.endswith(line) for one in lines), f"{line!r} is not in\n{said}"
    # All of it is done.
    assert " - disk_template -> sharedfile\n" in said
    root, data = paths(cluster)
    assert root.startswith("/srv/ganeti/shared-file-storage/vm1/")
    assert cluster.ok(f"dd if={root} bs=1M skip=200 count=1 status=none | head -c 8") == "precious"
    assert cluster.ok(f"stat -c '%s' {root} {data}").split() == [str(256 << 20), str(8 << 20)]
    # It is as sparse as it was.
    assert int(cluster.ok(f"stat -c '%b' {root}")) * 512 < 8 << 20
    info = cluster.ok("gnt-instance info -s vm1")
    assert "Disk template: sharedfile" in info and "name: root" in info and "access mode: ro" in info
    assert cluster.ok("gnt-instance list --no-headers -o disk.uuids vm1") != before
    cluster.ok("gnt-instance modify -t file --file-storage-dir below vm1")
    root, data = paths(cluster)
    assert root.startswith("/srv/ganeti/file-storage/below/vm1/")
    assert cluster.ok(f"dd if={root} bs=1M skip=200 count=1 status=none | head -c 8") == "precious"
    cluster.ok("gnt-instance start vm1 && gnt-cluster verify")


@pytest.mark.parametrize("program", ["flotte-noded", "flotte-controllerd"])
def test_killed_at_any_moment_there_are_the_old_disks_or_the_new(cluster, vm1, program):
    cluster.ok("f=$(ls /srv/ganeti/file-storage/vm1/*.disk0) && head -c 200M /dev/urandom | dd of=$f conv=notrunc status=none && sha256sum < $f > /tmp/wanted")
    for delay in (0.05, 0.15, 0.3, 0.6):
        target = "sharedfile" if "/file-storage/" in paths(cluster)[0] else "file"
        job = cluster.ok(f"gnt-instance modify --submit --print-jobid -t {target} vm1").strip().splitlines()[-1]
        time.sleep(delay)
        cluster.kill(program, signal.SIGKILL)
        cluster.ok("flotte daemons start")
        cluster.wait_until(f"gnt-job list --no-headers -o status {job} | grep -E 'success|error'")
        assert len(paths(cluster)) == 2
        cluster.ok(f"sha256sum < {paths(cluster)[0]} | diff - /tmp/wanted")
        cluster.ok("gnt-cluster verify")


MISTAKES = [
    ("gnt-instance modify -t file vm1", 1, "Instance already has disk template file"),
    ("gnt-instance modify -t diskless vm1", 1, "Conversion to the 'diskless' disk template is not supported"),
    ("gnt-instance modify -t blockdev vm1", 1, "Conversion to the 'blockdev' disk template is not supported"),
    ("gnt-instance modify -t plain vm1", 1, "Disk template 'plain' is not enabled for this cluster (enabled templates: diskless, file, sharedfile)"),
    ("gnt-instance modify -t pony vm1", 2, "option -t: invalid choice: 'pony' (choose from 'diskless', 'file', 'sharedfile', "),
    ("gnt-instance modify -t sharedfile --disk add:size=8M vm1", 1, "Disk template conversion and other disk changes not supported at the same time"),
    ("gnt-instance modify -t sharedfile --file-driver blktap vm1", 1, "File driver 'blktap' is Xen's"),
    ("gnt-instance modify -t sharedfile --file-storage-dir ../.. vm1", 1, "File storage directory path not absolute or outside: ../.."),
    ("gnt-instance modify -B memory=64M --file-storage-dir below vm1", 1, "Specifying file-based configuration arguments requires converting to a file-based disk template"),
    ("gnt-instance modify -t sharedfile -e provider=x vm1", 1, "Specifying ExtStorage parameters requires converting to the 'ext' disk template"),
    ("gnt-instance modify -t ext vm1", 1, "Provider option is missing, use either the '--ext-params' or '-e' option"),
    ("gnt-instance modify -n node1.lab.test vm1", 1, "Please give at least one of the parameters."),
    ("gnt-instance modify --new-primary nosuch vm1", 1, "nosuch"),
    ("gnt-instance modify -c yes vm1", 1, "Instance communication is not built yet"),
    ("gnt-instance modify -c pony vm1", 1, "Invalid boolean value 'pony'"),
    ("gnt-instance modify -o nosuch vm1", 1, "OS 'nosuch' not in supported OS list"),
    ("gnt-instance modify -o noop+odd vm1", 1, "OS 'noop' does not support variants ('odd' passed)"),
    ("gnt-instance modify --no-wait-for-sync --disk add:size=8M vm1", 1, "Can't add a disk to an instance with deactivated disks and --no-wait-for-sync given"),
]


@pytest.mark.parametrize("command,code,says", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named(cluster, vm1, command, code, says):
    before = paths(cluster)
    done = cluster.run(command)
    assert done.returncode == code and says in done.stderr, f"{done.stdout}{done.stderr}= {done.returncode}"
    assert paths(cluster) == before


def test_what_changes_nothing_says_nothing(cluster, vm1):
    assert cluster.ok("gnt-instance modify --new-primary node1.lab.test vm1") == ""
    assert cluster.ok("gnt-instance modify -c no vm1") == ""


def test_an_unknown_os_can_be_forced(cluster, vm1):
    cluster.ok("gnt-instance modify -f -o nosuch vm1")
    cluster.ok("gnt-instance modify -o noop vm1")


def test_not_while_it_runs(cluster, vm1):
    cluster.ok("gnt-instance start vm1")
    assert "Instance 'vm1' is marked to be up, cannot change disk template; stop it first with 'gnt-instance shutdown vm1'" in cluster.refused("gnt-instance modify -t sharedfile vm1")
    cluster.ok("gnt-instance stop vm1 && gnt-instance modify --offline vm1")
    assert "Instance 'vm1' is marked to be offline, cannot change disk template; 'gnt-instance modify --online vm1' ends that" in cluster.refused("gnt-instance modify -t sharedfile vm1")


def test_a_diskless_one_stays_diskless(cluster):
    cluster.ok(f"{ADD} -t diskless vm2")
    assert "Conversion from the 'diskless' disk template is not supported" in cluster.refused("gnt-instance modify -t file vm2")
    cluster.ok("gnt-instance remove -f vm2")
