"""Node groups as they are typed: gnt-group, and that what a group has of its own counts."""
import re

import pytest

ADD = "gnt-instance add --no-start -o noop -H fake --no-nics -n node1.lab.test"


@pytest.fixture(autouse=True)
def only_the_first_group(cluster):
    yield
    cluster.ok("gnt-group assign-nodes default node1.lab.test; gnt-group modify --ipolicy-bounds-specs=default --ipolicy-disk-templates=default "
               "--ipolicy-vcpu-ratio=default --ipolicy-spindle-ratio=default --alloc-policy=preferred --node-parameters=ssh_port=default default")
    cluster.ok("gnt-group list --no-headers -o name | grep -vx default | xargs -r -n1 gnt-group remove")
    cluster.ok("gnt-instance list --no-headers -o name | xargs -r -n1 gnt-instance remove -f")


def test_a_group_comes_and_goes(cluster):
    cluster.ok("gnt-group add --alloc-policy=last_resort --node-parameters=ssh_port=2222 -D plain:stripes=3 --ipolicy-vcpu-ratio=2.5 rack1")
    assert cluster.ok("gnt-group list --no-headers -o name,node_cnt,pinst_cnt,alloc_policy") == "default 1 0 preferred\nrack1   0 0 last_resort\n"
    shown = cluster.ok("gnt-group info rack1")
    for line in ("- Node group: rack1", "    ssh_port: 2222", "    spindle_count: default (1)", "      stripes: 3", "    file: default ({})",
                 "          cpu-count: default (1)", "    vcpu-ratio: 2.5", "    spindle-ratio: default (10000)"):
        assert line in shown.splitlines(), shown
    cluster.ok("gnt-group rename rack1 rack2")
    uuid = cluster.ok("gnt-group list --no-headers -o uuid rack2").strip()
    assert cluster.refused("gnt-group add rack2").endswith(f"Desired group name 'rack2' already exists as a node group (UUID: {uuid})\n")
    cluster.ok("gnt-group remove rack2")
    assert "NodeGroup name rack2 not found" in cluster.refused("gnt-group list rack2")


def test_nodes_move(cluster):
    cluster.ok("gnt-group add rack1; gnt-group assign-nodes rack1 node1")
    assert cluster.ok("gnt-node list --no-headers -o group") == "rack1\n"
    said = cluster.refused("gnt-group remove rack1")
    assert re.search(r"wrong_state, error details:\nGroup 'rack1' not empty, has the following nodes: [0-9a-f-]{36}\n", said)
    cluster.ok("gnt-group remove default; gnt-group rename rack1 default")
    assert "is the only group" not in cluster.ok("gnt-cluster verify")


def test_its_policy_counts(cluster):
    cluster.ok(f"{ADD} -t file -s 64M -B memory=256M was.lab.test")
    bounds = "cpu-count=1,disk-count=0,disk-size=0,memory-size=0,nic-count=0,spindle-use=0"
    said = cluster.ok(f"gnt-group modify --ipolicy-bounds-specs min:{bounds}/max:cpu-count=2,disk-count=4,disk-size=128,memory-size=128,nic-count=2,spindle-use=2 default")
    assert " - WARNING: After the ipolicy change the following instances violate them: was.lab.test" in said
    uuid = cluster.ok("gnt-group list --no-headers -o uuid").strip()
    said = cluster.refused(f"{ADD} -t file -s 256M -B memory=64M new.lab.test")
    assert f"Instance allocation to group {uuid} (default) violates policy: disk-size/0 value 256 is not in range [0, 128]" in said
    assert "memory-size value 256 is not in range [0, 128]" in cluster.ok("gnt-cluster verify")
    assert "disk-size/0 value 192 is not in range [0, 128]" in cluster.refused("gnt-instance grow-disk was.lab.test 0 128m")
    assert "memory-size value 512 is not in range [0, 128]" in cluster.refused("gnt-instance modify -B memory=512M was.lab.test")
    assert cluster.ok("gnt-group show-ispecs-cmd") == (f"gnt-group add --ipolicy-bounds-specs min:{bounds}/max:cpu-count=2,disk-count=4,"
                                                       "disk-size=128,memory-size=128,nic-count=2,spindle-use=2 default\n")
    cluster.ok("gnt-group modify --ipolicy-bounds-specs=default default")
    assert cluster.ok("gnt-group show-ispecs-cmd") == "gnt-group add default\n"
    cluster.ok("gnt-group modify --ipolicy-disk-templates=diskless default")
    assert "Disk template file is not allowed (allowed templates: diskless)" in cluster.refused(f"{ADD} -t file -s 64M -B memory=64M new.lab.test")


def test_a_group_that_takes_no_machines(cluster):
    cluster.ok("gnt-group modify --alloc-policy=unallocable default")
    add = ADD.replace(" -n node1.lab.test", "")
    assert "unallocable" in cluster.refused(f"{add} -t file -s 64M new.lab.test")
    cluster.ok(f"{ADD} -t file -s 64M new.lab.test")


def test_what_is_told(cluster):
    assert cluster.ok("gnt-group modify --node-parameters=ssh_port=2222 default") == "Modified node group default\n - ndparams -> {'ssh_port': 2222}\n"
    assert cluster.ok("gnt-group modify --alloc-policy=last_resort default") == ""
    assert cluster.ok("gnt-node list --no-headers -o ndp/ssh_port").strip() == "2222"


def test_tags_of_groups(cluster):
    cluster.ok("gnt-group add-tags default east; gnt-node add-tags node1 east1; gnt-cluster add-tags east2")
    assert cluster.ok("gnt-group list-tags default") == "east\n"
    assert cluster.ok("gnt-cluster search-tags ^east") == "/cluster east2\n/nodegroup/default east\n/nodes/node1.lab.test east1\n"
    assert "Tag(s) 'west' not found" in cluster.refused("gnt-group remove-tags default west")
    cluster.ok("printf 'east\\n' | gnt-group remove-tags --from - default")
    cluster.ok("gnt-node remove-tags node1 east1; gnt-cluster remove-tags east2")
    assert cluster.ok("gnt-group list-tags default") == ""


@pytest.mark.parametrize("command,code,says", [
    ("gnt-group add", 1, "Error: Command add expects 1 argument(s)"),
    ("gnt-group add 'two words'", 1, "Invalid group name 'two words'"),
    ("gnt-group add --alloc-policy=never x", 1, "Invalid allocation policy 'never': preferred, last_resort or unallocable"),
    ("gnt-group add --node-parameters=nosuch=1 x", 1, "Parameter Error: Unknown parameter 'nosuch'"),
    ("gnt-group add -D pony:a=1 x", 1, "Parameter Error: Unknown parameter 'a'"),
    ("gnt-group add --ipolicy-bounds-specs min:a=1/max:b=2 x", 1, "Parameter Error: Unknown parameter 'a'"),
    ("gnt-group add --ipolicy-bounds-specs min:cpu-count=1/max:cpu-count=2 x", 1, "Missing parameters in ipolicy spec min: disk-count, disk-size"),
    ("gnt-group add --ipolicy-std-specs cpu-count=1 x", 2, "no such option: --ipolicy-std-specs"),
    ("gnt-group modify default", 1, "Please give at least one of the parameters."),
    ("gnt-group modify --alloc-policy=preferred nosuch", 1, "Node group 'nosuch' not found"),
    ("gnt-group remove nosuch", 1, "Node group 'nosuch' not found"),
    ("gnt-group remove default", 1, "Group 'default' not empty"),
    ("gnt-group rename default", 1, "Error: Command rename expects 2 argument(s)"),
    ("gnt-group rename default default", 1, "clashes with existing node group"),
    ("gnt-group assign-nodes default nosuch", 1, "Node 'nosuch' not known"),
    ("gnt-group list-tags nosuch", 1, "NodeGroup name nosuch not found"),
    ("gnt-group evacuate default", 1, "gnt-group evacuate is not built yet"),
])
def test_is_refused(cluster, command, code, says):
    done = cluster.run(command)
    assert done.returncode == code and says in done.stderr, f"{done.stdout}{done.stderr}= {done.returncode}"
