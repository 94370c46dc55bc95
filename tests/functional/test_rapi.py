"""The remote API as programs speak it: what is told, what is changed, who may, and what becomes of those who mean harm."""
import base64
import concurrent.futures
import contextlib
import http.client
import re
import socket
import ssl
import threading
import time

import pytest
from remote_api import ACCOUNTS, NAME, PASSWORD, PORT, USERS, RemoteApi, answer, ha1, quoted, refused, request, stranger, with_cluster, write_accounts

NODE = "node1.lab.test"
COMMON = {"ctime", "mtime", "uuid", "serial_no", "tags"}
INSTANCE = COMMON | set("""name admin_state os pnode snodes disk_template nic.ips nic.macs nic.modes nic.uuids nic.names nic.links nic.networks nic.networks.names nic.bridges
    network_port disk.sizes disk.spindles disk_usage disk.uuids disk.names beparams hvparams oper_state oper_ram oper_vcpus status custom_hvparams custom_beparams custom_nicparams
    custom_osparams""".split())
ALL_OF_NODE = COMMON | set("""name offline master_candidate drained dtotal dfree sptotal spfree mtotal mnode mfree pinst_cnt sinst_cnt ctotal cnos cnodes csockets pip sip role
    pinst_list sinst_list master_capable vm_capable ndparams group.uuid""".split())
GROUP = COMMON | set("alloc_policy name node_cnt node_list ipolicy custom_ipolicy diskparams custom_diskparams ndparams custom_ndparams".split())
NETWORK = COMMON | set("name network gateway network6 gateway6 mac_prefix free_count reserved_count map group_list inst_list external_reservations".split())
JOB_IN_BULK = set("id ops status summary opstatus received_ts start_ts end_ts".split())
CLUSTER = set("""software_version protocol_version config_version os_api_version export_version vcs_version architecture name master default_hypervisor enabled_hypervisors hvparams os_hvp
    beparams osparams ipolicy nicparams ndparams diskparams candidate_pool_size max_running_jobs mac_prefix master_netdev master_netmask volume_group_name drbd_usermode_helper
    file_storage_dir enabled_disk_templates tags uid_pool default_iallocator reserved_lvs primary_ip_version prealloc_wipe_disks ctime mtime uuid vg_name drbd_helper""".split())

# Nobody need say who he is to read these.
OPEN = ["/", "/version", "/2", "/2/info", "/2/features", "/2/os", "/2/tags", "/2/jobs", "/2/jobs?bulk=1", "/2/jobs/1", "/2/instances", "/2/instances?bulk=1", "/2/instances/vm1",
        "/2/instances/vm1/tags", "/2/nodes", "/2/nodes?bulk=1", f"/2/nodes/{NODE}", f"/2/nodes/{NODE}/role", f"/2/nodes/{NODE}/tags", "/2/groups", "/2/groups?bulk=1",
        "/2/groups/default", "/2/groups/default/tags", "/2/networks", "/2/networks?bulk=1", "/2/query/instance/fields"]

NEW = {"__version__": 1, "mode": "create", "disk_template": "diskless", "disks": [], "nics": [], "os": "noop", "no_install": True, "hypervisor": "fake", "pnode": NODE,
       "beparams": {"memory": 64}, "name_check": False, "ip_check": False}


@pytest.fixture(scope="module")
def api(machine):
    return with_cluster(machine)


@pytest.fixture(scope="module")
def vm(api):
    """A machine that runs, as far as the fake hypervisor goes."""
    api.machine.ok(f"gnt-instance add -o noop -t file -s 64M -H fake -B memory=64M --net 0:link=br0 -n {NODE} vm1")
    return "vm1"


@pytest.fixture
def new(api):
    """Makes a machine and tells its name; all but vm1 are gone afterwards."""
    def make(name="new1", **changes):
        api.do("POST", "/2/instances", {**NEW, "name": name, **changes})
        return name

    yield make
    api.machine.ok("gnt-instance list --no-headers -o name | grep -vx vm1 | xargs -r -n1 gnt-instance remove -f --shutdown-timeout=0")


@pytest.fixture
def delay(api):
    """The number of a job that does nothing for a long time."""
    api.machine.ok("gnt-debug delay --submit 600")
    job = int(api.machine.ok("gnt-job list --no-headers -o id").split()[-1])
    api.machine.wait_until(f"gnt-job list --no-headers -o status {job} | grep -qx running")
    yield job
    api.machine.run(f"gnt-job cancel {job}")


def state(api, name="vm1"):
    return api.get(f"/2/instances/{name}")["status"]


# What is wrong is said

def test_nothing_is_there(api):
    for target in ("/99/resource/not/here/99", "/2/pony", "/2/instances/vm1/pony", "/2/nodes/x/y/z", "/3"):
        for method in ("GET", "PUT", "POST", "DELETE"):
            refused(api.ask(method, target, account="rw"), 404)
    # Where a number belongs.
    refused(api.ask("GET", "/2/jobs/pony"), 404)
    refused(api.ask("POST", "/2/instances/vm1/disk/pony/grow", {"amount": 4}, "rw"), 404)
    told = api.ask("GET", "/99").json
    assert (told["code"], told["explain"]) == (404, "Nothing matches the given URI")


def test_nobody_is_called_so(api, delay):
    for target in ("/2/instances/nosuch", f"/2/jobs/{delay + 1000}", "/2/nodes/nosuch", "/2/groups/nosuch", "/2/networks/nosuch", "/2/instances/nosuch/tags", "/2/nodes/nosuch/role",
                   "/2/instances/nosuch/console"):
        refused(api.ask("GET", target, account="rw"), 404)


@pytest.mark.parametrize("method,target", [("PUT", "/version"), ("POST", "/version"), ("DELETE", "/version"), ("POST", "/2/info"), ("DELETE", "/2/instances"), ("PUT", "/2/instances"),
                                           ("POST", "/2/instances/vm1"), ("GET", "/2/instances/vm1/startup"), ("GET", "/2/modify"), ("PATCH", "/2/instances/vm1"), ("OPTIONS", "/2/info")])
def test_a_method_that_a_path_does_not_have(api, method, target):
    refused(api.ask(method, target, account="rw"), 501)


def test_a_body_is_json_and_says_so(api, vm):
    for content_type in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        refused(api.ask("PUT", "/2/instances/vm1/modify", b'{"beparams": {}}', "rw", content_type=content_type), 415)
    refused(api.ask("GET", "/2/info", b"{}", content_type="text/plain"), 415)
    for content_type in ("application/json", "Application/JSON", "application/json; charset=utf-8"):
        assert api.ask("GET", "/version", b"{}", content_type=content_type).status == 200
    # Ganeti's client names the type although there is no body.
    assert api.ask("GET", "/version", headers=["Content-Type: application/json", "Content-Length: 0"]).json == 2


@pytest.mark.parametrize("body", [b"{", b"pony", b"{}{}", b"{'a': 1}", b'{"a": \xff}', b'{"a": NaN}', b" ", b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000],
                         ids=lambda body: body[:8].decode(errors="replace") + f" {len(body)}")
def test_what_is_no_json(api, vm, body):
    refused(api.ask("PUT", "/2/instances/vm1/modify", body, "rw"), 400)
    assert api.get("/version") == 2


@pytest.mark.parametrize("method,target,body", [
    ("PUT", "instances/vm1/modify", []), ("PUT", "instances/vm1/modify", "x"), ("PUT", "instances/vm1/modify", 7), ("PUT", "instances/vm1/modify", {"beparams": 7}),
    ("PUT", "instances/vm1/modify", {"beparams": {}, "custom_beparams": {}}), ("PUT", "instances/vm1/modify", {"instance_name": "other"}), ("PUT", "instances/vm1/modify", {"OP_ID": "OP_CLUSTER_DESTROY"}),
    ("PUT", "instances/vm1/shutdown", {"timeout": "soon"}), ("PUT", "instances/vm1/rename", {}),
    ("POST", "instances/vm1/disk/0/grow", {}), ("POST", "instances/vm1/disk/0/grow", {"amount": "lots"}), ("POST", "instances/vm1/disk/0/grow", {"amount": 4, "disk": 1}),
    ("POST", "instances/vm1/reinstall?os=noop", {"os": "noop"}), ("POST", "instances/vm1/reinstall", {"start": "yes"}), ("POST", "instances/vm1/reinstall", "noop"),
    ("PUT", f"nodes/{NODE}/role", "pony"), ("PUT", f"nodes/{NODE}/role", {"role": "offline"}), ("POST", "groups", {}), ("POST", "groups", {"name": "a", "group_name": "b"}),
    ("PUT", "groups/default/assign-nodes", {"nodes": NODE}), ("POST", "networks", {"network_name": "lan"}),
    ("PUT", "modify", {"candidate_pool_size": "many"}), ("PUT", "query/instance", {}), ("PUT", "query/instance", []), ("PUT", "query/instance", {"fields": "name"}),
    ("PUT", "query/instance", {"fields": ["name"], "qfilter": ["pony", "name", 1]}), ("GET", "query/instance", None), ("GET", f"nodes/{NODE}/storage", None),
    ("GET", "instances?bulk=yes", None), ("PUT", "instances/vm1/startup?dry-run=x", None), ("PUT", "instances/vm1/startup?force=x", None)])
def test_what_makes_no_sense(api, vm, method, target, body):
    before = api.get("/2/jobs")
    refused(api.ask(method, f"/2/{target}", body, "rw"), 400)
    assert api.get("/2/jobs") == before


@pytest.mark.parametrize("method,target,body", [
    ("PUT", "instances/vm1/shutdown", {"timeout": -1}), ("POST", "instances/vm1/reboot?type=pony", {}), ("POST", "groups", {"name": "a", "alloc_policy": "pony"}),
    ("POST", "networks", {"network_name": "lan", "network": "pony"}), ("PUT", "instances/vm1/modify", {"nics": [["pony", 0, {}]]}), ("POST", "instances", {**NEW, "name": "bad name"}),
    ("POST", "instances", {**NEW, "name": "new1", "mode": "pony"}), ("POST", "instances/vm1/disk/15/grow", {"amount": 4}), ("PUT", "instances/vm1/tags?tag=two%20words", None)])
def test_a_value_that_can_not_be(api, vm, method, target, body):
    """It is refused at once, or by its job."""
    got = api.ask(method, f"/2/{target}", body, "rw")
    if got.status != 400:
        job = api.ended(got.json)
        assert job["status"] == "error" and job["opresult"][0][0] in ("OpPrereqError", "TagError"), job
    assert [row["name"] for row in api.get("/2/groups") + api.get("/2/networks")] == ["default"]


@pytest.mark.parametrize("method,target,body", [("PUT", "instances/vm1/modify", {}), ("PUT", "groups/default/modify", {}), ("PUT", "modify", {}), ("POST", "groups", {"name": "a"}),
                                                ("DELETE", "instances/vm1", {}), ("POST", "networks", {"name": "a", "network": "198.51.100.0/28"}), ("POST", "instances/vm1/reboot", {})])
def test_a_word_that_is_none_of_them(api, vm, method, target, body):
    assert "pony" in refused(api.ask(method, f"/2/{target}", {**body, "pony": 1}, "rw"), 400, "Invalid body parameters")


@pytest.mark.parametrize("changes", [{"__version__": 0}, {"__version__": 2}, {"__version__": None}, {"disks": "64"}, {"disks": [7]}, {"nics": {}}, {"os_type": "noop"}, {"hypervisor": "pony"},
                                     {"disk_template": "pony"}, {"start": "yes"}, {"tags": "a"}, {"pony": 1}, {"beparams": []}])
def test_a_machine_that_can_not_be_meant(api, changes):
    refused(api.ask("POST", "/2/instances", {**NEW, "name": "new1", **changes}, "rw"), 400)
    refused(api.ask("GET", "/2/instances/new1"), 404)


def test_a_machine_without_what_it_needs(api):
    for missing in ("__version__", "mode"):
        refused(api.ask("POST", "/2/instances", {key: value for key, value in NEW.items() if key != missing} | {"name": "new1"}, "rw"), 400)
    refused(api.ask("POST", "/2/instances", NEW, "rw"), 400)
    refused(api.ask("POST", "/2/instances", account="rw"), 400)


def test_a_queue_that_takes_nothing(api, vm):
    api.machine.ok("gnt-cluster queue drain")
    try:
        refused(api.ask("PUT", "/2/instances/vm1/startup", account="rw"), 503, "drain")
        assert state(api) == "running"
    finally:
        api.machine.ok("gnt-cluster queue undrain")


def test_what_is_not_built_is_named(api, vm):
    for method, target in (("GET", "/2/filters"), ("GET", "/2/filters?bulk=1"), ("POST", "/2/filters"), ("GET", "/2/filters/58a5e966-2463-4e24-adfe-4ba98a8427f3"),
                           ("PUT", "/2/filters/58a5e966-2463-4e24-adfe-4ba98a8427f3"), ("DELETE", "/2/filters/58a5e966-2463-4e24-adfe-4ba98a8427f3")):
        assert "filter" in refused(api.ask(method, target, account="rw"), 501).lower()
    for method, target, body in (("PUT", "instances/vm1/migrate", {}), ("PUT", "instances/vm1/failover", {}), ("POST", "instances/vm1/replace-disks", {"mode": "replace_auto"}),
                                 ("POST", f"nodes/{NODE}/evacuate", {"mode": "all"}),
                                 ("POST", f"nodes/{NODE}/migrate", {}), ("POST", f"nodes/{NODE}/powercycle", None), ("PUT", f"nodes/{NODE}/storage/repair?storage_type=lvm-vg&name=x", None)):
        refused(api.ask(method, f"/2/{target}", body, "rw"), 501)


# Who may

@pytest.mark.parametrize("target", OPEN)
def test_reading_is_open(api, vm, target):
    api.get(target)
    api.get(target, "ro")
    refused(api.ask("GET", target, account=("ro", "wrong"), host=stranger()), 401)


def test_who_is_not_known_is_asked_who_he_is(api, vm):
    for target, account in (("/2/query/instance?fields=name", None), ("/version", ("rw", "wrong")), ("/version", ("nobody", PASSWORD)), ("/version", ("rw", "")), ("/version", ("", ""))):
        got = api.ask("GET", target, account=account, host=stranger())
        refused(got, 401)
        assert got.headers["WWW-Authenticate"] == 'Basic realm="Ganeti Remote API"'


@pytest.mark.parametrize("credentials", ["Basic !!!", "Basic cnc=", "Basic " + "A" * 4000, "Bearer cnc6c2VjcmV0", 'Digest username="rw"', "pony", "Basic " + "cnc6AHNlY3JldA=="])
def test_credentials_that_are_none(api, credentials):
    refused(api.ask("GET", "/version", headers=[f"Authorization: {credentials}"], host=stranger()), 401)


def test_ways_to_write_a_basic_credential(api):
    assert api.ask("GET", "/2/query/node?fields=name", headers=["authorization: bAsIc cm86c2VjcmV0"]).status == 200


@pytest.mark.parametrize("account", ["rw", "ro", "plain", "both", "guest", "upper", "boss", "operator", "reader", "starter", "careful"])
def test_passwords(api, account):
    assert api.ask("GET", "/version", account=account).status == 200
    for wrong in ("", "Secret", "secre", "secrets", "{cleartext}secret", "x" * 3000):
        refused(api.ask("GET", "/version", account=(account, wrong), host=stranger()), 401)


RIGHTS = [
    # (method, target, who may)
    ("PUT", "/2/instances/vm1/tags?tag=x&dry-run=1", {"rw", "plain", "both", "upper", "boss", "careful"}),
    ("GET", f"/2/nodes/{NODE}/storage?storage_type=file&output_fields=name", {"rw", "plain", "both", "upper", "boss", "careful"}),
    ("GET", "/2/query/instance?fields=name", {"rw", "ro", "plain", "both", "upper", "boss", "careful", "operator", "reader"}),
    ("PUT", "/2/query/instance?fields=name", {"rw", "ro", "plain", "both", "upper", "boss", "careful", "operator", "reader"}),
    ("PUT", "/2/instances/vm1/startup?dry-run=1", {"rw", "plain", "both", "upper", "boss", "careful", "operator", "starter"}),
    ("DELETE", "/2/instances/vm1?dry-run=1", {"rw", "plain", "both", "upper", "boss"}),
    ("GET", "/2/instances/vm1/console", {"rw", "ro", "plain", "both", "upper", "boss", "careful", "operator"}),
]


@pytest.mark.parametrize("method,target,may", RIGHTS, ids=[row[1] for row in RIGHTS])
def test_rights(api, vm, method, target, may):
    body = {} if "/query/" in target and method == "PUT" else None
    answers = {account: api.ask(method, target, body, account) for account in may | {"guest", "ro", "reader", "operator", "starter", "careful"}}
    assert {account for account, got in answers.items() if got.status == 200} == may
    for account in answers.keys() - may:
        refused(answers[account], 403)
    refused(api.ask(method, target, body), 401)


def test_waiting_takes_the_right_to_write(api):
    body = {"fields": ["status"]}
    for account in ("ro", "guest", "reader"):
        refused(api.ask("GET", "/2/jobs/1/wait", body, account), 403)
    refused(api.ask("GET", "/2/jobs/1/wait", body), 401)
    for account in ("rw", "boss", "starter"):
        assert api.get("/2/jobs/1/wait", account, body)["job_info"] == ["success"]


def test_what_is_not_for_programs(api):
    refused(api.ask("PUT", "/2/modify", {"compression_tools": ["evil"]}, "rw"), 403, "compression_tools")


def test_who_asked_is_known(api, vm):
    job = api.submit("PUT", "/2/instances/vm1/tags?tag=asked", account="plain")
    api.ended(job)
    api.do("DELETE", "/2/instances/vm1/tags?tag=asked")
    assert re.search(r"Submitted by: plain\b", api.machine.ok(f"gnt-job info {job}"))
    assert re.match(r"plain\b", api.machine.ok(f"gnt-job list --no-headers -o submitted_by {job}"))


def test_no_log_knows_a_password(api):
    for name in ("rw", "nobody"):
        api.ask("GET", "/version", account=(name, "hunter2hunter2"), host=stranger())
    encoded = base64.b64encode(b"rw:hunter2hunter2").decode()
    assert api.machine.run(f"grep -rlF -e hunter2hunter2 -e {encoded} -e {ha1('rw')} /var/log/ganeti").stdout == ""


def test_accounts_change_while_it_runs(api):
    def becomes(status, account):
        deadline = time.monotonic() + 10
        while api.ask("GET", "/2/query/node?fields=name", account=account, host=stranger()).status != status:
            assert time.monotonic() < deadline, f"{account} is not answered {status}"
            time.sleep(0.1)

    try:
        write_accounts(api.machine, f"{ACCOUNTS}late secret write\n")
        becomes(200, "late")
        api.machine.ok(f"sed 's/^late secret/late other/' {USERS} > /var/tmp/users && cat /var/tmp/users > {USERS}")  # in its place
        becomes(401, "late")
        becomes(200, ("late", "other"))
        # Lines that can't be understood take nobody's account away.
        write_accounts(api.machine, "just-a-name\nbad {nosuch}xyz write\n{HA1} x\n\0\xff\n" + ACCOUNTS + "long " + "x" * 20_000 + " write\nlate secret write\n")
        becomes(200, "late")
        becomes(200, "rw")
        assert api.ask("GET", "/version", account=("bad", "xyz"), host=stranger()).status == 401
        api.machine.ok(f"rm {USERS}")
        becomes(401, "rw")
        assert api.get("/version") == 2
    finally:
        write_accounts(api.machine)
    becomes(200, "rw")
    becomes(401, "late")


# What is told

def test_of_the_api_itself(api):
    assert api.get("/") is None and api.get("/2") is None and api.get("/version") == 2
    assert sorted(api.get("/2/features")) == ["instance-create-reqv1", "instance-reinstall-reqv1", "node-evac-res1", "node-migrate-reqv1"]


def test_what_goes_with_every_answer(api):
    for got in (api.ask("GET", "/version"), api.ask("GET", "/99"), api.ask("PUT", "/2/modify")):
        assert got.headers["Content-Type"] == "application/json"
        assert got.headers["Server"].startswith("Ganeti")
        assert int(got.headers["Content-Length"]) == len(got.body)


def test_of_the_cluster(api):
    told = api.get("/2/info")
    assert CLUSTER - told.keys() == set()
    assert (told["name"], told["master"], told["default_hypervisor"], told["enabled_hypervisors"]) == ("cluster.lab.test", NODE, "fake", ["fake", "kvm"])
    assert (told["vg_name"], told["drbd_helper"]) == (told["volume_group_name"], told["drbd_usermode_helper"])
    assert re.match(r"\d+\.\d+", told["software_version"]) and isinstance(told["protocol_version"], int)


def test_of_operating_systems(api):
    assert api.get("/2/os") == ["noop"]
    [one] = api.get("/2/os?bulk=1")
    assert set(one) == {"name", "valid", "variants", "parameters", "api_versions", "blacklisted", "hidden", "trusted"}
    assert (one["name"], one["valid"], one["variants"], one["parameters"], one["api_versions"]) == ("noop", True, [], [], [20])
    api.machine.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/two; printf 'big\\nsmall\\n' > /usr/share/ganeti/os/two/variants.list; "
                   "echo 'mirror where from' > /usr/share/ganeti/os/two/parameters.list")
    # What no job did is seen within a second.
    time.sleep(1.1)
    assert sorted(api.get("/2/os")) == ["noop", "two+big", "two+small"]
    assert next(one["parameters"] for one in api.get("/2/os?bulk=1") if one["name"] == "two") == [{"name": "mirror", "description": "where from"}]
    api.machine.ok("rm -r /usr/share/ganeti/os/two")


def test_of_machines(api, vm):
    assert api.get("/2/instances") == api.get("/2/instances?bulk=0&lock=1&reason=why") == [{"id": "vm1", "uri": "/2/instances/vm1"}]
    [one] = api.get("/2/instances?bulk=1")
    assert set(one) - {"hypervisor"} == INSTANCE
    assert api.get("/2/instances/vm1") == one
    wanted = {"name": "vm1", "admin_state": "up", "os": "noop", "pnode": NODE, "snodes": [], "disk_template": "file", "disk.sizes": [64], "disk.spindles": [None], "disk.names": [None],
              "nic.links": ["br0"], "nic.modes": ["bridged"], "nic.bridges": ["br0"], "nic.ips": [None], "nic.names": [None], "nic.networks": [None], "nic.networks.names": [None],
              "oper_state": True, "oper_ram": 64, "oper_vcpus": 1, "status": "running", "custom_beparams": {"maxmem": 64, "minmem": 64}, "custom_hvparams": {}, "custom_osparams": {},
              "custom_nicparams": [{"link": "br0"}], "tags": []}
    assert {name: one[name] for name in wanted} == wanted
    assert one["beparams"] == {"always_failover": False, "auto_balance": True, "maxmem": 64, "minmem": 64, "memory": 64, "spindle_use": 1, "vcpus": 1}
    assert [len(one[name]) for name in ("nic.macs", "nic.uuids", "disk.uuids")] == [1, 1, 1]
    assert isinstance(one["serial_no"], int) and time.time() - 3600 < one["ctime"] <= one["mtime"]


def test_of_one_that_is_stopped(api, new):
    new(start=False)
    one = api.get("/2/instances/new1")
    assert (one["status"], one["admin_state"], one["oper_state"], one["oper_ram"], one["oper_vcpus"]) == ("ADMIN_down", "down", False, None, None)
    assert (one["disk.sizes"], one["nic.macs"]) == ([], [])
    assert [row["id"] for row in api.get("/2/instances")] == ["new1", "vm1"]


def test_of_one_machine_in_full(api, vm):
    told = api.ended(api.get("/2/instances/vm1/info", "ro"))["opresult"][0]["vm1"]
    assert (told["run_state"], told["config_state"], told["pnode"]) == ("up", "up", NODE)
    assert api.ended(api.get("/2/instances/vm1/info?static=1", "ro"))["opresult"][0]["vm1"]["run_state"] is None


def test_of_nodes(api, vm):
    assert api.get("/2/nodes") == [{"id": NODE, "uri": f"/2/nodes/{NODE}"}]
    [row] = api.get("/2/nodes?bulk=1")
    assert set(row) - {"secondary_ip"} == ALL_OF_NODE
    one = api.get(f"/2/nodes/{NODE}")
    assert set(one) == ALL_OF_NODE | {"secondary_ip"} and one["secondary_ip"] == one["sip"] == "192.0.2.1"
    assert (one["name"], one["role"], one["pip"], one["master_candidate"], one["offline"], one["drained"]) == (NODE, "M", "192.0.2.1", True, False, False)
    assert "vm1" in one["pinst_list"] and one["pinst_cnt"] == len(one["pinst_list"]) and one["mtotal"] > 0
    assert api.get(f"/2/nodes/{NODE}/role") == "master"


def test_of_groups(api):
    assert api.get("/2/groups") == [{"name": "default", "uri": "/2/groups/default"}]
    [row] = api.get("/2/groups?bulk=1")
    assert set(row) == GROUP and api.get("/2/groups/default") == row
    assert (row["name"], row["alloc_policy"], row["node_cnt"], row["node_list"]) == ("default", "preferred", 1, [NODE])
    assert row["uuid"] == api.get(f"/2/nodes/{NODE}")["group.uuid"]


def test_of_jobs(api, delay):
    listed = api.get("/2/jobs")
    assert {"id": delay, "uri": f"/2/jobs/{delay}"} in [{**row, "id": int(row["id"])} for row in listed]
    rows = {int(row["id"]): row for row in api.get("/2/jobs?bulk=1")}
    assert len(rows) == len(listed) and all(set(row) == JOB_IN_BULK for row in rows.values())
    assert (rows[delay]["status"], rows[delay]["opstatus"], rows[delay]["summary"], rows[delay]["end_ts"]) == ("running", ["running"], ["TEST_DELAY(600.0)"], None)
    one = api.get(f"/2/jobs/{delay}")
    assert set(one) == JOB_IN_BULK | {"oplog", "opresult"} and int(one["id"]) == delay
    assert one["ops"][0]["OP_ID"] == "OP_TEST_DELAY" and one["opresult"] == [None] and len(one["oplog"]) == 1
    [seconds, microseconds] = one["received_ts"]
    assert abs(time.time() - seconds) < 60 and 0 <= microseconds < 1_000_000


def test_of_anything_by_a_query(api, vm):
    told = api.get("/2/query/instance?fields=name,%20status,nosuch", "ro")
    assert [field["name"] for field in told["fields"]] == ["name", "status", "nosuch"]
    assert [field["kind"] for field in told["fields"]] == ["text", "text", "unknown"] and set(told["fields"][0]) == {"name", "title", "kind", "doc"}
    assert told["data"] == [[[0, "vm1"], [0, "running"], [1, None]]]
    for key in ("qfilter", "filter"):
        for filter, found in ((["=", "name", "vm1"], 1), (["=", "name", "vm2"], 0), (["|", ["=", "name", "vm1"], ["?", "tags"]], 1), (None, 1)):
            got = api.ask("PUT", "/2/query/instance", {"fields": ["name"], key: filter}, "ro")
            assert got.status == 200 and len(got.json["data"]) == found, got
    assert api.ask("PUT", "/2/query/instance?fields=name", {"qfilter": ["=", "name", "vm1"]}, "ro").json["data"] == [[[0, "vm1"]]]
    for what, field, value in (("node", "name", NODE), ("group", "name", "default"), ("job", "id", 1)):
        assert [[0, value]] in api.get(f"/2/query/{what}?fields={field}", "ro")["data"]
    for what in ("network", "lock"):
        assert api.get(f"/2/query/{what}?fields=name", "ro")["data"] is not None
    assert api.ask("GET", "/2/query/pony?fields=name", account="ro").status in (400, 404)
    assert api.get("/2/query/export?fields=node,export", "ro")["data"] == []
    assert "filter" in refused(api.ask("GET", "/2/query/filter?fields=name", account="ro"), 501)


def test_of_fields(api):
    told = api.get("/2/query/instance/fields", "ro")["fields"]
    assert {"name", "status", "oper_ram", "be/maxmem", "disk.size/0"} <= {field["name"] for field in told}
    assert [field["name"] for field in api.get("/2/query/node/fields?fields=name,role", "ro")["fields"]] == ["name", "role"]


def test_of_a_console(api, vm, new):
    console = api.get("/2/instances/vm1/console", "ro")
    assert (console["instance"], console["kind"]) == ("vm1", "msg") and console["message"]
    new(start=False)
    refused(api.ask("GET", "/2/instances/new1/console", account="ro"), 503, "onsole")


# What is changed

def test_a_machine_from_its_making_to_its_end(api):
    api.do("POST", "/2/instances", {**NEW, "name": "web1", "disk_template": "file", "disks": [{"size": 64}, {"size": 32, "name": "data"}], "nics": [{"link": "br0"}],
                                    "no_install": False, "tags": ["made"], "start": False})
    one = api.get("/2/instances/web1")
    assert (one["status"], one["disk.sizes"], one["disk.names"], one["beparams"]["maxmem"], one["tags"]) == ("ADMIN_down", [64, 32], [None, "data"], 64, ["made"])
    api.do("PUT", "/2/instances/web1/startup", {"nobody": "looks at this"})
    assert state(api, "web1") == "running"
    for kind in ("", "?type=hard", "?type=full&ignore_secondaries=1"):
        api.do("POST", f"/2/instances/web1/reboot{kind}", {"shutdown_timeout": 0})
    api.do("POST", "/2/instances/web1/disk/1/grow", {"amount": 32})
    api.do("POST", "/2/instances/web1/disk/1/grow", {"amount": 128, "absolute": True, "wait_for_sync": False})
    api.do("PUT", "/2/instances/web1/modify", {"custom_beparams": {"vcpus": 2}, "nics": [["add", {"link": "br0"}]], "hotplug": False})
    api.do("PUT", "/2/instances/web1/modify", {"beparams": {"memory": 96}, "nics": [["remove", 0, {}]], "hotplug": False, "custom_hvparams": {}})
    api.do("PUT", "/2/instances/web1/shutdown", {"timeout": 0})
    one = api.get("/2/instances/web1")
    assert (one["status"], one["disk.sizes"], one["beparams"]["vcpus"], one["custom_beparams"]["minmem"], one["nic.links"]) == ("ADMIN_down", [64, 128], 2, 96, ["br0"])
    job = api.do("PUT", "/2/instances/web1/rename", {"new_name": "web2", "ip_check": False, "name_check": False})
    assert job["opresult"] == ["web2"]
    api.do("DELETE", "/2/instances/web2", {"shutdown_timeout": 0})
    refused(api.ask("GET", "/2/instances/web2"), 404)
    assert api.machine.ok("find /srv/ganeti -name '*web*'") == ""


def test_disks_of_a_stopped_machine(api, new):
    new(disk_template="file", disks=[{"size": 16}], start=False)
    job = api.do("PUT", "/2/instances/new1/activate-disks?ignore_size=1")
    assert job["opresult"][0][0][:2] == [NODE, "disk/0"]
    api.do("PUT", "/2/instances/new1/deactivate-disks?force=1")
    api.machine.ok("find /srv/ganeti/file-storage -path '*new1*' -type f -delete")
    api.do("POST", "/2/instances/new1/recreate-disks", {"disks": [0]})
    assert api.machine.ok("find /srv/ganeti/file-storage -path '*new1*' -name '*.disk0' -size +0").count("\n") == 1


def test_installed_again(api, new):
    new(disk_template="file", disks=[{"size": 16}], no_install=False)
    for query, body, ops, after in (("", None, 3, "running"), ("", {"os": "noop", "start": False}, 2, "ADMIN_down"), ("", {}, 3, "running"), ("?os=noop&nostartup=1", None, 2, "ADMIN_down")):
        job = api.do("POST", f"/2/instances/new1/reinstall{query}", body)
        assert [op["OP_ID"] for op in job["ops"]] == ["OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_REINSTALL", "OP_INSTANCE_STARTUP"][:ops]
        assert state(api, "new1") == after


def test_several_machines_at_once(api, new):
    one = {key: value for key, value in NEW.items() if key != "__version__"}
    job = api.do("POST", "/2/instances-multi-alloc", {"instances": [{**one, "name": "many1"}, {**one, "name": "many2"}]})
    for _, made in job["opresult"][0]["jobs"]:
        assert api.ended(made)["status"] == "success"
    assert [row["id"] for row in api.get("/2/instances")] == ["many1", "many2", "vm1"]
    refused(api.ask("POST", "/2/instances-multi-alloc", {}, "rw"), 400, "instances")
    refused(api.ask("POST", "/2/instances-multi-alloc", {"instances": [{**one, "name": "many3", "pony": 1}]}, "rw"), 400, "pony")


@pytest.mark.parametrize("target", ["/2/tags", "/2/instances/vm1/tags", f"/2/nodes/{NODE}/tags", "/2/groups/default/tags"])
def test_tags(api, vm, target):
    api.do("PUT", f"{target}?tag=b&tag={quoted('a/b:c+d')}")
    assert sorted(api.get(target)) == ["a/b:c+d", "b"]
    api.do("PUT", f"{target}?tag=c&dry-run=1")
    api.do("DELETE", f"{target}?tag=b&tag={quoted('a/b:c+d')}")
    assert api.get(target) == []
    assert api.fails("DELETE", f"{target}?tag=b")[1] == "unknown_entity"


def test_only_tried(api, vm):
    before = api.get("/2/instances/vm1")
    for method, target, body in (("DELETE", "instances/vm1", None), ("PUT", "instances/vm1/shutdown", None), ("POST", "instances/vm1/reboot", None), ("PUT", "instances/vm1/tags", None),
                                 ("POST", "groups", {"name": "rack9"}), ("POST", "networks", {"network_name": "lan9", "network": "198.51.100.0/28"}), ("POST", "instances", {**NEW, "name": "vm9"})):
        job = api.do(method, f"/2/{target}?tag=x&dry-run=1", body)
        assert job["ops"][0]["dry_run"] is True
    assert api.get("/2/instances/vm1") == before
    for target in ("/2/groups/rack9", "/2/networks/lan9", "/2/instances/vm9"):
        refused(api.ask("GET", target), 404)


def test_a_group(api):
    api.do("POST", "/2/groups", {"name": "rack1", "alloc_policy": None})
    api.do("PUT", "/2/groups/rack1/modify", {"alloc_policy": "unallocable", "custom_ndparams": {"ssh_port": 2222}})
    one = api.get("/2/groups/rack1")
    assert (one["alloc_policy"], one["custom_ndparams"], one["ndparams"]["ssh_port"], one["node_list"]) == ("unallocable", {"ssh_port": 2222}, 2222, [])
    api.do("PUT", "/2/groups/rack1/assign-nodes?force=1", {"nodes": [NODE]})
    assert api.get("/2/groups/rack1")["node_list"] == [NODE]
    assert api.fails("DELETE", "/2/groups/rack1")[1] == "wrong_state"
    api.do("PUT", "/2/groups/default/assign-nodes", {"nodes": [NODE]})
    api.do("PUT", "/2/groups/rack1/rename", {"new_name": "rack2"})
    assert [row["name"] for row in api.get("/2/groups")] == ["default", "rack2"]
    api.do("DELETE", "/2/groups/rack2")
    refused(api.ask("GET", "/2/groups/rack2"), 404)


def test_a_network(api, new):
    api.do("POST", "/2/networks", {"name": "lan", "network": "198.51.100.0/28", "gateway": "198.51.100.1", "add_reserved_ips": ["198.51.100.9"], "tags": ["inside"]})
    api.do("PUT", "/2/networks/lan/connect", {"group_name": "default", "network_mode": "bridged", "network_link": "br0", "network_vlan": ""})
    assert api.get("/2/networks") == [{"name": "lan", "uri": "/2/networks/lan"}]
    new(nics=[{"network": "lan", "ip": "pool"}])
    [row] = api.get("/2/networks?bulk=1")
    assert set(row) == NETWORK and api.get("/2/networks/lan") == row
    assert (row["network"], row["gateway"], row["map"], row["free_count"], row["inst_list"], row["tags"]) == ("198.51.100.0/28", "198.51.100.1", "XXX......X.....X", 11, ["new1"], ["inside"])
    assert row["group_list"] == [["default", "bridged", "br0", ""]]
    assert api.get("/2/instances/new1")["nic.networks.names"] == ["lan"]
    api.do("DELETE", "/2/instances/new1")
    api.do("PUT", "/2/networks/lan/modify", {"mac_prefix": "aa:00:01", "remove_reserved_ips": ["198.51.100.9"]})
    assert (api.get("/2/networks/lan")["mac_prefix"], api.get("/2/networks/lan")["map"]) == ("aa:00:01", "XX.............X")
    api.do("PUT", "/2/networks/lan/rename", {"new_name": "office"})
    api.do("PUT", "/2/networks/office/tags?tag=outside")
    assert sorted(api.get("/2/networks/office/tags")) == ["inside", "outside"]
    api.do("PUT", "/2/networks/office/disconnect", {"group_name": "default"})
    api.do("DELETE", "/2/networks/office")
    assert api.get("/2/networks") == []


def test_the_cluster(api):
    size = api.get("/2/info")["candidate_pool_size"]
    api.do("PUT", "/2/modify", {"candidate_pool_size": size + 1})
    assert api.get("/2/info")["candidate_pool_size"] == size + 1
    api.do("PUT", "/2/modify", {"candidate_pool_size": size})
    api.do("PUT", "/2/redistribute-config")


def test_a_node(api):
    api.do("POST", f"/2/nodes/{NODE}/modify", {"ndparams": {"spindle_count": 2}})
    assert api.get(f"/2/nodes/{NODE}")["ndparams"]["spindle_count"] == 2
    assert "master" in api.fails("PUT", f"/2/nodes/{NODE}/role?force=1&auto-promote=1", "offline")[0]
    job = api.ended(api.get(f"/2/nodes/{NODE}/storage?storage_type=file&output_fields=name,size", "rw"))
    assert job["opresult"][0][0][0] == "/srv/ganeti/file-storage"


def test_a_job_that_fails_says_why_in_ganetis_way(api):
    words, code = api.fails("PUT", "/2/instances/nosuch/startup")
    assert "nosuch" in words and code == "unknown_entity"
    job = api.ended(api.submit("DELETE", "/2/instances/nosuch"))
    assert (job["opstatus"], job["opresult"][0][0]) == (["error"], "OpPrereqError")


def test_a_reason_and_what_a_job_waits_for(api, vm, delay):
    job = api.submit("PUT", "/2/instances/vm1/modify?reason=because%20I%20say%20so", {"beparams": {"vcpus": 1}, "depends": [[delay, []]]})
    told = api.get(f"/2/jobs/{job}")
    assert told["status"] in ("queued", "waiting") and told["ops"][0]["depends"] == [[delay, []]]
    sources = {source: text for source, text, _ in told["ops"][0]["reason"]}
    assert sources["gnt:user"] == "because I say so" and any(source.startswith("gnt:library:rlib2") for source in sources)
    assert api.ask("DELETE", f"/2/jobs/{delay}", account="rw").json[0] is True
    assert api.ended(job)["status"] == "success"


def test_a_job_is_cancelled(api, delay):
    refused(api.ask("DELETE", f"/2/jobs/{delay}", account="ro"), 403)
    done, text = api.ask("DELETE", f"/2/jobs/{delay}", account="rw").json
    assert done is True and str(delay) in text
    assert api.ended(delay)["status"] == "canceled"
    done, text = api.ask("DELETE", f"/2/jobs/{delay}", account="rw").json
    assert done is False and text


# Waiting

def test_a_job_is_waited_for(api, delay):
    fields = ["id", "status", "opstatus"]
    first = api.get(f"/2/jobs/{delay}/wait", "rw", {"fields": fields, "previous_job_info": None, "previous_log_serial": None})
    assert set(first) == {"job_info", "log_entries"} and [int(first["job_info"][0]), *first["job_info"][1:]] == [delay, "running", ["running"]]
    with api.connect() as connection:
        connection.sendall(request("GET", f"/2/jobs/{delay}/wait", {"fields": fields, "previous_job_info": first["job_info"], "previous_log_serial": 1000}, "rw"))
        time.sleep(0.5)
        began = time.monotonic()
        api.machine.ok(f"gnt-job cancel {delay}")
        news = answer(connection).json
        assert time.monotonic() - began < 5
    # What is running is taken back first.
    assert news["job_info"][1] in ("canceling", "canceled", "running")
    assert api.ended(delay)["status"] == "canceled"


def test_what_a_job_logs(api):
    job = api.submit("POST", "/2/instances", {**NEW, "name": "new1", "disk_template": "file", "disks": [{"size": 16}], "no_install": False, "start": False})
    ended = api.ended(job)
    log = [entry for entries in ended["oplog"] for entry in entries]
    api.do("DELETE", "/2/instances/new1")
    assert [len(entry) for entry in log] == [4] * len(log) and any("creating instance disks" in entry[3] for entry in log)
    for known, told in ((None, log), (log[0][0], log[1:]), (log[-1][0], [])):
        news = api.get(f"/2/jobs/{job}/wait", "rw", {"fields": ["status"], "previous_log_serial": known})
        assert news["job_info"] == ["success"] and (news["log_entries"] or []) == told


@pytest.mark.parametrize("body", [None, {}, [], {"fields": "status"}, {"fields": ["status"], "previous_job_info": "x"}, {"fields": ["status"], "previous_log_serial": "x"}, {"fields": 7}])
def test_a_wait_that_makes_no_sense(api, body):
    refused(api.ask("GET", "/2/jobs/1/wait", body, "rw"), 400)


def test_a_wait_for_what_is_not_there(api):
    refused(api.ask("GET", "/2/jobs/987654321/wait", {"fields": ["status"]}, "rw"), 404)


def test_nothing_new_within_ten_seconds(api, delay):
    began = time.monotonic()
    assert api.get(f"/2/jobs/{delay}/wait", "rw", {"fields": ["status"], "previous_job_info": ["running"], "previous_log_serial": 1000}) is None
    assert 8 < time.monotonic() - began < 20


def test_three_hundred_wait_and_nobody_is_kept_out(api, vm, delay):
    body = {"fields": ["status"], "previous_job_info": ["running"], "previous_log_serial": 1000}
    waiting = []
    for _ in range(300):
        waiting.append(api.connect())
        waiting[-1].sendall(request("GET", f"/2/jobs/{delay}/wait", body, "rw"))
    began = time.monotonic()
    assert "vm1" in api.machine.ok("gnt-instance list", timeout=30)
    assert state(api) == "running"
    assert time.monotonic() - began < 5
    api.machine.ok(f"gnt-job cancel {delay}", timeout=30)
    answers = [answer(connection) for connection in waiting]
    assert {got.status for got in answers} == {200}
    # Whoever came first may have been told that there was nothing new.
    assert sum(got.json is not None for got in answers) > 100
    for connection in waiting:
        connection.close()


# Those who mean harm, and those who are only odd

ODD = [
    # (what, the request's bytes, statuses that may answer it; None: it hangs up)
    ("HTTP/1.0", b"GET /version HTTP/1.0\r\n\r\n", {200}),
    ("HTTP/0.9", b"GET /version\r\n\r\n", {400, 505, None}),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505, None}),
    ("HTTP/9.9", b"GET /version HTTP/9.9\r\nHost: x\r\n\r\n", {400, 505}),
    ("TLS in TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400, None}),
    ("no host", b"GET /version HTTP/1.1\r\n\r\n", {200, 400}),
    ("lower case", b"get /version HTTP/1.1\r\nHost: x\r\n\r\n", {400, 501}),
    ("a line feed alone", b"GET /version HTTP/1.1\nHost: x\n\n", {200, 400, 505, None}),
    ("absolute", f"GET https://{NAME}:{PORT}/version HTTP/1.1\r\nHost: x\r\n\r\n".encode(), {200, 400, 404}),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 501}),
    ("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 501}),
    ("two slashes", b"GET //2//instances HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    ("dots", b"GET /2/../2/info HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    ("dots in disguise", b"GET /2/%2e%2e/2/info HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    ("NUL", b"GET /2/instances/vm1\0 HTTP/1.1\r\nHost: x\r\n\r\n", {400, None}),
    ("NUL in disguise", b"GET /2/instances/vm1%00 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
    ("no UTF-8", b"GET /2/instances/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
    ("half a byte", b"GET /2/instances/%f HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
    ("query of a kind", b"GET /2/instances?bulk=%zz&&=&;%00 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("a name of a megabyte", b"GET /2/instances/" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 413, 414, 431, None}),
    ("a header of a megabyte", b"GET /version HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", {400, 413, 431, None}),
    ("headers of a megabyte", b"GET /version HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 180_000 + b"\r\n", {400, 413, 431, None}),
    ("no header", b"GET /version HTTP/1.1\r\npony\r\n\r\n", {400}),
    ("100 MB", request("PUT", "/2/modify", account="rw", headers=["Content-Type: application/json", "Content-Length: 100000000"]) + b"{", {413}),
    ("more than there are numbers", b"PUT /2/modify HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000000000000000\r\n\r\n", {400, 413}),
    ("less than nothing", b"PUT /2/modify HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", {400}),
    ("two lengths", b"PUT /2/modify HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", {400}),
    ("two kinds of length", b"PUT /2/modify HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400, 401}),
    ("a chunk without end", b"PUT /2/modify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n{", {400, 401, 413}),
]


@pytest.mark.parametrize("raw,may", [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_odd_requests(api, vm, raw, may):
    began = time.monotonic()
    got = api.send(raw)
    assert (got.status if got else None) in may, got
    assert time.monotonic() - began < 15
    if got and got.status == 200:
        assert got.json == 2
    assert api.get("/version") == 2


def test_only_the_head(api):
    got = api.send(b"HEAD /version HTTP/1.1\r\nHost: x\r\n\r\n", method="HEAD")
    assert got.status == 501 and got.body == b""


def test_two_requests_in_one_breath(api):
    """Where the first answer doesn't say that the connection ends, the second one comes; neither is taken for the other's."""
    with api.connect(timeout=10) as connection:
        connection.sendall(request("GET", "/version") + request("GET", "/2/features"))
        heard = b""
        while b"instance-create-reqv1" not in heard:
            more = connection.recv(65536)
            heard += more
            if not more:
                assert b"\r\nConnection: close\r\n" in heard
                break
    assert heard.partition(b"\r\n\r\n")[2].startswith(b"2")


def test_a_name_is_decoded(api, vm):
    assert api.get("/2/instances/%76m1")["name"] == "vm1"
    assert api.get(f"/2/query/instance?fields={quoted('name,status')}", "ro")["data"] == [[[0, "vm1"], [0, "running"]]]


def test_who_asks_before_he_sends(api, vm):
    body = b'{"beparams": {"vcpus": 1}}'
    with api.connect() as connection:
        connection.sendall(request("PUT", "/2/instances/vm1/modify?dry-run=1", body, "rw", headers=["Expect: 100-continue"])[:-len(body)])
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert answer(connection).status == 200


def test_who_takes_his_time(api, vm):
    """One begins no TLS, one sends a byte each second: both are ended, and others are served meanwhile."""
    without_tls, slow = api.plain(), api.connect()
    began = time.monotonic()
    served = []
    slow.settimeout(0.05)
    try:
        for byte in b"GET /version HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1000:
            slow.sendall(bytes([byte]))
            served.append(api.get("/version"))
            assert time.monotonic() - began < 40
            # An answer that names the fault is as good as none.
            try:
                if slow.recv(1000)[:12] != b"HTTP/1.1 200":
                    break
            except TimeoutError:
                pass
            time.sleep(0.9)
    except OSError:
        pass
    assert time.monotonic() - began < 40 and len(served) > 2
    without_tls.settimeout(30)
    assert without_tls.recv(1000) == b""
    without_tls.close()
    slow.close()


def test_a_thousand_wrong_passwords_keep_nobody_else_out(api, vm):
    statuses = []

    def guess(number):
        with contextlib.suppress(OSError, http.client.HTTPException), api.connect(host="192.0.2.1", timeout=10) as connection:
            connection.sendall(request("GET", "/2/info", account=("rw", f"guess{number}")))
            connection.settimeout(0.2)  # it may be let wait
            statuses.append(answer(connection).status)

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        guesses = [pool.submit(guess, number) for number in range(1000)]
        while not all(one.done() for one in guesses):
            began = time.monotonic()
            assert api.ask("GET", "/2/query/node?fields=name", account="rw").status == 200
            assert time.monotonic() - began < 5
            time.sleep(0.2)
    # 429: it was not looked at, there were too many.
    assert 401 in statuses and set(statuses) <= {401, 429}


def test_many_who_come_and_go(api):
    for _ in range(100):
        api.plain().close()
        api.connect().close()
    with api.connect() as connection:
        connection.sendall(request("GET", "/2/jobs?bulk=1"))
    assert api.get("/version") == 2


def test_a_hundred_at_the_same_time(api, vm):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        names = [one.result() for one in [pool.submit(api.get, "/2/instances?bulk=1") for _ in range(100)]]
    assert all(rows[0]["name"] == "vm1" for rows in names)


# TLS

def test_plain_http_is_not_spoken(api):
    with api.plain(timeout=15) as connection:
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            said = connection.recv(65536)
        except ConnectionResetError:
            said = b""
    assert not said.startswith(b"HTTP/1.1 200")
    assert api.get("/version") == 2


@pytest.mark.parametrize("version,is_spoken", [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_versions_of_tls(api, version, is_spoken):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=api.certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if is_spoken:
        with api.connect(context) as connection:
            assert connection.version() == version.replace("_", ".")
    else:
        with pytest.raises((ssl.SSLError, ConnectionResetError)) as why:
            api.connect(context)
        assert "ALERT" in str(why.value) or "EOF" in str(why.value) or why.type is ConnectionResetError  # it was the other side


def test_the_certificate_is_the_clusters(api):
    curl = f"curl -sS --cacert /var/tmp/rapi.crt --resolve {NAME}:{PORT}:127.0.0.1"
    api.machine.ok("openssl x509 -in /var/lib/ganeti/rapi.pem -out /var/tmp/rapi.crt")
    assert api.machine.ok(f"{curl} https://{NAME}:{PORT}/version").strip() == "2"
    assert "127.0.0.1" in api.machine.refused(f"{curl} https://127.0.0.1:{PORT}/version", exit_code=60)
    assert "PRIVATE" not in api.machine.ok("cat /var/tmp/rapi.crt")


def test_a_certificate_that_is_renewed(api):
    """Whoever is there stays; what is no certificate is said and changes nothing; without one it is off, and said so."""
    pem = "/var/lib/ganeti/rapi.pem"
    own = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout /var/tmp/x.key -out /var/tmp/x.crt 2> /dev/null && cat /var/tmp/x.key /var/tmp/x.crt"
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE

    def shown():
        try:
            with api.connect(stranger) as connection:
                return ssl.DER_cert_to_PEM_cert(connection.getpeercert(True)).strip()
        except OSError:
            return None

    def log():
        return api.machine.ok("cat /var/log/ganeti/flotte-controllerd.log")

    def until(holds):
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, (shown(), log())
            time.sleep(0.1)

    api.machine.ok(f"cp -p {pem} /var/tmp/kept.pem")
    with api.connect() as early:
        early.sendall(request("GET", "/version"))
        assert answer(early).json == 2
        api.machine.ok(f"{own} > {pem}")
        until(lambda: shown() == api.machine.ok("cat /var/tmp/x.crt").strip())
        early.sendall(request("GET", "/version"))
        assert answer(early).json == 2
    api.machine.ok(f"echo nothing > {pem}")
    until(lambda: f"Can't use the certificate from {pem}" in log())
    assert shown() == api.machine.ok("cat /var/tmp/x.crt").strip()
    api.machine.ok(f"rm {pem}")
    until(lambda: shown() is None and f"it is off, there is no {pem}" in log())
    api.machine.ok(f"cp -p /var/tmp/kept.pem {pem}")
    until(lambda: shown() == api.certificate)


# Daemons that die and start again

@pytest.mark.parametrize("daemon", ["flotte-controllerd", "flotte-noded"])
def test_killed_and_started_again(api, vm, delay, daemon):
    job = api.submit("PUT", "/2/instances/vm1/modify", {"beparams": {"vcpus": 1}, "depends": [[delay, []]]})
    api.machine.kill(daemon)
    api.machine.ok("flotte daemons start")
    api.wait_until_it_listens()
    assert api.get(f"/2/jobs/{job}")["status"] in ("queued", "waiting")
    api.ask("DELETE", f"/2/jobs/{delay}", account="rw")
    assert api.ended(job)["status"] == "success"
    assert re.search(r"Submitted by: rw\b", api.machine.ok(f"gnt-job info {job}"))
    assert state(api) == "running"


def test_a_node_that_does_not_answer(api, vm):
    api.machine.kill("flotte-noded")
    try:
        [one] = api.get("/2/instances?bulk=1")
        assert (one["name"], one["oper_ram"], one["oper_state"], one["status"]) == ("vm1", None, None, "ERROR_nodedown")
        assert api.get(f"/2/nodes/{NODE}")["mtotal"] is None
    finally:
        api.machine.ok("flotte daemons start")
    assert state(api) == "running"  # the remote API was there all the time


def test_it_ends_while_somebody_waits(api, delay):
    heard = threading.Event()

    def wait():
        with contextlib.suppress(OSError, http.client.HTTPException):
            api.ask("GET", f"/2/jobs/{delay}/wait", {"fields": ["status"], "previous_job_info": ["running"], "previous_log_serial": 1000}, "rw")
        heard.set()

    threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.5)
    api.machine.ok("flotte daemons stop")
    assert heard.wait(20)
    api.machine.ok("flotte daemons start")
    api.wait_until_it_listens()
    assert api.get(f"/2/jobs/{delay}")["status"] in ("waiting", "running")


# Last: it listens elsewhere afterwards

def test_what_the_administrator_has_set(api, vm):
    """Ganeti's options, in the file where Debian's package has them; and a certificate of his own."""
    api.machine.ok("""printf 'RAPI_ARGS="-p 5081 -b 192.0.2.1 --require-authentication"\\n' > /etc/default/ganeti; flotte daemons stop
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ganeti.example.com -keyout /var/tmp/own.key -out /var/tmp/own.crt 2> /dev/null
        cat /var/tmp/own.key /var/tmp/own.crt > /var/lib/ganeti/rapi.pem; flotte daemons start""")
    elsewhere = RemoteApi(api.machine, 5081)
    assert elsewhere.certificate != api.certificate
    elsewhere.wait_until_it_listens("192.0.2.1")
    assert elsewhere.ask("GET", "/version", account="ro", host="192.0.2.1").json == 2
    for target in ("/", "/version", "/2/info", "/2/instances"):
        refused(elsewhere.ask("GET", target, host="192.0.2.1"), 401)
    for address, port in (("127.0.0.1", 5081), ("127.0.0.1", PORT), ("192.0.2.1", PORT)):
        with pytest.raises(ConnectionRefusedError), api.machine.network():
            socket.create_connection((address, port), timeout=10)
