"""Jobs, selections and tags as they are typed."""
import json
import re

import pytest

ADD = "gnt-instance add -t diskless -o noop --no-install --no-start -H fake --no-name-check --no-ip-check --no-nics"


@pytest.fixture(scope="module", autouse=True)
def instances(cluster):
    for name in ("a1", "a2", "b1"):
        cluster.ok(f"{ADD} --tags={name[0]} {name}")


def statuses(cluster):
    return dict(line.split() for line in cluster.ok("gnt-instance list --no-headers -o name,status").splitlines())


def wait_for_jobs(cluster):
    cluster.wait_until("! gnt-job list --no-headers -o status | grep -Eq 'running|waiting|queued|canceling'")


@pytest.mark.parametrize("how,started", [("--all", "a1 a2 b1"), ("--tags a", "a1 a2"), ("--node node1.lab.test", "a1 a2 b1"),
                                         ("--primary node1.lab.test", "a1 a2 b1"), ("a1 b1", "a1 b1")])
def test_selections(cluster, how, started):
    cluster.ok(f"gnt-instance startup --force-multiple {how}")
    assert [name for name, status in statuses(cluster).items() if status == "running"] == started.split()
    cluster.ok("gnt-instance shutdown --force-multiple --all")


def test_selection_by_tags_of_nodes(cluster):
    cluster.ok("gnt-node add-tags node1.lab.test rack1")
    cluster.ok("gnt-instance startup --force-multiple --pri-node-tags rack1")
    assert set(statuses(cluster).values()) == {"running"}
    assert "does not match" in cluster.refused("gnt-instance shutdown --force-multiple --sec-node-tags rack1")
    assert "does not match" in cluster.refused("gnt-instance shutdown --force-multiple --node-tags rack2")
    cluster.ok("gnt-instance shutdown --force-multiple --node-tags rack1")


def test_several_instances_are_asked_for(cluster):
    assert cluster.run("gnt-instance startup a1 a2").returncode == 1
    assert set(statuses(cluster).values()) == {"ADMIN_down"}


@pytest.mark.parametrize("answer,code,left", [("n", 1, "asked\n"), ("y", 0, "")])
def test_a_person_is_asked_on_the_terminal(cluster, answer, code, left):
    cluster.ok(f"gnt-instance list asked 2>/dev/null || {ADD} asked")
    asked = cluster.run(f"(sleep 0.3; echo {answer}) | script -qec 'gnt-instance remove asked' /dev/null")
    assert "Continue?" in asked.stdout and asked.returncode == code, asked.stdout
    assert cluster.ok("gnt-instance list --no-headers -o name 'asked*'") == left


def test_tags(cluster):
    cluster.write("/srv/tags", b"one\n\n two \n")
    cluster.ok("gnt-instance add-tags --from /srv/tags b1 three")
    assert cluster.ok("gnt-instance list-tags b1").split() == ["b", "one", "three", "two"]
    cluster.ok("gnt-instance remove-tags b1 one two three")
    assert cluster.ok("gnt-instance list-tags b1").split() == ["b"]
    assert "invalid tag" in cluster.refused("gnt-instance add-tags b1 'no blanks'").lower()
    cluster.ok("gnt-cluster add-tags site1 && gnt-cluster remove-tags site1")


def test_search_tags(cluster):
    cluster.ok("gnt-cluster add-tags bald; gnt-node add-tags node1.lab.test bad")
    assert cluster.ok("gnt-cluster search-tags ^b").splitlines() == ["/cluster bald", "/instances/b1 b", "/nodes/node1.lab.test bad"]
    assert cluster.refused("gnt-cluster search-tags nothing") == ""
    assert "Invalid search pattern '('" in cluster.refused("gnt-cluster search-tags '('")
    cluster.ok("gnt-cluster remove-tags bald; gnt-node remove-tags node1.lab.test bad")


def test_commands_on_all_nodes(cluster):
    """O3"""
    line = "-" * 48
    assert cluster.ok("gnt-cluster command echo a '&&' echo b") == f"{line}\nnode: node1.lab.test\na\nb\n\nreturn code = 0\n"
    assert cluster.ok("gnt-cluster command -M 'ls /nope'").startswith(f"{line}\nnode1.lab.test: ls: cannot access '/nope'")
    assert cluster.ok("gnt-cluster command --failure-only true") == ""
    assert cluster.ok("gnt-cluster command -n node1.lab.test --failure-only exit 7").endswith("return code = 7\n")
    assert "node9" in cluster.refused("gnt-cluster command -n node9 true")
    cluster.ok("echo x > /srv/file && gnt-cluster copyfile /srv/file")
    assert "/nope" in cluster.refused("gnt-cluster copyfile /nope")


def test_disks_without_a_start(cluster):
    cluster.ok(f"{ADD.replace('diskless', 'file -s 4M')} disk1")
    assert cluster.ok("gnt-instance activate-disks disk1").startswith("node1.lab.test:disk/0:/")
    active = "gnt-instance list --no-headers -o disks_active disk1"
    assert cluster.ok(active).strip() == "Y"
    cluster.ok("gnt-instance deactivate-disks disk1")
    assert cluster.ok(active).strip() == "N"
    cluster.ok("gnt-instance start disk1")
    assert cluster.ok(active).strip() == "Y"
    for force in ("", "-f"):
        assert "gnt-instance shutdown disk1" in cluster.refused(f"gnt-instance deactivate-disks {force} disk1")
    cluster.ok("gnt-instance remove -f disk1")


def test_many_at_once(cluster):
    one = {"mode": "create", "disk_template": "diskless", "disks": [], "nics": [], "os_type": "noop", "no_install": True, "hypervisor": "fake", "start": False}

    def create(*specs):
        cluster.write("/srv/batch", json.dumps([{**one, **spec} for spec in specs]).encode())
        return "gnt-instance batch-create /srv/batch"
    assert cluster.ok(create({"instance_name": "many1"}, {"instance_name": "many2"})).endswith("All instances created successfully.\n")
    # What is wrong with one of them is said before any is made.
    for spec, said in [({"instance_name": "many1"}, "already"), ({"instance_name": "many3"}, "twice"), ({}, "instance_name"),
                       ({"instance_name": "many4", "memory": 1}, "Unknown fields in definition 1: memory")]:
        assert said in cluster.refused(create({"instance_name": "many3"}, spec))
    assert cluster.ok("gnt-instance list --no-headers -o name 'many*'").split() == ["many1", "many2"]
    assert "There were 1 errors" in cluster.run(create({"instance_name": "many3", "os_type": "nope", "no_install": False})).stdout
    assert "Can't parse the instance definition file: [Errno 2] No such file or directory: '/nope'" in cluster.refused("gnt-instance batch-create /nope")
    cluster.ok("for name in many1 many2; do gnt-instance remove -f $name; done")


def test_jobs_in_the_background(cluster):
    said = cluster.ok("gnt-instance startup --submit a1")
    job = re.match(r"(\d+): a1", said).group(1)
    cluster.ok(f"gnt-job wait {job}")
    assert cluster.ok(f"gnt-job list --no-headers -o status,summary {job}") == "success INSTANCE_STARTUP(a1)\n"
    watched = cluster.ok(f"gnt-job watch {job}")
    assert watched.startswith(f"Output from job {job} follows\n-----")
    assert cluster.ok("gnt-job info 99999") == "- Job ID 99999 not found\n"
    cluster.ok(f"gnt-job archive {job}")
    assert job not in cluster.ok("gnt-job list --no-headers -o id").split()
    cluster.ok("gnt-instance shutdown a1")


def test_reason_dry_run_print_jobid(cluster):
    job = cluster.ok("gnt-instance startup --print-jobid --reason='because of O7' a1").split()[0].rstrip(":")
    job = job if job.isdigit() else cluster.ok("gnt-job list --no-headers -o id").split()[-1]
    assert "because of O7" in cluster.ok(f"gnt-job info {job}")
    cluster.ok("gnt-instance shutdown --dry-run a1")
    assert statuses(cluster)["a1"] == "running"
    cluster.ok("gnt-instance shutdown a1")


def test_a_waiting_and_a_running_job_are_canceled(cluster):
    cluster.ok("gnt-debug delay --submit -n node1.lab.test 30")
    cluster.ok("gnt-debug delay --submit -n node1.lab.test 30")
    cluster.wait_until("gnt-job list --no-headers --running | grep -q DELAY && gnt-job list --no-headers --pending | grep -q DELAY")
    cluster.ok("gnt-job cancel --force --pending")
    assert cluster.ok("gnt-job list --no-headers --pending") == ""
    running = cluster.ok("gnt-job list --no-headers --running -o id").strip()
    cluster.ok(f"gnt-job cancel {running}")
    wait_for_jobs(cluster)
    assert cluster.ok(f"gnt-job list --no-headers -o status {running}").strip() == "canceled"


def test_priorities(cluster):
    cluster.ok("gnt-debug delay --submit -n node1.lab.test 1")
    low, high = (cluster.run(f"gnt-debug delay --submit --priority={p} -n node1.lab.test 0").stderr.split()[-1] for p in ("low", "low"))
    assert "have been changed to" in cluster.ok(f"gnt-job change-priority --priority=high {high}")
    wait_for_jobs(cluster)
    ends = json.loads(cluster.ok(f"gnt-job list --json -o id,start_ts {low} {high}"))
    assert ends[1]["start_ts"] < ends[0]["start_ts"]


def test_the_queue_can_be_drained(cluster):
    cluster.ok("gnt-cluster queue drain")
    assert "set" in cluster.ok("gnt-cluster queue info")
    assert "Unhandled Ganeti error: Queue drained" in cluster.refused("gnt-debug delay 0")
    cluster.ok("gnt-cluster queue undrain && gnt-debug delay 0")


def test_autoarchive(cluster):
    cluster.ok("gnt-job autoarchive all")
    assert cluster.ok("gnt-job list --no-headers") == ""


def test_what_modify_changes_is_what_guests_get(cluster):
    cluster.ok("gnt-cluster modify -B vcpus=2 -N link=br0 -H kvm:acpi=false --enabled-disk-templates=diskless,file --node-parameters ssh_port=51083")
    info = json.loads(cluster.ok("gnt-cluster info --json"))
    assert info["beparams"]["default"]["vcpus"] == 2 and info["hvparams"]["kvm"]["acpi"] is False
    assert cluster.ok("gnt-instance list --no-headers -o be/vcpus a1").strip() == "2"
    assert "there is at least one instance" in cluster.refused("gnt-cluster modify --enabled-disk-templates=file")
    cluster.ok("gnt-cluster modify -B vcpus=1 -H kvm:acpi=default --enabled-disk-templates=diskless,file,sharedfile")


def test_private_os_parameters_reach_the_script_and_no_log(cluster):
    cluster.ok(r"""os=/usr/share/ganeti/os; cp -r $os/noop $os/envs; printf '#!/bin/sh\nenv > /srv/env\n' > $os/envs/create
                   printf 'pw the password\n' > $os/envs/parameters.list; cp $os/noop/create $os/envs/verify""")
    cluster.ok("gnt-instance add -o envs -t file -s 16M --net 0:link=br0 --no-name-check --no-ip-check --no-start p1")
    modified = cluster.ok("gnt-instance modify --os-parameters-private pw=s3cretword p1")
    assert "os_private/pw" in modified and "s3cretword" not in modified
    cluster.ok("gnt-instance reinstall -f p1")
    assert "OSP_PW=s3cretword\n" in cluster.ok("cat /srv/env")
    assert "s3cretword" not in cluster.ok("gnt-instance info p1; gnt-job info $(gnt-job list --no-headers -o id | tail -n 2)")
    assert cluster.run("grep -r s3cretword /var/log/ganeti").stdout == ""
    cluster.ok("gnt-instance remove -f p1")


def test_the_address_of_the_cluster_moves(cluster):
    assert "192.0.2.9/32" in cluster.ok("ip address show dev br0")
    cluster.ok("ip link add br1 type bridge && ip link set br1 up")
    cluster.ok("gnt-cluster modify --master-netdev=br1")
    assert "192.0.2.9/32" in cluster.ok("ip address show dev br1") and "192.0.2.9" not in cluster.ok("ip address show dev br0")
    assert "nosuch0" in cluster.refused("gnt-cluster modify --master-netdev=nosuch0")
    assert "192.0.2.9/32" in cluster.ok("ip address show dev br1")
    cluster.ok("gnt-cluster modify --master-netdev=br0")


def test_list_fields(cluster):
    for program in ("gnt-instance", "gnt-node", "gnt-job"):
        assert cluster.ok(f"{program} list-fields").startswith("Name")
    assert len(cluster.ok("gnt-instance list-fields --no-headers name status").splitlines()) == 2


def test_destroy_leaves_nothing(cluster):
    cluster.ok("for i in a1 a2 b1; do gnt-instance remove -f $i; done; gnt-cluster destroy --yes-do-it")
    assert "192.0.2.9" not in cluster.ok("ip address")
    assert cluster.run("gnt-cluster getmaster").returncode == 1
    assert cluster.ok("find /var/lib/ganeti -name '*.pem' -o -name ssconf_* -o -name known_hosts") == ""
