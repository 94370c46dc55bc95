"""An OS script that prints 120,000 lines: its job ends, and the first and the last are there."""

CHATTY_OS = b"""#!/bin/sh
echo run >> /var/tmp/runs
seq -f 'line %g' 120000
"""


def test_many_lines(cluster):
    cluster.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/chatty")
    cluster.write("/usr/share/ganeti/os/chatty/create", CHATTY_OS)
    said = cluster.ok("gnt-instance add -t file -s 16M -o chatty --no-start --no-name-check --no-ip-check --no-nics -H kvm vm1", timeout=600)
    assert "line 1\n" in said and "line 120000\n" in said
    job = cluster.ok("gnt-job list --no-headers -o id").split()[-1]
    info = cluster.ok(f"gnt-job info {job}")
    assert "line 1\n" in info and "line 120000\n" in info and "lines are left out here" in info
    assert info.count("\n") < 60_000
    cluster.kill("flotte-controllerd")
    cluster.wait_until("! pgrep -x flotte-controlle")
    cluster.ok("flotte daemons start")
    assert cluster.ok(f"gnt-job info {job}") == info
    cluster.ok(f"gnt-job archive {job}")
    assert cluster.ok("cat /var/tmp/runs") == "run\n"
    assert cluster.ok("gnt-instance list --no-headers -o name") == "vm1\n"
