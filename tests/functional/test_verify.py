"""`gnt-cluster verify`: each finding by a fault that is made for real, named with Ganeti's words and code, and gone when the fault is."""
import contextlib

import pytest

ADD = "gnt-instance add -o noop --no-name-check --no-ip-check -B memory=64M"
FILE = "/srv/ganeti/file-storage"
NODE = "node1.lab.test"


def verify(machine, options=""):
    done = machine.run(f"gnt-cluster verify {options}")
    # Without the times.
    lines = [line[line.find("  - "):] for line in done.stdout.splitlines() if "  - " in line]
    return done.returncode, [line.removeprefix("  - ") for line in lines if "NOTICE" not in line]


@pytest.fixture
def guest(cluster):
    cluster.ok(f"{ADD} -t file -s 64M -H fake --net 0:link=br0 vm1")
    yield "vm1"
    cluster.run("rm -f /var/run/ganeti/fake-hypervisor/*; gnt-instance remove -f --ignore-failures vm1")


@pytest.fixture(scope="module", autouse=True)
def without_watcher(cluster):
    """It would bring the cluster's address up again."""
    cluster.ok("gnt-cluster watcher pause 2h")


@contextlib.contextmanager
def fault(machine, make, undo):
    """Nothing is found before it is made and after it is undone."""
    assert verify(machine) == (0, [])
    machine.ok(make)
    try:
        yield
    finally:
        machine.ok(undo)
    assert verify(machine) == (0, [])


CERTIFICATE = "/var/lib/ganeti/rapi.pem"
SOON = f"""cp -p {CERTIFICATE} /tmp/kept && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -days 3 -keyout /tmp/key -out /tmp/cert 2> /tmp/said &&
cat /tmp/key /tmp/cert > {CERTIFICATE}"""
RESTORE = f"cp -p /tmp/kept {CERTIFICATE}"

# (what makes it, what undoes it, exit code, code, kind, item, what is said about it)
FAULTS = {
    "a file of ssconf that says something else": (
        "cp -p /var/lib/ganeti/ssconf_node_list /tmp/kept; echo node2 > /var/lib/ganeti/ssconf_node_list", "cp -p /tmp/kept /var/lib/ganeti/ssconf_node_list", 1,
        "ENODEFILECHECK", "node", NODE, "File /var/lib/ganeti/ssconf_node_list differs from the configuration"),
    "a file of ssconf that is missing": (
        "mv /var/lib/ganeti/ssconf_node_list /tmp/kept", "mv /tmp/kept /var/lib/ganeti/ssconf_node_list", 1, "ECLUSTERFILECHECK", "cluster", "None",
        f"File /var/lib/ganeti/ssconf_node_list is missing from node(s) {NODE}"),
    "a secret that others can read": (
        "chmod 644 /var/lib/ganeti/hmac.key", "chmod 600 /var/lib/ganeti/hmac.key", 1, "ENODEFILECHECK", "node", NODE,
        "File /var/lib/ganeti/hmac.key has mode 0644 and should have 0600: chmod 0600 /var/lib/ganeti/hmac.key"),
    "a certificate that others can read": (
        "chmod 640 /var/lib/ganeti/node.pem", "chmod 600 /var/lib/ganeti/node.pem", 1, "ENODEFILECHECK", "node", NODE, "File /var/lib/ganeti/node.pem has mode 0640"),
    "a store that others can read": (
        "chmod 604 /var/lib/ganeti/controller/store.sqlite", "chmod 600 /var/lib/ganeti/controller/store.sqlite", 1, "ENODEFILECHECK", "node", NODE,
        "File /var/lib/ganeti/controller/store.sqlite has mode 0604"),
    "a directory of the cluster that others can write": (
        "chmod 777 /var/lib/ganeti", "chmod 755 /var/lib/ganeti", 1, "ENODEFILECHECK", "node", NODE, "File /var/lib/ganeti has mode 0777"),
    "a secret of somebody else": (
        "chown 12345 /var/lib/ganeti/cluster-domain-secret", "chown 0 /var/lib/ganeti/cluster-domain-secret", 1, "ENODEFILECHECK", "node", NODE,
        "File /var/lib/ganeti/cluster-domain-secret belongs to user 12345 and should belong to 0"),
    "a secret that is missing": (
        "mv /var/lib/ganeti/hmac.key /tmp", "mv /tmp/hmac.key /var/lib/ganeti", 1, "ECLUSTERFILECHECK", "cluster", "None",
        f"File /var/lib/ganeti/hmac.key is missing from node(s) {NODE}"),
    "a certificate that is none": (
        f"cp -p {CERTIFICATE} /tmp/kept; echo nothing > {CERTIFICATE}", RESTORE, 1, "ECLUSTERCERT", "cluster", "None", f"Failed to load X509 certificate {CERTIFICATE}: "),
    "a certificate that ends soon": (
        SOON, RESTORE, 1, "ECLUSTERCERT", "cluster", "None", f"While verifying {CERTIFICATE}: Certificate expires in about 3 days"),
    "a file storage that everybody can write": (
        f"chmod 777 {FILE}", f"chmod 755 {FILE}", 1, "ENODEFILESTORAGEPATHUNUSABLE", "node", NODE,
        f"The configured file storage path is unusable: Path '{FILE}' is writable by everybody"),
    "a file storage that is missing": (
        f"mv {FILE} /tmp/fs", f"mv /tmp/fs {FILE}", 1, "ENODEFILESTORAGEPATHUNUSABLE", "node", NODE,
        f"The configured file storage path is unusable: Path '{FILE}' does not exist or is not a directory."),
    "a shared file storage that is read-only": (
        "mount -t tmpfs -o ro x /srv/ganeti/shared-file-storage", "umount /srv/ganeti/shared-file-storage", 1, "ENODESHAREDFILESTORAGEPATHUNUSABLE", "node", NODE,
        "The configured sharedfile storage path is unusable: Path '/srv/ganeti/shared-file-storage' is not writable"),
    "a file storage that is not allowed": (
        "cp /etc/ganeti/file-storage-paths /tmp/paths; sed -i /shared/d /etc/ganeti/file-storage-paths", "cp /tmp/paths /etc/ganeti/file-storage-paths", 1,
        "ENODESHAREDFILESTORAGEPATHUNUSABLE", "node", NODE, "is not acceptable for file storage. A possible fix might be to add it to /etc/ganeti/file-storage-paths"),
    "a file storage path that is forbidden": (
        "cp /etc/ganeti/file-storage-paths /tmp/paths; printf '/etc/disks\\n/usr/lib\\n' >> /etc/ganeti/file-storage-paths",
        "cp /tmp/paths /etc/ganeti/file-storage-paths", 1, "ENODEFILESTORAGEPATHS", "node", NODE, "Found forbidden file storage paths: /etc/disks, /usr/lib"),
    "an orphan disk": (
        f"mkdir -p {FILE}/gone && truncate -s 1M {FILE}/gone/x.file.disk0", f"rm -r {FILE}/gone", 0, "ENODEORPHANLV", "node", NODE,
        f"disk file {FILE}/gone/x.file.disk0 is unknown"),
    "an orphan disk that is shared": (
        "touch /srv/ganeti/shared-file-storage/x.file.disk0", "rm /srv/ganeti/shared-file-storage/x.file.disk0", 0, "ENODEORPHANLV", "node", NODE,
        "disk file /srv/ganeti/shared-file-storage/x.file.disk0 is unknown"),
    "an OS definition that is invalid": (
        "mkdir /usr/share/ganeti/os/broken && echo 20 > /usr/share/ganeti/os/broken/ganeti_api_version", "rm -r /usr/share/ganeti/os/broken", 1, "ENODEOS", "node", NODE,
        "Invalid OS broken (located at /usr/share/ganeti/os/broken): "),
    "a bridge that is missing": (
        "ip link set br0 name br1", "ip link set br1 down; ip link set br1 name br0; ip link set br0 up", 0, "ENODENET", "node", NODE,
        "missing bridge of NICs without a link of their own: br0"),
    "the cluster's address is down": (
        "ip address del 192.0.2.9/32 dev br0", "ip address add 192.0.2.9/32 dev br0", 1, "ENODENET", "node", NODE,
        "the master node cannot reach the master IP (not configured?)"),
    "files of a guest that isn't there": (
        "mkdir -p /run/ganeti/kvm-hypervisor/nic/ghost /run/ganeti/kvm-hypervisor/pid /run/ganeti/kvm-hypervisor/conf; cd /run/ganeti; "
        "touch kvm-hypervisor/pid/ghost kvm-hypervisor/conf/ghost.runtime; ln -s /nowhere instance-disks/ghost:0",
        "cd /run/ganeti; rm -r kvm-hypervisor/nic/ghost kvm-hypervisor/pid/ghost kvm-hypervisor/conf/ghost.runtime instance-disks/ghost:0", 0,
        "ENODEORPHANINSTANCE", "node", NODE,
        "stray files of instance ghost, which is not on this node: /var/run/ganeti/instance-disks/ghost:0, /var/run/ganeti/kvm-hypervisor/conf/ghost.runtime, "
        "/var/run/ganeti/kvm-hypervisor/nic/ghost, /var/run/ganeti/kvm-hypervisor/pid/ghost"),
    "an image that is missing": (
        "truncate -s 1M /tmp/cd.iso; gnt-cluster modify -H kvm:cdrom_image_path=/tmp/cd.iso > /tmp/said; rm /tmp/cd.iso", "gnt-cluster modify -H kvm:cdrom_image_path=", 1,
        "ENODEHV", "node", NODE, "hypervisor kvm parameter verify failure (source cluster): "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_its_absence_too(cluster, name):
    make, undo, exit_code, code, kind, item, says = FAULTS[name]
    severity = "ERROR" if exit_code else "WARNING"
    with fault(cluster, make, undo):
        found = verify(cluster)
        plain = f"{severity}: {kind}{'' if item == 'None' else ' ' + item}: "
        assert found[0] == exit_code and [line for line in found[1] if line.startswith(plain) and says in line], found
        found = verify(cluster, "--error-codes")
        assert found[0] == exit_code and [line for line in found[1] if line.startswith(f"{severity}:{code}:{kind}:{item}:") and says in line], found
        # One that is ignored is only a warning.
        found = verify(cluster, f"--error-codes -I {code}")
        assert found[0] == 0 and not [line for line in found[1] if line.startswith("ERROR")], found


def test_an_instance_that_should_run_and_does_not(cluster, guest):
    # The watcher's own try fails.
    with fault(cluster, "cd /var/run/ganeti/fake-hypervisor; echo no > vm1.fail; mv guest:vm1 /tmp/", "cd /var/run/ganeti/fake-hypervisor; rm vm1.fail; mv /tmp/guest:vm1 ."):
        assert verify(cluster, "--error-codes") == (1, [f"ERROR:EINSTANCEDOWN:instance:vm1:instance not running on its primary node {NODE}"])


def test_a_bridge_that_a_guest_is_on_is_missing(cluster):
    cluster.ok("ip link add br2 type bridge")
    try:
        cluster.ok("gnt-instance add -o noop -t diskless -B memory=32M --net 0:link=br2 --no-name-check --no-ip-check --no-start --ignore-ipolicy vm2")
        with fault(cluster, "ip link set br2 name br3", "ip link set br3 name br2"):
            assert verify(cluster, "--error-codes") == (1, [f"ERROR:ENODENET:node:{NODE}:missing bridges: br2"])
    finally:
        cluster.ok("gnt-instance remove -f vm2; ip link delete br2")


def test_an_instance_that_runs_and_should_not(cluster, guest):
    cluster.ok("cp /var/run/ganeti/fake-hypervisor/guest:vm1 /tmp/; gnt-instance shutdown vm1")
    with fault(cluster, "cp /tmp/guest:vm1 /var/run/ganeti/fake-hypervisor/", "rm /var/run/ganeti/fake-hypervisor/guest:vm1"):
        assert verify(cluster) == (1, [f"ERROR: instance vm1: instance runs on {NODE} and should be down"])


def test_a_guest_that_is_unknown(cluster, guest):
    ghost = "/var/run/ganeti/fake-hypervisor/guest:ghost"
    with fault(cluster, f"sed s/vm1/ghost/ /var/run/ganeti/fake-hypervisor/guest:vm1 > {ghost}", f"rm {ghost}"):
        assert verify(cluster, "--error-codes") == (1, [f"ERROR:ENODEORPHANINSTANCE:node:{NODE}:node is running unknown instance ghost"])


def test_a_disk_that_is_missing_or_of_wrong_size(cluster, guest):
    disk = cluster.ok(f"find {FILE} -name '*.file.disk0'").strip()
    with fault(cluster, f"mv {disk} /tmp/disk", f"mv /tmp/disk {disk}"):
        assert verify(cluster, "--error-codes") == (1, [
            f"ERROR:EINSTANCEMISSINGDISK:instance:vm1:file {disk} missing on node {NODE}",
            f"ERROR:EINSTANCEFAULTYDISK:instance:vm1:couldn't retrieve status for disk/0 on {NODE}: Can't find device {disk}"])
    with fault(cluster, f"truncate -s 32M {disk}", f"truncate -s 64M {disk}"):
        code, said = verify(cluster)
        assert code == 1 and len(said) == 1
        assert said[0].startswith(f"ERROR: instance vm1: disk/0 on {NODE} has mismatched size: recorded 64, actual 32; 'gnt-cluster repair-disk-sizes vm1'")
    with fault(cluster, f"truncate -s 128M {disk}", f"truncate -s 64M {disk}"):
        code, said = verify(cluster)
        assert code == 0 and said[0].startswith(f"WARNING: instance vm1: disk/0 on {NODE} has mismatched size")


def test_what_is_no_file_in_place_of_a_disk(cluster, guest):
    disk = cluster.ok(f"find {FILE} -name '*.file.disk0'").strip()
    for made in ("mkfifo {}", "mkdir {}", "ln -s /dev/zero {}"):
        with fault(cluster, f"mv {disk} /tmp/disk && {made.format(disk)}", f"rm -r {disk}; mv /tmp/disk {disk}"):
            assert verify(cluster, "--error-codes") == (
                1, [f"ERROR:EINSTANCEFAULTYDISK:instance:vm1:couldn't retrieve status for disk/0 on {NODE}: {disk} is no regular file"])


def test_a_policy_that_an_instance_violates(cluster, guest):
    bounds = cluster.ok("gnt-cluster info --json")
    assert bounds
    cluster.ok("gnt-instance add -t diskless --no-install -o noop -H fake --no-start --no-name-check --no-ip-check -B memory=2T --ignore-ipolicy --no-nics big1")
    code, said = verify(cluster, "--error-codes")
    assert code == 0 and said[0].startswith("WARNING:EINSTANCEPOLICY:instance:big1:"), said
    cluster.ok("gnt-instance remove -f big1")


def test_verbose_names_each_node_and_instance_and_notes_are_told(cluster, guest):
    said = cluster.ok("gnt-cluster verify -v --no-nplus1-mem")
    assert f"* Verifying node {NODE} (master)" in said and "* Verifying instance vm1" in said
    assert "NOTICE: 1 non-redundant instance(s) found." in said
    assert "N+1" not in said
    cluster.ok("gnt-instance shutdown vm1; gnt-instance modify --offline vm1")
    assert "NOTICE: 1 offline instance(s) found." in cluster.ok("gnt-cluster verify")


def test_simulated_errors(cluster, guest):
    code, said = verify(cluster, "--debug-simulate-errors --error-codes")
    assert code == 1
    for expected in ("ERROR:ENODETIME:node:", "ERROR:EINSTANCEDOWN:instance:vm1:", "ERROR:ENODENET:node:", "ERROR:ECLUSTERDANGLINGINST:instance:None:"):
        assert [line for line in said if line.startswith(expected)], expected


def test_a_group_alone(cluster):
    said = cluster.ok("gnt-cluster verify --node-group default")
    assert "Submitted jobs" in said and "* Verifying group 'default'" in said and "cluster config" not in said
    assert "nosuch" in cluster.refused("gnt-cluster verify -g nosuch")


def test_a_node_that_does_not_answer(machine, cluster, guest):
    machine.kill("flotte-noded", 15)
    code, said = verify(cluster, "--error-codes")
    assert code == 1 and said[0].startswith(f"ERROR:ENODERPC:node:{NODE}:while contacting node: "), said
    assert said[1] == f"ERROR:ENODERPC:node:{NODE}:instance vm1, connection to primary node failed"
    machine.ok("flotte daemons start")
    assert verify(cluster) == (0, [])


def test_a_code_that_is_none(cluster):
    said = cluster.refused("gnt-cluster verify -I ENOSUCH", 2)
    assert "invalid choice: 'ENOSUCH'" in said and "EINSTANCEDOWN" in said


def test_verify_disks_activates_what_should_be_active(cluster, guest):
    assert "No disks need to be activated." in cluster.ok("gnt-cluster verify-disks")
    link = "/var/run/ganeti/instance-disks/vm1:0"
    cluster.ok(f"rm {link}")
    said = cluster.ok("gnt-cluster verify-disks")
    assert "Activating disks for instance 'vm1'" in said and "No disks" not in said
    assert cluster.ok(f"readlink {link}").startswith(FILE)
    disk = cluster.ok(f"readlink {link}").strip()
    cluster.ok(f"mv {disk} /tmp/disk")
    done = cluster.run("gnt-cluster verify-disks --node-group default")
    assert done.returncode == 1
    assert f"Instance vm1 has missing logical volumes:\n\t{NODE} {disk}\n" in done.stdout and "You need to replace or recreate disks" in done.stdout
    cluster.ok(f"mv /tmp/disk {disk}")
    assert "No disks need to be activated." in cluster.ok("gnt-cluster verify-disks")
    # Those of an instance that is down need not be.
    cluster.ok(f"gnt-instance shutdown vm1; rm -f {link}")
    assert "No disks need to be activated." in cluster.ok("gnt-cluster verify-disks")
    assert cluster.ok("gnt-instance activate-disks vm1") == f"{NODE}:disk/0:{disk}\n"
    assert cluster.ok(f"readlink {link}").strip() == disk
    assert "nosuch" in cluster.refused("gnt-instance activate-disks nosuch")
    assert "nosuch" in cluster.refused("gnt-cluster verify-disks -g nosuch")


def test_repair_disk_sizes(cluster, guest):
    assert cluster.ok("gnt-cluster repair-disk-sizes") == ""
    disk = cluster.ok(f"find {FILE} -name '*.file.disk0'").strip()
    cluster.ok(f"truncate -s 96M {disk}")
    said = cluster.ok("gnt-cluster repair-disk-sizes vm1")
    assert "Disk 0 of instance vm1 has mismatched size, correcting: recorded 64, actual 96" in said
    assert cluster.ok("gnt-instance list --no-headers -o disk.sizes vm1") == "96\n"
    assert cluster.ok("gnt-cluster repair-disk-sizes") == ""
    cluster.ok(f"mv {disk} /tmp/disk")
    assert "Disk 0 of instance vm1 did not return size information, ignoring" in cluster.ok("gnt-cluster repair-disk-sizes")
    cluster.ok(f"mv /tmp/disk {disk}")
    assert "nosuch" in cluster.refused("gnt-cluster repair-disk-sizes nosuch")
