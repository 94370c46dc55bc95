"""What a guest survives: everything that may happen to the daemons."""
import contextlib
import time

import pytest

import lab as labs
from guest import ADD, QEMU, Guest


@contextlib.contextmanager
def a_beating_guest(node):
    """Around something that must not touch it; none of its writes is lost."""
    node.ok(ADD + " vm1", timeout=120)
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
        guest.say("heartbeat start")
        guest.wait_for_beats(20)
        pid = node.ok(f"pgrep {QEMU}")
        yield guest
        guest.wait_for_beats(20)
        assert node.ok(f"pgrep {QEMU}") == pid
        numbers = [number for number, _ in guest.beats]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "beats are missing"
        guest.say("heartbeat stop")
        guest.say("heartbeat check")
        assert guest.expect("heartbeat", timeout=30, where=lambda value: "missing" in value)["missing"] == []
    node.wait_until("gnt-instance list --no-headers -o status vm1 | grep -q running")
    assert node.run("gnt-cluster verify").returncode == 0


def test_restart_of_both_daemons(node):
    with a_beating_guest(node):
        node.ok("systemctl restart flotte-noded flotte-controllerd")
        node.ok("systemctl restart flotte")


def test_kill_9_of_both_daemons(node):
    with a_beating_guest(node):
        node.ok("pkill -9 -x flotte-noded; pkill -9 -x flotte-controlle; true")
        node.wait_until("systemctl is-active -q flotte-noded flotte-controllerd", timeout=20)


def test_service_ganeti_is_a_name_for_both(node):
    with a_beating_guest(node):
        node.ok("service ganeti stop")
        assert node.run("pgrep -l 'flotte-(noded|contr)'").stdout == ""
        node.refused("gnt-instance list")
        node.ok("service ganeti start")


def test_the_daemons_are_down_for_a_minute(node):
    with a_beating_guest(node) as guest:
        node.ok("systemctl stop flotte")
        begun = time.monotonic()
        while time.monotonic() - begun < 60:
            guest.wait_for_beats(20)
            time.sleep(1)
        node.ok("systemctl start flotte")


def test_upgrade_of_the_package(node, tmp_path):
    [deb] = [path for path in labs.packages() if path.name.startswith("flotte_")]
    newer = tmp_path / "flotte_99_amd64.deb"
    labs.run("dpkg-deb", "-R", deb, tmp_path / "content")
    control = tmp_path / "content" / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("Version: ", "Version: 99+", 1))
    labs.run("dpkg-deb", "-b", "-Znone", tmp_path / "content", newer)
    with a_beating_guest(node):
        before = node.ok("pgrep -x flotte-noded")
        node.lab.install(node, [newer])
        assert node.ok("pgrep -x flotte-noded") != before
        assert node.ok("dpkg-query -W -f '${Version}' flotte").startswith("99+")


def test_removal_of_the_package(node):
    with a_beating_guest(node):
        node.ok("DEBIAN_FRONTEND=noninteractive apt-get remove -y -q flotte")
        node.lab.install(node)


def test_a_package_over_a_half_configured_one(node):
    [deb] = [path for path in labs.packages() if path.name.startswith("flotte_")]
    with a_beating_guest(node):
        node.send(deb, "/root/flotte.deb")
        node.ok("dpkg --unpack flotte.deb")
        assert node.ok("dpkg-query -W -f '${db:Status-Status}' flotte") == "unpacked"
        # Cut off in the middle of its configuration, too.
        node.ok("printf '#!/bin/sh\\nexit 1\\n' > /usr/local/sbin/adduser && chmod +x /usr/local/sbin/adduser")
        assert node.run("dpkg --configure flotte").returncode != 0
        node.ok("rm /usr/local/sbin/adduser")
        node.lab.install(node)
        assert node.ok("dpkg-query -W -f '${db:Status-Status}' flotte") == "installed"


def test_power_loss_of_the_node(node):
    """Guests are started again by the watcher, the cluster's address is up again."""
    node.ok(ADD + " vm1", timeout=120)
    node.ok(ADD.replace("vms_hdd", "vms").replace("vms_ssd", "vms") + " --no-start vm2", timeout=120)
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
    node.ok("sync")
    node.power_cut()
    node.power_on()
    node.wait_for_ssh()
    node.wait_until("gnt-instance list --no-headers -o status vm1 | grep -q running", timeout=120)
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
    assert node.ok("gnt-instance list --no-headers -o name,status") == "vm1 running\nvm2 ADMIN_down\n"
    node.wait_until("ip -4 address show br-grenode | grep -q 192.0.2.9/32", timeout=30)


@pytest.mark.long
def test_purge_leaves_guests_and_disks(node):
    with a_beating_guest(node):
        node.ok("systemctl stop flotte; cp -a /var/lib/ganeti /root/kept")
        node.ok("DEBIAN_FRONTEND=noninteractive apt-get purge -y -q flotte")
        assert node.ok("lvs --noheadings -o lv_name vms_hdd").strip()
        node.lab.install(node)
        node.ok("systemctl stop flotte; rm -rf /var/lib/ganeti; cp -a /root/kept /var/lib/ganeti; systemctl start flotte")
