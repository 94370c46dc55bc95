"""Wrong input gets Ganeti's class and exit code, a sentence that says what to do, and leaves nothing behind."""
import pytest

ADD = "gnt-instance add --no-name-check --no-ip-check --no-start"
FILE = f"{ADD} -t file -o noop -H fake"

REFUSED = [
    # (command, exit code, what the message says)
    ("gnt-instance list --frob", 2, "no such option: --frob"),
    (f"{FILE} -s 1G", 1, "add expects"),
    (f"{FILE} -s pony bad1", 2, "error: option -s: Invalid format"),
    (f"{FILE} -s 1G 'bad name'", 1, "bad name"),
    (f"{FILE} -s 1G ../../etc/passwd", 1, "wrong_input"),
    (f"{FILE} -s 1G -B memory=lots bad1", 1, "'memory' (value lots) is not a valid size"),
    (f"{FILE} -s 1G -B nosuch=1 bad1", 1, "Parameter Error: Unknown parameter 'nosuch'"),
    (f"{ADD} -t file -s 1G -o noop -H kvm:nosuch=1 bad1", 1, "nosuch"),
    (f"{ADD} -t file -s 1G -o noop -H nosuch bad1", 1, "nosuch"),
    (f"{ADD} -t file -s 1G -o nosuch -H fake bad1", 1, "nosuch"),
    (f"{ADD} -t file -s 1G -o noop+nosuch -H fake bad1", 1, "noop"),
    (f"{ADD} -t plain -s 1G -o noop -H fake bad1", 1, "plain"),
    (f"{FILE} -s 1G --net 0:link=nosuch0 bad1", 1, "nosuch0"),
    (f"{FILE} -s 1G --net 0:mac=zz bad1", 1, "zz"),
    (f"{FILE} -s 9000T bad1", 1, "violates policy"),
    (f"{FILE} -s 9000T --ignore-ipolicy bad1", 1, "does not fit on the file system"),
    (f"{FILE} -s 1G -n nosuch bad1", 1, "nosuch"),
    ("gnt-instance startup nosuch", 1, "does not match any instances"),
    ("gnt-instance info nosuch", 1, "Instance 'nosuch' not known"),
    ("gnt-instance remove -f nosuch", 1, "nosuch"),
    ("gnt-instance modify nosuch", 1, "at least one"),
    ("gnt-node info nosuch", 1, "nosuch"),
    ("gnt-job info pony", 1, "pony"),
    ("gnt-job cancel 99999", 1, "99999"),
    ("gnt-debug delay pony", 1, "pony"),
    ("gnt-cluster modify -B memory=1T,minmem=2T", 1, "minmem"),
    ("gnt-cluster modify", 1, "at least one"),
    ("gnt-cluster modify --mac-prefix zz:00:11", 1, "Invalid MAC address prefix 'zz:00:11': it must be three octets, such as aa:00:00"),
    ("gnt-cluster modify --mac-prefix aa:00:11:22", 1, "Invalid MAC address prefix"),
    ("gnt-cluster modify --master-netmask 77", 1, "CIDR netmask (77) not valid"),
    ("gnt-cluster modify --vg-name nosuch", 1, "volume group 'nosuch' missing; there is none"),
    ("gnt-cluster modify --enabled-disk-templates plain,file,diskless", 1, "Please specify a volume group when enabling lvm-based disk-templates."),
    ("gnt-cluster modify --enabled-disk-templates drbd,file", 1, "Disk template 'drbd' is not built yet"),
    ("gnt-cluster modify --enabled-disk-templates pony", 1, "must be one of"),
    ("gnt-cluster modify --enabled-hypervisors xen-pvm", 1, "must be one of fake, kvm"),
    ("gnt-cluster modify --candidate-pool-size 0", 1, "At least one master candidate needed"),
    ("gnt-cluster modify --candidate-pool-size pony", 2, "error: option --candidate-pool-size: invalid integer value: 'pony'"),
    ("gnt-cluster modify --master-netdev nosuch0", 1, "choose another one with --master-netdev"),
    ("gnt-cluster modify --default-iallocator nosuch", 1, "Invalid default iallocator script 'nosuch' specified: there is only hail"),
    ("gnt-cluster modify -N mode=pony", 1, "must be one of"),
    ("gnt-cluster modify -D plain:stripes=pony", 1, "'stripes' (value pony) is not a valid integer"),
    ("gnt-cluster modify -D pony:stripes=2", 1, "Unknown disk template 'pony'"),
    ("gnt-cluster modify --ipolicy-bounds-specs min:memory-size=5G/max:memory-size=1G", 1, "Missing parameters in ipolicy spec min: cpu-count, disk-count, disk-size, nic-count, spindle-use"),
    ("gnt-cluster modify --ipolicy-disk-templates pony", 1, "Invalid instance policy: Invalid disk template(s) pony"),
    ("gnt-cluster modify --uid-pool 1000-2000", 2, "--uid-pool is not built yet"),
    ("gnt-cluster modify --file-storage-dir /nowhere", 1, "Path '/nowhere' is not acceptable for file storage"),
    ("gnt-cluster modify --file-storage-dir relative", 1, "'relative' is not an absolute path"),
    ("gnt-cluster modify --file-storage-dir ''", 1, "Disk template 'file' needs a directory: give it with --file-storage-dir"),
    ("gnt-cluster modify --reserved-lvs 'xenvg/['", 1, "'xenvg/[' is no regular expression for volumes"),
    ("gnt-cluster modify --max-tracked-jobs 0", 1, "max_tracked_jobs must be at least 1, not 0"),
    ("gnt-cluster verify-disks -g nosuch", 1, "nosuch"),
    ("gnt-cluster repair-disk-sizes nosuch", 1, "Instance 'nosuch' not known"),
    ("gnt-instance list-fields name nosuch", 14, "Queried for unknown fields nosuch"),
    ("gnt-instance list -o name,nosuch", 14, "Queried for unknown fields nosuch"),
    ("gnt-node volumes -o name,nosuch", 1, "Unknown output fields selected: nosuch"),
    ("gnt-node list-storage -t nosuch", 2, "error: option -t: invalid choice: 'nosuch'"),
    ("gnt-cluster init other.lab.test", 1, "already"),
    ("gnt-cluster destroy", 1, "--yes-do-it"),
    ("gnt-instance migrate vm1", 1, "not built yet"),
]


@pytest.mark.parametrize("command,code,says", REFUSED, ids=[row[0] for row in REFUSED])
def test_is_refused(cluster, command, code, says):
    done = cluster.run(command)
    assert done.returncode == code and says in done.stderr + done.stdout, f"{done.stdout}{done.stderr}= {done.returncode}"
    leftovers = cluster.ok("gnt-instance list --no-headers -o name; find /srv/ganeti -name '*bad*'")
    cluster.run("gnt-instance remove -f bad1")
    assert "Traceback" not in done.stderr and "Segmentation" not in done.stderr
    assert leftovers == ""


def test_O2_a_cpu_type_that_does_not_migrate_is_said_before(cluster):
    said = cluster.run("gnt-cluster modify -H kvm:cpu_type=host")
    assert said.returncode == 0 and "WARNING: cpu_type=host shows guests the CPU of their node" in said.stdout + said.stderr
    assert "cpu_type: host" in cluster.ok("gnt-cluster info")
    said = cluster.run("gnt-cluster modify -H kvm:cpu_type=default")
    assert said.returncode == 0 and "WARNING" not in said.stdout + said.stderr


def test_a_missing_bridge_is_named_when_a_guest_starts(cluster):
    said = cluster.refused(f"{ADD.replace(' --no-start', '')} -t file -s 1G -o noop -H kvm -B memory=64M --net 0:link=nosuch0 bad1")
    assert "Bridge 'nosuch0' does not exist" in said and "ip link add nosuch0 type bridge" in said
    assert cluster.ok("gnt-instance list --no-headers -o name") == ""


def test_a_guest_that_dies_at_once(cluster):
    cluster.ok("touch /tmp/not-a-kernel")
    said = cluster.refused(f"{ADD.replace(' --no-start', '')} -t diskless -o noop --no-install -H kvm:kernel_path=/tmp/not-a-kernel -B memory=64M --no-nics bad1")
    assert "QEMU did not start bad1" in said
    assert cluster.ok("gnt-instance list --no-headers -o status") in ("", "ERROR_down\n")
    cluster.ok("gnt-instance list --no-headers -o name | xargs -r -n1 gnt-instance remove -f")


def test_an_os_script_that_fails_leaves_nothing(cluster):
    cluster.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/broken; printf '#!/bin/sh\\necho no mirror today >&2\\nexit 3\\n' > /usr/share/ganeti/os/broken/create")
    said = cluster.refused(f"{ADD} -t file -s 64M -o broken -H fake bad1")
    assert "exit code 3" in said and "no mirror today" in said
    assert cluster.ok("gnt-instance list --no-headers -o name") == ""
    assert cluster.ok("find /srv/ganeti -type f") == ""


def test_a_full_disk(cluster):
    cluster.ok("mkdir -p /srv/ganeti/file-storage && mount -t tmpfs -o size=1m tmpfs /srv/ganeti/file-storage")
    said = cluster.refused(f"{FILE} -s 64M bad1")
    assert "does not fit on the file system" in said
    assert cluster.ok("find /srv/ganeti/file-storage -type f; gnt-instance list --no-headers -o name") == ""
    cluster.ok("umount /srv/ganeti/file-storage")


def test_two_adds_of_one_name_at_the_same_instant(cluster):
    adds = [cluster.start(f"{FILE} -s 64M twin1") for _ in range(4)]
    ends = [(add.communicate(timeout=60), add.returncode) for add in adds]
    assert sorted(code for _, code in ends) == [0, 1, 1, 1]
    for (_, said), code in ends:
        assert code == 0 or "already_exists" in said
    cluster.ok("gnt-instance remove -f twin1")


def test_no_daemon(machine, cluster):
    machine.kill("flotte-controllerd", 15)
    machine.wait_until("! pgrep -x flotte-controlle")
    said = machine.refused("gnt-instance list")
    assert "Cannot communicate with the master daemon" in said
    machine.ok("flotte daemons start")
    machine.ok("gnt-instance list")


@pytest.mark.parametrize("damage", ["truncate -s 100 store.sqlite", "printf 'not a store' > store.sqlite", "rm -f store.sqlite-wal store.sqlite; printf x > store.sqlite"])
def test_a_store_that_is_broken_is_named_and_not_touched(machine, cluster, damage):
    machine.ok("flotte daemons stop; cp -a /var/lib/ganeti/controller /tmp/saved")
    machine.ok(f"cd /var/lib/ganeti/controller && {damage} && rm -f store.sqlite-wal store.sqlite-shm && sha256sum store.sqlite > /tmp/before")
    said = machine.run("flotte daemons start")
    assert said.returncode != 0 and "store.sqlite" in said.stdout + said.stderr, said
    machine.ok("cd /var/lib/ganeti/controller && sha256sum -c /tmp/before")
    machine.ok("flotte daemons stop; rm -rf /var/lib/ganeti/controller && mv /tmp/saved /var/lib/ganeti/controller && flotte daemons start && gnt-instance list")
