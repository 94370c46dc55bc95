"""The operations manual on LVM and KVM, as it is typed: what does not stand in test_cluster.py (O1), test_machines.py (O5, O11 to O13, O16, O19)
or test_debian_definitions.py (O4, O5)."""
import hashlib
import json
import pathlib
import re
import subprocess
import time

import lab as labs
from probe_guest import Guest
from terminal import Terminal

RFB = pathlib.Path(__file__).resolve().parents[1] / "functional" / "rfb.py"
ISO = "/srv/installer.iso"
STATUS = "gnt-instance list --no-headers -o status"
QUICK = "-B memory=128M --no-name-check --no-ip-check"


def status(node, name="vm1"):
    return node.ok(f"{STATUS} {name}").strip()


def next_look(node):
    """The watcher looks soon after the controller has started."""
    node.ok("systemctl restart flotte-controllerd")


def qemu(node):
    """Its command line, word for word."""
    return node.ok(f"tr '\\0' ' ' < /proc/$(pgrep {labs.QEMU})/cmdline")


def says(guest, command):
    """What a guest's shell answers, in one line."""
    guest.say(f"sh {command}")
    line = guest.expect("out")["line"]
    guest.expect("exit")
    return line


def next_start(node):
    """What `gnt-instance info` says of the next start: {parameter: text}."""
    told = node.ok("gnt-instance info vm1").partition("Takes effect at the next start: \n")[2]
    return dict(line.strip().split(": ", 1) for line in told.splitlines())


# --- The cluster


def test_O2_every_cpu_feature(running):
    assert " -cpu " not in qemu(running)
    said = running.run("gnt-cluster modify -H kvm:cpu_type=host")
    assert said.returncode == 0 and "a guest that migrates to a node with another CPU breaks" in said.stdout + said.stderr, said
    assert next_start(running) == {"hv/cpu_type": "nothing now, host after the next start"}
    running.ok("gnt-instance reboot vm1")
    assert " -cpu host " in running.ok("ps -ww -C kvm,qemu-system-x86 -o args=")
    assert next_start(running) == {}
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        model = running.ok("grep -m1 '^model name' /proc/cpuinfo").split(": ")[1].strip()
        assert guest.report()["cpu"]["model"] == model


def test_O3_commands_and_files_on_all_nodes(node, tmp_path):
    # Where packages come from when there is no network.
    subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "lzop", "liblzo2-2"], cwd=tmp_path, check=True)
    node.ok("mkdir -p /srv/debs; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/srv/debs ./' > /etc/apt/sources.list")
    index = ""
    for deb in tmp_path.glob("*.deb"):
        node.send(deb, f"/srv/debs/{deb.name}")
        index += subprocess.run(["dpkg-deb", "-f", deb], capture_output=True, text=True, check=True).stdout
        index += f"Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n\n"
    (tmp_path / "Packages").write_text(index)
    node.send(tmp_path / "Packages", "/srv/debs/Packages")
    line = "-" * 48
    assert node.ok("gnt-cluster command apt-get update").startswith(f"{line}\nnode: node1.lab.test\n")
    said = node.ok("gnt-cluster command apt-get install -y lzop")
    assert said.startswith(f"{line}\nnode: node1.lab.test\n") and said.endswith("\nreturn code = 0\n") and "Setting up lzop" in said, said
    assert "return code = 0" in node.ok("gnt-cluster command lzop --version")
    # Options of the command are its own, and its exit code is told.
    assert node.ok("gnt-cluster command ls -d /nosuch").endswith("return code = 2\n")
    node.ok("echo content > /etc/some.conf")
    assert node.ok("gnt-cluster copyfile /etc/some.conf") == ""
    assert node.ok("cat /etc/some.conf") == "content\n"
    assert "/nosuch" in node.refused("gnt-cluster copyfile /nosuch")


# --- Creating machines, and their rescue


def test_O6_by_hand_from_an_installer_s_cd(node):
    node.send(labs.probe_cd(), ISO)
    node.ok("gnt-instance add -o noop -t plain -s 10G -B memory=500M --net=0:link=br-rzn-205 --no-name-check --no-ip-check --no-start vm1")
    assert status(node) == "ADMIN_down"
    node.ok(f"gnt-instance start -H boot_order=cdrom,cdrom_image_path={ISO} vm1")
    assert next_start(node) == {"hv/boot_order": "cdrom now, disk after the next start", "hv/cdrom_image_path": f"{ISO} now, nothing after the next start"}
    assert node.ok("gnt-instance list --no-headers -o hv/boot_order,hv/cdrom_image_path vm1").split() == ["disk"]
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
        assert "probe.medium=cd" in says(guest, "cat /proc/cmdline")
        disks = guest.report()["disk"]
        [cd] = [name for name, disk in disks.items() if disk["read_only"]]
        [disk] = [name for name, disk in disks.items() if disk["size"] == 10 << 30]
        guest.say(f"sh mkdir /cd && mount -t iso9660 -o ro /dev/{cd} /cd && dd if=/cd/probe.raw of=/dev/{disk} bs=1M && sync")
        assert guest.expect("exit")["code"] == 0
        # The machine has another disk than it will have; a reboot ends that.
        node.ok("gnt-instance reboot vm1")
    with Guest(node, "vm1") as guest:
        guest.wait_until_ready()
        assert "probe.medium" not in says(guest, "cat /proc/cmdline")
        assert [(disk["size"], disk["read_only"]) for disk in guest.report()["disk"].values()] == [(10 << 30, False)]
    assert ISO not in qemu(node) and next_start(node) == {}


def test_O10_the_rescue_of_an_installer_s_cd(running):
    running.send(labs.probe_cd(), ISO)
    running.ok("gnt-instance shutdown vm1")
    running.ok(f"gnt-instance start -H cdrom_image_path={ISO},boot_order=cdrom vm1")
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        assert "probe.medium=cd" in says(guest, "cat /proc/cmdline")
        # The machine's own disks are there to be mended.
        assert [disk["size"] for disk in guest.report()["disk"].values() if not disk["read_only"]] == [1 << 30, 1 << 30]
    running.ok("gnt-instance shutdown vm1")
    running.ok("gnt-instance start vm1")
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        assert "probe.medium" not in says(guest, "cat /proc/cmdline")
    # An image that is not there is said before anything stops, and nothing is remembered.
    running.ok("gnt-instance shutdown vm1")
    assert "/srv/nosuch.iso" in running.refused("gnt-instance start -H cdrom_image_path=/srv/nosuch.iso,boot_order=cdrom vm1")
    running.ok("gnt-instance start vm1")


# --- O7


def test_O7_the_button_then_the_plug(running):
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        guest.say("sh rmmod button; echo deaf")
        guest.expect("out", where=lambda value: value["line"] == "deaf")
    begun = time.monotonic()
    running.ok("gnt-instance shutdown --timeout=4 vm1")
    assert time.monotonic() - begun >= 4
    assert status(running) == "ADMIN_down" and running.run(f"pgrep {labs.QEMU}").returncode != 0


def test_O7_a_wish_that_is_not_remembered(running):
    running.ok("gnt-cluster watcher pause 1h")
    running.ok("gnt-instance shutdown --no-remember vm1")
    assert running.ok("gnt-instance list --no-headers -o status,admin_state vm1").split() == ["ERROR_down", "up"]
    running.ok("gnt-instance shutdown vm1")
    running.ok("gnt-instance startup --no-remember vm1")
    assert running.ok("gnt-instance list --no-headers -o status,admin_state vm1").split() == ["ERROR_up", "down"]
    # The watcher has nothing against it.
    running.ok("gnt-cluster watcher continue")
    next_look(running)
    time.sleep(10)
    assert status(running) == "ERROR_up"
    running.ok("gnt-instance shutdown vm1")
    assert status(running) == "ADMIN_down"


def test_O7_reboot_soft_hard_and_full(running):
    for kind, is_same in (("soft", True), ("hard", False), ("full", False)):
        before = running.ok(f"pgrep {labs.QEMU}")
        with Guest(running, "vm1") as guest:
            guest.wait_until_ready()
            running.ok(f"gnt-instance reboot --type={kind} vm1")
            if is_same:  # the same QEMU, and its console
                guest.expect("ready")
        with Guest(running, "vm1") as guest:
            guest.wait_until_ready()
        assert (running.ok(f"pgrep {labs.QEMU}") == before) is is_same, kind
        assert status(running) == "running"


def test_O7_many_at_once(running):
    for name in ("vm2", "vm3"):
        running.ok(f"gnt-instance add -o noop -t plain -s 1G --no-install --net 0:link=br-foo {QUICK} --no-start --tags=spare {name}")

    def statuses():
        return running.ok("gnt-instance list --no-headers -o status").split()
    assert statuses() == ["running", "ADMIN_down", "ADMIN_down"]
    # Somebody is asked, and who can't be has said no.
    for answer, exit_code, after in (("n", 1, "ADMIN_down"), ("y", 0, "running")):
        with Terminal(running, "gnt-instance start --tags spare") as terminal:
            asked = terminal.expect(r"y/\[n\]/\?: ")
            assert "The startup will operate on 2 instances.\r\nDo you want to continue?\r\nAffected instances:\r\n  vm2\r\n  vm3\r\n" in asked
            terminal.type(answer + "\n")
            assert terminal.process.wait(timeout=labs.PATIENCE_SECONDS) == exit_code
        assert statuses() == ["running", after, after]
    assert running.run("gnt-instance stop --all --timeout=0").returncode == 1
    assert statuses() == ["running"] * 3
    running.ok("gnt-instance reboot --force-multiple --shutdown-timeout=0 --node node1.lab.test")
    running.ok("gnt-instance stop --force-multiple --timeout=0 vm2 vm3")
    assert statuses() == ["running", "ADMIN_down", "ADMIN_down"]
    running.ok("gnt-instance startup --force-multiple --all && gnt-instance shutdown --force-multiple --timeout=0 --all")
    assert statuses() == ["ADMIN_down"] * 3


def test_O7_a_guest_that_switches_itself_off(running):
    def switches_itself_off():
        with Guest(running, "vm1") as guest:
            guest.wait_until_ready()
            guest.say("poweroff")
            running.wait_until(f"! {STATUS} vm1 | grep -q running")

    running.ok("gnt-cluster modify -H kvm:user_shutdown=true")
    running.ok("gnt-cluster modify --user-shutdown=yes")
    running.ok("gnt-instance reboot vm1")
    switches_itself_off()
    assert status(running) == "USER_down"
    # The watcher has nothing against it.
    next_look(running)
    time.sleep(10)
    assert status(running) == "USER_down" and running.run(f"pgrep {labs.QEMU}").returncode != 0
    # A guest is what it was started as.
    running.ok("gnt-cluster modify --user-shutdown=no")
    running.ok("gnt-instance start vm1")
    switches_itself_off()
    assert status(running) in ("ERROR_down", "running")
    next_look(running)
    running.wait_until(f"{STATUS} vm1 | grep -q running")
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()


# --- O9


def test_O9_the_serial_console_in_a_terminal(running):
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        for number in range(3):
            guest.say(f"echo before {number}")
        guest.expect("echo", where=lambda value: "before 2" in str(value))
    with Terminal(running, "gnt-instance console vm1") as terminal:
        shown = terminal.expect("before 2")
        assert "Leave with Ctrl-]" in shown and "before 0" in shown and "before 1" in shown
        terminal.type("echo typed here\n")
        terminal.expect("probe: echo .*typed here")
        # Whoever restarts the daemons leaves it open.
        running.ok("systemctl restart flotte-noded flotte-controllerd")
        terminal.type("echo still here\n")
        terminal.expect("probe: echo .*still here")
        terminal.type("\x1d")
        terminal.end()
    with Terminal(running, "gnt-instance console vm1") as terminal:
        assert "typed here" in terminal.expect("still here")
        running.ok("gnt-instance shutdown vm1")
        terminal.expect("Instance vm1 has stopped")
        terminal.end()
    assert "vm1 is not running" in running.refused("gnt-instance console vm1")


# --- O8


def test_O8_a_display_through_its_tunnel_off_and_on(running):
    def listening():
        return running.ok("ss -ltnH '( sport >= :11000 and sport < :15000 )'").split()[3:4]

    running.ok('gnt-instance modify -H vnc_bind_address="" vm1')
    running.ok("gnt-instance reboot vm1")
    assert listening() == []
    assert "modify -H vnc_bind_address=127.0.0.1 vm1" in running.refused("gnt-instance console --vnc vm1")
    running.ok('gnt-instance modify -H vnc_bind_address="127.0.0.1" vm1')
    running.ok("gnt-instance reboot vm1")
    port = running.ok("gnt-instance list -o +network_port").split()[-1]
    assert listening() == [f"127.0.0.1:{port}"]
    tunnel, viewer = running.ok("gnt-instance console --vnc vm1").splitlines()
    assert tunnel.startswith(f"ssh -f -o ExitOnForwardFailure=yes -p {labs.SSH_PORT} -L ") and viewer == f"vncviewer localhost::{port}"
    # Typed where the viewer is; there the node's name and key are known.
    known = ["-i", str(running.lab.image / "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", f"HostName={running.address}"]
    inside = ["ip", "netns", "exec", running.lab.namespace]
    subprocess.run([*inside, "ssh", "-q", *known, *tunnel.replace("sleep 60", "sleep 20").split()[1:]], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=labs.PATIENCE_SECONDS)
    seen = json.loads(subprocess.run([*inside, "/usr/bin/python3", RFB, "127.0.0.1", port], capture_output=True, text=True, check=True).stdout)
    assert seen["is_let_in"] and seen["name"] == "QEMU (vm1)", seen


def test_O16_which_tap_belongs_to_which_nic(running):
    tap = running.ok("cat /var/run/ganeti/kvm-hypervisor/nic/vm1/0").strip()
    assert running.ok("cat /var/run/kvm-hypervisor/nic/vm1/0").strip() == tap
    assert re.search(rf"tap: {tap}\b", running.ok("gnt-instance info vm1"))
    # The guest's packets come out of it.
    with Guest(running, "vm1") as guest:
        guest.wait_until_ready()
        packets = f"cat /sys/class/net/{tap}/statistics/rx_packets"
        before = int(running.ok(packets))
        guest.say("ip 192.0.2.77/24")
        guest.say("sh ping -c 1 -W 1 192.0.2.78")
        guest.expect("exit")
        running.wait_until(f"test $({packets}) -gt {before}")
    running.ok("gnt-instance shutdown vm1")
    assert tap not in running.ok("ip -brief link show")
    assert running.run("ls /var/run/kvm-hypervisor/nic/vm1").returncode != 0
