"""`gnt-cluster renew-crypto`: each of its options, wrong files, daemons killed in the middle, and what goes on beside it."""
import re
import signal
import time

import pytest
from remote_api import RemoteApi

LIB = "/var/lib/ganeti"
SECRET = "5ecre7-Zqx7"
FILES = {
    # (path below LIB): mode, owner, group
    "ca.key": "600 root root", "ca.pem": "644 root root", "node.pem": "600 root root", "controller/client.pem": "600 flotte flotte",
    "rapi.pem": "600 flotte flotte", "hmac.key": "600 root root", "cluster-domain-secret": "600 root root", "ssconf_master_candidates_certs": "444 root root",
}
OF_NODES = {"node.pem", "controller/client.pem", "ssconf_master_candidates_certs"}
OF_THE_CLUSTER = OF_NODES | {"ca.key", "ca.pem"}
DONE = 'All requested certificates and keys have been replaced. Running "gnt-cluster verify" now is recommended.\n'


@pytest.fixture(scope="module")
def node(machine):
    """With the users that the package makes, and a guest."""
    machine.ok("getent group gnt-admin > /dev/null || groupadd --system gnt-admin")
    machine.ok("for user in flotte flotte-vm; do getent passwd $user > /dev/null || useradd --system --user-group --shell /usr/sbin/nologin $user; done")
    machine.ok("usermod -aG gnt-admin flotte; mount -t tmpfs none /root")
    from machine import INIT
    machine.ok(INIT)
    machine.ok("gnt-instance add -t diskless -o noop --no-install --no-name-check --no-ip-check --no-nics -H fake vm1")
    machine.write("/root/secret", f"{SECRET}\n".encode())
    machine.ok(r"""cd /root; for name in good other; do openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=$name.lab.test -days 30 -keyout $name.key -out $name.crt; done 2> /dev/null
        openssl req -newkey rsa:2048 -nodes -subj /CN=old -keyout old.key -out old.csr 2> /dev/null; : > index; echo 01 > serial
        printf '[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' > ca.cnf
        openssl ca -config ca.cnf -selfsign -keyfile old.key -in old.csr -startdate 20200101000000Z -enddate 20210101000000Z -notext -batch -out old.crt 2> /dev/null
        openssl rsa -in good.key -aes128 -passout pass:x -out locked.key 2> /dev/null
        cat good.key good.crt > good.pem; cat good.key other.crt > swapped.pem; cat old.key old.crt > old.pem; cat locked.key good.crt > locked.pem
        head -c 700 good.pem > cut.pem; : > empty; printf 'one\ntwo\n' > two-lines; head -c 2000000 /dev/zero > large; printf '\377\000x' > binary""")
    return machine


def sums(node):
    lines = node.ok(f"cd {LIB}; sha256sum {' '.join(FILES)}").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def changed(node, before):
    after = sums(node)
    return {name for name in FILES if before[name] != after[name]}


def is_whole(node):
    for path, wanted in FILES.items():
        assert node.ok(f"stat -c '%a %U %G' {LIB}/{path}").strip() == wanted, path
    assert node.ok(f"ls {LIB} | grep -v -x -e ca.key -e ca.pem | grep ^ca || true") == ""
    assert "ERROR" not in node.ok("gnt-cluster verify")


def shown_by(node, port):
    """The serial number of the certificate at a port."""
    return node.ok(f"openssl s_client -connect 127.0.0.1:{port} < /dev/null 2> /dev/null | openssl x509 -noout -serial")


def serial(node, path):
    return node.ok(f"openssl x509 -noout -serial -in {path}")


@pytest.mark.parametrize("option, files", [
    ("--new-confd-hmac-key", {"hmac.key"}),
    ("--new-cluster-domain-secret", {"cluster-domain-secret"}),
    ("--cluster-domain-secret=/root/secret", {"cluster-domain-secret"}),
    ("--new-rapi-certificate", {"rapi.pem"}),
    ("--rapi-certificate=/root/good.pem", {"rapi.pem"}),
    ("--new-node-certificates", OF_NODES),
    ("--new-cluster-certificate", OF_THE_CLUSTER),
    ("--new-cluster-certificate --new-node-certificates -v -d", OF_THE_CLUSTER),
    ("--new-cluster-certificate --new-rapi-certificate --new-confd-hmac-key --new-cluster-domain-secret --no-ssh-key-check --ssh-key-type=rsa --ssh-key-bits=2048", set(FILES)),
])
def test_options(node, option, files):
    before = sums(node)
    daemons = node.pids("flotte-noded"), node.pids("flotte-controllerd")
    assert node.ok(f"gnt-cluster renew-crypto -f {option}").endswith(DONE)
    assert changed(node, before) == files
    assert (node.pids("flotte-noded"), node.pids("flotte-controllerd")) == daemons, "nothing was stopped"
    assert shown_by(node, 1811) == serial(node, f"{LIB}/node.pem")
    is_whole(node)
    node.ok("gnt-instance reboot vm1")


def test_domain_secret_of_another_cluster(node):
    node.ok("gnt-cluster renew-crypto -f --cluster-domain-secret=/root/secret")
    assert node.ok(f"cat {LIB}/cluster-domain-secret") == f"{SECRET}\n"
    node.ok(f"cp {LIB}/cluster-domain-secret /root/copied; gnt-cluster renew-crypto -f --new-cluster-domain-secret")
    assert re.fullmatch("[0-9a-f]{40}\n", node.ok(f"cat {LIB}/cluster-domain-secret"))
    node.ok("gnt-cluster renew-crypto --force --cluster-domain-secret /root/copied")
    assert node.ok(f"cat {LIB}/cluster-domain-secret") == f"{SECRET}\n"
    # Nowhere else: not in a job, the store, a log.
    node.ok(f"grep -aq {SECRET} {LIB}/cluster-domain-secret")
    assert node.ok(f"grep -raFl -e {SECRET} /var /run /etc || true").split() == [f"{LIB}/cluster-domain-secret"]


def test_it_asks_first(node):
    before = sums(node)
    asked = node.run(f"(sleep 1; echo n) | script -qec 'gnt-cluster renew-crypto --cluster-domain-secret=/root/secret --new-confd-hmac-key' /dev/null")
    assert asked.returncode == 1
    assert "This replaces the HMAC key, the cluster domain secret. Nothing is stopped for it" in " ".join(asked.stdout.split())
    assert changed(node, before) == set()
    node.ok("(sleep 1; echo y) | script -qec 'gnt-cluster renew-crypto --new-confd-hmac-key' /dev/null")
    assert changed(node, before) == {"hmac.key"}


@pytest.mark.parametrize("option, why", [
    ("", "Nothing was asked for"),
    ("--rapi-certificate=/root/missing", "Unable to load X509 certificate from /root/missing: Unable to read certificate: No such file or directory"),
    ("--rapi-certificate=/root", "Is a directory"),
    ("--rapi-certificate=/root/empty", "Unable to load X509 certificate from /root/empty: Not a certificate in PEM form"),
    ("--rapi-certificate=/root/binary", "Unable to read certificate: it is not a text in UTF-8"),
    ("--rapi-certificate=/root/large", "larger than"),
    ("--rapi-certificate=/root/cut.pem", "Not a certificate in PEM form"),
    ("--rapi-certificate=/root/good.crt", "Not a private key in PEM form"),
    ("--rapi-certificate=/root/good.key", "Not a certificate in PEM form"),
    ("--rapi-certificate=/root/swapped.pem", "The private key does not belong to the certificate (of 'other.lab.test') that stands first"),
    ("--rapi-certificate=/root/old.pem", "The certificate expired on 2021-01-01 00:00:00 UTC"),
    ("--rapi-certificate=/root/locked.pem", "The private key is encrypted"),
    ("--cluster-domain-secret=/root/missing", "Can't load new cluster domain secret from /root/missing: No such file or directory"),
    ("--cluster-domain-secret=/root/empty", "Can't load new cluster domain secret from /root/empty: A cluster domain secret is one line; there is none"),
    ("--cluster-domain-secret=/root/two-lines", "there are more"),
    ("--cluster-domain-secret=/root/good.pem", "there are more"),
    ("--cluster-domain-secret=/root/large", "larger than"),
    ("--cluster-domain-secret=/root/binary", "Can't load new cluster domain secret from /root/binary: it is not a text in UTF-8"),
    ("--new-rapi-certificate --rapi-certificate=/root/good.pem", "Only one of the --new-rapi-certificate and --rapi-certificate options can be specified at the same time."),
    ("--new-cluster-domain-secret --cluster-domain-secret=/root/secret", "Only one of the --new-cluster-domain-secret and --cluster-domain-secret options"),
    ("--new-spice-certificate", "--new-spice-certificate: there is no SPICE here"),
    ("--new-spice-certificate --spice-certificate=/root/good.pem", "When using --new-spice-certificate, the --spice-certificate"),
    ("--spice-certificate=/root/good.pem", "Both --spice-certificate and --spice-ca-certificate must be specified."),
    ("--spice-certificate=/root/good.pem --spice-ca-certificate=/root/good.crt", "--spice-certificate: there is no SPICE here"),
    ("--new-ssh-keys", "--new-ssh-keys: the nodes' SSH keys are left alone"),
])
def test_what_is_wrong_is_said_before_anything_is_touched(node, option, why):
    before = sums(node)
    # Whatever else is asked for with it.
    others = "--new-confd-hmac-key --new-cluster-certificate" if option else ""
    assert why in node.refused(f"gnt-cluster renew-crypto -f {others} {option}")
    assert changed(node, before) == set()


def test_wrong_words(node):
    assert "invalid choice" in node.refused("gnt-cluster renew-crypto -f --ssh-key-type=pony", 2)
    assert "invalid integer" in node.refused("gnt-cluster renew-crypto -f --ssh-key-bits=many", 2)


def test_only_root(node):
    node.ok("getent passwd alice > /dev/null || useradd -G gnt-admin alice")
    before = sums(node)
    assert "Permission denied" in node.refused("setpriv --reuid alice --regid alice --init-groups -- gnt-cluster renew-crypto -f --new-confd-hmac-key")
    assert changed(node, before) == set()


def test_remote_api_shows_it_and_cuts_nobody_off(node):
    api = RemoteApi(node)
    node.ok("gnt-cluster renew-crypto -f --new-rapi-certificate")
    node.wait_until(f"test \"$(openssl s_client -connect 127.0.0.1:5080 < /dev/null 2> /dev/null | openssl x509 -noout -serial)\" = \"$(openssl x509 -noout -serial -in {LIB}/rapi.pem)\"")
    with api.connect() as kept:
        ask = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
        kept.sendall(ask)
        assert kept.recv(4096).startswith(b"HTTP/1.1 401"), "an answer, though to a stranger"
        node.ok("gnt-cluster renew-crypto -f --rapi-certificate=/root/good.pem")
        node.wait_until("openssl s_client -connect 127.0.0.1:5080 < /dev/null 2> /dev/null | openssl x509 -noout -subject | grep good.lab.test", timeout=10)
        kept.sendall(ask)
        assert kept.recv(4096).startswith(b"HTTP/1.1 401"), "an answer, though to a stranger"
    node.ok("gnt-cluster renew-crypto -f --new-rapi-certificate")


def test_nobody_notices(node):
    """Jobs that run, one that is cancelled, a list in a loop and short jobs one after the other, while everything is renewed again and again."""
    guest = node.ok("gnt-instance list --no-headers -o name,status vm1")
    loops = [node.start(f"while test ! -e /root/end; do {command} > /dev/null || exit 1; done") for command in
             ("gnt-node list", "gnt-instance list", "gnt-debug delay --no-locks -n node1.lab.test 0.01", "gnt-cluster verify-disks")]
    delay = node.start("gnt-debug delay --no-locks --no-master -n node1.lab.test 5")
    long = node.ok("gnt-debug delay --no-locks --no-master -n node1.lab.test --submit --print-jobid 600").strip()
    node.wait_until(f"gnt-job list --no-headers -o status {long} | grep running")
    begun = time.monotonic()
    while time.monotonic() - begun < 7:
        node.ok("gnt-cluster renew-crypto -f --new-cluster-certificate --new-confd-hmac-key --new-cluster-domain-secret")
        node.ok("gnt-cluster renew-crypto -f --new-node-certificates")
    out, err = delay.communicate(timeout=60)
    assert delay.returncode == 0, out + err
    node.ok(f"gnt-job cancel -f {long}")
    node.wait_until(f"gnt-job list --no-headers -o status {long} | grep -E 'error|canceled'", timeout=20)
    node.ok("touch /root/end")
    for loop in loops:
        out, err = loop.communicate(timeout=60)
        assert loop.returncode == 0, out + err
    node.ok("rm /root/end")
    assert node.ok("gnt-instance list --no-headers -o name,status vm1") == guest
    is_whole(node)


@pytest.mark.parametrize("daemon", ["flotte-noded", "flotte-controllerd"])
def test_killed_in_the_middle(node, daemon):
    for pause in (0, 5, 10, 15, 20, 30, 40, 60):
        renewing = node.start("gnt-cluster renew-crypto -f --new-cluster-certificate --new-confd-hmac-key --new-rapi-certificate")
        time.sleep(pause / 1000)
        node.kill(daemon, signal.SIGKILL)
        out, err = renewing.communicate(timeout=60)
        if daemon == "flotte-controllerd":
            assert renewing.returncode == 0, out + err  # it isn't asked at all
        node.ok("flotte daemons start")
        node.ok("gnt-debug delay -n node1.lab.test 0")
        is_whole(node)
        assert node.ok("gnt-cluster renew-crypto -f --new-cluster-certificate").endswith(DONE)
        node.ok("gnt-debug delay -n node1.lab.test 0")
    is_whole(node)


def test_without_its_key_certificates_are_not_signed(node):
    node.ok(f"mv {LIB}/ca.key /root")
    assert f"{LIB}/ca.key is missing" in node.refused("gnt-cluster renew-crypto -f --new-node-certificates --new-confd-hmac-key")
    node.ok("gnt-cluster renew-crypto -f --new-cluster-certificate")
    is_whole(node)


def test_without_the_node_daemon(node):
    node.kill("flotte-noded", signal.SIGKILL)
    assert "Cannot communicate with the node daemon" in node.refused("gnt-cluster renew-crypto -f --new-confd-hmac-key")
    node.ok("flotte daemons start && gnt-cluster renew-crypto -f --new-confd-hmac-key")
