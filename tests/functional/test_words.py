"""Options and answers that no transcript shows."""
import re

import pytest
from machine import INIT, Machine

ADD = "gnt-instance add --no-name-check --no-ip-check --no-start -o noop"


@pytest.fixture(scope="module")
def guests(cluster):
    cluster.ok(f"{ADD} -t file -s 64M -H fake vm1 && {ADD} -t diskless --no-install -H fake vm2")
    return cluster


@pytest.mark.parametrize("command", [
    "gnt-instance modify --dry-run -B memory=200M vm1", "gnt-instance rename --dry-run vm1 vm9", "gnt-instance activate-disks --dry-run vm1",
    "gnt-node modify --dry-run --node-parameters=spindle_count=2 node1.lab.test", "gnt-group modify --dry-run --alloc-policy=last_resort default",
    "gnt-instance remove -f --dry-run vm1", "gnt-cluster search-tags --priority=low nosuch || true"])
def test_a_dry_run_tells_of_nothing_done(guests, command):
    done = guests.run(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"(.* - INFO: dry-run mode requested, not actually executing the operation\n)?", done.stdout)
    assert guests.ok("gnt-instance list --no-headers -o name,be/memory vm1").split() == ["vm1", "128M"]


def test_growing_a_disk_looks_at_what_it_changes(guests):
    guests.ok(f"{ADD} -t file --disk 0:size=64M --disk 1:size=96M -H fake -B vcpus=4 vm3")
    specs = "min:cpu-count=1,disk-count=0,disk-size=0,memory-size=0,nic-count=0,spindle-use=0/max:cpu-count=1,disk-count=1,disk-size=80,memory-size=64,nic-count=0,spindle-use=1"
    guests.ok(f"gnt-group modify --ipolicy-bounds-specs={specs} default")
    try:
        guests.ok("gnt-instance grow-disk vm3 0 8M")
        assert "disk-size/0 value 136 is not in range [0, 80]" in guests.refused("gnt-instance grow-disk vm3 0 64M")
        assert "disk-size/1 value 104 is not in range [0, 80]" in guests.refused("gnt-instance grow-disk vm3 1 8M")
    finally:
        guests.ok("gnt-group modify --ipolicy-bounds-specs=default default")


def test_tags_of_any_script(guests):
    longest = "ж" * 128
    guests.ok(f"gnt-instance add-tags vm2 größe 標籤 {longest}")
    assert guests.ok("gnt-instance list-tags vm2").split() == sorted(["größe", "標籤", longest])
    assert "Tag too long (>128 characters)" in guests.refused(f"gnt-instance add-tags vm2 {longest}ж")
    for wrong in ("'a b'", "a,b", "'a\tb'", "€"):
        assert "Tag contains invalid characters" in guests.refused(f"gnt-instance add-tags vm2 {wrong}")


def test_an_os_gives_up_what_it_sets_for_a_hypervisor(guests):
    guests.ok("gnt-os modify -H kvm:acpi=false,use_localtime=true -H fake:migration_mode=non-live noop")
    assert "'acpi'" in guests.ok("gnt-cluster info --json | grep -o 'os_hvp.*'").replace('"', "'")
    guests.ok("gnt-os modify -H -kvm noop")
    shown = guests.ok("gnt-cluster info --json | grep -o 'os_hvp.*'")
    assert "acpi" not in shown and "non-live" in shown
    assert "Cannot pass options when removing parameter groups: -fake:a=1" in guests.refused("gnt-os modify -H -fake:a=1 noop")
    guests.ok("gnt-os modify -H no_fake noop")


def test_what_an_os_sets_for_a_hypervisor_of_another_day_is_kept(guests):
    guests.ok("gnt-os modify -H xen-pvm:root_path=/dev/sda5 -H xen-hvm:acpi=no,pae=yes noop")
    guests.ok("gnt-os modify -H lxc:num_ttys=3 -H chroot:init_script=/sbin/init noop")
    assert "Parameter 'acpi' is not supported" in guests.refused("gnt-os modify -H xen-pvm:acpi=no noop")
    assert "'pae' (value maybe) is not a valid boolean" in guests.refused("gnt-os modify -H xen-hvm:pae=maybe noop")
    assert "Unknown hypervisor type 'uml'" in guests.refused("gnt-os modify -H uml:acpi=no noop")
    assert "/dev/sda5" not in guests.ok("gnt-cluster info")
    guests.ok("gnt-os modify -H -xen-pvm -H -xen-hvm -H -lxc -H -chroot noop")


def test_an_os_that_may_not_be_installed(guests):
    guests.ok("gnt-os modify --blacklisted=yes noop")
    assert "Guest OS 'noop' is not allowed for installation" in guests.refused(f"{ADD} -t file -s 64M -H fake vm4")
    guests.ok("gnt-os modify --blacklisted=no noop")


def test_a_broken_os_is_told_of_with_its_node(guests):
    guests.ok("mkdir -p /srv/ganeti/os/broken && echo 99 > /srv/ganeti/os/broken/ganeti_api_version")
    done = guests.run("gnt-os diagnose")
    assert done.returncode == 1
    assert re.search(r"^OS: broken \[global status: invalid\]\n  Node: .*found \[99\].*; node node1.lab.test$", done.stdout, re.M)
    guests.ok("rm -r /srv/ganeti/os/broken && gnt-os diagnose")


def test_verify_looks_for_the_out_of_band_program(guests):
    guests.ok("gnt-cluster modify --node-parameters=oob_program=/nosuch/oob")
    said = guests.run("gnt-cluster verify --error-codes").stdout
    assert "ERROR:ENODEOOBPATH:node:node1.lab.test:error stating out of band helper: [Errno 2] No such file or directory: '/nosuch/oob'" in said
    guests.ok("touch /srv/oob && gnt-cluster modify --node-parameters=oob_program=/srv/oob")
    assert "out of band helper /srv/oob is not executable" in guests.run("gnt-cluster verify").stdout
    guests.ok("chmod +x /srv/oob")
    assert "out of band" not in guests.run("gnt-cluster verify").stdout
    guests.ok("gnt-cluster modify --node-parameters=oob_program=")


def test_places_that_are_not_there_yet(guests):
    assert "WARNING: Node node1.lab.test: Path '/srv/elsewhere' is not acceptable for file storage" in guests.ok("gnt-cluster modify --file-storage-dir=/srv/elsewhere")
    assert "ENODEFILESTORAGEPATHUNUSABLE" in guests.run("gnt-cluster verify --error-codes").stdout
    guests.ok("gnt-cluster modify --file-storage-dir=/srv/ganeti/file-storage")
    guests.ok("gnt-cluster modify --vg-name=nosuch")
    assert "volume group 'nosuch' missing" in guests.run("gnt-cluster verify").stdout
    assert "volume group 'nosuch' missing" in guests.refused("gnt-cluster modify --enabled-disk-templates=diskless,file,sharedfile,plain")
    guests.ok("gnt-cluster modify --vg-name=")


def test_a_mask_takes_the_address_with_it(guests):
    guests.ok("gnt-cluster modify --master-netmask=24")
    assert "192.0.2.9/24" in guests.ok("ip -4 -o address show br0")
    assert "master IP" not in guests.run("gnt-cluster verify").stdout


def test_the_queue_tries_itself(guests):
    said = guests.ok("gnt-debug test-jobqueue")
    assert [line for line in said.splitlines() if line.startswith(("Testing", "Job ", "Ignoring"))] == [
        "Testing job submission", "Job submission tests were successful", "Testing job dependencies", "Job dependency tests were successful",
        "Testing job success", "Testing multiple successful opcodes", "Testing job failure",
        "Ignoring error for 'job fail' test: Failure: command execution error:", "Testing partial job failure",
        "Ignoring error for 'job fail' test: Failure: command execution error:", "Job queue test successful"]
    assert "TESTMSG=Foo|bar|baz" in said


def test_secret_parameters_are_named_and_not_told(guests):
    said = guests.ok("gnt-debug test-osparams --os-parameters-secret=password=s3cret,pin=1234")
    assert said.endswith(" Secret OS parameters: {'password': '<redacted>', 'pin': '<redacted>'}\n")
    assert guests.refused("gnt-debug test-osparams") == "Failure: command execution error:\nOpcode needs secret parameters\n"
    number = guests.ok("gnt-debug test-osparams --os-parameters-secret=password=s3cret --submit --print-jobid").strip()
    guests.ok(f"gnt-job wait {number}")
    assert "s3cret" not in guests.ok(f"gnt-job info {number}")


def test_opcodes_from_files(guests):
    guests.ok("""echo '[{"OP_ID":"OP_TEST_DELAY","duration":0}]' > /tmp/ops""")
    said = guests.ok("gnt-debug submit-job --op-repeat=3 --job-repeat=2 --timing-stats -v /tmp/ops")
    assert "Submitted jobs " in said and said.count(" for file /tmp/ops/") == 2 and said.count(" for file /tmp/ops/1 ...") == 1
    assert "C:op        6\nC:job       2\n" in said
    assert guests.ok("gnt-debug submit-job --each --op-repeat=2 /tmp/ops").count("Waiting for job") == 2
    assert "Can't read /nosuch" in guests.refused("gnt-debug submit-job /nosuch")
    guests.ok("""echo '[{"OP_ID":"OP_TEST_DELAY","duration":0,"priority":1}]' > /tmp/ops""")
    assert "priority 1 is none of -10, 0, 10" in guests.refused("gnt-debug submit-job /tmp/ops")


@pytest.mark.parametrize("command,code,said", [
    ("wconfd echo hi", 0, "Answer: hi"), ("wconfd echo", 1, "Command 'echo' takes only precisely argument."), ("wconfd flushconfig", 0, "Configuration flushed."),
    ("wconfd cleanuplocks", 0, "Stale locks cleaned up."), ("wconfd listalllocks", 1, "'gnt-debug locks' lists all locks"), ("wconfd nosuch", 1, "Command 'nosuch' not supported"),
    ("metad echo hi", 1, "There is no metadata daemon"), ("metad nosuch", 1, "Command 'nosuch' not supported"), ("iallocator vm1", 1, "Allocators are not built yet")])
def test_daemons_of_ganeti_are_asked(guests, command, code, said):
    done = guests.run(f"gnt-debug {command}")
    assert done.returncode == code and said in done.stdout + done.stderr


def test_a_cluster_of_one_node_has_its_master(guests):
    assert "node1.lab.test is already the master" in guests.refused("gnt-cluster master-failover")
    assert "Precisely one of the options --to and --resume has to be given" in guests.refused("gnt-cluster upgrade")
    assert "is not built yet" in guests.refused("gnt-cluster upgrade --to=9.9")


def test_programs_that_are_not_built(cluster):
    for command in ("gnt-storage diagnose", "gnt-filter list"):
        assert cluster.refused(command) == " ".join(command.split()[:2]) + " is not built yet\n"
    assert "Command remove expects 1 argument(s)" in cluster.refused("gnt-backup remove")


@pytest.mark.parametrize("options,code,said", [
    ("--primary-ip-version=6", 1, "not built yet"), ("--primary-ip-version=x", 1, "Invalid primary ip version value: invalid literal for int() with base 10: 'x'"),
    ("-s 192.0.2.300", 1, "Secondary IP address (192.0.2.300) has to be a valid IPv4 address."),
    ("-s 198.51.100.7", 1, "You gave 198.51.100.7 as secondary IP, but it does not belong to this host."),
    ("--specs-mem-size=min=pony", 1, "Invalid"), ("--specs-cpu-count=least=1", 1, "Unknown parameter 'least'"),
    ("--uid-pool=1-2", 2, "--uid-pool is not built yet")])
def test_init_refuses(machine_without_cluster, options, code, said):
    init = INIT.replace("gnt-cluster init", f"gnt-cluster init {options}")
    if "specs" in options:
        init = re.sub(r"--ipolicy-bounds-specs=\S+", "", init)
    assert said in machine_without_cluster.refused(init, code)


@pytest.fixture(scope="module")
def machine_without_cluster():
    made = Machine()
    yield made
    made.close()


def test_init_does_what_its_options_ask():
    made = Machine()
    try:
        init = re.sub(r"--ipolicy-bounds-specs=\S+", "--specs-mem-size=min=64M,max=2G,std=256 --specs-cpu-count=max=3 --specs-disk-size=min=16M", INIT)
        init = init.replace("gnt-cluster init", "gnt-cluster init --primary-ip-version=4 -s 127.0.0.1 --ssh-key-type=rsa --compression-tools=gzip,lzop --no-ssh-init")
        done = made.run(init)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "Note: --ssh-key-type: No effect: no SSH keys are made for other nodes yet\n"
        assert re.search(r"compression tools: \n +- gzip\n +- lzop\n", made.ok("gnt-cluster info"))
        assert "gzip utility must be present" in made.refused("gnt-cluster modify --compression-tools=lzop")
        assert "illegal characters" in made.refused("gnt-cluster modify --compression-tools=gzip,/bin/sh")
        assert made.ok("gnt-node list --no-headers -o sip").strip() == "127.0.0.1"
        said = made.ok("gnt-cluster show-ispecs-cmd")
        assert "cpu-count=1,disk-count=1,disk-size=1024,memory-size=256" in said
        assert "min:cpu-count=1,disk-count=1,disk-size=16,memory-size=64" in said and "max:cpu-count=3,disk-count=16,disk-size=1048576,memory-size=2048" in said
    finally:
        made.close()
