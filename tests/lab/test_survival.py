"""What a guest survives: everything that may happen to the daemons."""
import contextlib
import time

import pytest

import lab as labs
from probe_guest import ADD, Guest


@contextlib.contextmanager
def a_beating_guest(node):
    """Around something that must not touch it; none of its writes is lost."""
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
        guest.say("heartbeat start")
        guest.wait_for_beats(20)
        pid = node.ok(f"pgrep {labs.QEMU}")
        yield guest
        guest.wait_for_beats(20)
        assert node.ok(f"pgrep {labs.QEMU}") == pid
        numbers = [number for number, _ in guest.beats]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "beats are missing"
        guest.say("heartbeat stop")
        guest.say("heartbeat check")
        assert guest.expect("heartbeat", where=lambda value: "missing" in value)["missing"] == []
    node.wait_until("gnt-instance list --no-headers -o status vm1 | grep -q running")
    assert node.run("gnt-cluster verify").returncode == 0


def test_restart_of_both_daemons(running):
    with a_beating_guest(running):
        running.ok("systemctl restart flotte-noded flotte-controllerd")
        running.ok("systemctl restart flotte")


@pytest.mark.core
def test_kill_9_of_both_daemons(running):
    with a_beating_guest(running):
        running.ok("pkill -9 -x flotte-noded; pkill -9 -x flotte-controll; true")
        running.wait_until("systemctl is-active -q flotte-noded flotte-controllerd")


def test_service_ganeti_is_a_name_for_both(running):
    with a_beating_guest(running):
        running.ok("service ganeti stop")
        assert running.run("pgrep -l 'flotte-(noded|contr)'").stdout == ""
        running.refused("gnt-instance list")
        running.ok("service ganeti start")


@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.long)])
def test_the_daemons_are_down_for_a_while(running, seconds):
    with a_beating_guest(running) as guest:
        running.ok("systemctl stop flotte")
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            guest.wait_for_beats(20)
            time.sleep(1)
        running.ok("systemctl start flotte")


@pytest.mark.core
def test_upgrade_of_the_package(running, tmp_path):
    [deb] = [path for path in labs.packages() if path.name.startswith("flotte_")]
    newer = tmp_path / "flotte_99_amd64.deb"
    labs.run("dpkg-deb", "-R", deb, tmp_path / "content")
    control = tmp_path / "content" / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("Version: ", "Version: 99+", 1))
    labs.run("dpkg-deb", "-b", "-Znone", tmp_path / "content", newer)
    with a_beating_guest(running):
        before = running.ok("pgrep -x flotte-noded")
        running.lab.install(running, [newer])
        assert running.ok("pgrep -x flotte-noded") != before
        assert running.ok("dpkg-query -W -f '${Version}' flotte").startswith("99+")


def test_removal_of_the_package(running):
    with a_beating_guest(running):
        running.ok("DEBIAN_FRONTEND=noninteractive apt-get remove -y -q flotte")
        running.lab.install(running)


def test_a_package_over_a_half_configured_one(running):
    [deb] = [path for path in labs.packages() if path.name.startswith("flotte_")]
    with a_beating_guest(running):
        running.send(deb, "/root/flotte.deb")
        running.ok("dpkg --unpack flotte.deb")
        assert running.ok("dpkg-query -W -f '${db:Status-Status}' flotte") == "unpacked"
        # Cut off in the middle of its configuration, too.
        running.ok("printf '#!/bin/sh\\nexit 1\\n' > /usr/local/sbin/adduser && chmod +x /usr/local/sbin/adduser")
        assert running.run("dpkg --configure flotte").returncode != 0
        running.ok("rm /usr/local/sbin/adduser")
        running.lab.install(running)
        assert running.ok("dpkg-query -W -f '${db:Status-Status}' flotte") == "installed"


@pytest.mark.core
def test_power_loss_of_the_node(running):
    """Guests are started again by the watcher, the cluster's address is up again."""
    running.ok(ADD.replace("vms_hdd", "vms").replace("vms_ssd", "vms") + " --no-start vm2", timeout=120)
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
    running.ok("sync")
    running.power_cut()
    running.power_on()
    running.wait_for_ssh()
    running.wait_until("gnt-instance list --no-headers -o status vm1 | grep -q running")
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
    assert running.ok("gnt-instance list --no-headers -o name,status") == "vm1 running\nvm2 ADMIN_down\n"
    running.wait_until("ip -4 address show br-grenode | grep -q 192.0.2.9/32")


@pytest.mark.long
def test_purge_leaves_guests_and_disks(running):
    with a_beating_guest(running):
        running.ok("systemctl stop flotte; cp -a /var/lib/ganeti /root/kept")
        running.ok("DEBIAN_FRONTEND=noninteractive apt-get purge -y -q flotte")
        assert running.ok("lvs --noheadings -o lv_name vms_hdd").strip()
        running.lab.install(running)
        running.ok("systemctl stop flotte; rm -rf /var/lib/ganeti; cp -a /root/kept /var/lib/ganeti; systemctl start flotte")
