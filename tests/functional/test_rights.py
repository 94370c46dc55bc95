"""Who may do what on a node (docs/security.md): the controller's user and members of gnt-admin are no root, and nobody else gets in."""
import pytest
from machine import INIT

AS_CONTROLLER = "setpriv --reuid flotte --regid flotte --clear-groups --"
AS_ANYBODY = "setpriv --reuid nobody --regid nogroup --clear-groups --"
ADD = "gnt-instance add --no-name-check --no-ip-check -t diskless -o noop --no-install -H kvm"

RIGHTS = [
    # (path, mode, owner, group)
    ("/var/run/ganeti", "755", "root", "root"),
    ("/var/run/ganeti/flotte-node", "600", "root", "root"),
    ("/var/run/ganeti/flotte-noded.pid", "644", "root", "root"),
    ("/var/run/ganeti/controller", "755", "flotte", "flotte"),
    ("/var/run/ganeti/controller/flotte-controllerd.pid", "644", "flotte", "flotte"),
    ("/var/run/ganeti/socket", "755", "flotte", "flotte"),
    ("/var/run/ganeti/socket/flotte-controller", "660", "flotte", "gnt-admin"),
    ("/var/run/ganeti/instance-disks", "755", "root", "root"),
    ("/var/run/ganeti/kvm-hypervisor", "750", "root", "root"),
    ("/var/run/ganeti/kvm-hypervisor/pid", "750", "root", "root"),
    ("/var/run/ganeti/kvm-hypervisor/ctrl", "750", "root", "root"),
    ("/var/run/ganeti/kvm-hypervisor/conf", "750", "root", "root"),
    ("/var/log/ganeti", "755", "root", "root"),
    ("/var/log/ganeti/flotte-noded.log", "640", "root", "root"),
    ("/var/log/ganeti/flotte-controllerd.log", "640", "flotte", "flotte"),
    ("/var/log/ganeti/commands.log", "640", "root", "root"),
    ("/var/log/ganeti/os", "750", "root", "root"),
    ("/var/log/ganeti/kvm", "750", "root", "root"),
    ("/var/lib/ganeti", "755", "root", "root"),
    ("/var/lib/ganeti/node.pem", "600", "root", "root"),
    ("/var/lib/ganeti/ca.key", "600", "root", "root"),
    ("/var/lib/ganeti/controller", "700", "flotte", "flotte"),
    ("/var/lib/ganeti/controller/client.pem", "600", "flotte", "flotte"),
    ("/var/lib/ganeti/controller/store.sqlite", "600", "flotte", "flotte"),
    ("/var/lib/ganeti/controller/crashes", "600", "flotte", "flotte"),
]


@pytest.fixture(scope="module")
def node(machine):
    """With the users that the package makes."""
    machine.ok("getent group gnt-admin > /dev/null || groupadd --system gnt-admin")
    machine.ok("for user in flotte flotte-vm; do getent passwd $user > /dev/null || useradd --system --user-group --shell /usr/sbin/nologin $user; done")
    machine.ok("usermod -aG gnt-admin flotte")
    machine.ok(INIT)
    machine.ok(f"{ADD} vm1 && gnt-instance shutdown --timeout=0 vm1")
    return machine


@pytest.mark.parametrize("path, mode, owner, group", RIGHTS, ids=[row[0] for row in RIGHTS])
def test_modes_and_owners(node, path, mode, owner, group):
    assert node.ok(f"stat -c '%a %U %G' {path}").split() == [mode, owner, group]


def test_only_the_controllers_own_places_are_open_to_it(node):
    writable = node.ok(f"{AS_CONTROLLER} find /etc/ganeti /var/lib/ganeti /var/run/ganeti/ /var/log/ganeti /srv/ganeti -writable ! -type l 2> /dev/null || true").split()
    inside = ("/var/lib/ganeti/controller", "/var/lib/ganeti/rapi.pem", "/var/run/ganeti/controller", "/var/run/ganeti/socket", "/var/log/ganeti/flotte-controllerd.log")
    assert writable and [path for path in writable if not path.startswith(inside)] == []


def test_nothing_is_open_to_everybody(node):
    assert node.ok(f"{AS_ANYBODY} find /etc/ganeti /var/lib/ganeti /var/run/ganeti/ /var/log/ganeti /srv/ganeti -writable ! -type l 2> /dev/null || true").split() == []
    assert "Permission denied" in node.refused(f"{AS_ANYBODY} gnt-instance list") or "gnt-admin" in node.refused(f"{AS_ANYBODY} gnt-instance list")


def test_who_asked_is_known(node):
    node.ok("getent passwd alice > /dev/null || useradd -G gnt-admin alice")
    uid = node.ok("id -u alice").strip()
    as_alice = "setpriv --reuid alice --regid alice --init-groups --"
    node.ok(f"{as_alice} gnt-cluster verify")
    jobs = node.ok("gnt-job list --no-headers -o id,summary").splitlines()
    # Those that the first one left behind are hers, too.
    group = next(line.split()[0] for line in reversed(jobs) if "CLUSTER_VERIFY_GROUP" in line)
    assert f"Submitted by: alice (uid {uid})" in node.ok(f"gnt-job info {group}")
    assert node.ok(f"gnt-job list --no-headers -o submitted_by {group}").strip() == f"alice (uid {uid})"
    node.ok(f"{as_alice} gnt-job archive {group}")
    log = node.ok("cat /var/log/ganeti/flotte-controllerd.log")
    assert f"alice (uid {uid}) submitted job" in log and f"alice (uid {uid}): jobs/{group}/archive" in log
    assert f"Submitted by: alice (uid {uid})" in node.ok(f"gnt-job info {group}")


def test_links_that_the_controller_might_put_are_not_followed(node):
    node.ok("flotte daemons stop; echo precious > /srv/victim; chmod 600 /srv/victim")
    for place in ("/var/run/ganeti/flotte-noded.pid", "/var/log/ganeti/flotte-noded.log"):
        node.ok(f"rm -f {place}; ln -s /srv/victim {place}")
        assert "Too many levels of symbolic links" in node.refused("flotte daemons start"), place
        node.ok(f"rm {place}")
    # What an earlier version left open is closed.
    node.ok("chmod 1775 /var/run/ganeti /var/log/ganeti; chgrp flotte /var/run/ganeti /var/log/ganeti; chown root /var/run/ganeti/socket")
    node.ok("flotte daemons start")
    assert node.ok("cat /srv/victim") == "precious\n"
    assert node.ok("stat -c '%a %U %G' /var/run/ganeti/ /var/log/ganeti") == "755 root root\n" * 2
    node.ok("gnt-cluster verify")


def test_a_controller_of_the_version_before_is_found(node):
    pid = node.pid("flotte-controllerd")
    node.ok("mv /var/run/ganeti/controller/flotte-controllerd.pid /var/run/ganeti/flotte-controllerd.pid && flotte daemons stop")
    assert pid not in node.pids("flotte-controllerd")  # what kill(1) finds may be a zombie
    node.ok("rm -f /var/run/ganeti/flotte-controllerd.pid; flotte daemons start")


def test_root_runs_no_program_that_the_node_does_not_allow(node):
    node.ok("printf '#!/bin/sh\\necho owned > /srv/owned\\nexit 1\\n' > /srv/evil; chmod 755 /srv/evil")
    for parameters in ("kvm_path=/srv/evil", "kvm_path=/usr/bin/../../srv/evil", "kvm_extra='-netdev tap\\,id=e\\,script=/srv/evil'", "kvm_extra='-incoming exec:/srv/evil'"):
        refusal = node.refused(f"gnt-instance modify -H {parameters} vm1")
        assert "Root does not run /" in refusal and "/etc/ganeti/allowed-programs" in refusal and "node1.lab.test" in refusal, refusal
    assert node.run("test -e /srv/owned").returncode != 0
    # Debian's own needs no list, and what the list names is run.
    node.ok("rm /etc/ganeti/allowed-programs; gnt-instance modify -H kvm_path=/usr/bin/qemu-system-x86_64 vm1; gnt-instance startup vm1; gnt-instance shutdown --timeout=0 vm1")
    assert "Root does not run /usr/local/bin/kvm-tcg" in node.refused("gnt-instance modify -H kvm_path=default vm1")
    node.ok("echo '/usr/local/bin/kvm-*' > /etc/ganeti/allowed-programs; gnt-instance modify -H kvm_path=default vm1; gnt-instance startup vm1; gnt-instance shutdown --timeout=0 vm1")
    node.ok("chmod 666 /etc/ganeti/allowed-programs")
    assert "everybody can change /etc/ganeti/allowed-programs" in node.refused("gnt-instance startup vm1")
    node.ok("chmod 644 /etc/ganeti/allowed-programs")


def test_root_runs_no_script_of_somebody_else(node):
    node.ok("mkdir -p /srv/ganeti/os && cp -r /usr/share/ganeti/os/noop /srv/ganeti/os/theirs && chown nobody /srv/ganeti/os/theirs/create")
    assert "theirs" not in node.ok("gnt-os list")
    assert "belongs to user" in node.run("gnt-os diagnose").stdout
    node.ok("chown root /srv/ganeti/os/theirs/create && gnt-os list | grep -q theirs")


def test_an_imitation_keeps_no_guest_from_starting(node):
    node.ok("mkfifo -m 666 /srv/hold")
    imitation = node.start(f"exec {AS_ANYBODY} bash -c 'exec -a kvm sh -c \"read x < /srv/hold; :\" -name vm1 -pidfile /var/run/ganeti/kvm-hypervisor/pid/vm1 -uuid x'")
    node.wait_until("pgrep -u nobody -f -- '-pidfile /var/run/ganeti'")
    node.ok("gnt-instance startup vm1 && gnt-instance list -o name,status --no-headers | grep -q running")
    node.ok("gnt-instance shutdown --timeout=0 vm1")
    assert node.ok("pgrep -u nobody -f -- '-pidfile /var/run/ganeti'")
    node.ok("pkill -KILL -u nobody")
    imitation.wait()
