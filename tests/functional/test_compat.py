"""Names that scripts call on a machine with Ganeti: the init script, its daemons, its cron jobs' programs, daemon-util."""
import pathlib
import re

import pytest
from machine import BIN, ROOT

NAMES = ("ganeti-noded ganeti-masterd ganeti-luxid ganeti-wconfd ganeti-kvmd ganeti-rapi ganeti-confd ganeti-mond ganeti-metad ganeti-watcher ganeti-cleaner "
         "ganeti-listrunner").split()


@pytest.fixture(scope="module")
def node(cluster):
    """As the package installs them."""
    cluster.ok(f"for program in {BIN}/flotte*; do ln -sf $program /usr/sbin/; done; install -D {ROOT}/compat/daemon-util /usr/lib/ganeti/daemon-util; "
               f"install -D {ROOT}/compat/ganeti-program /usr/lib/flotte/ganeti-program; install {ROOT}/debian/flotte.ganeti.init /etc/init.d/ganeti")
    cluster.ok("; ".join(f"ln -s /usr/lib/flotte/ganeti-program /usr/sbin/{name}" for name in NAMES))
    return cluster


def daemons(node):
    return node.pid("flotte-noded"), node.pid("flotte-controllerd")


def stopped(node):
    """They are gone as soon as somebody has reaped them."""
    node.wait_until("! pgrep -x 'flotte-noded|flotte-controll'")
    return True


def test_the_package_installs_them_all():
    links = (ROOT / "debian/flotte.links").read_text()
    installed = (ROOT / "debian/flotte.install").read_text()
    assert [name for name in NAMES if f"usr/lib/flotte/ganeti-program usr/sbin/{name}\n" not in links] == []
    assert "compat/ganeti-program usr/lib/flotte\n" in installed and "compat/daemon-util usr/lib/ganeti\n" in installed
    program = (ROOT / "compat/ganeti-program").read_text()
    assert set(re.findall(r"ganeti-[a-z]+(?= \||\))", program)) == set(NAMES)


@pytest.mark.parametrize("command", ["service ganeti", "/etc/init.d/ganeti"])
def test_the_init_script_stops_starts_and_restarts_both_daemons(node, command):
    before = daemons(node)
    node.ok(f"{command} restart")
    restarted = daemons(node)
    assert not set(before) & set(restarted)
    assert "is running" in node.ok(f"{command} status")
    node.ok(f"{command} stop")
    assert stopped(node)
    assert "is not running" in node.run(f"{command} status").stdout and node.run(f"{command} status").returncode == 3
    node.ok(f"{command} stop && {command} start && {command} start")
    node.ok("gnt-cluster verify")
    node.ok(f"{command} force-reload && {command} restart ganeti-noded")
    assert "Usage" in node.refused(f"{command} frob")


@pytest.mark.parametrize("name", ["ganeti-noded", "ganeti-masterd", "ganeti-luxid", "ganeti-wconfd"])
def test_daemons_start(node, name):
    node.ok(f"flotte daemons stop; {name} -d --no-user-checks")
    daemons(node)
    node.ok(f"{name} && {name} --help && {name} --version")
    assert "no such option: --frob" in node.refused(f"{name} --frob", 2)
    assert "NODED_PORT" in node.refused(f"{name} -p 1811")


@pytest.mark.parametrize("name, code, words", [
    ("ganeti-kvmd", 0, "flotte-noded looks itself"), ("ganeti-rapi", 0, "RAPI_ARGS"), ("ganeti-confd", 1, "gnt-node list"),
    ("ganeti-mond", 1, "gnt-node list"), ("ganeti-metad", 1, "no metadata daemon"), ("ganeti-listrunner", 1, "gnt-cluster command")])
def test_the_others_say_what_does_it_here(node, name, code, words):
    done = node.run(name)
    assert done.returncode == code and words in done.stderr and done.stderr.startswith(name + ": "), done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_each_tells_the_version_that_is_installed(node, name):
    assert "flotte" in node.ok(f"{name} --version")


def test_the_watcher_starts_what_does_not_run(node):
    before = daemons(node)
    assert node.ok("ganeti-watcher --no-strict") == "" and daemons(node) == before
    node.kill("flotte-controllerd")
    node.wait_until("! pgrep -x flotte-controll")
    node.ok("ganeti-watcher -d --ignore-pause --wait-children -A 3600")
    assert daemons(node)[0] == before[0]
    assert "no such option: --frob" in node.refused("ganeti-watcher --frob", 2)


def test_the_watcher_looks_at_once(node):
    node.ok("gnt-instance add -t diskless -o noop --no-install -H fake --no-name-check --no-ip-check --no-nics vm1; gnt-cluster watcher pause 1h")
    node.ok("rm /var/run/ganeti/fake-hypervisor/*vm1*")
    jobs = node.ok("gnt-job list --no-headers -o id")
    node.ok("ganeti-watcher")
    assert node.ok("gnt-job list --no-headers -o id") == jobs  # it is paused
    node.ok("ganeti-watcher --ignore-pause")
    node.wait_until("gnt-instance list --no-headers -o status vm1 | grep -q running")
    node.ok("gnt-cluster watcher continue; gnt-instance remove -f vm1")


def test_the_cleaner_has_nothing_to_clean(node):
    assert node.ok("ganeti-cleaner node && ganeti-cleaner master") == ""
    assert "node|master" in node.refused("ganeti-cleaner") and "node|master" in node.refused("ganeti-cleaner frob")


def test_daemon_util(node):
    util = "/usr/lib/ganeti/daemon-util"
    assert node.ok(f"{util} list-start-daemons").split()[0] == "ganeti-noded"
    assert node.ok(f"{util} list-stop-daemons").split()[-1] == "ganeti-noded"
    for name in node.ok(f"{util} list-start-daemons").split():
        node.ok(f"{util} is-daemon-name {name} && {util} check {name} && kill -0 $(cat $({util} daemon-pidfile {name})) && test -x $({util} daemon-executable {name})")
    assert "Unknown daemon name 'frob'" in node.refused(f"{util} is-daemon-name frob")
    node.ok(f"{util} stop-all")
    assert stopped(node)
    assert node.run(f"{util} check ganeti-noded").returncode == 1
    node.ok(f"{util} check-and-start ganeti-noded && {util} check-config && {util} restart-all && {util} start ganeti-luxid")
    daemons(node)
    assert node.ok(f"{util} check-exitcode 0; {util} check-exitcode 11") == "not master\n"
    assert node.run(f"{util} check-exitcode 3").stdout == "exit code 3\n"
    assert "Actions:" in node.refused(util)


def test_scripts_are_plain_sh():
    for path in (*pathlib.Path(ROOT / "compat").glob("[!R]*"), ROOT / "debian/flotte.ganeti.init"):
        assert path.read_text().startswith("#!/bin/sh\n"), path
