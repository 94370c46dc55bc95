"""What is done to the cluster as a whole: another name, and the power that goes."""
import pytest

ADD = "gnt-instance add -t diskless -o noop -H fake -B memory=32M --no-nics --no-name-check --no-ip-check"


def address(cluster):
    return cluster.ok("ip -o -4 address show dev br0 to 192.0.2.8/29").split()


@pytest.fixture
def other_name(cluster):
    cluster.ok("printf '192.0.2.10 other.lab.test\n192.0.2.9 alias.lab.test\n' >> /etc/hosts")
    yield "other.lab.test"
    if cluster.ok("gnt-cluster info | sed -n 's/^Cluster name: //p'").strip() != "cluster.lab.test":
        cluster.ok("gnt-cluster rename -f cluster.lab.test")


def test_a_cluster_gets_another_name_and_its_address(cluster, other_name):
    assert cluster.ok(f"gnt-cluster rename -f {other_name}") == "Cluster renamed from 'cluster.lab.test' to 'other.lab.test'\n"
    assert "192.0.2.10/32" in address(cluster) and "192.0.2.9/32" not in address(cluster)
    cluster.ok("gnt-cluster verify")
    # The same address: nobody loses a connection.
    assert cluster.ok("gnt-cluster rename -f cluster.lab.test").startswith("Cluster renamed")
    assert cluster.ok("gnt-cluster rename -f alias.lab.test").startswith("Cluster renamed")
    assert "192.0.2.9/32" in address(cluster)
    cluster.ok("gnt-cluster verify")


def test_a_name_that_cannot_be_the_clusters(cluster, other_name):
    assert "Neither the name nor the IP address of the cluster has changed" in cluster.refused("gnt-cluster rename -f cluster.lab.test")
    assert "The given name (nosuch.lab.test) does not resolve" in cluster.refused("gnt-cluster rename -f nosuch.lab.test")
    # The node's own address is somebody's.
    assert "The given cluster IP address (192.0.2.1) is reachable on the network" in cluster.refused("gnt-cluster rename -f node1.lab.test")
    assert cluster.refused(f"gnt-cluster rename {other_name}") == ""  # nobody can be asked
    assert "192.0.2.9/32" in address(cluster)


@pytest.fixture
def two_instances(cluster):
    cluster.ok(f"{ADD} vm1.lab.test")
    cluster.ok(f"{ADD} --no-start vm2.lab.test")
    yield
    for name in ("vm1", "vm2"):
        cluster.ok(f"gnt-instance remove -f --shutdown-timeout=0 {name}.lab.test")


def statuses(cluster):
    return cluster.ok("gnt-instance list --no-headers -o status").split()


def test_before_the_power_goes_all_instances_stop_and_start_afterwards(cluster, two_instances):
    said = cluster.ok("gnt-cluster epo -f --all --shutdown-timeout=0")
    assert "Node node1.lab.test does not support out-of-band handling" in said
    assert "Submit shutdown of instance vm1.lab.test" in said
    # What is wished of them is not changed.
    assert statuses(cluster) == ["ERROR_down", "ADMIN_down"]
    # Nobody starts them behind one's back.
    jobs = cluster.ok("gnt-job list --no-headers -o id")
    cluster.ok("flotte watcher")
    assert cluster.ok("gnt-job list --no-headers -o id") == jobs
    assert "The watcher is paused until" in said and "gnt-cluster epo --on" in said
    assert cluster.ok("gnt-cluster watcher info").startswith("The watcher is paused until ")
    assert "The watcher is no longer paused." in cluster.ok("gnt-cluster epo --on -f --all")
    assert cluster.ok("gnt-cluster watcher info") == "The watcher is not paused.\n"
    assert statuses(cluster) == ["running", "running"]


def test_the_power_of_what(cluster, two_instances):
    assert cluster.refused("gnt-cluster epo --groups --all") == "Only one of --groups or --all are allowed\n"
    assert cluster.refused("gnt-cluster epo --all some_arg") == "Arguments in combination with --all are not allowed\n"
    for who in ("node1.lab.test", "", "--groups default"):
        assert "node1.lab.test is the master node" in cluster.refused(f"gnt-cluster epo -f {who}")
    assert cluster.refused("gnt-cluster epo --all") == ""  # nobody can be asked
    assert cluster.ok("gnt-cluster watcher info") == "The watcher is not paused.\n"
    assert statuses(cluster) == ["running", "ADMIN_down"]


@pytest.mark.parametrize("type", ["file", "sharedfile"])
def test_storage_that_cannot_be_changed(cluster, type):
    unit = f"node1.lab.test {type} /srv/ganeti/file-storage"
    assert cluster.run(f"gnt-node modify-storage {unit}").stderr == "No changes to perform, exiting.\n"
    cluster.ok(f"gnt-node modify-storage {unit}")
    assert f"Storage units of type '{type}' can not be modified" in cluster.refused(f"gnt-node modify-storage --allocatable no {unit}")
    assert f"Storage units of type '{type}' can not be repaired" in cluster.refused(f"gnt-node repair-storage {unit}")
