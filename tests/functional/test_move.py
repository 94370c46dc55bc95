"""Disks that go from one cluster to another over TLS: OP_BACKUP_PREPARE, OP_BACKUP_EXPORT, OP_INSTANCE_CREATE. Here both clusters are one, and move-instance moves within it."""
import pytest
from remote_api import PASSWORD, with_cluster

NODE = "node1.lab.test"
MOVE = (f"mkdir -p /srv/test; printf '{PASSWORD}\\n' > /srv/test/pw; move-instance --src-ca-file /var/lib/ganeti/rapi.pem --src-username rw --src-password-file /srv/test/pw"
        f" 127.0.0.1 127.0.0.1 --dest-primary-node {NODE} --net 0:mac=generate --verbose")


@pytest.fixture(scope="module")
def api(machine):
    made = with_cluster(machine)
    machine.copying_os()
    return made


@pytest.fixture(params=["", "raw"])
def vm1(api, request):
    """With an OS, and without one."""
    os = f"-o {request.param}" if request.param else ""
    api.machine.ok(f"gnt-instance add -t file {os} --no-install --no-start -H fake -B memory=32M --net 0:link=br0 --disk 0:size=64M --disk 1:size=8M --tags prod vm1")
    put(api.machine, "vm1", "precious", 0)
    put(api.machine, "vm1", "jewels", 1)
    yield "vm1"
    api.machine.ok("gnt-instance list --no-headers -o name | xargs -r -n1 gnt-instance remove -f --shutdown-timeout=0")
    assert api.machine.ok("find /srv/ganeti/file-storage -type f") == ""


def put(machine, name, text, disk=0):
    machine.ok(f"printf {text} | dd of=$(ls /srv/ganeti/file-storage/{name}/*.disk{disk}) bs=1M seek=3 conv=notrunc status=none")


def get(machine, name, disk=0):
    return machine.ok(f"dd if=$(ls /srv/ganeti/file-storage/{name}/*.disk{disk}) bs=1M skip=3 count=1 status=none | tr -d '\\0' | head -c 20")


@pytest.mark.parametrize("compress", ["none", "gzip-fast"])
def test_it_is_there_and_here_no_more(api, vm1, compress):
    machine = api.machine
    machine.ok("gnt-cluster modify --compression-tools=gzip,gzip-fast,gzip-slow,lzop")
    machine.ok("gnt-instance start vm1")
    machine.ok(f"{MOVE} --compress {compress} --dest-instance-name vm2 vm1")
    assert machine.ok("gnt-instance list --no-headers -o name,status,tags").split() == ["vm2", "running", "prod"]
    os_of_vm2 = machine.ok("gnt-instance list --no-headers -o os vm2")
    assert get(machine, "vm2") == "precious" and get(machine, "vm2", 1) == "jewels"
    # What was empty takes no room; where a script writes, that is up to it.
    assert "raw" in os_of_vm2 or int(machine.ok("du -k /srv/ganeti/file-storage/vm2/*.disk0").split()[0]) < 8 << 10
    assert machine.ok("ls -A /var/run/ganeti/crypto") == ""
