"""What would not start is found before anything is touched: in add, modify, startup, reboot and verify, for values of an instance, an OS and the cluster."""
import pytest

ADD = "gnt-instance add -t file -s 16M -o noop --no-install --no-name-check --no-ip-check -H kvm{more} -B memory=64M --net 0:link=br0"

# What is given, and what is said of it.
WRONG = {
    "disk_aio=native": "When 'disk_aio' is set to 'native', the only supported value for 'disk_cache' is 'none'.",
    "kvm_extra=\\'open": "kvm_extra: a quote ' is not closed",
    "kvm_extra=-nosuch": "-nosuch: invalid option",
    "cpu_cores=2": "Invalid CPU topology",
    "kvm_path=/nosuch": "Root does not run /nosuch",
    "kvm_pci_reservations=32": "kvm_pci_reservations keeps 32",
    "vga=nosuch": "unknown vga type: nosuch",
    "machine_version=nosuch": "unsupported machine type",
    "usb_devices=host:1234": "usb_devices: 'host:1234' is none of tablet",
    "boot_order=floppy": "Cannot boot from floppy without an image",
    "cdrom_disk_type=mtd": "cdrom_disk_type",
    "keymap=nosuch,vnc_bind_address=127.0.0.1": "could not read keymap file",
    "mem_path=/nosuch": "not found or not a directory (current value: '/nosuch')",
}


def pid(cluster):
    return cluster.ok("cat /var/run/ganeti/kvm-hypervisor/pid/vm1")


def conf(cluster):
    return cluster.ok("gnt-instance info vm1")


@pytest.fixture(scope="module")
def guest(cluster):
    cluster.ok(f"{ADD.format(more='')} vm1")
    yield "vm1"
    cluster.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")


@pytest.mark.parametrize("given", WRONG)
def test_modify_refuses_it(cluster, guest, given):
    before = pid(cluster)
    said = cluster.refused(f"gnt-instance modify -H {given} vm1")
    assert WRONG[given] in said
    assert pid(cluster) == before
    # A start with it for once.
    cluster.ok("gnt-instance shutdown --timeout=0 vm1")
    assert WRONG[given] in cluster.refused(f"gnt-instance startup -H {given} vm1")
    assert "ADMIN_down" in cluster.ok("gnt-instance list --no-headers -o status vm1")
    cluster.ok("gnt-instance startup vm1")


def test_other_changes_break_it_too(cluster, guest):
    cluster.ok("gnt-instance modify -B vcpus=2 -H cpu_cores=2 vm1")
    assert "Invalid CPU topology" in cluster.refused("gnt-instance modify -B vcpus=1 vm1")
    cluster.ok("gnt-instance modify -B vcpus=1 -H cpu_cores=default vm1")
    cluster.ok("gnt-instance modify -H kvm_pci_reservations=30 vm1")
    assert "need more PCI slots" in cluster.refused("gnt-instance modify --net add --no-hotplug vm1")
    cluster.ok("gnt-instance modify -H kvm_pci_reservations=default vm1")


def test_what_works_although_it_looks_as_if_it_did_not(cluster, guest):
    cluster.ok("truncate -s 1440K /srv/floppy; truncate -s 1M /srv/cd")
    for given, back in (("boot_order=floppy,floppy_image_path=/srv/floppy", "boot_order,floppy_image_path"),
                        ("cdrom_disk_type=scsi-cd,cdrom_image_path=/srv/cd", "cdrom_disk_type,cdrom_image_path"),
                        ("machine_version=q35", "machine_version"), ("usb_devices=host:1234:abcd", "usb_devices")):
        cluster.ok(f"gnt-instance modify -H {given} vm1")
        cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
        assert "running" in cluster.ok("gnt-instance list --no-headers -o status vm1")
        cluster.ok("gnt-instance modify -H " + ",".join(f"{name}=default" for name in back.split(",")) + " vm1")
    cluster.ok("gnt-instance reboot --shutdown-timeout=0 vm1")


@pytest.fixture
def broken(cluster, guest):
    """The program changes behind its back: QEMU was upgraded, say."""
    cluster.ok("echo /usr/local/bin/kvm-own >> /etc/ganeti/allowed-programs && cp /usr/local/bin/kvm-tcg /usr/local/bin/kvm-own && gnt-instance modify -H kvm_path=/usr/local/bin/kvm-own vm1")
    cluster.ok("printf '#!/bin/sh\\necho the new one is broken >&2\\nexit 1\\n' > /usr/local/bin/kvm-own")
    yield
    cluster.ok("gnt-instance modify -H kvm_path=default vm1")


@pytest.mark.parametrize("kind", ["hard", "full"])
def test_reboot_looks_before_it_stops(cluster, broken, kind):
    before = pid(cluster)
    assert "the new one is broken" in cluster.refused(f"gnt-instance reboot -t {kind} --shutdown-timeout=0 vm1")
    assert pid(cluster) == before


def test_verify_names_it(cluster, broken):
    said = cluster.run("gnt-cluster verify").stdout
    assert "(source instance vm1): " in said and "the new one is broken" in said


def test_what_cannot_start_can_be_changed_and_taken_apart(cluster, broken):
    said = cluster.run("gnt-instance modify -B vcpus=2 vm1")
    assert said.returncode == 0 and "It can't be started, now as before" in said.stdout + said.stderr
    cluster.ok("gnt-instance modify -B vcpus=1 vm1")


def test_add_leaves_nothing(cluster):
    files = cluster.ok("find /srv/ganeti /var/run/ganeti")
    assert "unknown vga type: nosuch" in cluster.refused(f"{ADD.format(more=':vga=nosuch')} vm2")
    assert "unknown vga type: nosuch" in cluster.refused(f"{ADD.format(more=':vga=nosuch')} --no-start vm2")
    assert cluster.ok("find /srv/ganeti /var/run/ganeti") == files
    assert "vm2" not in cluster.ok("gnt-instance list --no-headers -o name")


def test_the_cluster_s_and_an_os_s_values(cluster, guest):
    assert "unknown vga type: nosuch" in cluster.refused("gnt-cluster modify -H kvm:vga=nosuch")
    assert "unknown vga type: nosuch" in cluster.refused("gnt-os modify -H kvm:vga=nosuch noop")
    assert "nosuch" not in cluster.ok("gnt-cluster info")


def test_the_second_failure_has_a_reason_as_the_first(cluster, guest):
    """What no trial can find: somebody else has its disk open."""
    cluster.ok("gnt-instance shutdown --timeout=0 vm1")
    [disk] = cluster.ok("ls /srv/ganeti/file-storage/vm1/*.disk0").split()
    cluster.ok(f"qemu-system-x86_64 -S -display none -daemonize -pidfile /run/other.pid -drive file={disk},format=raw < /dev/null > /dev/null 2>&1")
    reasons = [cluster.refused("gnt-instance startup vm1") for _ in range(2)]
    cluster.ok("kill $(cat /run/other.pid)")
    assert all('Failed to get "write" lock' in reason for reason in reasons), reasons
    cluster.wait_until("gnt-instance startup vm1")


def test_a_long_vnc_password_is_told_of(cluster, guest):
    cluster.ok("echo 123456789 > /etc/vnc-password")
    said = cluster.run("gnt-instance modify -H vnc_bind_address=127.0.0.1,vnc_password_file=/etc/vnc-password vm1")
    assert said.returncode == 0 and "has 9 characters, of which VNC looks at the first 8 only" in said.stdout + said.stderr
    assert "has 9 characters" in cluster.run("gnt-cluster verify").stdout
    cluster.ok("gnt-instance modify -H vnc_bind_address=default,vnc_password_file=default vm1")


# QEMU becomes another user, which costs it the signal that its parent has died: this is as late as that.
ORPHAN = """#!/bin/sh
case "$*" in
*trial*)
  touch /run/trial-has-begun
  while [ ! -e /run/trial-goes-on ]; do sleep 0.1; done
  {then} ;;
esac
exec /usr/local/bin/kvm-tcg "$@"
"""


@pytest.mark.parametrize("then", [":", "sleep 1000"], ids=["ends by itself", "is ended"])
def test_a_trial_whose_daemon_was_killed(cluster, broken, then):
    begun = "rm -f /run/trial-*; printf '#!/bin/sh\\nexec setpriv --pdeathsig clear /usr/local/bin/kvm-orphan \"$@\"\\n' > /usr/local/bin/kvm-own"
    cluster.ok(f"{begun}; cat > /usr/local/bin/kvm-orphan <<'END'\n{ORPHAN.format(then=then)}END\nchmod +x /usr/local/bin/kvm-orphan")
    command = cluster.start("gnt-instance modify -B vcpus=2 vm1")
    cluster.wait_until("test -e /run/trial-has-begun")
    cluster.ok("pid=$(cat /var/run/ganeti/flotte-noded.pid); kill -9 $pid; while kill -0 $pid 2> /dev/null; do sleep 0.1; done")
    cluster.ok("touch /run/trial-goes-on")
    if then.startswith("sleep"):
        cluster.wait_until("pgrep -x sleep -a | grep 1000")
        cluster.ok("cp /usr/local/bin/kvm-tcg /usr/local/bin/kvm-own; flotte daemons start")
    cluster.wait_until("! pgrep -f '[k]vm-orphan|[n]ame trial|[s]leep 1000'")
    cluster.ok("cp /usr/local/bin/kvm-tcg /usr/local/bin/kvm-own; flotte daemons start")
    command.wait()
    cluster.ok("gnt-instance modify -B vcpus=1 vm1")
