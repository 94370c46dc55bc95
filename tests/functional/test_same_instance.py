"""A machine is the same under its short name, its full name and its UUID: who works on it has it alone, whatever was typed."""
import pytest

OS = "/usr/share/ganeti/os/slow"
# Its script waits until it is let go, and says whether it was let finish.
SCRIPT = "touch /tmp/installing; until [ -e /tmp/go ]; do sleep 0.1; done; touch /tmp/installed"
ADD = "gnt-instance add --submit -t file -s 64M -o slow -H fake --name-check --no-ip-check --no-nics --no-start"


@pytest.fixture
def slow(cluster):
    cluster.ok(f"""cp -r /usr/share/ganeti/os/noop {OS}; printf '#!/bin/sh\\n{SCRIPT}\\n' > {OS}/create
        echo '192.0.2.200 slow.lab.test slow' >> /etc/hosts""")
    yield cluster
    cluster.ok("touch /tmp/go")
    cluster.wait_until("! gnt-job list --no-headers -o status | grep -Eq 'running|waiting|queued|canceling'")
    cluster.ok(f"gnt-instance remove -f slow; rm -r {OS} /tmp/installing /tmp/installed /tmp/go")


@pytest.mark.parametrize("name", ["slow", "slow.lab.test", "$(gnt-instance list --no-headers -o uuid slow)"])
def test_a_startup_beside_a_creation_under_a_short_name_waits_for_it(slow, name):
    slow.ok(f"{ADD} slow")
    slow.wait_until("[ -e /tmp/installing ]")
    slow.ok(f"gnt-instance startup --submit {name}")
    slow.wait_until("gnt-job list --no-headers -o status,summary | grep -q 'waiting.*STARTUP'")
    assert slow.run("[ -e /tmp/installed ]").returncode == 1
    slow.ok("touch /tmp/go")
    slow.wait_until("gnt-job list --no-headers -o status,summary | tail -1 | grep -Eq '(success|error).*STARTUP'")
    assert slow.ok("gnt-job list --no-headers -o status | tail -2 | sort -u") == "success\n"
    assert slow.ok("gnt-instance list --no-headers -o name,status slow").split() == ["slow.lab.test", "running"]
    slow.ok("ls /tmp/installed")
