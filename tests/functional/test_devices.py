"""NICs, disks and memory of a machine that runs (O12): changed at once, in the guest, on the node and in the configuration.

The guest has no system: it lets devices be plugged in, and doesn't hear when one shall be unplugged. One that does is in tests/lab."""
import base64
import json
import re

import pytest

ADD = "gnt-instance add -t file -s 16M -o noop --no-install --no-name-check --no-ip-check -H kvm -B memory=64M --net 0:link=br0"


@pytest.fixture(scope="module", autouse=True)
def second_bridge(cluster):
    cluster.ok("ip link add br1 type bridge && ip link set br1 up")


@pytest.fixture
def guest(cluster):
    cluster.ok(f"{ADD} vm1")
    yield "vm1"
    cluster.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert "tap" not in cluster.ok("ip -br link")
    assert cluster.ok("find /srv/ganeti/file-storage /var/run/ganeti -name '*vm1*'") == ""


@pytest.fixture
def stopped(cluster, guest):
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    return guest


def field(cluster, fields):
    return cluster.ok(f"gnt-instance list --no-headers --separator=: -o {fields} vm1").strip()


def tap(cluster, index):
    return cluster.ok(f"cat /var/run/ganeti/kvm-hypervisor/nic/vm1/{index}").strip()


def bridge_of(cluster, index):
    return re.search(r"master (\S+)", cluster.ok(f"ip -o link show {tap(cluster, index)}")).group(1)


def qmp(cluster, command, **arguments):
    asked = json.dumps({"execute": command, "arguments": arguments})
    said = cluster.ok(f"""printf '%s\\n' '{{"execute":"qmp_capabilities"}}' '{asked}' |
        socat -t1 - UNIX-CONNECT:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.qmp""")
    # Between the answers there may be events.
    return [line["return"] for line in map(json.loads, said.splitlines()) if "return" in line][1]


def files(cluster):
    return cluster.ok("ls /srv/ganeti/file-storage/vm1/*.disk?").split()


def plugged(cluster, kind):
    """How many devices of a kind the guest has on its PCI bus."""
    [bus] = [bus for bus in qmp(cluster, "query-pci") if bus["bus"] == 0]
    ids = {"nic": 0x1000, "disk": 0x1001}
    return sum(device["id"]["device"] == ids[kind] for device in bus["devices"])


def test_O12_a_nic_is_plugged_in(cluster, guest):
    said = cluster.ok("gnt-instance modify --net add:link=br1 vm1")
    mac = field(cluster, "nic.mac/1")
    assert said == f"Modified instance vm1\n - nic.1 -> add:mac={mac},ip=None,mode=bridged,link=br1,network=None\n"
    assert plugged(cluster, "nic") == 2
    assert bridge_of(cluster, 0) == "br0" and bridge_of(cluster, 1) == "br1"
    assert field(cluster, "nic.links") == "br0,br1"
    # The next start has it, too.
    cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
    assert plugged(cluster, "nic") == 2 and bridge_of(cluster, 1) == "br1"


def test_O12_a_nic_moves_to_another_link(cluster, guest):
    before = tap(cluster, 0)
    said = cluster.ok("gnt-instance modify --net 0:modify,link=br1 vm1")
    assert "nic.link/0 -> br1" in said
    assert tap(cluster, 0) == before and bridge_of(cluster, 0) == "br1"
    assert "link=br1" not in cluster.ok("gnt-instance modify --net 0:link=br0 vm1")
    assert bridge_of(cluster, 0) == "br0"


def test_O12_a_nic_by_its_name(cluster, guest):
    cluster.ok("gnt-instance modify --net 0:name=lan vm1")
    cluster.ok("gnt-instance modify --net lan:modify,link=br1 vm1")
    assert bridge_of(cluster, 0) == "br1"
    assert "wan" in cluster.refused("gnt-instance modify --net wan:link=br0 vm1")


def test_O12_the_first_nic_goes(cluster, stopped):
    cluster.ok("gnt-instance modify --net 0:add,link=br1 vm1")
    assert field(cluster, "nic.links") == "br1,br0"
    assert "NIC/0 -> remove" in cluster.ok("gnt-instance modify --net 0:remove vm1")
    assert field(cluster, "nic.links") == "br0"
    cluster.ok("gnt-instance modify --net remove vm1")
    assert field(cluster, "nic.count") == "0"
    assert "Got NIC index 0, but there are only 0" in cluster.refused("gnt-instance modify --net 0:remove vm1")


def test_later_if_so_wished(cluster, guest):
    assert "don't forget" in cluster.ok("gnt-instance modify --net add:link=br1 --no-hotplug vm1")
    assert field(cluster, "nic.count") == "2" and plugged(cluster, "nic") == 1
    cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
    assert plugged(cluster, "nic") == 2


def test_a_disk_goes_from_one_machine_to_another(cluster, stopped):
    cluster.ok(f"{ADD} --no-start vm2")
    cluster.ok("gnt-instance modify --disk add:size=32M,name=data vm1")
    data = cluster.ok("ls /srv/ganeti/file-storage/vm1/*.disk1").strip()
    cluster.ok(f"printf precious | dd of={data} conv=notrunc status=none")
    assert cluster.ok("gnt-instance modify --disk data:detach vm1").startswith("Modified instance vm1\n - disk/1 -> detach\n")
    assert field(cluster, "disk.count") == "1"
    # It is nobody's, and nothing that is left over.
    assert ".disk1" not in cluster.ok("gnt-cluster verify")
    assert "No disk was found with this name: nosuch; detached disks are:" in cluster.refused("gnt-instance modify --disk attach:name=nosuch vm2")
    # A running machine gets it at once, wherever it was before.
    cluster.ok("gnt-instance start vm2")
    said = cluster.ok("gnt-instance modify --disk attach:name=data vm2")
    assert said.startswith("Modified instance vm2\n - disk/1 -> attach:size=32,mode=rw\n")
    assert cluster.ok("cat /srv/ganeti/file-storage/vm2/*.disk1 | head -c 8") == "precious"
    assert cluster.run(f"ls {data}").returncode != 0
    assert "data" in cluster.ok("gnt-instance info vm2")
    cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm2")
    cluster.ok("gnt-instance stop --timeout=0 vm2")
    # And back, to the first place.
    cluster.ok("gnt-instance modify --disk 1:detach vm2")
    cluster.ok("gnt-instance modify --disk 0:attach,name=data vm1")
    assert cluster.ok("cat /srv/ganeti/file-storage/vm1/*.disk1 | head -c 8") == "precious"
    assert field(cluster, "disk.sizes") == "32,16"
    cluster.ok("gnt-instance remove -f vm2; gnt-instance start vm1; gnt-cluster verify")


def test_a_cluster_with_a_detached_disk_is_not_destroyed(cluster, stopped):
    cluster.ok("gnt-instance modify --disk add:size=16M,name=left vm1")
    cluster.ok("gnt-instance modify --disk left:detach vm1")
    cluster.ok("gnt-instance add -t file -s 16M -o noop --no-install --no-name-check --no-ip-check --no-start -H fake keeper && gnt-instance remove -f vm1")
    cluster.ok("gnt-instance modify --disk attach:name=left keeper")
    cluster.ok("gnt-instance modify --disk left:detach keeper && gnt-instance remove -f keeper")
    assert "There are still 1 detached disk(s) in this cluster" in cluster.refused("gnt-cluster destroy --yes-do-it")
    cluster.ok(f"{ADD} --no-start vm1")
    cluster.ok("gnt-instance modify --disk attach:name=left vm1 && gnt-instance modify --disk left:remove vm1")


def test_a_disk_is_plugged_in(cluster, guest):
    said = cluster.ok("gnt-instance modify --disk add:size=32M vm1")
    assert "* disk 1, size 32M\n" in said and said.endswith("Modified instance vm1\n - disk/1 -> add:size=32,mode=rw\n")
    assert plugged(cluster, "disk") == 2
    [added] = [disk for disk in qmp(cluster, "query-named-block-nodes") if disk["drv"] == "raw" and disk["image"]["virtual-size"] == 32 << 20]
    assert not added["ro"]
    cluster.ok("gnt-instance grow-disk vm1 1 32M")
    assert field(cluster, "disk.sizes") == "16,64"
    cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
    assert plugged(cluster, "disk") == 2


def test_a_disk_is_removed(cluster, stopped):
    cluster.ok("gnt-instance modify --disk add:size=32M,name=data vm1")
    assert len(files(cluster)) == 2
    assert "disk/1 -> remove" in cluster.ok("gnt-instance modify --disk data:remove vm1")
    assert field(cluster, "disk.sizes") == "16"
    assert len(files(cluster)) == 1


def test_a_guest_that_does_not_let_go_keeps_all(cluster, guest):
    cluster.ok("gnt-instance modify --disk add:size=32M --net add:link=br1 vm1")
    said = cluster.refused("gnt-instance modify --disk 1:remove vm1")
    assert "does not let go of disk 1" in said and "--no-hotplug" in said
    assert field(cluster, "disk.sizes") == "16,32"
    assert plugged(cluster, "disk") == 2 and len(files(cluster)) == 2
    assert "is running and uses the disk" in cluster.refused("gnt-instance modify --disk 1:remove --no-hotplug vm1")
    # It takes effect when it is started next, and nothing of the old NIC is left then.
    cluster.ok("gnt-instance modify --net 1:remove --hotplug-if-possible vm1")
    assert field(cluster, "nic.count") == "1"


# It boots from its disk, says R on its serial line, and lets go of whatever it is asked for (QEMU's docs/specs/acpi_pci_hotplug.txt).
LETS_GO = bytes.fromhex("baf803b052ee" "6631c0ba10ae66ef" "ba04ae66ed6685c074f6" "ba08ae66ef" "ebef").ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture
def listening(cluster, stopped):
    """A guest that lets go, with a second disk and a second NIC."""
    cluster.ok(f"echo {base64.b64encode(LETS_GO).decode()} | base64 -d | dd of={files(cluster)[0]} conv=notrunc status=none")
    cluster.ok("rm -f /var/log/ganeti/kvm/vm1.console && gnt-instance start vm1")
    cluster.wait_until("grep -q R /var/log/ganeti/kvm/vm1.console")
    cluster.ok("gnt-instance modify --disk add:size=32M --net add:link=br1 vm1")
    return stopped


def counts(cluster):
    return field(cluster, "disk.count,nic.count"), plugged(cluster, "disk"), plugged(cluster, "nic")


def test_a_disk_and_a_nic_go(cluster, listening):
    cluster.ok("gnt-instance modify --disk 1:remove --net 1:remove vm1")
    assert counts(cluster) == ("1:1", 1, 1) and len(files(cluster)) == 1


@pytest.mark.parametrize("kind, wish", [("disk", "--disk 1:remove"), ("nic", "--net 1:remove")])
def test_what_a_guest_lets_go_of_too_late_it_gets_back(cluster, listening, kind, wish):
    qmp(cluster, "stop")
    job = cluster.ok(f"gnt-instance modify --submit {wish} vm1 2>&1").split()[-1]
    mark = "/var/run/ganeti/kvm-hypervisor/conf/vm1.leaving"
    cluster.wait_until(f"grep -q {kind}- {mark}")
    cluster.ok(f"gnt-job cancel {job}")
    assert cluster.run(f"gnt-job watch {job}").returncode != 0
    assert counts(cluster) == ("2:2", 2, 2)
    qmp(cluster, "cont")
    cluster.wait_until(f"! test -e {mark}")
    assert counts(cluster) == ("2:2", 2, 2)
    assert bridge_of(cluster, 0) == "br0" and bridge_of(cluster, 1) == "br1"
    cluster.ok("gnt-cluster verify")
    # And when it is asked again, while it listens.
    cluster.ok(f"gnt-instance modify {wish} vm1")
    assert plugged(cluster, kind) == 1


def test_a_disk_that_waits_for_the_next_start_grows(cluster, guest):
    cluster.ok("gnt-instance modify --no-hotplug --disk add:size=16M vm1")
    cluster.ok("gnt-instance grow-disk vm1 1 16M")
    assert field(cluster, "disk.sizes") == "16,32" and plugged(cluster, "disk") == 1
    cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
    assert plugged(cluster, "disk") == 2


def test_memory_of_a_running_guest(cluster, guest):
    cluster.ok("gnt-instance modify -B minmem=32M vm1")
    assert cluster.ok("gnt-instance modify -m 48M vm1") == "Modified instance vm1\n - runtime_memory -> 48\n"
    assert field(cluster, "oper_ram") == "48"
    assert "between 32 and 64" in cluster.refused("gnt-instance modify -m 128M vm1")


@pytest.mark.parametrize("wish, words", [
    ("--net add:link=br7", "br7"),
    ("--net 3:remove", "Got NIC index 3, but there are only 1"),
    ("--net 0:modify,lnk=br0", "lnk"),
    ("--net 0:modify,mac=nonsense", "nonsense"),
    ("--net 0:remove,link=br0", "Not accepting parameters on removal/detach"),
    ("--disk add", "size"),
    ("--disk add:size=12x", "12x"),
    ("--disk 0:modify,size=1G", "grow-disk"),
    ("--ignore-ipolicy --disk add:size=4000T", "does not fit"),
    ("--disk 4:remove", "Got disk index 4, but there are only 1"),
    ("--disk add:size=4000T", "disk-size/1"),
])
def test_mistakes_change_nothing(cluster, guest, wish, words):
    before = cluster.ok("gnt-instance info vm1")
    said = cluster.run(f"gnt-instance modify {wish} vm1")
    assert said.returncode == 1 and words in said.stderr, said.stderr
    assert [line for line in cluster.ok("gnt-instance info vm1").splitlines() if "CPU" not in line] == [
        line for line in before.splitlines() if "CPU" not in line]


def test_more_nics_than_the_policy_allows(cluster, stopped):
    cluster.ok("gnt-instance modify " + "--net add:link=br1 " * 7 + "vm1")
    said = cluster.refused("gnt-instance modify --net add:link=br1 vm1")
    assert "8" in said
