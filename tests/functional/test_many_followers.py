"""More commands follow jobs than the controller has connections for anything else: nobody is kept out, and each is told the end."""
COUNT = 300

FOLLOW = """
import json, socket, sys
sockets = []
for _ in range(%d):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(100)
    one.connect("/var/run/ganeti/socket/flotte-controller")
    one.sendall(f"GET /flotte/1/jobs/{sys.argv[1]}/follow HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    sockets.append(one.makefile("rb"))
for one in sockets:
    while one.readline().strip():
        pass
open("/var/tmp/following", "w").close()
print([b'"done":{"status":"canceled"' in one.read() for one in sockets].count(True))
""" % COUNT


def test_nobody_is_kept_out(cluster):
    cluster.write("/var/tmp/follow.py", FOLLOW.encode())
    cluster.ok("gnt-debug delay --submit 600")
    job = cluster.ok("gnt-job list --no-headers -o id").split()[-1]
    followers = cluster.start(f"python3 /var/tmp/follow.py {job}")
    cluster.wait_until("test -e /var/tmp/following")
    assert "running" in cluster.ok(f"gnt-job list --no-headers {job}", timeout=30)
    threads = int(cluster.ok(f"ls /proc/{cluster.pid('flotte-controllerd')}/task | wc -l"))
    assert threads < COUNT
    cluster.ok(f"gnt-job cancel {job}", timeout=30)
    out, errors = followers.communicate(timeout=120)
    assert out.strip() == str(COUNT), errors
    # Those that went away in the middle are forgotten.
    cluster.wait_until(f"test $(ls /proc/{cluster.pid('flotte-controllerd')}/fd | wc -l) -lt 100")
