"""O8: VNC as it is told, seen by a client that shakes hands with it."""
import json
import pathlib

import pytest

RFB = pathlib.Path(__file__).with_name("rfb.py")
NONE, VNC, VENCRYPT = 1, 2, 19
TLS_NONE, TLS_VNC, X509_NONE, X509_VNC = 257, 258, 260, 261


@pytest.fixture(scope="module")
def vm(cluster):
    """A guest that has no display yet, with the files that VNC may be told of."""
    cluster.ok("gnt-instance add -t diskless -o noop --no-install --no-start --no-name-check --no-ip-check --no-nics -H kvm -B memory=64M vm1")
    cluster.ok("""umask 077; echo 'tr0ub4d.' > /etc/ganeti/vnc-password; : > /etc/ganeti/empty-password
mkdir -p /etc/ganeti/vnc /srv/vnc; cd /etc/ganeti/vnc
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca-cert.pem -subj /CN=authority -days 30 2>/dev/null
for who in server client; do
  openssl req -newkey rsa:2048 -nodes -keyout $who-key.pem -out $who.csr -subj /CN=$who 2>/dev/null
  openssl x509 -req -in $who.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -out $who-cert.pem -days 30 2>/dev/null
done
cat client-cert.pem client-key.pem > client.pem""")
    return cluster


OFF = "vnc_bind_address=,vnc_password_file=,vnc_tls=false,vnc_x509_path=,vnc_x509_verify=false"


@pytest.fixture
def restart(vm):
    """Restarts the guest with these parameters, and gives a client of its display."""
    def with_parameters(parameters):
        vm.ok(f"gnt-instance modify -H {parameters} vm1")
        vm.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
        return lambda *options, where=None: json.loads(vm.ok(" ".join(["/usr/bin/python3", str(RFB), where or f"127.0.0.1 {port(vm)}", *options])))
    yield with_parameters
    vm.run("gnt-instance stop --timeout=0 vm1")
    vm.ok(f"gnt-instance modify -H {OFF} vm1")


def port(vm):
    return vm.ok("gnt-instance list --no-headers -o network_port vm1").strip()


def qemu(vm):
    return [line for line in vm.ok("ps -eo args").splitlines() if line.startswith("qemu-system")]


def test_O8_on_and_off(vm, restart):
    look = restart('vnc_bind_address="127.0.0.1"')
    seen = look()
    assert seen["types"] == [NONE] and seen["is_let_in"] and seen["name"] == "QEMU (vm1)" and seen["width"] > 0
    assert 11000 <= int(port(vm)) < 15000
    assert f"127.0.0.1:{port(vm)}" in vm.ok("ss -ltnH")
    assert "vm1" in vm.ok("gnt-instance list -o +network_port").splitlines()[1]
    assert "ConnectionRefused" in restart('vnc_bind_address=""')()["error"]


def test_O8_a_password_that_nobody_sees(vm, restart):
    look = restart("vnc_bind_address=127.0.0.1,vnc_password_file=/etc/ganeti/vnc-password")
    assert look("--password", "tr0ub4d.")["is_let_in"]
    wrong = look("--password", "guessed")
    assert wrong["types"] == [VNC] and not wrong["is_let_in"]
    assert not look()["is_let_in"]
    assert "tr0ub4d" not in qemu(vm)[0]
    assert vm.run("grep -r tr0ub4d /var/log/ganeti /var/lib/ganeti /var/run/ganeti").stdout == ""


def test_O8_a_paused_guest_s_display_has_its_password(vm, restart):
    restart("vnc_bind_address=127.0.0.1,vnc_password_file=/etc/ganeti/vnc-password")
    vm.ok("gnt-instance stop --timeout=0 vm1; gnt-instance start --paused vm1")
    assert json.loads(vm.ok(f"/usr/bin/python3 {RFB} 127.0.0.1 {port(vm)} --password tr0ub4d."))["is_let_in"]


@pytest.mark.parametrize("file, complaint", [("/etc/ganeti/no-such-file", "/etc/ganeti/no-such-file"),
                                             ("/etc/ganeti/empty-password", "the first line of /etc/ganeti/empty-password is empty"),
                                             ("/etc/ganeti", "/etc/ganeti")])
def test_O8_a_wrong_password_file_is_named_before_anything_starts(vm, restart, file, complaint):
    said = vm.refused(f"gnt-instance modify -H vnc_bind_address=127.0.0.1,vnc_password_file={file} vm1")
    assert "vnc_password_file" in said and complaint in said and "node1.lab.test" in said
    said = vm.refused(f"gnt-instance start -H vnc_bind_address=127.0.0.1,vnc_password_file={file} vm1")
    assert "vnc_password_file" in said and complaint in said
    assert vm.ok("gnt-instance list --no-headers -o status vm1") == "ADMIN_down\n" and not qemu(vm)


def test_O8_a_password_file_that_vanishes_stops_no_running_guest(vm, restart):
    look = restart("vnc_bind_address=127.0.0.1,vnc_password_file=/etc/ganeti/vnc-password")
    vm.ok("mv /etc/ganeti/vnc-password /etc/ganeti/away")
    try:
        assert "vnc_password_file" in vm.refused("gnt-instance reboot vm1")
        assert look("--password", "tr0ub4d.")["is_let_in"]
    finally:
        vm.ok("mv /etc/ganeti/away /etc/ganeti/vnc-password")


@pytest.mark.parametrize("password, subtype", [("", TLS_NONE), ("vnc_password_file=/etc/ganeti/vnc-password,", TLS_VNC)])
def test_O8_tls(vm, restart, password, subtype):
    look = restart(f"{password}vnc_bind_address=127.0.0.1,vnc_tls=true")
    seen = look("--password", "tr0ub4d.")
    assert seen["types"] == [VENCRYPT] and seen["subtypes"] == [subtype] and seen["is_let_in"]
    if password:
        assert not look("--password", "guessed")["is_let_in"]


@pytest.mark.parametrize("password, subtype", [("", X509_NONE), ("vnc_password_file=/etc/ganeti/vnc-password,", X509_VNC)])
def test_O8_tls_with_certificates(vm, restart, password, subtype):
    look = restart(f"{password}vnc_bind_address=127.0.0.1,vnc_tls=true,vnc_x509_path=/etc/ganeti/vnc")
    seen = look("--password", "tr0ub4d.", "--certificate-authority", "/etc/ganeti/vnc/ca-cert.pem")
    assert seen["subtypes"] == [subtype] and seen["is_let_in"]


def test_O8_clients_need_a_certificate(vm, restart):
    look = restart("vnc_bind_address=127.0.0.1,vnc_tls=true,vnc_x509_path=/etc/ganeti/vnc,vnc_x509_verify=true")
    assert look("--client-certificate", "/etc/ganeti/vnc/client.pem")["is_let_in"]
    assert not look()["is_let_in"]


def test_O8_certificates_that_are_not_there(vm):
    said = vm.refused("gnt-instance modify -H vnc_bind_address=127.0.0.1,vnc_tls=true,vnc_x509_path=/srv/vnc vm1")
    assert "vnc_x509_path" in said and "/srv/vnc/ca-cert.pem" in said
    assert "vnc_x509_path must be defined, if vnc_x509_verify is" in vm.refused(
        "gnt-instance modify -H vnc_bind_address=127.0.0.1,vnc_tls=true,vnc_x509_verify=true vm1")


def test_O8_a_socket_in_a_directory(vm, restart):
    look = restart("vnc_bind_address=/srv/vnc")
    assert look(where="/srv/vnc/vm1.vnc")["is_let_in"]
    vm.ok("gnt-instance stop --timeout=0 vm1")
    assert vm.ok("ls /srv/vnc") == ""


def test_O8_an_interface_s_address(vm, restart):
    look = restart("vnc_bind_address=br0")
    assert look(where=f"192.0.2.1 {port(vm)}")["is_let_in"]
    assert "ConnectionRefused" in look()["error"]


def test_O8_a_tunnel_to_paste(vm, restart):
    restart("vnc_bind_address=0.0.0.0")
    number = port(vm)
    assert vm.ok("gnt-instance console --vnc vm1") == (
        f"ssh -f -o ExitOnForwardFailure=yes -p 22 -L {number}:127.0.0.1:{number} root@node1.lab.test sleep 60\nvncviewer localhost::{number}\n")
    # What runs counts, not what the next start will be told.
    vm.ok("gnt-instance modify -H vnc_bind_address=/srv/vnc vm1")
    assert f":127.0.0.1:{number} " in vm.ok("gnt-instance console --vnc vm1")
    vm.ok("gnt-instance reboot --shutdown-timeout=0 vm1")
    assert f"-L {number}:/srv/vnc/vm1.vnc root@" in vm.ok("gnt-instance console --vnc vm1")
    restart("vnc_bind_address=")
    assert "modify -H vnc_bind_address=127.0.0.1 vm1" in vm.refused("gnt-instance console --vnc vm1")
    vm.ok("gnt-instance stop --timeout=0 vm1")
    assert "Instance vm1 is not running" in vm.refused("gnt-instance console --vnc vm1")


def test_O8_the_address_stands_in_info(vm, restart):
    restart("vnc_bind_address=127.0.0.1")
    number = port(vm)
    assert f"console connection: vnc to 127.0.0.1:{number} (node node1.lab.test) (display {int(number) - 5900})" in vm.ok("gnt-instance info vm1")
    assert vm.ok("gnt-instance list --no-headers -o oper_vnc vm1") == f"127.0.0.1:{number}\n"


def test_O8_virtual_cpus_stay_where_they_are_told(vm, restart):
    """Beside VNC: the other parameter that QEMU is told after its start."""
    vm.ok("gnt-instance modify -B vcpus=2 vm1")
    try:
        restart("cpu_mask=0:all")
        allowed = vm.ok(f"grep -h Cpus_allowed_list /proc/{vm.pid('qemu-system-x86_64')}/task/*/status").splitlines()
        assert "Cpus_allowed_list:\t0" in allowed
        assert "Number of vCPUs [2] does not match the CPU mask [0:0:0]" in vm.refused("gnt-instance modify -H cpu_mask=0:0:0 vm1 && gnt-instance reboot vm1")
    finally:
        vm.ok("gnt-instance modify -H cpu_mask=all vm1 && gnt-instance modify -B vcpus=1 vm1")


def test_O8_a_chroot_and_a_sound_card(vm, restart):
    restart("use_chroot=true,soundhw=hda")
    assert vm.ok(f"readlink /proc/{vm.pid('qemu-system-x86_64')}/root").endswith("/kvm-hypervisor/chroot/vm1\n")
    vm.ok("gnt-instance stop --timeout=0 vm1")
    assert vm.run("test -e /var/run/ganeti/kvm-hypervisor/chroot/vm1").returncode != 0
    vm.ok("gnt-instance modify -H use_chroot=false,soundhw= vm1")


@pytest.mark.parametrize("address, complaint", [("127.0.0.300", "'127.0.0.300' is neither a valid IP address nor"),
                                                ("/srv/nowhere", "there is no directory /srv/nowhere on this node"),
                                                ("eth77", "network interface eth77"),
                                                ("127.0.0.1,vnc_tls=perhaps", "vnc_tls")])
def test_O8_addresses_that_are_none(vm, address, complaint):
    assert complaint in vm.refused(f"gnt-instance modify -H vnc_bind_address={address} vm1")
