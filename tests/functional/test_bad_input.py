"""Wrong input gets Ganeti's class and exit code, a sentence that says what to do, and leaves nothing behind."""
import re

import pytest
from machine import Machine

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
    ("gnt-cluster modify --file-storage-dir relative", 1, "'relative' is not an absolute path"),
    ("gnt-cluster modify --file-storage-dir ''", 1, "Unsetting the 'file' storage directory while having 'file' storage enabled is not permitted."),
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
    ("gnt-instance migrate vm1", 1, "Instance 'vm1' does not exist"),
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
    # A QEMU that takes it: the machine's own, without KVM, would not start a guest, and is asked.
    assert "CPU model 'host' requires KVM" in cluster.refused("gnt-cluster modify -H kvm:cpu_type=host")
    cluster.ok(r"""printf '#!/bin/bash\nfor one; do [ "$one" = host ] && one=max; all+=("$one"); done\nexec qemu-system-x86_64 "${all[@]}"\n' > /usr/local/bin/kvm-host && chmod +x /usr/local/bin/kvm-host
        echo /usr/local/bin/kvm-host >> /etc/ganeti/allowed-programs""")
    said = cluster.run("gnt-cluster modify -H kvm:cpu_type=host,kvm_path=/usr/local/bin/kvm-host")
    assert said.returncode == 0 and "WARNING: cpu_type=host shows guests the CPU of their node" in said.stdout + said.stderr
    assert "cpu_type: host" in cluster.ok("gnt-cluster info")
    said = cluster.run("gnt-cluster modify -H kvm:cpu_type=default,kvm_path=/usr/local/bin/kvm-tcg")
    assert said.returncode == 0 and "WARNING" not in said.stdout + said.stderr


def test_a_missing_bridge_is_named_when_a_guest_starts(cluster):
    said = cluster.refused(f"{ADD.replace(' --no-start', '')} -t file -s 1G -o noop -H kvm -B memory=64M --net 0:link=nosuch0 bad1")
    assert "Missing bridges nosuch0" in said and "ip link add nosuch0 type bridge" in said
    assert cluster.ok("gnt-instance list --no-headers -o name") == ""


def test_a_guest_that_dies_at_once(cluster):
    cluster.ok("touch /tmp/not-a-kernel")
    said = cluster.refused(f"{ADD.replace(' --no-start', '')} -t diskless -o noop --no-install -H kvm:kernel_path=/tmp/not-a-kernel -B memory=64M --no-nics bad1")
    assert "QEMU would not start: qemu: could not load kernel '/tmp/not-a-kernel'" in said
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


NEW = "gnt-instance add --no-start -o noop -H fake"
MARKED_OFFLINE = "Instance 'off1' is marked to be offline, can't use instance from outside down, up states; 'gnt-instance modify --online off1' ends that"
NO_BRIDGE = "Error checking bridges on destination node 'node1.lab.test': Missing bridges nosuch0; create it there (ip link add nosuch0 type bridge) or choose another link"
UNDECLARED = "OS Parameters validation failed on node node1.lab.test: The following parameters are not supported by the OS noop: nosuch; it has: none"
NO_HOST = "Invalid hostname 'my_vm!'; it may have letters, digits, '-', '_' and '.', at most 240 of them, and begins with none of '-' and '.'"
MISSING_ISO = "Hypervisor parameter validation failed on node node1.lab.test: Parameter 'cdrom_image_path' fails validation: not found or not a file or URL (current value: '/nosuch.iso')"

# What a person gets wrong in each operation of the manual, and the whole sentence that answers it. vm1 is down, up1 runs, off1 is marked offline.
MISTAKES = [
    # (operation, command, exit code, the last line)
    ("O1", "gnt-cluster init other.lab.test", 1, "Cluster is already initialised: this node belongs to 'cluster.lab.test'"),
    ("O2", "gnt-cluster modify -H kvm:cpu_typ=host", 1, "Parameter Error: Unknown parameter 'cpu_typ'"),
    ("O2", "gnt-cluster modify -H qemu:cpu_type=host", 1, "Unhandled Ganeti error: Unknown hypervisor type 'qemu'; there are fake and kvm"),
    ("O2", "gnt-cluster modify -H kvm:acpi=perhaps", 1, "Parameter Error: 'acpi' (value perhaps) is not a valid boolean"),
    ("O3", "gnt-cluster command", 1, "Error: Command command expects at least 1 argument(s)"),
    ("O3", "gnt-cluster command -n nosuch true", 1, "Node name nosuch not found"),
    ("O3", "gnt-cluster copyfile hosts", 1, "No such filename '/hosts'"),
    ("O3", "gnt-cluster copyfile /etc/nosuch", 1, "No such filename '/etc/nosuch'"),
    ("O5", f"{NEW} -t file --disk x:size=1G new1", 1, "Invalid disk index passed: invalid literal for int() with base 10: 'x'; a number and a colon come first, as in --disk 0:size=10G"),
    ("O5", f"{NEW} -t file --disk 0:size=10X new1", 1, "Unhandled Ganeti error: Unknown unit: X; '10X' should be a number and M, G or T behind it, as in size=10G"),
    ("O5", f"{NEW} -t file --disk 0:sise=1G new1", 1, "Missing size or adoption source for disk 0; give it with --disk 0:size=10G or --disk 0:adopt=VOLUME"),
    ("O5", f"{NEW} -t file new1", 1, "No disk information specified; give it with --disk 0:size=10G or -s 10G"),
    ("O5", f"{NEW} -t plain --disk 0:size=1G,vg=vms_hdd new1", 1, "Disk template 'plain' is not enabled in cluster. Enabled disk templates are: diskless,file,sharedfile; 'gnt-cluster modify --enabled-disk-templates' changes that"),
    ("O5", f"{NEW} -t file -s 64M --net 0:link=nosuch0 new1", 1, NO_BRIDGE),
    ("O5", f"{NEW} -t file -s 64M --net link=br0 new1", 1, "Invalid NIC index passed: invalid literal for int() with base 10: 'link=br0'; a number and a colon come first, as in --net 0:link=br0"),
    ("O5", f"{NEW} -t file -s 64M -B memory=500X new1", 1, "Parameter Error: 'memory' (value 500X) is not a valid size. error: Invalid format"),
    ("O5", f"{NEW} -t file -s 64M vm1", 1, "Instance 'vm1' is already in the cluster"),
    ("O5", f"{NEW} -t file -s 64M VM1", 1, "Instance 'vm1' is already in the cluster"),
    ("O5", f"{NEW} -t file -s 64M my_vm!", 1, NO_HOST),
    ("O5", f"{NEW} -t file -s 64M -O nosuch=1 new1", 1, UNDECLARED),
    ("O5", f"{NEW} -t file -s 64M -o nosuch new1", 1, "OS 'nosuch' not in supported OS list for node node1.lab.test; it has: noop"),
    ("O5", f"{NEW} -t file -s 64M -o noop+stretch new1", 1, "OS 'noop' does not support variants ('stretch' passed)"),
    ("O5", f"{NEW} -t file -s 64M -n nosuch new1", 1, "Node 'nosuch' not known"),
    ("O5", f"{NEW} -t file -s 64M --name-check nosuch1", 1, "The given name (nosuch1) does not resolve: Name or service not known"),
    ("O5", f"{NEW} -t file -s 64M", 1, "Error: Command add expects 1 argument(s)"),
    ("O7", "gnt-instance start", 1, "No instance names passed"),
    ("O7", "gnt-instance start nosuch", 1, "Selection filter does not match any instances"),
    ("O7", "gnt-instance start off1", 1, MARKED_OFFLINE),
    ("O7", "gnt-instance start -f off1", 1, MARKED_OFFLINE),
    ("O7", "gnt-instance shutdown off1", 1, MARKED_OFFLINE),
    ("O7", "gnt-instance reboot off1", 1, MARKED_OFFLINE),
    ("O7", "gnt-instance reboot -t cold vm1", 2, "gnt-instance: error: option -t: invalid choice: 'cold' (choose from 'soft', 'hard', 'full')"),
    ("O7", "gnt-instance shutdown --timeout soon up1", 2, "gnt-instance: error: option --timeout: invalid integer value: 'soon'"),
    ("O7", "gnt-instance shutdown --timeout=-1 up1", 1, "Parameter 'OP_INSTANCE_SHUTDOWN.timeout' fails validation; -1 is less than 0 seconds"),
    ("O7", "gnt-instance modify --offline up1", 1, "Instance 'up1' is marked to be up, can't change to offline without being down first; stop it first with 'gnt-instance shutdown up1'"),
    ("O7", "gnt-instance deactivate-disks off1", 1, "Instance 'off1' is marked to be offline, cannot shutdown disks; 'gnt-instance modify --online off1' ends that"),
    ("O8", "gnt-instance modify -H vnc_bind_address=localhost vm1", 1, "Hypervisor parameter validation failed on node node1.lab.test: Parameter vnc_bind_address: the network interface localhost of this node has no address, or there is no such interface"),
    ("O8", "gnt-instance console --vnc vm1", 1, "Instance vm1 is not running, can't get console"),
    ("O8", "gnt-instance list -o +network_prt", 14, "Warning: Queried for unknown fields network_prt"),
    ("O9", "gnt-instance console", 1, "Error: Command console expects 1 argument(s)"),
    ("O9", "gnt-instance console vm1", 1, "Instance vm1 is not running, can't get console"),
    ("O9", "gnt-instance console nosuch", 1, "Instance 'nosuch' does not exist"),
    ("O10", "gnt-instance start -H cdrom_image_path=/nosuch.iso,boot_order=cdrom vm1", 1, MISSING_ISO),
    ("O10", "gnt-instance start -H boot_order=cdrom,cdrom_image_path=/nosuch.iso vm1", 1, MISSING_ISO),
    ("O10", "gnt-instance start -H boot_order=cdrom vm1", 1, "Unhandled Ganeti error: Cannot boot from cdrom without an ISO path; set cdrom_image_path"),
    ("O10", "gnt-instance start -H boot_order=cd vm1", 1, "Unhandled Ganeti error: Parameter 'boot_order' fails syntax check: The value must be one of: cdrom, disk, floppy, network (current value: 'cd')"),
    ("O10", "gnt-instance start -H cdrom_image_path=x.iso,boot_order=cdrom vm1", 1, "Unhandled Ganeti error: Parameter 'cdrom_image_path' fails syntax check: must be an absolute normalized path or a URL (current value: 'x.iso')"),
    ("O10", "gnt-instance start -H boot_order=cdrom,cdrom_image_path=/x.iso", 1, "No instance names passed"),
    ("O11", "gnt-node volumes nosuch", 1, "Node 'nosuch' not known"),
    ("O11", "gnt-node volumes -o nosuch", 1, "Unknown output fields selected: nosuch"),
    ("O12", "gnt-instance modify --net add:link=nosuch0 vm1", 1, NO_BRIDGE),
    ("O12", "gnt-instance modify --net 0:modify,link=nosuch0 vm1", 1, NO_BRIDGE),
    ("O12", "gnt-instance modify --net 5:remove vm1", 1, "Got NIC index 5, but there are only 1"),
    ("O12", "gnt-instance modify --net 5:modify,link=br0 vm1", 1, "Got NIC index 5, but there are only 1"),
    ("O12", "gnt-instance modify --net x:remove vm1", 1, "Cannot find NIC with identifier x; give its index (vm1 has NICs 0 to 0), its UUID or its name"),
    ("O12", "gnt-instance modify --net 0:frob=1 vm1", 1, "Parameter Error: Unknown parameter 'frob'; known are antispoof, bridge, ip, link, mac, mode, name, network, vlan"),
    ("O12", "gnt-instance modify --net add:mac=zz vm1", 1, "Invalid MAC address 'zz'"),
    ("O13", "gnt-instance grow-disk vm1 7 1g", 1, "Invalid disk index: 7 (instace has disks 0 to 0"),
    ("O13", "gnt-instance grow-disk vm1 x 1g", 1, "Invalid disk index: invalid literal for int() with base 10: 'x'; disks are counted from 0"),
    ("O13", "gnt-instance grow-disk vm1 0 10x", 1, "Can't parse the given amount '10x'"),
    ("O13", "gnt-instance grow-disk --absolute vm1 0 16m", 1, "Requested size (16M) is smaller than current disk size (64M)"),
    ("O13", "gnt-instance grow-disk off1 0 1g", 1, "Invalid disk index: 0 (instace has disks 0 to -1"),
    ("O13", "gnt-instance grow-disk vm1 0", 1, "Error: Command grow-disk expects 3 argument(s)"),
    ("O16", "cat /var/run/ganeti/kvm-hypervisor/nic/vm1/0", 1, "cat: /var/run/ganeti/kvm-hypervisor/nic/vm1/0: No such file or directory"),
    ("O19", f"{NEW} -t file --disk 0:adopt=root new1", 1, "Disk adoption is not supported for the 'file' disk template; use -t plain"),
    ("O19", f"{NEW} -t plain --disk 0:adopt=root,size=1G new1", 1, "Only one of 'size' and 'adopt' allowed (disk 0)"),
    ("O19", f"{NEW} -t file --disk 0:adopt=root --disk 1:size=1G new1", 1, "Either all disks are adopted or none is"),
    ("", "gnt-instance reinstall -f -O nosuch=1 vm1", 1, UNDECLARED),
    ("", "gnt-instance modify -O nosuch=1 vm1", 1, UNDECLARED),
    ("", "gnt-instance rename vm1 my_vm!", 1, NO_HOST),
    ("", "gnt-instance migrate -f vm1", 1, "Instance's disk layout 'file' does not allow migrations; 'gnt-instance move -n NODE vm1' copies such disks, which is not built yet"),
    ("", "gnt-instance migrate -f --allow-failover vm1", 1, "Instance's disk layout 'file' does not allow failovers; 'gnt-instance move -n NODE vm1' copies such disks, which is not built yet"),
    ("", "gnt-instance failover -f vm1", 1, "Instance's disk layout 'file' does not allow failovers; 'gnt-instance move -n NODE vm1' copies such disks, which is not built yet"),
    ("", "gnt-instance migrate -f off1", 1, "gnt-instance migrate of an instance with 'diskless' disks is not built yet"),
    ("", "gnt-instance migrate nosuch", 1, "Instance 'nosuch' does not exist"),
    ("", "gnt-instance move -f vm1", 1, "Parameter 'OP_INSTANCE_MOVE.target_node' fails validation; name the node that it moves to: 'gnt-instance move -n NODE vm1'"),
    ("", "gnt-instance move -f -n nosuch vm1", 1, "Node 'nosuch' not known; see 'gnt-node list'"),
    ("", "gnt-instance move -f -n node1 vm1", 1, "Instance vm1 is already on the node node1.lab.test; name another one of 'gnt-node list'"),
    ("", "gnt-instance replace-disks vm1", 1, "One and only one of the -p, -s, -a, -n and -I options must be passed"),
    ("", "gnt-instance replace-disks -p vm1", 1, "The instance has a strange layout, expected one secondary but found 0; only mirrored disks are replaced, 'gnt-instance recreate-disks vm1' makes lost ones anew, empty"),
    ("", "gnt-instance replace-disks -a --disks=0 vm1", 1, "Cannot specify disks when using automatic mode"),
    ("", "gnt-instance replace-disks -p --disks=x vm1", 1, "Invalid disk index passed: invalid literal for int() with base 10: 'x'; disks are counted from 0, as in --disks=0,1"),
    ("", "gnt-instance list -F os", 1, "Failure: unknown/wrong parameter name 'Unexpected value '\"noop\"' in boolean context; compare the field, as in os == \"noop\"'"),
    ("", "gnt-instance list -F 'os == 5'", 1, "Failure: unknown/wrong parameter name 'Invalid types in comparison, trying to compare \"noop\" with 'NumericValue 5'; texts stand between quotation marks'"),
]


@pytest.fixture(scope="module")
def guests(cluster):
    """vm1 is down, up1 runs, off1 is marked offline, long1.lab.test has a long name."""
    cluster.ok(f"{ADD} -t file -s 64M -o noop -H kvm -B memory=64M --net 0:link=br0 vm1")
    cluster.ok(f"{FILE.replace(' --no-start', '')} -s 64M -B memory=64M --net 0:link=br0 up1")
    for name in ("off1", "long1.lab.test"):
        cluster.ok(f"{ADD} -t diskless -o noop -H fake --no-nics {name}")
    cluster.ok("gnt-instance modify --offline off1; rm -rf /usr/share/ganeti/os/broken")
    return cluster


def state_of(cluster):
    return cluster.ok("gnt-instance list --no-headers -o name,status,disk.sizes,nic.links,os; find /srv/ganeti | sort")


@pytest.mark.parametrize("operation,command,code,says", MISTAKES, ids=[f"{row[0]} {row[1]}".strip() for row in MISTAKES])
def test_a_mistake_is_answered_with_a_whole_sentence(guests, operation, command, code, says):
    before = state_of(guests)
    done = guests.run(command)
    last = re.sub(r"^Job \d+ for \S+ has failed: ", "", done.stderr.splitlines()[-1])
    assert done.returncode == code and last == says, f"{done.stdout}{done.stderr}= {done.returncode}"
    assert state_of(guests) == before


@pytest.mark.parametrize("options,says", [
    ("--vg-name nosuch --enabled-disk-templates plain,diskless cluster.lab.test", "nosuch"),
    ("--master-netdev nosuch0 cluster.lab.test", "nosuch0"),
    ("--enabled-hypervisors qemu cluster.lab.test", "qemu"),
    ("--enabled-disk-templates pony cluster.lab.test", "pony"),
    ("nosuch.lab.test", "nosuch.lab.test"),
    ("'my cluster'", "my cluster"),
])
def test_O1_a_wrong_beginning_leaves_no_cluster(bare, options, says):
    done = bare.run(f"gnt-cluster init --master-netdev br0 {options}")
    assert done.returncode == 1 and says in done.stderr, f"{done.stdout}{done.stderr}= {done.returncode}"
    assert bare.run("gnt-cluster getmaster").returncode != 0


@pytest.fixture(scope="module")
def bare():
    made = Machine()
    yield made
    made.close()


def test_a_second_node_for_disks_without_a_mirror_is_passed_over(guests):
    said = guests.ok(f"{FILE} -s 64M -n node1.lab.test:nosuch two1")
    assert " - WARNING: Secondary node will be ignored on non-mirrored disk template\n" in said
    guests.ok("gnt-instance remove -f two1")


def test_names_are_the_same_in_either_case_and_short_in_filters(guests):
    assert guests.ok("gnt-instance list --no-headers -o name LONG1") == "long1.lab.test\n"
    assert guests.ok("""gnt-instance list --no-headers -o name 'name == "long1"'""") == "long1.lab.test\n"
    assert guests.ok("""gnt-instance list --no-headers -o name -F 'pnode == "node1" and name != "long1" and status == "ADMIN_down"'""") == "vm1\n"


def test_one_that_is_marked_offline_is_stopped_by_force_and_stays_marked(guests):
    assert " - WARNING: Ignoring offline instance check\n" in guests.ok("gnt-instance shutdown -f off1")
    assert guests.ok("gnt-instance list --no-headers -o status off1") == "ADMIN_offline\n"


def test_a_parameter_that_the_os_declares_is_taken_and_taken_back(guests):
    guests.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/asks; echo 'mirror where from' > /usr/share/ganeti/os/asks/parameters.list")
    guests.ok(f"{ADD} -t diskless -o asks -H fake --no-nics -O mirror=a asks1")
    assert "nosuch; it has: mirror" in guests.refused("gnt-instance modify -O nosuch=1 asks1")
    assert "  Operating system parameters: \n    mirror: a\n" in guests.ok("gnt-instance info asks1")
    guests.ok("gnt-instance modify -O mirror=default asks1 && gnt-os modify -O mirror=b asks")
    assert "  Operating system parameters: \n    mirror: default (b)\n" in guests.ok("gnt-instance info asks1")
    guests.ok("gnt-instance remove -f asks1 && gnt-os modify -O mirror=default asks")


def test_a_definition_s_own_parameters_are_changed_one_by_one_and_checked(guests):
    def settings():
        known = guests.ok("gnt-cluster info")
        return known[known.index("OS-specific hypervisor parameters"):known.index("Hidden OSes")]

    guests.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/own; printf 'mirror from where\\nsuite which\\n' > /usr/share/ganeti/os/own/parameters.list")
    guests.ok("gnt-os modify -O mirror=a,suite=b own && gnt-os modify -O suite=c own")
    guests.ok("gnt-os modify -H kvm:acpi=false own && gnt-os modify -H kvm:serial_speed=9600 own")
    assert re.findall(r"\w+: \w+$", settings(), re.MULTILINE) == ["acpi: False", "serial_speed: 9600", "mirror: a", "suite: c"]
    assert "not supported by the OS own: nosuch; it has: mirror, suite" in guests.refused("gnt-os modify -O nosuch=1 own")
    assert "Parameter Error: Unknown parameter 'nosuch'" in guests.refused("gnt-os modify -H kvm:nosuch=1 own")
    assert "Unknown hypervisor type 'nosuch'" in guests.refused("gnt-os modify -H nosuch:acpi=false own")
    assert "OS elsewhere not found on node" in guests.ok("gnt-os modify -O mirror=a elsewhere")
    guests.ok("gnt-os modify -O mirror=default,suite=default own && gnt-os modify -O mirror=default elsewhere")
    guests.ok("gnt-os modify -H kvm:acpi=default,serial_speed=default own")
    assert not re.search("own|elsewhere", settings())
