"""Ganeti's own client (Debian's python3-ganeti-rapi), which other people's programs use, drives Flotte: all that it can do, but for what is not built yet."""
import json
import pathlib
import re
import socket

import pytest
from machine import ROOT
from remote_api import PASSWORD, with_cluster

NODE = "node1.lab.test"
CERTIFICATE = "/var/tmp/rapi.crt"
UUID = "58a5e966-2463-4e24-adfe-4ba98a8427f3"

# What is not built yet answers 501. (why, what is called)
ONE_NODE, NO_FILTERS = "there is one node", "jobs have no filters"
NOT_YET = {
    "MigrateInstance": (ONE_NODE, ["vm1"]), "FailoverInstance": (ONE_NODE, ["vm1"]), "ReplaceInstanceDisks": (ONE_NODE, ["vm1"]), "MigrateNode": (ONE_NODE, [NODE]),
    "EvacuateNode": (ONE_NODE, [NODE]), "PowercycleNode": ("nodes have no power switch", [NODE]), "ModifyNodeStorageUnits": ("physical volumes are LVM's", [NODE, "lvm-pv", "/dev/vdb"]),
    "RepairNodeStorageUnits": ("physical volumes are LVM's", [NODE, "lvm-vg", "vms"]),
    "GetFilters": (NO_FILTERS, []), "GetFilter": (NO_FILTERS, [UUID]), "AddFilter": (NO_FILTERS, [0, [], "PAUSE"]), "ReplaceFilter": (NO_FILTERS, [UUID, 0, [], "PAUSE"]),
    "DeleteFilter": (NO_FILTERS, [UUID]),
}


class Refused(Exception):
    def __init__(self, told):
        super().__init__(told["error"])
        self.code, self.kind = told["code"], told["kind"]


class Client:
    """Its methods are Ganeti's: each is called in the machine."""

    def __init__(self, machine, user="rw", password=PASSWORD, certificate=CERTIFICATE, host=NODE):
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = machine.start(f"exec /usr/bin/python3 {ROOT}/tests/functional/rapi_client.py {host} '{user}' '{password}' {certificate}", terminal=theirs.fileno())
        self._lines = ours.makefile("rw")
        ours.close()
        self._all = self._told()

    def _told(self):
        line = self._lines.readline()
        assert line.startswith("{"), line + self._lines.read()
        told = json.loads(line)
        if "error" in told:
            raise Refused(told)
        return told["result"]

    def __getattr__(self, method):
        def call(*given, **named):
            self._lines.write(json.dumps([method, given, named]) + "\n")
            self._lines.flush()
            return self._told()
        return call

    def _close(self):
        self._lines.close()
        self._process.wait(timeout=30)


@pytest.fixture(scope="module")
def node(machine):
    with_cluster(machine)
    machine.ok(f"openssl x509 -in /var/lib/ganeti/rapi.pem -out {CERTIFICATE}")
    machine.ok(f"gnt-instance add -o noop -t file -s 64M -H fake -B memory=64M --net 0:link=br0 -n {NODE} vm1")
    return machine


@pytest.fixture(scope="module")
def client(node):
    made = Client(node)
    yield made
    made._close()


def done(client, job):
    """What there is to know of a job that has ended well; it is waited for as the client does it."""
    assert isinstance(job, int)
    ended = client.WaitForJobCompletion(job, 0.05)
    told = client.GetJobStatus(job)
    assert ended is True and told["status"] == "success", told
    return told


def failed(client, job):
    assert client.WaitForJobCompletion(job, 0.05) is False
    told = client.GetJobStatus(job)
    assert told["status"] == "error"
    return told["opresult"][0][1][0]


def made(client, name, **changes):
    given = {"os": "noop", "hypervisor": "fake", "pnode": NODE, "beparams": {"memory": 64}, "ip_check": False, "name_check": False, "no_install": True, **changes}
    return client.CreateInstance("create", name, "file", [{"size": 16}], [{"link": "br0"}], **given)


def test_all_that_the_client_can_do_is_tried(client):
    text = pathlib.Path(__file__).read_text()
    used = set(re.findall(r"\bclient\.([A-Z]\w+)\(", text))
    assert set(client._all) - used - NOT_YET.keys() == set(), "neither used here nor listed as not built"
    assert NOT_YET.keys() & used == set()


@pytest.mark.parametrize("method", NOT_YET)
def test_what_is_not_built_says_so(client, method):
    why, given = NOT_YET[method]
    with pytest.raises(Refused) as refused:
        getattr(client, method)(*given)
    assert refused.value.code == 501, why


def test_the_api_itself(client):
    assert client.GetVersion() == 2
    assert {"instance-create-reqv1", "instance-reinstall-reqv1", "node-migrate-reqv1", "node-evac-res1"} == set(client.GetFeatures())
    assert client.GetOperatingSystems() == ["noop"]


def test_the_cluster(client):
    told = client.GetInfo(reason="to see it")
    assert (told["name"], told["master"]) == ("cluster.lab.test", NODE)
    done(client, client.ModifyCluster(candidate_pool_size=told["candidate_pool_size"] + 1, reason="to try it"))
    assert client.GetInfo()["candidate_pool_size"] == told["candidate_pool_size"] + 1
    done(client, client.ModifyCluster(candidate_pool_size=told["candidate_pool_size"]))
    done(client, client.RedistributeConfig(reason="to try it"))


def test_tags(client):
    done(client, client.AddClusterTags(["a", "b"]))
    assert sorted(client.GetClusterTags()) == ["a", "b"]
    done(client, client.DeleteClusterTags(["a", "b"], reason="tried"))
    done(client, client.AddInstanceTags("vm1", ["a", "b"], dry_run=True))
    done(client, client.AddInstanceTags("vm1", ["a", "b"]))
    assert sorted(client.GetInstanceTags("vm1")) == ["a", "b"]
    done(client, client.DeleteInstanceTags("vm1", ["b"], dry_run=True))
    done(client, client.DeleteInstanceTags("vm1", ["a", "b"]))
    # Here the client sends the tags in a body, too.
    done(client, client.AddNodeTags(NODE, ["a"]))
    assert client.GetNodeTags(NODE) == ["a"]
    done(client, client.DeleteNodeTags(NODE, ["a"]))
    done(client, client.AddGroupTags("default", ["a"]))
    assert client.GetGroupTags("default") == ["a"]
    done(client, client.DeleteGroupTags("default", ["a"]))
    assert client.GetClusterTags() == client.GetInstanceTags("vm1") == client.GetNodeTags(NODE) == client.GetGroupTags("default") == []


def test_a_machine_from_its_making_to_its_end(client):
    done(client, made(client, "web1", dry_run=True))
    assert client.GetInstances() == ["vm1"]
    done(client, made(client, "web1", reason="to try it", tags=["made"]))
    assert sorted(client.GetInstances()) == ["vm1", "web1"] == sorted(one["name"] for one in client.GetInstances(bulk=True))
    one = client.GetInstance("web1")
    assert (one["status"], one["disk.sizes"], one["beparams"]["memory"], one["tags"]) == ("running", [16], 64, ["made"])
    done(client, client.RebootInstance("web1", reboot_type="full", ignore_secondaries=True, shutdown_timeout=0))
    done(client, client.RebootInstance("web1"))
    done(client, client.GrowInstanceDisk("web1", 0, 16, wait_for_sync=True))
    done(client, client.ModifyInstance("web1", beparams={"vcpus": 2}, reason="to try it"))
    done(client, client.ShutdownInstance("web1", dry_run=True))
    done(client, client.ShutdownInstance("web1", no_remember=True, timeout=0))
    assert client.GetInstance("web1")["status"] == "ERROR_down"
    done(client, client.ShutdownInstance("web1"))
    one = client.GetInstance("web1")
    assert (one["status"], one["disk.sizes"], one["beparams"]["vcpus"]) == ("ADMIN_down", [32], 2)
    done(client, client.StartupInstance("web1", dry_run=True))
    done(client, client.StartupInstance("web1", no_remember=True))
    done(client, client.ShutdownInstance("web1"))
    assert done(client, client.RenameInstance("web1", "web2", ip_check=False, name_check=False))["opresult"] == ["web2"]
    done(client, client.DeleteInstance("web2", dry_run=True))
    done(client, client.DeleteInstance("web2", reason="tried", shutdown_timeout=0))
    assert client.GetInstances() == ["vm1"]


def test_disks_of_a_stopped_machine(client, node):
    done(client, made(client, "web1", start=False))
    assert done(client, client.ActivateInstanceDisks("web1", ignore_size=True))["opresult"][0][0][1] == "disk/0"
    done(client, client.DeactivateInstanceDisks("web1", force=True))
    assert sorted(done(client, client.PrepareExport("web1", "remote"))["opresult"][0]) == ["handshake", "x509_ca", "x509_key_name"]
    assert done(client, client.ExportInstance("web1", "local", NODE))["opresult"] == [[True, [True]]]
    node.ok("gnt-backup remove web1")
    node.ok("find /srv/ganeti/file-storage -path '*web1*' -type f -delete")
    done(client, client.RecreateInstanceDisks("web1", disks=[0]))
    assert len(done(client, client.ReinstallInstance("web1", os="noop", no_startup=True))["ops"]) == 2
    assert len(done(client, client.ReinstallInstance("web1", osparams={}))["ops"]) == 3
    done(client, client.DeleteInstance("web1"))


def test_several_machines_at_once(client):
    several = [client.InstanceAllocation("create", name, "diskless", [], [], os="noop", hypervisor="fake", pnode=NODE, beparams={"memory": 64}, no_install=True) for name in ("many1", "many2")]
    for is_submitted, job in done(client, client.InstancesMultiAlloc(several, reason="to try it"))["opresult"][0]["jobs"]:
        assert is_submitted
        done(client, job)
    for name in ("many1", "many2"):
        done(client, client.DeleteInstance(name))


def test_what_is_told_of_a_machine(client):
    assert done(client, client.GetInstanceInfo("vm1"))["opresult"][0]["vm1"]["run_state"] == "up"
    assert done(client, client.GetInstanceInfo("vm1", static=True))["opresult"][0]["vm1"]["run_state"] is None
    assert client.GetInstanceConsole("vm1")["instance"] == "vm1"


def test_jobs(client, node):
    node.ok("gnt-debug delay --submit 600")
    job = max(client.GetJobs())
    assert [one["status"] for one in client.GetJobs(bulk=True) if one["id"] == job][0] in ("queued", "waiting", "running")
    known = client.WaitForJobChange(job, ["status"], ["queued"], None)["job_info"]
    while known != ["running"]:
        known = client.WaitForJobChange(job, ["status"], known, None)["job_info"]
    done_, text = client.CancelJob(job)
    assert done_ is True and text
    while known[0] not in ("canceled", "error", "success"):
        known = client.WaitForJobChange(job, ["status"], known, None)["job_info"]
    assert known == ["canceled"] and client.WaitForJobCompletion(job, 0.05) is False
    with pytest.raises(Refused) as refused:
        client.GetJobStatus(job + 1000)
    assert refused.value.code == 404


def test_nodes(client):
    assert client.GetNodes() == [NODE] == [one["name"] for one in client.GetNodes(bulk=True)]
    assert client.GetNode(NODE)["secondary_ip"] == "192.0.2.1"
    assert client.GetNodeRole(NODE) == "master"
    assert "master" in failed(client, client.SetNodeRole(NODE, "drained", force=True, auto_promote=True))
    done(client, client.ModifyNode(NODE, ndparams={"spindle_count": 3}))
    assert client.GetNode(NODE)["ndparams"]["spindle_count"] == 3
    assert done(client, client.GetNodeStorageUnits(NODE, "file", "name,size,free"))["opresult"][0][0][0] == "/srv/ganeti/file-storage"


def test_groups(client):
    done(client, client.CreateGroup("rack1", dry_run=True))
    done(client, client.CreateGroup("rack1"))
    done(client, client.ModifyGroup("rack1", alloc_policy="last_resort"))
    assert client.GetGroup("rack1")["alloc_policy"] == "last_resort"
    done(client, client.AssignGroupNodes("rack1", [NODE], force=True))
    assert client.GetGroup("rack1")["node_list"] == [NODE]
    done(client, client.AssignGroupNodes("default", [NODE], dry_run=True))
    done(client, client.AssignGroupNodes("default", [NODE]))
    done(client, client.RenameGroup("rack1", "rack2"))
    assert sorted(client.GetGroups()) == ["default", "rack2"] == sorted(one["name"] for one in client.GetGroups(bulk=True))
    done(client, client.DeleteGroup("rack2", reason="tried"))


def test_networks(client):
    done(client, client.CreateNetwork("lan", "198.51.100.0/28", gateway="198.51.100.1", add_reserved_ips="198.51.100.5,198.51.100.6", tags="inside,quiet"))
    done(client, client.ConnectNetwork("lan", "default", "bridged", "br0", dry_run=True))
    done(client, client.ConnectNetwork("lan", "default", "bridged", "br0"))
    assert client.GetNetworks() == ["lan"] == [one["name"] for one in client.GetNetworks(bulk=True)]
    told = client.GetNetwork("lan")
    assert (told["map"], told["group_list"], sorted(told["tags"])) == ("XX...XX........X", [["default", "bridged", "br0", ""]], ["inside", "quiet"])
    done(client, client.ModifyNetwork("lan", mac_prefix="aa:00:01"))
    done(client, client.AddNetworkTags("lan", ["loud"]))
    done(client, client.DeleteNetworkTags("lan", ["quiet"]))
    assert sorted(client.GetNetworkTags("lan")) == ["inside", "loud"]
    done(client, client.DisconnectNetwork("lan", "default"))
    # Ganeti's client has it from 3.1 on.
    if "RenameNetwork" in client._all:
        done(client, client.RenameNetwork("lan", "office"))
        done(client, client.RenameNetwork("office", "lan"))
    done(client, client.DeleteNetwork("lan", dry_run=True))
    done(client, client.DeleteNetwork("lan"))
    assert client.GetNetworks() == []


def test_a_network_with_all_that_the_client_leaves_out(client):
    """It sends null for each; Ganeti's own server takes that for tags as little as for a number."""
    done(client, client.CreateNetwork("bare", "198.51.100.0/28"))
    assert client.GetNetwork("bare")["tags"] == []
    done(client, client.DeleteNetwork("bare"))


def test_queries(client):
    assert client.Query("instance", ["name", "status"])["data"] == [[[0, "vm1"], [0, "running"]]]
    assert client.Query("instance", ["name"], ["=", "status", "ADMIN_down"], reason="to see them")["data"] == []
    assert {field["name"] for field in client.QueryFields("node")["fields"]} > {"name", "role", "mfree"}
    assert [field["kind"] for field in client.QueryFields("instance", fields=["name", "oper_ram"])["fields"]] == ["text", "unit"]


def test_errors_reach_the_client(client, node):
    for code, call in ((404, lambda: client.GetInstance("nosuch")), (400, lambda: client.ModifyInstance("vm1", pony=1))):
        with pytest.raises(Refused, match=rf"^{code} .*: .*") as refused:
            call()
        assert refused.value.code == code
    assert "nosuch" in failed(client, client.StartupInstance("nosuch"))
    for user, password, code in (("rw", "wrong", 401), ("ro", PASSWORD, 403)):
        other = Client(node, user, password)
        with pytest.raises(Refused) as refused:
            other.StartupInstance("vm1")
        assert refused.value.code == code
        other._close()


def test_a_certificate_that_is_not_the_clusters(node):
    node.ok("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=node1.lab.test -keyout /var/tmp/other.key -out /var/tmp/other.crt 2> /dev/null")
    for options in ({"certificate": "/var/tmp/other.crt"}, {"host": "localhost"}):
        stranger = Client(node, **options)
        with pytest.raises(Refused) as refused:
            stranger.GetVersion()
        assert refused.value.kind == "CertificateError"
        stranger._close()


def test_who_says_nothing_of_himself_reads(node):
    anybody = Client(node, "", "")
    assert anybody.GetVersion() == 2 and anybody.GetInstances() == ["vm1"]
    with pytest.raises(Refused) as refused:
        anybody.Query("instance", ["name"])
    assert refused.value.code == 401
    anybody._close()
