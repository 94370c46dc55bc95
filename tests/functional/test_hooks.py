"""Hooks: what people hang on operations in /etc/ganeti/hooks, with the commands as they are typed."""
import re

import pytest
from machine import INIT

HOOKS = "/etc/ganeti/hooks"
ADD = "gnt-instance add -t file -s 64M -o noop -H fake --no-name-check --no-ip-check --net 0:link=br0 -B memory=128M"
NODE = "node1.lab.test"


def hang(machine, script, lines, mode="755"):
    """A script below the directory of all hooks."""
    path = f"{HOOKS}/{script}"
    machine.ok(f"mkdir -p {path.rpartition('/')[0]}")
    machine.write(path, f"#!/bin/sh\n{lines}\n".encode())
    machine.ok(f"chmod {mode} {path}")


@pytest.fixture(scope="module")
def cluster(machine):
    hang(machine, "cluster-init-pre.d/10-never", "echo pre > /run/init")
    hang(machine, "cluster-init-post.d/10-mark", "echo $GANETI_OP_CODE $GANETI_OP_TARGET $GANETI_POST_OP_TARGET >> /run/init")
    machine.ok(INIT)
    return machine


@pytest.fixture
def hooks(cluster):
    yield lambda script, lines, mode="755": hang(cluster, script, lines, mode)
    cluster.ok(f"rm -rf {HOOKS}/* /run/ran /run/env* /etc/default/flotte")


@pytest.fixture
def guest(cluster):
    cluster.ok(f"{ADD} vm1")
    yield "vm1"
    cluster.ok(f"rm -rf {HOOKS}/*; gnt-instance remove -f --shutdown-timeout=0 vm1")


def status(cluster):
    return cluster.ok("gnt-instance list --no-headers -o status vm1").strip()


def submitted(cluster, command):
    """The number of the job."""
    done = cluster.run(command)
    return re.search(r"\d+", done.stdout + done.stderr).group()


def messages(output):
    """Lines of a job's log, without their times."""
    return [re.sub(r"^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} ", "", line) for line in output.splitlines()]


RECORD = 'echo "$GANETI_HOOKS_PATH-$GANETI_HOOKS_PHASE" >> /run/ran'
# (command, directory, whether the configuration changes)
OPERATIONS = [
    (f"{ADD} vm2", "instance-add", True),
    ("gnt-instance stop vm2", "instance-stop", True),
    ("gnt-instance reinstall -f vm2", "instance-reinstall", True),
    ("rm /srv/ganeti/file-storage/vm2/*.disk0; gnt-instance recreate-disks vm2", "instance-recreate-disks", False),
    ("gnt-instance rename vm2 vm3", "instance-rename", True),
    ("gnt-instance start vm3", "instance-start", True),
    ("gnt-instance reboot --type=hard vm3", "instance-reboot", True),
    ("gnt-instance modify -B vcpus=2 vm3", "instance-modify", True),
    ("gnt-instance grow-disk vm3 0 1M", "disk-grow", True),
    ("gnt-cluster modify -B vcpus=1", "cluster-modify", True),
    ("gnt-instance remove -f vm3", "instance-remove", True),
]


def test_run_before_and_after_each_operation(cluster, hooks):
    for name in [*(operation[1] for operation in OPERATIONS), "config-update"]:
        for phase in "pre", "post":
            hooks(f"{name}-{phase}.d/10-record", RECORD)
    for command, name, changes in OPERATIONS:
        cluster.ok(f"rm -f /run/ran; {command}")
        expected = [f"{name}-pre", f"{name}-post"] + ["config-update-post"] * changes
        assert cluster.ok("cat /run/ran").split() == expected, command
    cluster.ok("rm -f /run/ran; gnt-cluster add-tags blue")
    assert cluster.ok("cat /run/ran").split() == ["config-update-post"]
    cluster.ok("rm -f /run/ran; gnt-instance list; gnt-cluster info")
    assert cluster.run("cat /run/ran").returncode == 1


def environment(cluster, path):
    return dict(line.split("=", 1) for line in cluster.ok(f"cat {path}").splitlines())


def test_are_told_what_ganeti_tells(cluster, hooks, guest):
    for phase in "pre", "post":
        hooks(f"instance-modify-{phase}.d/10-env", f"env > /run/env-{phase}; cat > /run/env-stdin-{phase}; id -u >> /run/env-stdin-{phase}")
    cluster.ok("gnt-instance modify -B maxmem=256M --net add:link=br0 vm1")
    before, after = environment(cluster, "/run/env-pre"), environment(cluster, "/run/env-post")
    common = {
        "PATH": "/sbin:/bin:/usr/sbin:/usr/bin", "GANETI_HOOKS_VERSION": "2", "GANETI_HOOKS_PATH": "instance-modify", "GANETI_CLUSTER": "cluster.lab.test",
        "GANETI_MASTER": NODE, "GANETI_OP_CODE": "OP_INSTANCE_SET_PARAMS", "GANETI_OBJECT_TYPE": "INSTANCE", "GANETI_DATA_DIR": "/var/lib/ganeti",
        "GANETI_OP_TARGET": "vm1", "GANETI_INSTANCE_NAME": "vm1", "GANETI_INSTANCE_PRIMARY": NODE, "GANETI_INSTANCE_STATUS": "up",
        # As it will be, but in the parameters as it is.
        "GANETI_INSTANCE_MAXMEM": "256", "GANETI_INSTANCE_BE_maxmem": "128", "GANETI_INSTANCE_NIC_COUNT": "2", "GANETI_INSTANCE_NIC1_BRIDGE": "br0",
        "GANETI_INSTANCE_DISK_COUNT": "1", "GANETI_INSTANCE_DISK0_SIZE": "64", "GANETI_INSTANCE_DISK0_MODE": "rw", "GANETI_INSTANCE_BE_auto_balance": "True"}
    assert common.items() <= before.items()
    assert common.items() <= after.items()
    assert (before["GANETI_HOOKS_PHASE"], after["GANETI_HOOKS_PHASE"]) == ("pre", "post")
    assert after["GANETI_POST_INSTANCE_BE_maxmem"] == "256"
    ours = {"PWD", "_", "SHLVL", "OLDPWD"}  # of the shell
    assert all(name.startswith("GANETI_") for name in after.keys() - ours - {"PATH"})
    told_before = {name for name in before if name.startswith("GANETI_")}
    assert not any(name.startswith("GANETI_POST_") for name in told_before)
    # Whatever is told of the machine is told again of afterwards.
    general = {f"GANETI_{name}" for name in ("HOOKS_VERSION", "HOOKS_PATH", "HOOKS_PHASE", "CLUSTER", "MASTER", "OP_CODE", "OBJECT_TYPE", "DATA_DIR")}
    assert {name.replace("GANETI_", "GANETI_POST_", 1) for name in told_before - general} == {name for name in after if name.startswith("GANETI_POST_")}
    assert cluster.ok("cat /run/env-stdin-pre /run/env-stdin-post") == "0\n0\n"


def test_of_a_rename_are_told_both_names(cluster, hooks):
    cluster.ok(f"{ADD} --no-start vm1")
    for phase in "pre", "post":
        hooks(f"instance-rename-{phase}.d/10-env", f"env > /run/env-{phase}")
    cluster.ok("gnt-instance rename vm1 vm2")
    for phase in "pre", "post":
        told = environment(cluster, f"/run/env-{phase}")
        assert (told["GANETI_INSTANCE_NAME"], told["GANETI_INSTANCE_NEW_NAME"]) == ("vm1", "vm2")
        assert told.get("GANETI_POST_INSTANCE_NAME") == {"pre": None, "post": "vm2"}[phase]
    cluster.ok("gnt-instance remove -f vm2")


def test_run_in_the_order_of_their_names_and_other_files_are_left_alone(cluster, hooks, guest):
    for name in "20-b", "10_a", "Z9", "100", "a.sh", "b~", ".hidden", "x y":
        hooks(f"'instance-stop-pre.d/{name}'".replace("'instance-stop-pre.d/", "instance-stop-pre.d/'"), f'echo "{name}" >> /run/ran')
    hooks("instance-stop-pre.d/30-text", "echo 30 >> /run/ran", mode="644")
    cluster.ok("gnt-instance stop vm1")
    assert cluster.ok("cat /run/ran").splitlines() == ["100", "10_a", "20-b", "Z9"]


def test_one_that_refuses_stops_the_operation_before_it_begins(cluster, hooks):
    hooks("instance-add-pre.d/10-yes", "echo fine")
    hooks("instance-add-pre.d/20-no", "echo no room; echo for that >&2; exit 3")
    hooks("instance-add-pre.d/30-silent", "exit 1")
    hooks("instance-add-post.d/10-never", RECORD)
    before = cluster.ok("ls -R /srv/ganeti/file-storage; gnt-cluster info | grep -i serial")
    assert cluster.refused(f"{ADD} vm2") == (
        "Failure: hooks execution failed:\n"
        f"  node: {NODE}, script: instance-add-pre.d/20-no, output: no room\nfor that\n"
        f"  node: {NODE}, script: instance-add-pre.d/30-silent (no output)\n")
    assert cluster.ok("ls -R /srv/ganeti/file-storage; gnt-cluster info | grep -i serial") == before
    assert "not known" in cluster.refused("gnt-instance info vm2")
    assert cluster.run("cat /run/ran").returncode == 1
    refusal = f"[['HooksAbort', [[['{NODE}', 'instance-add-pre.d/20-no', 'no room\nfor that'], ['{NODE}', 'instance-add-pre.d/30-silent', '']]]]]"
    assert refusal in cluster.ok("gnt-job list --no-headers -o opresult")


def test_a_dry_run_asks_those_before_and_runs_none_afterwards(cluster, hooks, guest):
    for phase in "pre", "post":
        hooks(f"instance-stop-{phase}.d/10-record", RECORD)
    cluster.ok("gnt-instance stop --dry-run vm1")
    assert cluster.ok("cat /run/ran") == "instance-stop-pre\n"
    hooks("instance-stop-pre.d/20-no", "exit 1")
    assert "script: instance-stop-pre.d/20-no (no output)" in cluster.refused("gnt-instance stop --dry-run vm1")
    assert status(cluster) == "running"


def test_one_that_fails_afterwards_is_only_told(cluster, hooks, guest):
    hooks("instance-stop-post.d/10-sorry", "echo mail server is down; exit 1")
    hooks("instance-stop-post.d/20-silent", "exit 1")
    assert messages(cluster.ok("gnt-instance stop vm1"))[-2:] == [
        f" - WARNING: On {NODE} script instance-stop-post.d/10-sorry failed, output: mail server is down",
        f" - WARNING: On {NODE} script instance-stop-post.d/20-silent failed, output: (no output)"]
    assert status(cluster) == "ADMIN_down"


def test_of_verify_find_faults(cluster, hooks):
    # A shell does not see names with dots.
    hooks("cluster-verify-post.d/10-fine", "tr '\\0' '\\n' < /proc/$$/environ | grep ^GANETI_NODE_TAGS_node1.lab.test=")
    assert cluster.run("gnt-cluster verify").returncode == 0
    hooks("cluster-verify-post.d/20-raid", "echo array degraded; echo sdb is gone; exit 1")
    found = cluster.run("gnt-cluster verify --error-codes")
    assert found.returncode == 1
    lines = messages(found.stdout)
    at = lines.index("* Hooks Results")
    assert lines[at + 1:at + 4] == [f"  - ERROR:ENODEHOOKS:node:{NODE}:Script cluster-verify-post.d/20-raid failed, output:", "      array degraded", "      sdb is gone"]
    ignored = cluster.run("gnt-cluster verify --ignore-errors ENODEHOOKS")
    assert ignored.returncode == 0
    assert f"  - WARNING: node {NODE}: Script cluster-verify-post.d/20-raid failed, output:" in messages(ignored.stdout)


def test_one_that_hangs_is_ended_at_the_deadline(cluster, hooks, guest):
    cluster.ok("echo HOOKS_TIMEOUT=2 > /etc/default/flotte")
    hooks("instance-stop-pre.d/10-hang", "echo waiting; sleep 1000")
    said = cluster.refused("gnt-instance stop vm1")
    assert f"node: {NODE}, script: instance-stop-pre.d/10-hang, output: waiting\nended after 2 s; HOOKS_TIMEOUT in /etc/default/flotte" in said
    assert status(cluster) == "running"
    assert cluster.run("pgrep -f '[s]leep 1000'").returncode == 1
    cluster.ok("echo HOOKS_TIMEOUT=soon > /etc/default/flotte")
    assert "HOOKS_TIMEOUT 'soon' is no number of seconds" in cluster.refused("gnt-instance stop vm1")


def test_a_cancel_ends_one_that_hangs(cluster, hooks, guest):
    hooks("instance-stop-pre.d/10-hang", "echo > /run/ran; sleep 1000")
    job = submitted(cluster, "gnt-instance stop --submit vm1")
    cluster.wait_until("test -e /run/ran")
    cluster.ok(f"gnt-job cancel {job}")
    cluster.wait_until(f"gnt-job list --no-headers -o status {job} | grep -q canceled")
    cluster.wait_until("! pgrep -f '[s]leep 1000'")
    assert status(cluster) == "running"


@pytest.mark.parametrize("make,said", [("chmod 757", "everybody can change {}; if it is meant to run as root: chmod o-w {}"),
                                       ("chown 12345", "{} belongs to user 12345; if it is meant to run as root: chown root {}")])
def test_what_others_can_change_is_not_run_and_lets_nothing_pass(cluster, hooks, guest, make, said):
    hooks("instance-stop-pre.d/10-guard", RECORD)
    path = f"{HOOKS}/instance-stop-pre.d/10-guard"
    cluster.ok(f"{make} {path}")
    assert f"output: not run: {said.format(path, path)}" in cluster.refused("gnt-instance stop vm1")
    assert cluster.run("cat /run/ran").returncode == 1
    assert status(cluster) == "running"


def test_those_afterwards_run_though_the_controller_dies(cluster, hooks, guest):
    """At least once: with what was known before, and those of before not again."""
    hooks("instance-stop-pre.d/10-record", RECORD)
    hooks("instance-stop-post.d/10-record", f"{RECORD}; echo $GANETI_INSTANCE_STATUS $GANETI_POST_INSTANCE_STATUS >> /run/ran; test -e /run/env-go || sleep 1000")
    job = submitted(cluster, "gnt-instance stop --submit vm1")
    cluster.wait_until("grep -q post /run/ran")
    cluster.kill("flotte-controllerd")
    cluster.kill("flotte-noded")
    cluster.ok("touch /run/env-go; flotte daemons start")
    cluster.wait_until(f"gnt-job list --no-headers -o status {job} | grep -q success")
    assert cluster.ok("cat /run/ran").splitlines() == ["instance-stop-pre"] + ["instance-stop-post", "up down"] * 2
    assert cluster.run("pgrep -f '[s]leep 1000'").returncode == 1
    assert status(cluster) == "ADMIN_down"


def test_of_the_watcher(cluster, hooks):
    hooks("watcher/10-mark", "env | grep -c GANETI_ >> /run/ran")
    hooks("watcher/20-fails", "echo oh; exit 1")
    cluster.kill("flotte-controllerd")
    cluster.ok("flotte daemons start")
    cluster.wait_until("grep -q 'Watcher hook watcher/20-fails on node1.lab.test failed: oh' /var/log/ganeti/flotte-controllerd.log")
    assert cluster.ok("cat /run/ran") == "1\n"  # GANETI_DATA_DIR


# Last: afterwards there is no cluster.
def test_of_the_cluster_s_beginning_and_end(cluster, hooks):
    assert cluster.ok("cat /run/init") == "OP_CLUSTER_POST_INIT cluster.lab.test cluster.lab.test\n"
    hooks("cluster-destroy-post.d/10-mark", "echo $GANETI_OP_CODE $GANETI_OP_TARGET $GANETI_HOOKS_PHASE > /run/ran")
    cluster.ok("gnt-cluster destroy --yes-do-it")
    assert cluster.ok("cat /run/ran") == "OP_CLUSTER_DESTROY cluster.lab.test post\n"
