"""gnt-cluster init as operation O1 (README.md, "Operations") is typed, and the mistakes that people make with it."""
import subprocess

import pytest
from lab import INIT


def on_the_network(node, *command):
    return subprocess.run(["ip", "netns", "exec", node.lab.namespace, *command], capture_output=True, text=True)


def nothing_is_left(node):
    assert "192.0.2.9" not in node.ok("ip -4 address show")
    assert node.ok("ls /var/lib/ganeti/*.pem /var/lib/ganeti/ssconf_* 2>/dev/null; true") == ""
    assert "not initialized" in node.refused("gnt-cluster info", exit_code=1)


@pytest.mark.core
def test_O1_install_and_initialise(installed):
    assert installed.ok(INIT) == ""
    assert installed.ok("gnt-cluster getmaster") == "node1.lab.test\n"
    assert "192.0.2.9/32" in installed.ok("ip -4 -brief address show br-grenode")
    # The cluster's address answers ARP and ICMP with the node's own MAC.
    assert on_the_network(installed, "ping", "-c", "1", "-W", "5", "192.0.2.9").returncode == 0
    mac = installed.ok("cat /sys/class/net/br-grenode/address").strip()
    assert mac in on_the_network(installed, "ip", "neigh", "show", "192.0.2.9").stdout
    info = installed.ok("gnt-cluster info")
    assert "kernel_path: \n" in info
    assert "ssh_port: 51083" in info
    assert installed.run("gnt-cluster verify").returncode == 0
    installed.ok("gnt-cluster destroy --yes-do-it")
    assert "192.0.2.9" not in installed.ok("ip -4 address show")


def test_init_with_a_volume_group_that_is_not_there(installed):
    said = installed.refused(INIT.replace("--vg-name vms ", "--vg-name vmss "))
    assert "vmss" in said
    nothing_is_left(installed)
    installed.ok(INIT)


def test_init_with_a_name_that_does_not_resolve(installed):
    assert "/etc/hosts" in installed.refused(INIT.replace("flotte.grenode.net", "nosuch.grenode.net"))
    nothing_is_left(installed)


def test_init_with_an_interface_that_is_not_there(installed):
    assert "br-nosuch" in installed.refused(INIT.replace("br-grenode", "br-nosuch"))
    nothing_is_left(installed)


def test_init_with_an_address_that_somebody_else_has(installed):
    on_the_network(installed, "ip", "address", "add", "192.0.2.9/24", "dev", "br0")
    try:
        assert "192.0.2.9" in installed.refused(INIT)
    finally:
        on_the_network(installed, "ip", "address", "del", "192.0.2.9/24", "dev", "br0")
    nothing_is_left(installed)
