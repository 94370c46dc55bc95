"""The Debian packages, as lintian and an administrator see them."""
import subprocess

import lab as labs


def test_lintian_has_no_complaint():
    [changes] = (labs.ROOT / "build" / "packages").glob("*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--tag-display-limit=0", changes], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr


def test_what_the_package_brings(installed):
    # Users, groups, and directories with Ganeti's modes.
    assert installed.ok("id -nG flotte").split() == ["flotte", "gnt-admin"]
    modes = installed.ok("stat -c '%n %a %U' /var/lib/ganeti /var/lib/ganeti/controller /var/log/ganeti /run/ganeti /etc/ganeti/hooks")
    assert modes.split() == ["/var/lib/ganeti", "755", "root", "/var/lib/ganeti/controller", "700", "flotte",
                             "/var/log/ganeti", "1775", "root", "/run/ganeti", "1775", "root", "/etc/ganeti/hooks", "755", "root"]
    # The controller has no more rights than it needs.
    assert installed.ok("ps -o user= -C flotte-controllerd").split() == ["flotte"]
    assert "NoNewPrivs:\t1" in installed.ok("cat /proc/$(pgrep -x flotte-controll)/status")
    # systemd hears of both that they are ready and work.
    shown = installed.ok("systemctl show -p Type -p WatchdogUSec -p NRestarts flotte-noded flotte-controllerd")
    assert shown.count("Type=notify") == 2 and shown.count("WatchdogUSec=1min") == 2 and shown.count("NRestarts=0") == 2
    assert installed.ok("test -s /usr/share/bash-completion/completions/gnt-instance && echo there") == "there\n"


def test_logrotate(installed):
    installed.ok("logrotate -f /etc/logrotate.d/flotte")
    installed.ok("systemctl restart flotte-noded; gnt-cluster info; true")
    before = installed.ok("pgrep -x flotte-controll")
    installed.ok("logrotate -f /etc/logrotate.d/flotte && systemctl kill --kill-who=main -s TERM flotte-controllerd")
    # Its last words are in the new file, not in the one that was moved away.
    installed.wait_until(f"grep -q 'pid={before.strip()}.*Ending' /var/log/ganeti/flotte-controllerd.log")


def test_a_daemon_that_hangs_is_restarted(installed):
    before = installed.ok("pgrep -x flotte-noded")
    installed.ok("mkdir -p /run/systemd/system/flotte-noded.service.d && printf '[Service]\\nWatchdogSec=2\\n' > "
                 "/run/systemd/system/flotte-noded.service.d/short.conf && systemctl daemon-reload && systemctl restart flotte-noded")
    started = installed.ok("pgrep -x flotte-noded")
    assert started != before
    installed.ok("kill -STOP $(pgrep -x flotte-noded)")
    installed.wait_until(f"pgrep -x flotte-noded | grep -vq {started.strip()} && systemctl is-active -q flotte-noded")


def test_debian_s_os_definitions_are_found(node):
    """Debian's own ganeti-os-noop and ganeti-instance-debootstrap, unchanged."""
    listed = node.ok("gnt-os list --no-headers").split()
    assert "noop" in listed and "debootstrap+default" in listed
    assert node.ok("dpkg -S /usr/share/ganeti/os/noop /usr/share/ganeti/os/debootstrap").split("\n")[0].startswith("ganeti-os-noop:")
    node.ok("gnt-os diagnose")
    node.ok("gnt-instance add -o noop -t plain -s 1G -B memory=128M --net 0:link=br-foo --no-name-check --no-ip-check --no-start vm1")
    node.ok("gnt-instance remove -f vm1")


def test_our_os_definitions_take_the_place_of_debian_s(node):
    debs = [path for path in labs.packages() if not path.name.startswith("flotte_")]
    node.lab.install(node, debs)
    assert node.run("dpkg-query -W -f '${db:Status-Status}' ganeti-os-noop").stdout != "installed"
    assert "noop" in node.ok("gnt-os list --no-headers").split()
