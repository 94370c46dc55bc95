"""Networks as they are typed: gnt-network, and what of it is seen in lists of instances."""
import json
import re

import pytest

ADD = "gnt-instance add --no-start -o noop -H fake -t diskless -n node1.lab.test"
LAN = "gnt-network add --network=198.51.100.0/28 --gateway=198.51.100.1 lan"
FIELDS = ("ctime external_reservations free_count gateway gateway6 group_cnt group_list inst_cnt inst_list mac_prefix map mtime name network network6 "
          "reserved_count serial_no tags uuid").split()


@pytest.fixture(autouse=True)
def no_networks_afterwards(cluster):
    yield
    cluster.ok("gnt-instance list --no-headers -o name | xargs -r -n1 gnt-instance remove -f")
    cluster.ok("gnt-network list --no-headers -o name | while read name; do gnt-network disconnect $name && gnt-network remove $name; done")
    cluster.ok("gnt-group list --no-headers -o name | grep -vx default | xargs -r -n1 gnt-group remove")


def field(cluster, name, fields):
    return cluster.ok(f"gnt-network list --no-headers --separator='|' -o {fields} {name}").rstrip("\n")


def test_a_network_comes_and_goes(cluster):
    assert cluster.ok("gnt-network list") == "Network Subnet Gateway MacPrefix GroupList Tags\n"
    assert cluster.ok("gnt-network info") == ""
    cluster.ok(f"{LAN} && gnt-network add --network=203.0.113.0/30 --mac-prefix=AA:00:01 --network6=2001:db8::/64 --gateway6=2001:db8::1 --tags=a,b dmz")
    assert cluster.ok("gnt-network list") == ("Network Subnet          Gateway      MacPrefix GroupList Tags\n"
                                              "dmz     203.0.113.0/30  -            aa:00:01            a,b\n"
                                              "lan     198.51.100.0/28 198.51.100.1 -                   \n")
    assert field(cluster, "dmz lan", "network6,gateway6") == "2001:db8::/64|2001:db8::1\n-|-"
    uuid = field(cluster, "lan", "uuid")
    assert cluster.refused(f"{LAN}").endswith(f"Desired network name 'lan' already exists as a network (UUID: {uuid})\n")
    cluster.ok("gnt-network rename lan office")
    assert field(cluster, uuid, "name") == "office"
    assert f"Desired new name 'dmz' clashes with existing network (UUID: {field(cluster, 'dmz', 'uuid')})" in cluster.refused("gnt-network rename office dmz")
    cluster.ok("gnt-network remove --dry-run dmz && gnt-network remove dmz && gnt-network remove -f office")
    assert "Network name dmz not found" in cluster.refused("gnt-network list dmz")
    assert "Network 'dmz' not found" in cluster.refused("gnt-network remove dmz")


def test_info(cluster):
    cluster.ok("gnt-network add --network=198.51.100.0/25 --gateway=198.51.100.1 --add-reserved-ips=198.51.100.5,198.51.100.66,198.51.100.67 lan")
    cluster.ok("gnt-group add rack1; gnt-network connect -N mode=routed,link=42,vlan= lan rack1; gnt-network connect -N link=br0 lan default")
    cluster.ok(f"{ADD} --net 0:link=br0 --net 1:network=lan,ip=pool --net 2:network=lan,ip=198.51.100.9 web10.lab.test; {ADD} --net 0:network=lan,ip=pool web2.lab.test")
    uuid, serial = field(cluster, "lan", "uuid,serial_no").split("|")
    assert cluster.ok("gnt-network info") == f"""\
Network name: lan
UUID: {uuid}
Serial number: {serial}
  Subnet: 198.51.100.0/25
  Gateway: 198.51.100.1
  IPv6 Subnet: None
  IPv6 Gateway: None
  Mac Prefix: None
  Size: 128
  Free: 119 (92.97%)
  Usage map:
        0 XXXX.X...X...................................................... 63
       64 ..XX...........................................................X 127
         (X) used    (.) free
  externally reserved IPs:
    198.51.100.0, 198.51.100.1, 198.51.100.5, 198.51.100.66,
    198.51.100.67, 198.51.100.127
  connected to node groups:
    default (mode:bridged link:br0 vlan:)
    rack1 (mode:routed link:42 vlan:)
  used by 2 instances:
    web2.lab.test: 0:198.51.100.3
    web10.lab.test: 1:198.51.100.2, 2:198.51.100.9
"""
    assert field(cluster, "", "free_count,reserved_count,group_cnt,inst_cnt,inst_list") == "119|9|2|2|web2.lab.test,web10.lab.test"
    assert field(cluster, "lan", "group_list") == "default (bridged, br0, ), rack1 (routed, 42, )"
    [told] = json.loads(cluster.ok("gnt-network info --json lan"))
    assert (told["free_count"], told["gateway6"], told["group_list"][1]) == (119, None, ["rack1", "routed", "42", ""])
    info = cluster.ok("gnt-instance info web10")
    assert re.findall("network: (.*)", info) == ["None", "lan", "lan"]
    assert cluster.ok("gnt-instance list --no-headers --separator='|' -o nic.network.name/1,nic.mode/1,nic.link/1,nic.networks.names web10") == "lan|bridged|br0|[None, 'lan', 'lan']\n"
    assert "198.51.100.9" not in cluster.ok("gnt-instance remove -f web10.lab.test && gnt-network info lan")


def test_many_at_the_same_time_get_one_each_until_there_are_none(cluster):
    cluster.ok(f"{LAN}; gnt-network connect -N link=br0 lan")
    jobs = cluster.ok(f"for i in $(seq 14); do {ADD} --submit --net 0:network=lan,ip=pool vm$i.lab.test 2>&1; done").split()[1::2]
    for job in jobs:
        cluster.run(f"gnt-job wait {job}")
    addresses = cluster.ok("gnt-instance list --no-headers -o nic.ips").split()
    assert sorted(addresses, key=lambda text: int(text.rsplit(".", 1)[1])) == [f"198.51.100.{i}" for i in range(2, 15)]
    assert cluster.ok(f"gnt-job list --no-headers -o status {' '.join(jobs)}").split().count("error") == 1
    assert "Unable to get a free IP for NIC 0 from the address pool" in cluster.refused(f"{ADD} --net 0:network=lan,ip=pool one.lab.test")


def test_addresses_by_hand_and_of_the_pool_go_together(cluster):
    cluster.ok(f"{LAN}; gnt-network connect -N link=br0 lan")
    cluster.ok(f"{ADD} --net 0:network=lan,ip=pool --net 1:network=lan,ip=198.51.100.2 --net 2:network=lan,ip=POOL vm1.lab.test")
    assert cluster.ok("gnt-instance list --no-headers -o nic.ips vm1") == "198.51.100.3,198.51.100.2,198.51.100.4\n"
    cluster.ok("gnt-instance modify --net 1:ip=198.51.100.5 --net add:network=lan,ip=pool vm1")
    assert cluster.ok("gnt-instance list --no-headers -o nic.ips vm1") == "198.51.100.3,198.51.100.5,198.51.100.4,198.51.100.6\n"
    cluster.ok("gnt-group add rack1")
    assert "'gnt-network connect lan rack1' connects it" in cluster.refused("gnt-group assign-nodes rack1 node1.lab.test")


def test_routed_networks_have_pools_too(cluster):
    cluster.ok(f"{LAN}; gnt-network connect -N mode=routed,link=100 lan")
    cluster.ok(f"{ADD} --net 0:network=lan,ip=pool vm1.lab.test; {ADD} --net 0:network=lan vm2.lab.test")
    assert cluster.ok("gnt-instance list --no-headers --separator='|' -o nic.ips,nic.modes,nic.links").splitlines() == ["198.51.100.2|routed|100", "None|routed|100"]


def test_scripts_and_hooks_are_told_of_the_network(cluster):
    hook = b"#!/bin/sh\nenv | grep NETWORK >> /srv/told\n"
    for directory in ("network-add-post.d", "network-connect-pre.d", "instance-add-pre.d"):
        cluster.ok(f"mkdir -p /etc/ganeti/hooks/{directory}")
        cluster.write(f"/etc/ganeti/hooks/{directory}/tell", hook)
    cluster.ok(r"""os=/usr/share/ganeti/os; cp -r $os/noop $os/net-envs; printf '#!/bin/sh\nenv | grep NETWORK > /srv/env\n' > $os/net-envs/create
                   chmod +x $os/net-envs/create /etc/ganeti/hooks/*/tell""")
    cluster.ok(f"{LAN} && gnt-network connect -N link=br0 lan")
    told = cluster.ok("cat /srv/told; rm /srv/told")
    assert "GANETI_NETWORK_SUBNET=198.51.100.0/28\n" in told and "GANETI_GROUP_NETWORK_LINK=br0\n" in told
    cluster.ok(f"{ADD.replace('noop', 'net-envs').replace('diskless', 'file -s 64M')} --net 0:network=lan,ip=pool vm1.lab.test")
    uuid = field(cluster, "lan", "uuid")
    names = {"NAME": "lan", "UUID": uuid, "TAGS": "", "SUBNET": "198.51.100.0/28", "GATEWAY": "198.51.100.1"}
    assert sorted(cluster.ok("cat /srv/env").splitlines()) == sorted(f"NIC_0_NETWORK_{name}={value}" for name, value in names.items())
    told = cluster.ok("cat /srv/told")
    assert all(f"GANETI_INSTANCE_NIC0_NETWORK_{name}={value}\n" in told for name, value in names.items())
    cluster.ok("rm -r /etc/ganeti/hooks/*/tell /srv/env /srv/told /usr/share/ganeti/os/net-envs")


def test_fields(cluster):
    listed = cluster.ok("gnt-network list-fields --no-headers --separator='|'").splitlines()
    assert [line.split("|")[0] for line in listed] == FIELDS
    assert "map|Text|Map|Actual mapping" in listed and "group_list|Custom|GroupList|List of nodegroups (group name, NIC mode, NIC link)" in listed
    cluster.ok(LAN)
    rows = json.loads(cluster.ok(f"gnt-network list --json -o {','.join(FIELDS)}"))
    assert list(rows[0]) == FIELDS and rows[0]["map"] == "XX.............X" and rows[0]["mac_prefix"] is None
    done = cluster.run("gnt-network list -o name,nosuch")
    assert (done.returncode, done.stdout, done.stderr) == (14, "Network nosuch\nlan     ??\n", "Warning: Queried for unknown fields nosuch\n")
    assert cluster.ok("GNT_NETWORK_LIST='--no-headers -o name' gnt-network list") == "lan\n"
    assert cluster.ok("gnt-network list --no-headers -o name 'l*'; gnt-network list --no-headers -o name '(name == \"dmz\")'") == "lan\n"


def test_what_is_modified(cluster):
    cluster.ok(LAN)
    cluster.ok("gnt-network modify --add-reserved-ips=198.51.100.3,198.51.100.4 lan")
    assert field(cluster, "lan", "external_reservations,reserved_count") == "198.51.100.0, 198.51.100.1, 198.51.100.3, 198.51.100.4, 198.51.100.15|5"
    cluster.ok("gnt-network modify --remove-reserved-ips=198.51.100.3 lan; gnt-network modify --gateway=198.51.100.14 --mac-prefix=aa:00:02 lan")
    assert field(cluster, "lan", "gateway,mac_prefix,map") == "198.51.100.14|aa:00:02|X...X.........XX"
    cluster.ok("gnt-network modify --gateway=none --mac-prefix=none --network6=2001:db8::/64 lan; gnt-network modify --dry-run --network6=none lan")
    assert field(cluster, "lan", "gateway,mac_prefix,network6,map") == "-|-|2001:db8::/64|X...X..........X"
    # An empty list changes nothing, but is given.
    cluster.ok("gnt-network modify --add-reserved-ips= lan")
    for option, warns in (("--add-reserved-ips=198.51.100.4", "Cannot reserve IP address 198.51.100.4: IP 198.51.100.4 is already externally reserved"),
                          ("--remove-reserved-ips=198.51.100.5", "Cannot release IP address 198.51.100.5: IP 198.51.100.5 is not externally reserved"),
                          ("--gateway=none", "Gateway is already None")):
        assert f"WARNING: {warns}" in cluster.ok(f"gnt-network modify {option} lan")


def test_groups_are_connected_one_by_one(cluster):
    cluster.ok(f"{LAN}; gnt-group add rack1")
    before = int(cluster.ok("gnt-job list --no-headers -o id | tail -n1"))
    assert cluster.ok("gnt-network connect lan") == ""
    assert cluster.ok("gnt-job list --no-headers -o summary | tail -n2") == "NETWORK_CONNECT(lan)\n" * 2
    assert int(cluster.ok("gnt-job list --no-headers -o id | tail -n1")) == before + 2
    # Ganeti's own defaults, not the cluster's.
    assert field(cluster, "lan", "group_list") == "default (bridged, xen-br0, ), rack1 (bridged, xen-br0, )"
    assert "WARNING: Network 'lan' is already mapped to group 'rack1'" in cluster.ok("gnt-network connect -N link=br0 lan rack1")
    assert re.search(r"Network still connected.*default, rack1", cluster.refused("gnt-network remove lan"))
    cluster.ok("gnt-network disconnect lan rack1; gnt-network connect -N mode=openvswitch,link=sw0,vlan=.7 lan rack1; gnt-network disconnect lan default")
    assert field(cluster, "lan", "group_cnt,group_list") == "1|rack1 (openvswitch, sw0, .7)"
    assert "WARNING: Network 'lan' is not mapped to group 'default'" in cluster.ok("gnt-network disconnect lan")
    assert field(cluster, "lan", "group_cnt") == "0"


def test_one_in_use_stays_connected(cluster):
    cluster.ok(f"{LAN}; {ADD} --net 0:link=br0,ip=198.51.100.7 was.lab.test")
    assert "was.lab.test: nic0/198.51.100.7" in cluster.refused("gnt-network connect -N link=br0 lan")
    cluster.ok("gnt-network connect --no-conflicts-check -N link=br0 lan; gnt-instance remove -f was.lab.test")
    cluster.ok(f"{ADD} --net 0:network=lan,ip=pool new.lab.test")
    assert "new.lab.test: nic0/198.51.100.2" in cluster.refused("gnt-network disconnect lan")


def test_addresses_of_nodes_are_reserved(cluster):
    said = cluster.ok("gnt-network add --network=192.0.2.0/24 nodes")
    assert "Reserved IP address of node 'node1.lab.test' (192.0.2.1)" in said
    assert field(cluster, "nodes", "external_reservations").startswith("192.0.2.0, 192.0.2.1")
    cluster.ok("gnt-network add --no-conflicts-check --network=192.0.2.0/24 bare")
    assert field(cluster, "bare", "external_reservations") == "192.0.2.0, 192.0.2.255"


def test_tags_of_networks(cluster):
    cluster.ok(f"{LAN}; gnt-network add-tags lan east wing; printf 'south\\n' | gnt-network add-tags --from - lan")
    assert cluster.ok("gnt-network list-tags lan") == "east\nsouth\nwing\n"
    assert field(cluster, "lan", "tags") == "east,south,wing"
    assert "/network/lan east\n" in cluster.ok("gnt-cluster search-tags ^east")
    assert "Tag(s) 'west' not found" in cluster.refused("gnt-network remove-tags lan west")
    cluster.ok("gnt-network remove-tags lan east wing")
    assert cluster.ok("gnt-network list-tags lan") == "south\n"


def test_jobs_of_which_only_the_number_is_told(cluster):
    done = cluster.run(f"{LAN.replace('add', 'add --submit')}")
    assert done.returncode == 0 and re.fullmatch(r"JobID: \d+\n", done.stderr)
    cluster.ok(f"gnt-job wait {done.stderr.split()[1]}")
    assert re.fullmatch(r"\d+\n", cluster.ok("gnt-network rename --print-jobid lan office"))


def test_names_are_completed(cluster):
    cluster.ok(f"{LAN}; gnt-network add-tags lan inside")
    assert cluster.ok("flotte names network; flotte names network-fields | head -n3") == "lan\nctime\nexternal_reservations\nfree_count\n"
    assert "inside\n" in cluster.ok("flotte names tag")


@pytest.mark.parametrize("command,code,says", [
    ("gnt-network add", 1, "Error: Command add expects 1 argument(s)"),
    ("gnt-network add x", 1, "error type: wrong_input, error details:\nThe --network option must be given\n"),
    ("gnt-network add --network=nonsense x", 1, "nonsense"),
    ("gnt-network add --network=198.51.100.7/28 x", 1, "198.51.100.7/28"),
    ("gnt-network add --network=2001:db8::/64 x", 1, "2001:db8::/64"),
    ("gnt-network add --network=10.0.0.0/8 x", 1, "A big network with 16777216 host(s) is currently not supported. please specify at most a /16 network"),
    ("gnt-network add --network=198.51.100.0/31 x", 1, "A network with only 2 host(s) is too small, please specify at least a /30 network"),
    ("gnt-network add --network=198.51.100.0/28 --gateway=192.0.2.1 x", 1, "198.51.100.0/28 does not contain 192.0.2.1"),
    ("gnt-network add --network=198.51.100.0/28 --gateway=nonsense x", 1, "nonsense"),
    ("gnt-network add --network=198.51.100.0/28 --network6=nonsense x", 1, "nonsense"),
    ("gnt-network add --network=198.51.100.0/28 --gateway6=192.0.2.1 x", 1, "192.0.2.1"),
    ("gnt-network add --network=198.51.100.0/28 --mac-prefix=aa:bb x", 1, "aa:bb"),
    ("gnt-network add --network=198.51.100.0/28 --add-reserved-ips=192.0.2.1 x", 1, "Cannot reserve IP address '192.0.2.1': 198.51.100.0/28 does not contain 192.0.2.1"),
    ("gnt-network add --network=198.51.100.0/28 --add-reserved-ips=198.51.100.3,198.51.100.3 x", 1, "IP 198.51.100.3 is already externally reserved"),
    ("gnt-network add --network=198.51.100.0/28 --tags='a b' x", 1, "Tag contains invalid characters"),
    ("gnt-network add --network=198.51.100.0/28 'two words'", 1, "two words"),
    ("gnt-network add --frob x", 2, "no such option: --frob"),
    ("gnt-network modify nosuch", 1, "Please give at least one of the parameters.\n"),
    ("gnt-network modify --gateway=none nosuch", 1, "Network 'nosuch' not found"),
    ("gnt-network connect nosuch", 1, "Network 'nosuch' not found"),
    ("gnt-network connect -N nosuch=1 nosuch", 1, "Parameter Error: Unknown parameter 'nosuch'"),
    ("gnt-network connect -N antispoof=yes nosuch", 1, "A network is connected with a mode, a link and a VLAN"),
    ("gnt-network connect", 1, "Error: Command connect expects at least 1 argument(s)"),
    ("gnt-network disconnect nosuch default", 1, "Network 'nosuch' not found"),
    ("gnt-network remove nosuch", 1, "Network 'nosuch' not found"),
    ("gnt-network rename nosuch other", 1, "Network 'nosuch' not found"),
    ("gnt-network rename nosuch", 1, "Error: Command rename expects 2 argument(s)"),
    ("gnt-network info nosuch", 1, "Network name nosuch not found"),
    ("gnt-network list nosuch", 1, "Network name nosuch not found"),
    ("gnt-network list --filter x", 2, "no such option: --filter"),
    ("gnt-network list-fields nosuch", 14, "Warning: Queried for unknown fields nosuch"),
    ("gnt-network list-tags nosuch", 1, "Network name nosuch not found"),
    ("gnt-network add-tags nosuch", 1, "No tags to be added"),
    ("gnt-network add-tags nosuch x", 1, "Network 'nosuch' not found"),
    ("gnt-network frobnicate", 1, ""),
])
def test_is_refused(cluster, command, code, says):
    done = cluster.run(command)
    assert done.returncode == code and says in done.stderr, f"{done.stdout}{done.stderr}= {done.returncode}"


@pytest.mark.parametrize("options,says", [
    ("--gateway=198.51.100.3 --add-reserved-ips=198.51.100.4", "Cannot modify gateway and reserved ips at once"),
    ("--gateway=192.0.2.1", "198.51.100.0/28 does not contain 192.0.2.1"), ("--network6=nonsense", "nonsense"), ("--gateway6=nonsense", "nonsense"),
    ("--mac-prefix=pony", "pony"), ("--network=192.0.2.0/24", "Invalid network '192.0.2.0/24': an IPv6 network")])  # short for --network6
def test_a_change_is_refused(cluster, options, says):
    cluster.ok(LAN)
    assert says in cluster.refused(f"gnt-network modify {options} lan")
    assert field(cluster, "lan", "gateway,map") == "198.51.100.1|XX.............X"


@pytest.mark.parametrize("how,says", [
    ("-N mode=pony", "pony"), ("-N mode=bridged,link=", "link"), ("-N vlan=x", "x"), ("-N link=br0 lan default nosuch", "Node group 'nosuch' not found")])
def test_a_connection_is_refused(cluster, how, says):
    cluster.ok(LAN)
    assert says in cluster.refused(f"gnt-network connect {how if 'lan' in how.split() else how + ' lan'}")
