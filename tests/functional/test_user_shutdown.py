"""A guest that switches itself off (O7): it comes back, or stays down as USER_down where cluster and machine say so.

The guest is a boot sector that goes to ACPI's S5 at once, or when the power button is pressed."""
import pytest

ADD = "gnt-instance add -t file -s 4M -o noop --no-install --no-name-check --no-ip-check --no-start -H kvm{} -B memory=32M --no-nics vm1"
# mov dx, 0x604; mov ax, 0x2000; out dx, ax; hlt
SWITCH_OFF = r"\xba\x04\x06\xb8\x00\x20\xef\xf4\xeb\xfd"
# Enables the button, says "R", and waits: mov dx, 0x602; mov ax, 0x100; out dx, ax; mov dx, 0x3f8; mov al, 'R'; out dx, al;
# mov dx, 0x600; again: in ax, dx; test ah, 1; jz again
AT_THE_BUTTON = r"\xba\x02\x06\xb8\x00\x01\xef\xba\xf8\x03\xb0R\xee\xba\x00\x06\xed\xf6\xc4\x01\x74\xfa" + SWITCH_OFF
# jmp $
NEVER = r"\xeb\xfe"


@pytest.fixture
def add(cluster):
    def make(program, hvparams=""):
        cluster.ok(ADD.format(hvparams))
        cluster.ok(f"disk=$(ls /srv/ganeti/file-storage/vm1/*.disk0); printf '{program}' | dd of=$disk conv=notrunc status=none; "
                   r"printf '\x55\xaa' | dd of=$disk bs=1 seek=510 conv=notrunc status=none")
    yield make
    cluster.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert cluster.ok("find /srv/ganeti/file-storage /var/run/ganeti -name '*vm1*'") == ""


@pytest.fixture
def may_switch_off(cluster):
    cluster.ok("gnt-cluster modify --user-shutdown=yes")
    yield
    cluster.ok("gnt-cluster modify --user-shutdown=no")


def status(cluster):
    return cluster.ok("gnt-instance list --no-headers -o status vm1").strip()


def wait_for(cluster, wanted):
    cluster.wait_until(f"gnt-instance list --no-headers -o status vm1 | grep -qx {wanted}")


def start(cluster):
    """Until the guest waits for the button; its process."""
    cluster.ok("gnt-instance start vm1")
    cluster.wait_until("grep -q R /var/log/ganeti/kvm/vm1.console")
    return cluster.ok("cat /var/run/ganeti/kvm-hypervisor/pid/vm1")


def press_the_button(cluster):
    cluster.ok("""printf '%s\\n' '{"execute":"qmp_capabilities"}' '{"execute":"system_powerdown"}' |
        socat -t1 - UNIX-CONNECT:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.kvmd""")


def test_stays_down_when_both_allow_it(cluster, add, may_switch_off):
    add(SWITCH_OFF, ":user_shutdown=true")
    cluster.ok("gnt-instance start vm1")
    wait_for(cluster, "USER_down")
    # What the watcher does with it on its round: the wish follows the guest's.
    cluster.wait_until("gnt-instance list --no-headers -o admin_state,admin_state_source vm1 | grep -q 'down *user'")
    assert status(cluster) == "USER_down"
    assert cluster.run("pgrep -f 'name vm1,'").stdout == ""
    assert cluster.ok("gnt-instance info vm1 | grep State").strip() == "State: configured to be down, actual state is down"
    cluster.ok("gnt-instance start vm1")
    wait_for(cluster, "USER_down")


def test_its_end_while_no_daemon_ran_is_remembered(cluster, add, may_switch_off):
    add(AT_THE_BUTTON, ":user_shutdown=true")
    start(cluster)
    for name in ("flotte-noded", "flotte-controllerd"):
        cluster.kill(name)
    press_the_button(cluster)
    cluster.ok("flotte daemons start")
    wait_for(cluster, "USER_down")


def test_comes_back_when_one_of_them_forbids_it(cluster, add):
    add(AT_THE_BUTTON, ":user_shutdown=true")
    before = start(cluster)
    assert "user_shutdown" not in cluster.ok("gnt-instance info vm1 | sed -n '/next start/,$p'")
    press_the_button(cluster)
    wait_for(cluster, "ERROR_down")
    cluster.kill("flotte-controllerd")  # its watcher looks soon after its start
    cluster.ok("flotte daemons start")
    wait_for(cluster, "running")
    assert cluster.ok("cat /var/run/ganeti/kvm-hypervisor/pid/vm1") != before


def test_a_shutdown_by_command_is_none_of_the_guest(cluster, add, may_switch_off):
    add(AT_THE_BUTTON, ":user_shutdown=true")
    start(cluster)
    cluster.ok("gnt-instance shutdown --timeout=60 vm1", timeout=50)
    assert status(cluster) == "ADMIN_down"
    assert cluster.ok("find /var/run/ganeti -name 'vm1*'") == ""


def test_a_guest_that_does_not_listen_loses_its_plug(cluster, add, may_switch_off):
    add(NEVER, ":user_shutdown=true")
    cluster.ok("gnt-instance start vm1")
    cluster.ok("gnt-instance shutdown --timeout=1 vm1")
    assert status(cluster) == "ADMIN_down"


def test_what_the_next_start_changes_is_told(cluster, add):
    add(NEVER)
    cluster.ok("gnt-instance start vm1")
    cluster.ok("gnt-instance modify -B maxmem=48,minmem=48,vcpus=2 -H acpi=false --no-hotplug vm1")
    told = cluster.ok("gnt-instance info vm1 | sed -n '/next start/,$p'")
    assert [line.strip() for line in told.splitlines()[1:]] == [
        "be/maxmem: 32 now, 48 after the next start", "be/vcpus: 1 now, 2 after the next start",
        "hv/acpi: true now, false after the next start"]
    cluster.ok("gnt-instance reboot --type=full --shutdown-timeout=0 vm1")
    assert "next start" not in cluster.ok("gnt-instance info vm1")
