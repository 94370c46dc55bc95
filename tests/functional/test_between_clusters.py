"""O25, O26: move-instance between two clusters, each a machine of its own in one network, and what becomes of a move that meets trouble."""
import pytest
from machine import Machine
from remote_api import PASSWORD, with_cluster

A, B = "192.0.2.1", "192.0.2.11"
MOVE = f"move-instance --src-ca-file /srv/test/a.crt --src-username rw --src-password-file /srv/test/pw --dest-ca-file /srv/test/b.crt --dest-username rw --dest-password-file /srv/test/pw {A} {B} vm1"
SECRET = "/var/lib/ganeti/cluster-domain-secret"
# Its export takes as long as /srv/test/slow is there; or it fails.
OS = """mkdir -p /usr/share/ganeti/os/raw && cd /usr/share/ganeti/os/raw && cp ../noop/* .
printf '#!/bin/sh\\nwhile test -e /srv/test/slow; do sleep 0.1; done\\ntest ! -e /srv/test/fails || exit 1\\nexec cat "$EXPORT_DEVICE"\\n' > export
printf '#!/bin/sh\\ntest ! -e /srv/test/fails || exit 1\\nexec dd of="$IMPORT_DEVICE" bs=1M conv=notrunc,sparse iflag=fullblock status=none\\n' > import"""


@pytest.fixture(scope="module")
def both():
    machines = Machine(), Machine("node2.lab.test", B)
    try:
        machines[0].join(machines[1])
        for machine in machines:
            with_cluster(machine)
        for machine in machines:
            machine.ok("gnt-cluster modify --compression-tools=gzip,gzip-fast,gzip-slow,lzop")
            machine.ok(f"mkdir /srv/test; {OS}")
            machine.write("/srv/test/pw", f"{PASSWORD}\n".encode())
            for name, of in zip("ab", machines):
                machine.write(f"/srv/test/{name}.crt", of.ok("openssl x509 -in /var/lib/ganeti/rapi.pem").encode())
        yield machines
    finally:
        for machine in machines:
            machine.close()


@pytest.fixture(scope="module")
def clusters(both):
    """With one secret."""
    a, b = both
    b.write("/srv/test/secret", a.ok(f"cat {SECRET}").encode())
    b.ok("gnt-cluster renew-crypto -f --cluster-domain-secret=/srv/test/secret")
    return both


def add(machine):
    machine.ok("gnt-instance add -t file -o raw --no-install -H fake -B memory=32M --net 0:link=br0,mac=aa:00:00:12:34:56 --disk 0:size=64M --disk 1:size=8M --tags prod vm1")
    for disk in (0, 1):
        machine.ok(f"printf precious{disk} | dd of=$(ls /srv/ganeti/file-storage/vm1/*.disk{disk}) bs=1M seek=3 conv=notrunc status=none")


def content(machine):
    return [machine.ok(f"dd if=$(ls /srv/ganeti/file-storage/vm1/*.disk{disk}) bs=1M skip=3 count=1 status=none | head -c 9") for disk in (0, 1)]


def state(machine):
    return machine.ok("gnt-instance list --no-headers -o status").strip()


@pytest.fixture(autouse=True)
def clean(both):
    yield
    for machine in both:
        # Of a move that was not begun the key stays for its day.
        machine.ok("rm -f /srv/test/slow /srv/test/fails /var/run/ganeti/crypto/*; flotte daemons start; gnt-instance list --no-headers -o name | xargs -r -n1 gnt-instance remove -f --shutdown-timeout=0")
        assert machine.ok("find /srv/ganeti/file-storage -type f; pgrep -x 'gzip|dd|socat' || true") == ""
        machine.ok("gnt-cluster verify")


def stays(a, b):
    """The machine is whole and runs where it was, and nothing of it is elsewhere."""
    assert (state(a), state(b)) == ("running", "")
    assert content(a) == ["precious0", "precious1"]
    assert a.ok("gnt-instance list --no-headers -o tags").strip() == "prod"
    assert b.ok("find /srv/ganeti/file-storage -type f") == ""


def test_a_secret_of_its_own_is_told_before_anything_stops(both):
    a, b = both
    add(a)
    told = a.refused(f"{MOVE} --verbose")
    assert "don't share the same domain secret" in told and "renew-crypto --cluster-domain-secret" in told
    stays(a, b)


@pytest.mark.parametrize("compress", ["none", "gzip-fast", "lzop"])
def test_it_moves(clusters, compress):
    a, b = clusters
    add(a)
    a.ok(f"{MOVE} --compress {compress} --verbose --net 0:link=br0")
    assert (state(a), state(b)) == ("", "running")
    assert content(b) == ["precious0", "precious1"]
    assert b.ok("gnt-instance list --no-headers -o nic.macs,tags,be/maxmem,os").split() == ["aa:00:00:12:34:56", "prod", "32M", "raw"]
    assert a.ok("ls -A /var/run/ganeti/crypto") == ""


def test_dry_run_moves_nothing(clusters):
    a, b = clusters
    add(a)
    a.ok(f"{MOVE} --dry-run")
    stays(a, b)


@pytest.mark.parametrize("where", [0, 1])
def test_a_script_that_fails(clusters, where):
    a, b = clusters
    add(a)
    clusters[where].ok("touch /srv/test/fails")
    assert "failed" in a.refused(f"{MOVE} --verbose")
    stays(a, b)


def begun(a):
    """A move that does not get on before /srv/test/slow goes."""
    a.ok("touch /srv/test/slow")
    move = a.start(f"exec {MOVE} --verbose")
    a.wait_until("pgrep -f raw/export")
    return move


@pytest.mark.parametrize("where", [0, 1])
@pytest.mark.parametrize("daemon", ["flotte-noded", "flotte-controllerd"])
def test_a_daemon_is_killed(clusters, where, daemon):
    a, b = clusters
    add(a)
    move = begun(a)
    clusters[where].kill(daemon)
    a.ok("rm /srv/test/slow")
    clusters[where].ok("flotte daemons start")
    out, err = move.communicate(timeout=300)
    print(out, err)
    if move.returncode == 0:
        assert (state(a), state(b)) == ("", "running")
        assert content(b) == ["precious0", "precious1"]
    else:
        a.wait_until("test $(gnt-instance list --no-headers -o status) = running")
        stays(a, b)


def test_the_mover_is_killed_and_typed_again(clusters):
    a, b = clusters
    add(a)
    move = begun(a)
    a.kill("move-instance")
    move.communicate(timeout=60)
    a.ok("rm /srv/test/slow")
    a.ok(f"{MOVE} --verbose")
    assert (state(a), state(b)) == ("", "running")
    assert content(b) == ["precious0", "precious1"]


def test_a_full_disk_over_there(clusters):
    a, b = clusters
    add(a)
    a.ok("dd if=/dev/urandom of=$(ls /srv/ganeti/file-storage/vm1/*.disk0) bs=1M seek=4 count=40 conv=notrunc status=none")
    b.ok("mount -t tmpfs -o size=80M small /srv/ganeti/file-storage && dd if=/dev/zero of=/srv/ganeti/file-storage/full bs=1M count=60 status=none")
    try:
        assert "No space left" in a.refused(f"{MOVE} --verbose")
        b.ok("rm /srv/ganeti/file-storage/full")
        stays(a, b)
    finally:
        b.ok("umount /srv/ganeti/file-storage")
