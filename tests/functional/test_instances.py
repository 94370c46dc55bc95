"""The life of an instance on KVM (emulated where the machine has no KVM): O6 to O10, O13, O16, and lists that tell the truth.

The guest is a boot sector that says hello on the serial console and halts."""
import json
import re

import pytest

ADD = "gnt-instance add -t file -s 1G -o hello --no-name-check --no-ip-check -H kvm -B memory=64M"


# mov si, text; next: lodsb; test al, al; jz end; mov dx, COM1; out dx, al; jmp next; end: hlt; jmp end; text: ...
BOOT_SECTOR = bytes.fromhex("be117c ac 84c0 7406 baf803 ee ebf5 f4 ebfd") + b"hello from vm1\n"


@pytest.fixture(scope="module", autouse=True)
def hello(cluster):
    """An OS that writes it to the disk."""
    cluster.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/hello")
    cluster.write("/usr/share/ganeti/os/hello/sector", BOOT_SECTOR.ljust(510, b"\0") + b"\x55\xaa")
    cluster.write("/usr/share/ganeti/os/hello/create", b'#!/bin/sh\ndd if=sector of="$DISK_0_PATH" conv=notrunc status=none\n')


@pytest.fixture
def guest(cluster):
    cluster.ok(f"{ADD} --net 0:link=br0 vm1")
    yield "vm1"
    cluster.run("rm -f /var/run/ganeti/fake-hypervisor/*; gnt-instance remove -f --shutdown-timeout=0 vm1")


def rows(cluster, fields, name=""):
    return cluster.ok(f"gnt-instance list --no-headers --separator=, -o {fields} {name}").splitlines()


def status(cluster, name="vm1"):
    return rows(cluster, "status", name)[0]


def qemu(cluster):
    """The command lines of all QEMUs of the machine."""
    return [line for line in cluster.ok("ps -eo args").splitlines() if line.startswith("qemu-system")]


def test_a_created_instance_runs_unprivileged_and_confined(cluster, guest):
    assert rows(cluster, "name,os,pnode,status,oper_ram,disk.sizes,nic.bridges") == ["vm1,hello,node1.lab.test,running,64,1024,br0"]
    assert cluster.ok("ps -o user:20= -C qemu-system-x86_64").split() == ["flotte-vm"]
    assert "-sandbox on" in qemu(cluster)[0]


def test_O7_shutdown_start_reboot(cluster, guest):
    cluster.ok("gnt-instance stop --timeout=1 vm1")
    assert status(cluster) == "ADMIN_down" and not qemu(cluster)
    cluster.ok("gnt-instance start vm1")
    assert status(cluster) == "running"
    first = cluster.pid("qemu-system-x86_64")
    cluster.ok("gnt-instance reboot --type=soft vm1")
    assert cluster.pid("qemu-system-x86_64") == first
    cluster.ok("gnt-instance reboot --type=hard --shutdown-timeout=1 vm1")
    assert cluster.pid("qemu-system-x86_64") != first
    cluster.ok("gnt-instance reboot --type=full --shutdown-timeout=1 vm1")
    assert status(cluster) == "running"


def test_O8_vnc_on_a_port_of_its_own(cluster, guest):
    port = rows(cluster, "network_port")[0]
    assert not port_is_open(cluster, port)
    cluster.ok('gnt-instance modify -H vnc_bind_address="127.0.0.1" vm1')
    cluster.ok("gnt-instance reboot --shutdown-timeout=1 vm1")
    assert port_is_open(cluster, port)
    assert "127.0.0.1" in cluster.ok(f"ss -ltnH sport = :{port}")
    cluster.ok('gnt-instance modify -H vnc_bind_address="" vm1')
    cluster.ok("gnt-instance reboot --shutdown-timeout=1 vm1")
    assert not port_is_open(cluster, port)


def port_is_open(cluster, port):
    return bool(cluster.ok(f"ss -ltnH sport = :{port}"))


def test_O9_console(cluster, guest):
    shown = cluster.ok("gnt-instance console --show-cmd vm1")
    socket = re.search(r"UNIX-CONNECT:(\S+)", shown).group(1)
    assert socket == "/var/run/ganeti/kvm-hypervisor/ctrl/vm1.serial"
    # What the guest said when it was started may still come, from its middle on.
    heard = cluster.start(f"grep -a -m 1 '^hello from vm1' < <(timeout 20 socat -u UNIX-CONNECT:{socket} - 2> /dev/null)")
    cluster.wait_until(f"ss -xH | grep -q 'ESTAB.*{socket}'")
    cluster.ok("gnt-instance reboot --type=soft vm1")
    assert heard.communicate(timeout=30)[0].strip() == "hello from vm1"


@pytest.mark.parametrize("wish", ["boot_order=cdrom,cdrom_image_path=/srv/installer.iso", "cdrom_image_path=/srv/installer.iso,boot_order=cdrom"])
def test_O10_boots_from_a_cd_image_once(cluster, guest, wish):
    cluster.ok("truncate -s 1M /srv/installer.iso; gnt-instance stop --timeout=0 vm1")
    cluster.ok(f"gnt-instance start -H {wish} vm1")
    assert "/srv/installer.iso" in qemu(cluster)[0]
    assert rows(cluster, "hv/cdrom_image_path,hv/boot_order") == [",disk"]
    cluster.ok("gnt-instance reboot --type=full --shutdown-timeout=0 vm1")
    assert "/srv/installer.iso" not in qemu(cluster)[0]


def test_O13_a_grown_disk_is_seen_at_once(cluster, guest):
    cluster.ok("gnt-instance grow-disk vm1 0 512m")
    assert rows(cluster, "disk.sizes,disk.count,disk.size/0,disk.size/1") == ["1536,1,1536,-"]
    told = cluster.ok("""printf '%s\\n' '{"execute":"qmp_capabilities"}' '{"execute":"query-block"}' |
        socat -t1 - UNIX-CONNECT:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.qmp""")
    assert f'"virtual-size": {1536 << 20}' in told


def test_O16_the_tap_of_a_nic(cluster, guest):
    tap = cluster.ok("cat /var/run/ganeti/kvm-hypervisor/nic/vm1/0")
    assert f"{tap}:" in cluster.ok("ip -o link show master br0")
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    assert tap not in cluster.ok("ip -o link")
    assert cluster.run("ls /var/run/ganeti/kvm-hypervisor/nic/vm1").returncode != 0


def test_a_guest_that_died_behind_our_back_is_shown_so(cluster, guest):
    cluster.kill("qemu-system-x86_64")
    assert status(cluster) == "ERROR_down"
    said = cluster.run("gnt-cluster verify")
    assert said.returncode == 1 and "instance vm1: instance not running on its primary node" in said.stdout
    cluster.ok("gnt-instance start vm1")
    assert status(cluster) == "running"


def test_a_running_instance_is_not_reinstalled(cluster, guest):
    assert "wrong_state" in cluster.refused("gnt-instance reinstall -f vm1")
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    cluster.ok("gnt-instance reinstall -f vm1")


def test_json(cluster, guest):
    listed = json.loads(cluster.ok("gnt-instance list --json -o name,status,oper_ram,tags"))
    assert listed == [{"name": "vm1", "status": "running", "oper_ram": 64, "tags": []}]
    shown = json.loads(cluster.ok("gnt-instance info --json vm1"))
    assert json.dumps(shown).count("vm1") >= 1
    for command in ["gnt-node list", "gnt-node info", "gnt-cluster info", "gnt-job list", "gnt-os list", "gnt-node volumes"]:
        json.loads(cluster.ok(f"{command} --json"))


def test_filters_and_patterns(cluster):
    for name, tags in [("web1", "prod"), ("web2", "test"), ("db1", "prod")]:
        cluster.ok(f"gnt-instance add -t diskless -o noop --no-install --no-start -H fake --no-name-check --no-ip-check --no-nics --tags={tags} {name}")
    assert rows(cluster, "name", "'web*'") == ["web1", "web2"]
    assert rows(cluster, "name", """-F '"prod" in tags and name =* "web*"'""") == ["web1"]
    assert rows(cluster, "name", """'status == "ADMIN_down" and not name =~ m/^WEB/i'""") == ["db1"]
    assert rows(cluster, "name", "'be/maxmem >= 1024'") == []
    assert "name == web\n     ^\nExpected end of text, found '='  (at char 5), (line:1, col:6)" in cluster.refused("gnt-instance list 'name == web'")
    cluster.ok("gnt-instance remove -f web1 && gnt-instance remove -f web2 && gnt-instance remove -f db1")


def test_removed_leaves_nothing(cluster):
    cluster.ok(f"{ADD} --net 0:link=br0 gone1")
    cluster.ok("gnt-instance remove -f --shutdown-timeout=0 gone1")
    assert cluster.ok("find /srv/ganeti /var/run/ganeti /var/lib/ganeti -name '*gone1*'") == ""
    assert not qemu(cluster)
    assert "tap" not in cluster.ok("ip -br link")
