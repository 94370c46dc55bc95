"""What gnt-backup asks for, what it lists, and what it refuses. Exports and imports themselves are in test_backup.py."""
import json

import pytest

NODE = "node1.lab.test"
EXPORTS = "/var/lib/ganeti/export"


@pytest.fixture
def asked(cluster):
    """The opcode of the job that a command submits; that it fails, as there is nothing of that name, is nobody's business here."""
    def opcode(command):
        job = cluster.ok(command).strip()
        op, = json.loads(cluster.ok(f"gnt-job list --json -o ops {job}"))[0]["ops"]
        del op["reason"]
        return op
    return opcode


def test_what_an_export_asks_for(asked):
    export = f"gnt-backup export --submit --print-jobid -n {NODE}"
    plain = asked(f"{export} nosuch")
    assert plain["OP_ID"] == "OP_BACKUP_EXPORT" and plain["instance_name"] == "nosuch" and plain["target_node"] == NODE
    assert plain["shutdown"] and plain["compress"] == "none" and plain["shutdown_timeout"] == 120
    for options, change in (("--noshutdown", {"shutdown": False}), ("--shutdown-timeout=5", {"shutdown_timeout": 5}), ("--transport-compression=gzip", {"compress": "gzip"}), ("--remove-instance", {"remove_instance": True}),
                            ("--ignore-remove-failures", {"ignore_remove_failures": True}), ("--long-sleep", {"long_sleep": True}), ("-f", {}), ("--priority=low", {"priority": 10}), ("--dry-run", {"dry_run": True})):
        assert asked(f"{export} {options} nosuch") == plain | change, options


def test_what_a_removal_asks_for(asked):
    op = asked("gnt-backup remove --submit --print-jobid nosuch")
    assert op["OP_ID"] == "OP_BACKUP_REMOVE" and op["instance_name"] == "nosuch"


def test_what_an_import_asks_for(asked):
    command = "gnt-backup import --submit --print-jobid"
    plain = asked(f"{command} nosuch")
    assert plain["OP_ID"] == "OP_INSTANCE_CREATE" and plain["mode"] == "import" and plain["instance_name"] == "nosuch" and plain["start"] is False
    # These are the export's.
    assert plain["disks"] == plain["nics"] == plain["tags"] == [] and plain["os_type"] is plain["disk_template"] is plain["hypervisor"] is plain["src_path"] is None
    for options, change in (("--no-nics", {}), ("--net 1:link=br0", {"nics": [{}, {"link": "br0"}]}), ("-s 2G", {"disks": [{"size": 2048}]}), ("--disk 0:size=1G,vg=vms", {"disks": [{"size": 1024, "vg": "vms"}]}),
                            (f"--src-node {NODE}", {"src_node": NODE}), ("--src-dir old", {"src_path": "old"}), ("--compress=gzip", {"compress": "gzip"}), ("-t file", {"disk_template": "file"}), ("-n node1", {"pnode": "node1"}),
                            ("--file-driver=loop --file-storage-dir=below", {"file_driver": "loop", "file_storage_dir": "below"}), ("-H kvm:acpi=no", {"hypervisor": "kvm", "hvparams": {"acpi": "no"}}),
                            ("-B memory=64M", {"beparams": {"memory": "64M"}}), ("-O a=b", {"osparams": {"a": "b"}}), ("--tags a,b", {"tags": ["a", "b"]}), ("--ignore-ipolicy", {"ignore_ipolicy": True}),
                            ("--no-conflicts-check", {"conflicts_check": False}), ("--name-check", {"name_check": True}), ("--ip-check", {"ip_check": True})):
        assert asked(f"{command} {options} nosuch") == plain | change, options


@pytest.mark.parametrize("command,code,says", [
    ("export vm1", 1, "Target node must be specified"), ("export -n node1", 1, "Command export expects 1 argument(s)"), (f"export -n {NODE} --pony vm1", 2, "no such option: --pony"),
    (f"export -n {NODE} --shutdown-timeout=soon vm1", 2, "option --shutdown-timeout: invalid integer value: 'soon'"), (f"export -n {NODE} --zero-free-space vm1", 2, "--zero-free-space is not built yet"),
    (f"export -n {NODE} nosuch", 1, "nosuch"), ("import nosuch", 1, "nosuch"), ("import -o noop nosuch", 2, "no such option: -o"), ("import --no-start nosuch", 2, "no such option: --no-start"),
    ("import -t pony nosuch", 2, "option -t: invalid choice: 'pony'"), ("import --no-nics --net 0:link=br0 nosuch", 1, "Please don't use --no-nics and --net"),
    ("import -t diskless -s 1G nosuch", 1, "Diskless instance but disk information passed"), ("import -s 1G --disk 0:size=1G nosuch", 1, "Please use either the '--disk' or '-s' option"),
    ("import --disk 0:vg=vms nosuch", 1, "Missing size or adoption source for disk 0"), ("import --src-node node9 nosuch", 1, "node9"), ("import", 1, "Command import expects 1 argument(s)"),
    ("list vm1", 1, "Command list expects no arguments"), ("list -n node9", 1, "Node name node9 not found"), (f"list -n {NODE} -n node9", 1, "Node name node9 not found"),
    ("list -o node,nosuch", 14, "Queried for unknown fields nosuch"), ("list-fields nosuch", 14, "Queried for unknown fields nosuch"), ("remove", 1, "Command remove expects 1 argument(s)")])
def test_is_refused(cluster, command, code, says):
    assert says in cluster.refused(f"gnt-backup {command}", code)


def test_fields(cluster):
    assert cluster.ok("gnt-backup list-fields --no-headers --separator=:") == "export:Text:Export:Export name\nnode:Text:Node:Node name\n"
    assert cluster.ok("gnt-backup list-fields --no-headers --separator=: node") == "node:Text:Node:Node name\n"


def test_a_list_of_exports(cluster):
    assert cluster.ok("gnt-backup list") == "Node Export\n"
    for name in ("web1.lab.test", "gone"):
        cluster.ok(f"mkdir -p {EXPORTS}/{name} && printf '[export]\\nversion = 0\\n' > {EXPORTS}/{name}/config.ini")
    assert cluster.ok("gnt-backup list") == f"Node           Export\n{NODE} gone\n{NODE} web1.lab.test\n"
    assert cluster.ok("gnt-backup list --no-headers -o export -n node1") == "gone\nweb1.lab.test\n"
    assert cluster.ok("gnt-backup list --separator=: -o +node") == f"Node:Export:Node\n{NODE}:gone:{NODE}\n{NODE}:web1.lab.test:{NODE}\n"
    assert json.loads(cluster.ok("gnt-backup list --json")) == [{"node": NODE, "export": "gone"}, {"node": NODE, "export": "web1.lab.test"}]
    assert cluster.ok("flotte names export") == "gone\nweb1.lab.test\n"
    assert cluster.ok("flotte names export-fields") == "export\nnode\n"
    cluster.ok("gnt-backup remove gone")
    assert cluster.ok("gnt-backup list --no-headers -o export") == "web1.lab.test\n"
    cluster.ok(f"rm -r {EXPORTS}/web1.lab.test")


def test_a_node_that_does_not_answer(cluster):
    cluster.kill("flotte-noded")
    try:
        assert cluster.ok("gnt-backup list --no-headers") == f"{NODE} ?\n"
        assert cluster.ok("gnt-backup list --no-headers -v") == f"{NODE} (nodata)\n"
        assert cluster.ok("flotte names export") == ""
    finally:
        cluster.ok("flotte daemons start")
