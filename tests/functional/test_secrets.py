"""What an OS script is given with --os-parameters-secret is found nowhere on the machine, whatever became of its job."""
import pytest

SECRET = "s3cret-Zqx7"
ADD = f"gnt-instance add -t file -s 16M -o safe --no-start --no-name-check --no-ip-check --no-nics -H kvm --os-parameters-secret=password={SECRET}"

# Does what the test wishes, and knows the password.
SCRIPT = b"""#!/bin/sh
test "$OSP_PASSWORD" = "$(cat /root/expected)" || { echo "the password is wrong"; exit 1; }
echo begun >> /root/begun
while test -e /root/hold; do sleep 0.1; done
test ! -e /root/fails
"""


@pytest.fixture(scope="module", autouse=True)
def safe_os(cluster):
    # Below /usr, where nothing is searched.
    cluster.ok("mount -t tmpfs none /root")
    cluster.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/safe")
    cluster.write("/usr/share/ganeti/os/safe/create", SCRIPT)
    cluster.ok("echo 'password of root' > /usr/share/ganeti/os/safe/parameters.list")
    cluster.write("/root/expected", SECRET.encode())


@pytest.fixture(autouse=True)
def clean(cluster):
    cluster.ok("rm -f /root/hold /root/fails /root/begun")
    yield
    cluster.ok("rm -f /root/hold")
    wait(cluster)
    cluster.run("gnt-instance remove -f --shutdown-timeout=0 vm1")


def wait(cluster):
    cluster.wait_until("! gnt-job list --no-headers -o status | grep -Eq 'running|waiting|queued|canceling'")


def submit(cluster, command):
    """The id of its job."""
    cluster.ok(f"{command} --submit vm1")
    return cluster.ok("gnt-job list --no-headers -o id").split()[-1]


def places(cluster):
    """The files that hold the secret, of all that were written since the tests began."""
    return cluster.ok(f"find /etc /var /srv /run -type f -newer /root/expected -exec grep -aFl -e {SECRET} {{}} + || true").split()


def nothing_is_left(cluster):
    assert places(cluster) == []
    assert cluster.ok("ls -A /var/lib/ganeti/controller/job-keys") == ""
    assert SECRET not in cluster.ok("ids=$(gnt-job list --no-headers -o id); test -z \"$ids\" || gnt-job info $ids")


def restart(cluster, daemon):
    cluster.kill(daemon)
    cluster.wait_until(f"! pgrep -x {daemon[:15]}")
    cluster.ok("flotte daemons start")


def test_it_is_found_where_it_is(cluster):
    """The search itself."""
    cluster.ok(f"echo {SECRET} > /var/tmp/there")
    assert places(cluster) == ["/var/tmp/there"]
    cluster.ok("rm /var/tmp/there")


def test_done_and_reinstalled(cluster):
    cluster.ok(f"{ADD} vm1")
    nothing_is_left(cluster)
    cluster.ok(f"gnt-instance reinstall -f --os-parameters-secret=password={SECRET} vm1")
    assert cluster.ok("cat /root/begun").split() == ["begun", "begun"]
    nothing_is_left(cluster)
    cluster.ok("gnt-job autoarchive all")
    nothing_is_left(cluster)


def test_failed(cluster):
    cluster.ok("touch /root/fails")
    cluster.refused(f"{ADD} vm1")
    nothing_is_left(cluster)


def test_failed_before_anything_was_done(cluster):
    cluster.refused(f"{ADD} -o nosuch vm1")
    nothing_is_left(cluster)


@pytest.mark.parametrize("daemon", ["flotte-controllerd", "flotte-noded"])
def test_killed_and_gone_on_with(cluster, daemon):
    cluster.ok("touch /root/hold")
    submit(cluster, ADD)
    cluster.wait_until("test -e /root/begun")
    assert places(cluster) == []
    restart(cluster, daemon)
    assert places(cluster) == []
    cluster.ok("rm /root/hold")
    wait(cluster)
    assert cluster.ok("gnt-instance list --no-headers -o name") == "vm1\n"
    nothing_is_left(cluster)


def test_canceled(cluster):
    cluster.ok("touch /root/hold")
    running, waiting = submit(cluster, ADD), submit(cluster, ADD)
    cluster.wait_until("test -e /root/begun")
    cluster.ok(f"gnt-job cancel {waiting}")
    cluster.ok(f"gnt-job cancel {running}")
    wait(cluster)
    assert cluster.ok("gnt-instance list --no-headers -o name") == ""
    nothing_is_left(cluster)


def test_killed_while_it_waits(cluster):
    cluster.ok("touch /root/hold")
    submit(cluster, ADD)
    cluster.wait_until("test -e /root/begun")
    job = submit(cluster, f"gnt-instance reinstall -f --os-parameters-secret=password={SECRET}")
    restart(cluster, "flotte-controllerd")
    assert places(cluster) == []
    cluster.ok("rm /root/hold")
    wait(cluster)
    assert cluster.ok(f"gnt-job list --no-headers -o status {job}") == "success\n"
    nothing_is_left(cluster)


def test_several_at_once(cluster):
    cluster.write("/root/all.json", f'''[{{"instance_name": "vm1", "mode": "create", "disk_template": "file", "disks": [{{"size": 16}}],
      "nics": [], "os_type": "safe", "name_check": false, "ip_check": false, "start": false, "hypervisor": "kvm",
      "osparams_secret": {{"password": "{SECRET}"}}}}]'''.encode())
    cluster.ok("gnt-instance batch-create /root/all.json")
    wait(cluster)
    assert cluster.ok("cat /root/begun") == "begun\n"
    nothing_is_left(cluster)
