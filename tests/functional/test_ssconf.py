"""The files ssconf_<key> say what is configured, after every change, and again after they were changed by hand."""
import pytest

ADD = "gnt-instance add -t diskless -o noop --no-install --no-start -H fake --no-name-check --no-ip-check --no-nics"
LIB = "/var/lib/ganeti"


def has(cluster, key, content):
    """Waits until the file has it."""
    cluster.write("/tmp/wanted", content.encode())
    cluster.wait_until(f"cmp -s /tmp/wanted {LIB}/ssconf_{key}")


@pytest.mark.parametrize("key,content", [("cluster_name", "cluster.lab.test\n"), ("node_list", "node1.lab.test\n"), ("instance_list", ""),
                                         ("node_vm_capable", "node1.lab.test=True\n"), ("hypervisor_list", "fake\nkvm\n"), ("uid_pool", "")])
def test_from_the_beginning(cluster, key, content):
    has(cluster, key, content)


def test_instances(cluster):
    for name in ("web10.lab.test", "web9.lab.test"):
        cluster.ok(f"{ADD} {name}")
    has(cluster, "instance_list", "web9.lab.test\nweb10.lab.test\n")
    cluster.ok("gnt-instance rename --no-name-check --no-ip-check web9 db1.lab.test")
    has(cluster, "instance_list", "db1.lab.test\nweb10.lab.test\n")
    cluster.ok("gnt-instance remove -f web10; gnt-instance remove -f db1")
    has(cluster, "instance_list", "")


def test_cluster_groups_and_nodes(cluster):
    cluster.ok("gnt-cluster add-tags zone:b a")
    has(cluster, "cluster_tags", "a\nzone:b\n")
    cluster.ok("gnt-cluster remove-tags zone:b a")
    has(cluster, "cluster_tags", "")
    cluster.ok("gnt-cluster modify -H kvm:acpi=false --user-shutdown=yes")
    cluster.wait_until(f"grep -qx acpi=False {LIB}/ssconf_hvparams_kvm && grep -qx True {LIB}/ssconf_enabled_user_shutdown")
    cluster.ok("gnt-cluster modify -H kvm:acpi=true --user-shutdown=no")
    cluster.ok("gnt-group add other")
    cluster.wait_until(f"grep -q ' other$' {LIB}/ssconf_nodegroups")
    cluster.ok("gnt-group remove other")
    cluster.ok("gnt-node modify --node-parameters ssh_port=2222 node1.lab.test")
    has(cluster, "ssh_ports", "node1.lab.test=2222\n")


def test_a_node_that_was_away_gets_what_it_missed(cluster):
    cluster.kill("flotte-noded")
    cluster.ok("gnt-cluster add-tags missed")
    cluster.ok("flotte daemons start")
    has(cluster, "cluster_tags", "missed\n")
    cluster.ok("gnt-cluster remove-tags missed")


def test_what_was_changed_by_hand_is_put_right_at_once_where_somebody_asks(cluster):
    has(cluster, "cluster_name", "cluster.lab.test\n")
    cluster.ok(f"rm {LIB}/ssconf_cluster_name && echo other > /tmp/other && mv -f /tmp/other {LIB}/ssconf_node_list")
    assert cluster.ok("gnt-cluster redist-conf") == ""
    assert cluster.ok(f"cat {LIB}/ssconf_cluster_name {LIB}/ssconf_node_list") == "cluster.lab.test\nnode1.lab.test\n"
    assert cluster.run("gnt-cluster redist-conf --submit").stderr.startswith("JobID: ")


def test_a_node_that_is_away_when_all_is_written_anew_is_named(cluster):
    cluster.kill("flotte-noded")
    said = cluster.ok("gnt-cluster redist-conf")
    assert " - WARNING: ssconf on node1.lab.test: " in said
    cluster.ok("flotte daemons start && gnt-cluster redist-conf")


def test_who_verifies_at_once_finds_no_fault(cluster):
    for number in range(5):
        cluster.ok(f"gnt-cluster add-tags t{number}; gnt-cluster verify")


def test_who_may_read_them(cluster):
    assert set(cluster.ok(f"stat -c '%a %U' {LIB}/ssconf_*").splitlines()) == {"444 root"}
