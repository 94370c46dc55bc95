"""An instance and its disks get another name, and the OS definition is told."""
import pytest

ADD = "gnt-instance add -t file -s 16M -o tell -H fake -B memory=32M --no-nics --no-name-check --no-ip-check"
SCRIPT = b"""#!/bin/sh
echo "$OLD_INSTANCE_NAME is now $INSTANCE_NAME with $DISK_COUNT disks"
test "$INSTANCE_NAME" != fails.lab.test || { echo "no such luck"; exit 3; }
dd of=$DISK_0_PATH bs=1 seek=100 conv=notrunc status=none <<EOT
$OLD_INSTANCE_NAME
EOT
"""


@pytest.fixture(scope="module", autouse=True)
def definition(cluster):
    cluster.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/tell")
    cluster.write("/usr/share/ganeti/os/tell/rename", SCRIPT)
    cluster.ok("chmod 755 /usr/share/ganeti/os/tell/rename")


@pytest.fixture
def vm1(cluster):
    cluster.ok(f"{ADD} --no-start --tags=blue vm1.lab.test")
    yield "vm1.lab.test"
    for name in cluster.ok("gnt-instance list --no-headers -o name").split():
        cluster.ok(f"gnt-instance remove -f --shutdown-timeout=0 {name}")
    assert cluster.ok("find /srv/ganeti/file-storage /var/run/ganeti -name '*vm1*' -o -name '*vm2*'") == ""


def disk(cluster, name):
    return cluster.ok(f"ls /srv/ganeti/file-storage/{name}/*.disk0").strip()


def test_the_disks_move_with_the_name(cluster, vm1):
    cluster.ok(f"printf precious | dd of={disk(cluster, vm1)} conv=notrunc status=none")
    cluster.ok(f"gnt-instance activate-disks {vm1}")
    assert cluster.ok(f"gnt-instance rename {vm1} vm2.lab.test") == f"Instance '{vm1}' renamed to 'vm2.lab.test'\n"
    assert cluster.ok("gnt-instance list --no-headers -o name,tags,status").split() == ["vm2.lab.test", "blue", "ADMIN_down"]
    path = disk(cluster, "vm2.lab.test")
    assert cluster.ok(f"head -c 8 {path}") == "precious"
    # By the script.
    assert cluster.ok(f"tail -c +101 {path} | head -n1").strip() == vm1
    assert f"{vm1} is now vm2.lab.test with 1 disks" in cluster.ok(f"cat /var/log/ganeti/os/rename-tell-{vm1}-vm2.lab.test-*.log")
    assert cluster.ok("find /srv/ganeti/file-storage /var/run/ganeti -name '*vm1*'") == ""
    cluster.ok("gnt-instance start vm2.lab.test")
    assert cluster.ok("gnt-instance list --no-headers -o status vm2.lab.test") == "running\n"
    cluster.ok("gnt-cluster verify")
    # The old name is free.
    cluster.ok(f"{ADD} --no-start {vm1}")
    cluster.ok("gnt-cluster verify")


def test_a_script_that_fails_is_a_warning(cluster, vm1):
    done = cluster.run(f"gnt-instance rename {vm1} fails.lab.test")
    assert done.returncode == 0
    said = done.stdout + done.stderr
    assert "Could not run OS rename script for instance fails.lab.test on node node1.lab.test (but the instance has been renamed in Ganeti): OS rename script of tell failed (exited with exit code 3)" in said
    assert "no such luck" in said
    assert cluster.ok("gnt-instance list --no-headers -o name") == "fails.lab.test\n"


def test_the_name_is_looked_up(cluster, vm1):
    # /etc/hosts knows inst1.lab.test, and nobody has its address.
    assert cluster.ok(f"gnt-instance rename --name-check --ip-check {vm1} inst1.lab.test") == f"Instance '{vm1}' renamed to 'inst1.lab.test'\n"
    refused = cluster.refused("gnt-instance rename --name-check inst1.lab.test nosuch.lab.test")
    assert "error type: resolver_error" in refused and "The given name (nosuch.lab.test) does not resolve: " in refused


MISTAKES = [
    ("gnt-instance rename vm1.lab.test", 1, "rename expects 2 argument(s)"),
    ("gnt-instance rename nosuch vm2", 1, "Instance 'nosuch' not known"),
    ("gnt-instance rename vm1.lab.test vm1.lab.test", 1, "Instance 'vm1.lab.test' is already in the cluster"),
    ("gnt-instance rename vm1.lab.test 'vm 2'", 1, "Invalid hostname 'vm 2'"),
    ("gnt-instance rename vm1.lab.test ../vm2", 1, "Invalid hostname '../vm2'"),
    ("gnt-instance rename --ip-check vm1.lab.test vm2", 1, "IP address check requires a name check; give --name-check, too"),
    ("gnt-instance rename --name-check --ip-check vm1.lab.test node1.lab.test", 1, "of instance node1.lab.test already in use"),
]


@pytest.mark.parametrize("command,code,says", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named(cluster, vm1, command, code, says):
    assert says in cluster.refused(command, exit_code=code)
    assert cluster.ok("gnt-instance list --no-headers -o name") == "vm1.lab.test\n"


def test_one_that_runs_keeps_its_name(cluster, vm1):
    cluster.ok(f"gnt-instance start {vm1}")
    assert f"Instance '{vm1}' is marked to be up, cannot rename; stop it first with 'gnt-instance shutdown {vm1}'" in cluster.refused(f"gnt-instance rename {vm1} vm2")
