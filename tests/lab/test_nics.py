"""NICs between real guests (O12): VLANs of bridges that filter, Open vSwitch, and what a guest may not send."""
import contextlib
import json

from probe_guest import Guest

ADD = "gnt-instance add -o probe -t plain --disk 0:size=1G,vg=vms -B memory=128M --no-name-check --no-ip-check"


class Talker(Guest):
    """A guest that has an address, and is asked whether it reaches another one."""

    def shell(self, command):
        self.say(f"sh {command}")
        return self.expect("exit")["code"]

    def has_address(self, address):
        self.wait_until_ready()
        assert self.shell(f"ip link set eth0 up && ip address add {address}/24 dev eth0") == 0

    def reaches(self, address, options=""):
        # The first packet may get lost while a switch learns.
        return self.shell(f"ping -q -c 3 -i 1 -W 2 {options} {address}") == 0


@contextlib.contextmanager
def two_guests(node, first, second):
    node.ok(f"{ADD} --net=0:{first} vm1", timeout=120)
    node.ok(f"{ADD} --net=0:{second} vm2", timeout=120)
    with Talker(node, "vm1") as one, Talker(node, "vm2") as two:
        one.has_address("198.51.100.1")
        two.has_address("198.51.100.2")
        yield one, two


def tap(node, name):
    return node.ok(f"cat /var/run/ganeti/kvm-hypervisor/nic/{name}/0").strip()


def vlans(node, port):
    """{VLAN: flags} of a bridge's port."""
    [shown] = json.loads(node.ok(f"bridge -j vlan show dev {port}"))
    return {one["vlan"]: set(one.get("flags", [])) for one in shown["vlans"]}


def test_O12_vlans_on_a_bridge_that_filters(node):
    # An uplink that carries VLAN 1 as the administrator wished.
    node.ok("ip link add br-vlan type bridge vlan_filtering 1 && ip link add up0 type veth peer name up1 && ip link set up0 master br-vlan")
    node.ok("for name in br-vlan up0 up1; do ip link set $name up; done")
    node.ok("ip link add link up1 name up1.5 type vlan id 5 && ip address add 198.51.100.9/24 dev up1.5 && ip link set up1.5 up")
    with two_guests(node, "link=br-vlan,vlan=5", "link=br-vlan,vlan=.5") as (one, two):
        assert vlans(node, tap(node, "vm1")) == {5: {"PVID", "Egress Untagged"}}
        assert vlans(node, "up0") == {1: {"PVID", "Egress Untagged"}, 5: set()}
        assert one.reaches("198.51.100.2")
        # Tagged on the uplink.
        assert node.run("ping -q -c 3 -W 2 198.51.100.1").returncode == 0
        before = tap(node, "vm2")
        node.ok("gnt-instance modify --net 0:vlan=6 vm2")
        assert tap(node, "vm2") == before and vlans(node, before) == {6: {"PVID", "Egress Untagged"}}
        assert not one.reaches("198.51.100.2") and not two.reaches("198.51.100.1")
        assert node.ok("gnt-instance list --no-headers -o nic.vlan/0 vm2") == ".6\n"
        # Both of them, on the machine as it runs and in its description.
        node.ok("gnt-instance modify --net 0:vlan=.5:6:7 vm2")
        assert vlans(node, before) == {5: {"PVID", "Egress Untagged"}, 6: set(), 7: set()}
        assert one.reaches("198.51.100.2")
        node.ok("gnt-instance modify --net 0:vlan=:6:7 vm2")
        assert vlans(node, before) == {6: set(), 7: set()}
        assert not one.reaches("198.51.100.2")
        node.ok("gnt-instance modify --net 0:vlan=none vm2")
        assert vlans(node, before) == {1: {"PVID", "Egress Untagged"}}
        # Refused before anything changes: a bridge that doesn't filter, and a VLAN that its uplink takes away.
        said = node.refused("gnt-instance modify --net 0:link=br-foo,vlan=5 vm2")
        assert "bridge br-foo has VLAN filtering disabled; turn it on (ip link set br-foo type bridge vlan_filtering 1)" in said
        node.ok("ip link add link up0 name up0.8 type vlan id 8")
        assert "VLAN 8 is in use by interface up0.8" in node.refused("gnt-instance modify --net 0:vlan=8 vm2")
        assert vlans(node, before) == {1: {"PVID", "Egress Untagged"}}
        node.ok("gnt-cluster verify")
        node.ok("ip link set br-vlan type bridge vlan_filtering 0")
        assert "bridge br-vlan has VLAN filtering disabled" in node.run("gnt-cluster verify").stdout
        assert "bridge br-vlan has VLAN filtering disabled" in node.refused("gnt-instance reboot vm1")
        one.wait_until_ready()


def test_O12_open_vswitch(node):
    assert "Open vSwitch does not answer" in node.refused(f"{ADD} --net=0:mode=openvswitch,link=sw0 vm1")
    node.ok("systemctl start openvswitch-switch", timeout=180)
    assert "create it (ovs-vsctl add-br sw0)" in node.refused(f"{ADD} --net=0:mode=openvswitch,link=sw0 vm1")
    node.ok("ovs-vsctl add-br sw0 && ip link set sw0 up")
    with two_guests(node, "mode=openvswitch,link=sw0,vlan=5", "mode=openvswitch,link=sw0,vlan=5,antispoof=yes,ip=198.51.100.2") as (one, two):
        first, second = tap(node, "vm1"), tap(node, "vm2")
        assert set(node.ok("ovs-vsctl list-ports sw0").split()) == {first, second}
        assert one.reaches("198.51.100.2")
        assert two.shell("ip address add 198.51.100.77/24 dev eth0") == 0 and not two.reaches("198.51.100.1", "-I 198.51.100.77")
        node.ok("gnt-instance modify --net 0:vlan=.6:5 vm2")
        assert node.ok(f"ovs-vsctl get port {second} tag trunks vlan_mode").split() == ["6", "[5]", "native-untagged"]
        assert not one.reaches("198.51.100.2")
        # From the switch to a bridge and back, while they run.
        for name in ("vm1", "vm2"):
            node.ok(f"gnt-instance modify --net 0:mode=bridged,link=br-foo,vlan= {name}")
        assert node.ok("ovs-vsctl list-ports sw0") == ""
        assert one.reaches("198.51.100.2")
        node.ok("gnt-instance modify --net 0:mode=openvswitch,link=sw0 vm1")
        assert node.ok("ovs-vsctl list-ports sw0").split() == [first]
    node.ok("gnt-cluster verify")
    # Of a guest that the kernel kills the switch keeps the port; whoever gets a tap of its name isn't on the switch.
    node.ok("gnt-cluster watcher pause 1h && pkill -9 -f 'kvm -name vm1'")
    node.wait_until(f"! test -e /sys/class/net/{first}")
    node.ok("gnt-instance modify --net add:link=br-foo vm2")
    assert node.ok("cat /var/run/ganeti/kvm-hypervisor/nic/vm2/1").strip() == first
    assert "master br-foo" in node.ok(f"ip -o link show {first}") and node.ok("ovs-vsctl list-ports sw0") == ""
    # And the dead one, when it starts again, leaves that tap alone.
    node.ok("gnt-instance start vm1")
    assert "master br-foo" in node.ok(f"ip -o link show {first}")
    assert node.ok("ovs-vsctl list-ports sw0").split() == [tap(node, "vm1")]
    node.ok("gnt-instance stop --timeout=0 vm1")
    assert node.ok("ovs-vsctl list-ports sw0") == ""


def test_O12_what_a_guest_may_not_send(node):
    with two_guests(node, "link=br-foo,ip=198.51.100.1", "link=br-foo") as (one, two):
        mac = node.ok("gnt-instance list --no-headers -o nic.mac/0 vm1").strip()
        assert one.shell("ip address add 198.51.100.77/24 dev eth0") == 0

        def becomes(address):
            assert one.shell(f"ip link set eth0 down && ip link set eth0 address {address} && ip link set eth0 up") == 0

        def spoofs():
            """Whether it gets through with another's address, and with another's MAC."""
            answers = one.reaches("198.51.100.2", "-I 198.51.100.77")
            becomes("aa:00:00:99:99:99")
            answers_as_another = one.reaches("198.51.100.2")
            becomes(mac)
            return answers, answers_as_another

        assert one.reaches("198.51.100.2") and spoofs() == (True, True)
        node.ok("gnt-instance modify --net 0:antispoof=yes vm1")
        assert one.reaches("198.51.100.2") and two.reaches("198.51.100.1") and spoofs() == (False, False)
        # The other one's neighbours are who they are.
        assert two.shell("ip neighbour | grep -q aa:00:00:99:99:99.*REACHABLE") != 0
        # A new firewall has been loaded, and the node daemon has been started again: the rules come back.
        node.ok("nft flush ruleset; systemctl restart flotte-noded")
        node.wait_until("nft list ruleset | grep -q NIC.0.of.vm1")
        assert one.reaches("198.51.100.2") and spoofs() == (False, False)
        node.ok("gnt-cluster verify")
        node.ok("gnt-instance modify --net 0:antispoof=no vm1")
        assert spoofs() == (True, True)
        # Of a machine that is dead nothing stays that could catch the next one.
        node.ok("gnt-instance modify --net 0:antispoof=yes vm1 && gnt-instance remove -f --shutdown-timeout=0 vm1")
        assert "chain" not in node.ok("nft list ruleset")
