"""How NICs are connected (O12): modes, VLANs, people's own scripts, and anti-spoofing.

What needs a bridge that filters VLANs or a real Open vSwitch is in tests/lab/test_nics.py; what rules let through is in src/node/network/nics_test.cpp."""
import json
import re

import pytest

ADD = "gnt-instance add -t file -s 16M -o noop --no-install --no-name-check --no-ip-check -H kvm -B memory=64M"
TAGS = "--tags blue,owner:joe"
SCRIPT = """#!/bin/sh
env | sort > /var/tmp/$ACTION.env
echo "$0 $ACTION" >> /var/tmp/scripts
"""
# As ovs-vsctl is used: it has one switch, sw0, and keeps its ports in a file.
FAKE_OVS = """#!/bin/sh
echo "$@" >> /var/tmp/ovs
shift 2
case $1 in
  br-exists) test "$2" = sw0 || exit 2;;
  --if-exists) sed -i "/^$3 /d" /var/tmp/ovs-ports; test -z "$5" || { test "$6" = sw0 || exit 1; shift 6; echo "$@" >> /var/tmp/ovs-ports; };;
  *) exit 9;;
esac
"""


@pytest.fixture(scope="module", autouse=True)
def second_bridge(cluster):
    cluster.ok("ip link add br1 type bridge && ip link set br1 up")


@pytest.fixture(autouse=True)
def clean(cluster):
    yield
    if cluster.run("gnt-instance list --no-headers vm1").returncode == 0:
        cluster.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    cluster.ok("rm -rf /etc/ganeti/network /etc/ganeti/kvm-* /usr/bin/ovs-vsctl /var/tmp/*.env /var/tmp/scripts /var/tmp/ovs*")
    assert "tap" not in cluster.ok("ip -br link")


def script(cluster, path, content=SCRIPT):
    cluster.ok(f"mkdir -p $(dirname {path})")
    cluster.write(path, content.encode())
    cluster.ok(f"chmod 755 {path}")


def environment(cluster, action):
    return dict(line.split("=", 1) for line in cluster.ok(f"cat /var/tmp/{action}.env").splitlines())


def tap(cluster, index=0):
    return cluster.ok(f"cat /var/run/ganeti/kvm-hypervisor/nic/vm1/{index}").strip()


def bridge_of(cluster, index=0):
    found = re.search(r"master (\S+)", cluster.ok(f"ip -o link show {tap(cluster, index)}"))
    return found.group(1) if found else None


def params(cluster):
    return cluster.ok("gnt-instance list --no-headers --separator=: -o nic.mode/0,nic.link/0,nic.vlan/0,nic.ip/0 vm1").strip()


def chains(cluster):
    listed = json.loads(cluster.ok("nft -j list ruleset"))["nftables"]
    return {one["chain"]["name"] for one in listed if "chain" in one}


# --- Scripts


def test_O12_the_older_script_is_told_all_and_does_all(cluster):
    script(cluster, "/etc/ganeti/kvm-vif-bridge", SCRIPT + "ip link set $INTERFACE up master br1\n")
    script(cluster, "/etc/ganeti/kvm-ifdown-custom")
    cluster.ok(f"{ADD} {TAGS} --net 0:link=br0,ip=192.0.2.50,name=lan vm1")
    name, mac, uuid = tap(cluster), *cluster.ok("gnt-instance list --no-headers -o nic.mac/0,nic.uuid/0 vm1").split()
    wanted = {"INSTANCE": "vm1", "MAC": mac, "IP": "192.0.2.50", "MODE": "bridged", "INTERFACE": name, "INTERFACE_INDEX": "0", "INTERFACE_UUID": uuid,
              "INTERFACE_NAME": "lan", "LINK": "br0", "BRIDGE": "br0", "VLAN": "", "TAGS": "blue owner:joe", "ACTION": "up",
              "PATH": "/sbin:/bin:/usr/sbin:/usr/bin"}
    said = environment(cluster, "up")
    assert {key: said.get(key) for key in wanted} == wanted and not {key for key in said if key.startswith("NETWORK_")}
    # What the script did is all that was done.
    assert bridge_of(cluster) == "br1"
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    said = environment(cluster, "down")
    assert {key: said.get(key) for key in wanted} == wanted | {"ACTION": "down"}


def test_O12_a_script_is_told_of_the_network(cluster):
    script(cluster, "/etc/ganeti/kvm-vif-bridge", SCRIPT + "ip link set $INTERFACE up master br1\n")
    cluster.ok("gnt-network add --network=198.51.100.0/28 --tags=blue lan && gnt-network connect -N link=br0 lan")
    cluster.ok(f"{ADD} --net 0:network=lan,ip=pool vm1")
    uuid = cluster.ok("gnt-network list --no-headers -o uuid lan").strip()
    told = {key: value for key, value in environment(cluster, "up").items() if key.startswith("NETWORK_") or key == "IP"}
    assert told == {"IP": "198.51.100.1", "NETWORK_NAME": "lan", "NETWORK_UUID": uuid, "NETWORK_TAGS": "blue", "NETWORK_SUBNET": "198.51.100.0/28"}
    cluster.ok("gnt-instance modify --net 0:modify,network=none,ip=none vm1; gnt-network disconnect lan; gnt-network remove lan")
    assert params(cluster).endswith(":-")


def test_O12_the_script_of_the_mode_goes_first(cluster):
    for path in ("/etc/ganeti/kvm-vif-bridge", "/etc/ganeti/network/bridged/up", "/etc/ganeti/network/bridged/down"):
        script(cluster, path)
    cluster.ok(f"{ADD} --net 0:link=br0 vm1")
    cluster.ok("gnt-instance modify --net 0:link=br1 vm1")
    assert environment(cluster, "down")["LINK"] == "br0" and environment(cluster, "up")["LINK"] == "br1"
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    ups = "/etc/ganeti/network/bridged/up up\n/etc/ganeti/network/bridged/down down\n"
    assert cluster.ok("cat /var/tmp/scripts") == ups + ups


def test_a_script_that_fails_is_named_with_what_it_said(cluster):
    script(cluster, "/etc/ganeti/network/bridged/up", "#!/bin/sh\necho no such firewall zone\nexit 7\n")
    said = cluster.refused(f"{ADD} --net 0:link=br0 vm1")
    assert re.search(r"Failed to configure interface tap\d+: /etc/ganeti/network/bridged/up exited with exit code 7; "
                     r"network configuration script output: no such firewall zone", said)
    assert not cluster.pids("qemu-system-x86_64")


def test_a_change_that_a_script_refuses_is_undone(cluster):
    cluster.ok(f"{ADD} --net 0:link=br0 vm1")
    script(cluster, "/etc/ganeti/network/bridged/up", "#!/bin/sh\ntest $LINK = br0 || exit 3\nip link set $INTERFACE up master br0\n")
    assert "exited with exit code 3" in cluster.refused("gnt-instance modify --net 0:link=br1 vm1")
    assert bridge_of(cluster) == "br0" and params(cluster) == "bridged:br0::-"


def test_mode_ext_is_its_script(cluster):
    said = cluster.refused(f"{ADD} --net 0:mode=ext,link=overlay7,vlan=9 vm1")
    assert "No up script for network type ext found" in said and "/etc/ganeti/network/ext/up" in said
    script(cluster, "/etc/ganeti/network/ext/up")
    cluster.ok(f"{ADD} --net 0:mode=ext,link=overlay7,vlan=9 vm1")
    said = environment(cluster, "up")
    assert (said["MODE"], said["LINK"], said["VLAN"]) == ("ext", "overlay7", ".9") and "BRIDGE" not in said


# --- Modes and VLANs


def test_O12_a_nic_is_routed_and_bridged_again_while_the_machine_runs(cluster):
    cluster.ok(f"{ADD} --net 0:link=br0 vm1")
    name = tap(cluster)
    cluster.ok("gnt-instance modify --net 0:mode=routed,ip=198.51.100.7,link=77 vm1")
    assert bridge_of(cluster) is None
    assert f"198.51.100.7 dev {name}" in cluster.ok("ip route show table 77")
    assert f"iif {name} lookup 77" in cluster.ok("ip rule")
    assert cluster.ok(f"cat /proc/sys/net/ipv4/conf/{name}/proxy_arp") == "1\n"
    cluster.ok("gnt-instance modify --net 0:mode=bridged,link=br1,ip=none vm1")
    assert bridge_of(cluster) == "br1" and name not in cluster.ok("ip -4 rule; ip -4 route show table all")
    assert f"{name} " in cluster.ok("ip -br link show up")


def test_O12_openvswitch(cluster):
    add = f"{ADD} --net 0:mode=openvswitch,link=sw0,vlan=.4:5:6 vm1"
    assert "ovs-vsctl: command not found; install the package openvswitch-switch" in cluster.refused(add)
    script(cluster, "/usr/bin/ovs-vsctl", FAKE_OVS)
    cluster.ok("touch /var/tmp/ovs-ports")
    assert "Open vSwitch bridge 'sw7' does not exist on this node; create it (ovs-vsctl add-br sw7)" in cluster.refused(add.replace("sw0", "sw7"))
    cluster.ok(add)
    name = tap(cluster)
    assert cluster.ok("cat /var/tmp/ovs-ports") == f"sw0 {name} tag=4 trunks=5,6 vlan_mode=native-untagged\n".replace("sw0 ", "")
    assert params(cluster) == "openvswitch:sw0:.4:5:6:-"
    assert "vlan: .4:5:6" in cluster.ok("gnt-instance info vm1")
    cluster.ok("gnt-instance modify --net 0:vlan=7 vm1")
    assert cluster.ok("cat /var/tmp/ovs-ports") == f"{name} tag=7\n" and params(cluster) == "openvswitch:sw0:.7:-"
    assert "sw7" in cluster.refused("gnt-instance modify --net 0:link=sw7 vm1")
    assert cluster.ok("cat /var/tmp/ovs-ports") == f"{name} tag=7\n"
    cluster.ok("gnt-cluster verify")
    cluster.ok("mv /usr/bin/ovs-vsctl /usr/bin/ovs")
    assert "install the package openvswitch-switch" in cluster.run("gnt-cluster verify").stdout
    cluster.ok("mv /usr/bin/ovs /usr/bin/ovs-vsctl")
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    assert cluster.ok("cat /var/tmp/ovs-ports") == ""


@pytest.mark.parametrize("wish, words", [
    ("vlan=5", "A NIC is configured for VLAN support, but bridge br0 has VLAN filtering disabled; turn it on (ip link set br0 type bridge vlan_filtering 1)"),
    ("vlan=bunny", "Specified VLAN parameter is invalid : bunny; VLANs are numbers from 1 to 4094"),
    ("vlan=:5:5", "Specified VLAN parameter is invalid : :5:5"),
    ("vlan=.4095", "Specified VLAN parameter is invalid : .4095"),
    ("mode=tunnelled", "Invalid NIC mode 'tunnelled'"),
    ("mode=openvswitch,link=sw0", "ovs-vsctl: command not found; install the package openvswitch-switch"),
    ("mode=routed", "on a routed NIC"),
    ("mode=routed,ip=192.0.2.50,vlan=5", "a routed NIC has no VLAN"),
    ("link=", "Missing bridged NIC link"),
    ("ip=192.0.2.300", "Invalid IP address '192.0.2.300'"),
    ("antispoof=perhaps", "'antispoof' (value perhaps) is not a valid boolean"),
])
def test_mistakes_change_nothing(cluster, wish, words):
    cluster.ok(f"{ADD} --net 0:link=br0 vm1")
    before = cluster.ok(f"ip -o link show {tap(cluster)}")
    assert words in cluster.refused(f"gnt-instance modify --net 0:{wish} vm1")
    assert params(cluster) == "bridged:br0::-" and cluster.ok(f"ip -o link show {tap(cluster)}") == before


def test_a_bridge_that_does_not_filter_is_told_before_a_creation_and_a_start(cluster):
    said = cluster.refused(f"{ADD} --net 0:link=br0,vlan=:5:6 vm1")
    assert "br0 has VLAN filtering disabled" in said
    cluster.ok(f"{ADD} --no-start --net 0:link=br0 vm1")
    # Of one that does not run, too.
    assert "br0 has VLAN filtering disabled" in cluster.refused("gnt-instance modify --net 0:vlan=5 vm1")


def test_cluster_defaults_must_fit_what_is_there(cluster):
    cluster.ok(f"{ADD} --no-start --net 0:link=br0 vm1")
    assert "Instance vm1, nic/0: routed NIC with no ip address" in cluster.refused("gnt-cluster modify --nic-parameters mode=routed")
    assert "Specified VLAN parameter is invalid" in cluster.refused("gnt-cluster modify --nic-parameters vlan=x")


# --- Anti-spoofing


@pytest.fixture
def needs_nft(cluster):
    if cluster.run("nft list ruleset").returncode != 0:
        pytest.skip("this machine has no nftables")


def test_O12_antispoof_is_one_switch(cluster, needs_nft):
    cluster.ok(f"{ADD} --net 0:link=br0,ip=192.0.2.50,antispoof=yes vm1")
    name = tap(cluster)
    assert chains(cluster) == {name}
    mac = cluster.ok("gnt-instance list --no-headers -o nic.mac/0 vm1").strip()
    rules = cluster.ok("nft list ruleset")
    assert f"ether saddr != {mac} drop" in rules and "ip saddr 192.0.2.50 accept" in rules and "NIC 0 of vm1" in rules
    assert "antispoof: yes" in cluster.ok("gnt-instance info vm1")
    # It goes with the NIC's address, and with what it is connected to.
    cluster.ok("gnt-instance modify --net 0:ip=192.0.2.51,link=br1 vm1")
    assert "ip saddr 192.0.2.51 accept" in cluster.ok("nft list ruleset")
    cluster.ok("gnt-instance modify --net 0:mode=routed,link= vm1")
    assert chains(cluster) == {name}
    assert "nic.antispoof/0 -> no" in cluster.ok("gnt-instance modify --net 0:antispoof=no vm1")
    assert chains(cluster) == set()
    assert "antispoof" not in cluster.ok("gnt-instance info vm1")
    cluster.ok("gnt-instance modify --net 0:antispoof=yes --no-hotplug vm1")
    assert chains(cluster) == set() and "nic/0/antispoof: false now, true after the next start" in cluster.ok("gnt-instance info vm1")
    cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
    assert chains(cluster) == {tap(cluster)}
    cluster.ok("gnt-instance stop --timeout=0 vm1")
    assert chains(cluster) == set()


def test_antispoof_as_the_clusters_default(cluster, needs_nft):
    assert "antispoof" not in cluster.ok("gnt-cluster info")
    cluster.ok("gnt-cluster modify --nic-parameters antispoof=yes")
    try:
        assert "antispoof" in cluster.ok("gnt-cluster info")
        cluster.ok(f"{ADD} --net 0:link=br0 --net 1:link=br0,antispoof=no vm1")
        assert chains(cluster) == {tap(cluster)}
    finally:
        cluster.ok("gnt-cluster modify --nic-parameters antispoof=default")


def test_rules_that_somebody_flushes_come_back(cluster, needs_nft):
    cluster.ok(f"{ADD} --net 0:link=br0,antispoof=yes vm1")
    before = cluster.ok("nft list ruleset")
    cluster.ok("nft flush ruleset")
    cluster.wait_until("nft list ruleset | grep -q NIC.0.of.vm1")
    assert cluster.ok("nft list ruleset") == before
    # Also those of a guest that the node daemon didn't start, and where they can't come back, it is told.
    cluster.kill("flotte-noded")
    cluster.ok("mv /usr/sbin/nft /usr/sbin/nft.away && /usr/sbin/nft.away flush ruleset")
    cluster.ok("flotte daemons start")
    try:
        cluster.wait_until("gnt-instance list --no-headers -o status vm1 | grep -q running")
        said = cluster.run("gnt-cluster verify").stdout
        assert f"the anti-spoofing rules of {tap(cluster)} are gone" in said and "install the package nftables" in said
        assert "install the package nftables" in cluster.refused("gnt-instance modify --net add:link=br0,antispoof=yes vm1")
    finally:
        cluster.ok("mv /usr/sbin/nft.away /usr/sbin/nft")
    cluster.wait_until("nft list ruleset | grep -q NIC.0.of.vm1")
    cluster.ok("gnt-cluster verify")


def test_a_mask_takes_the_clusters_address_with_it(cluster):
    cluster.ok("gnt-cluster modify --master-netmask=24")
    assert "192.0.2.9/24" in cluster.ok("ip -4 -o address show br0")
    cluster.ok("gnt-cluster modify --master-netmask=32")
    assert "192.0.2.9/32" in cluster.ok("ip -4 -o address show br0")
