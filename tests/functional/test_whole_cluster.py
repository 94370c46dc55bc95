"""What is done to the cluster as a whole."""
import pytest


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
