"""The remote API beside nginx over TLS on the same core, asked by wrk on the other one."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time


PORT = 5980
NGINX_PORT = 5981
SECONDS = 4
NGINX = """daemon off; worker_processes 1; error_log {root}/nginx.log crit; pid {root}/nginx.pid;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem};
    location /version {{ default_type application/json; return 200 "2"; }}
    location / {{ root {root}/files; }} }} }}
"""


def settings(root):
    """Before the daemons start: with a prefix the remote API is off unless a port is named."""
    (root / "etc/default").mkdir(parents=True)
    (root / "etc/default/ganeti").write_text(f'RAPI_ARGS="-p {PORT}"\n')


def wait_for(port):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"nobody listens on port {port}")


def asked(port, path, connections=8):
    """Requests a second, and the milliseconds within which 99 of 100 were answered."""
    done = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", f"https://127.0.0.1:{port}{path}"],
                          capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in done:
        raise RuntimeError(done)
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done).group(1)), float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


@contextlib.contextmanager
def nginx(cluster):
    """It serves the bytes that the remote API answers."""
    pem = cluster.root / "var/lib/ganeti/rapi.pem"
    root = pathlib.Path(tempfile.mkdtemp(dir=cluster.root))
    (root / "files").mkdir()
    root.chmod(0o755)
    (root / "nginx.conf").write_text(NGINX.format(root=root, port=NGINX_PORT, pem=pem))
    server = subprocess.Popen(["taskset", "-c", "0", "nginx", "-c", root / "nginx.conf"])
    try:
        wait_for(NGINX_PORT)
        yield root / "files"
    finally:
        server.terminate()
        server.wait()


def pin(cluster, core):
    for daemon in ("flotte-controllerd", "flotte-noded"):
        folder = "controller/" if daemon == "flotte-controllerd" else ""
        pid = (cluster.root / f"var/run/ganeti/{folder}{daemon}.pid").read_text().strip()
        subprocess.run(["taskset", "-a", "-p", "-c", core, pid], check=True, capture_output=True)


def fetch(path):
    return subprocess.run(["curl", "-sk", f"https://127.0.0.1:{PORT}{path}"], capture_output=True, check=True).stdout


def rows(cluster, instances):
    for program in ("wrk", "nginx", "curl"):
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
            return [(f"the remote API: apt-get install wrk nginx-light curl ({program} is missing)", 0, "", "", "")]
    wait_for(PORT)
    pin(cluster, "0")
    told = []
    with nginx(cluster) as files:
        (files / "list").write_bytes(fetch("/2/instances?bulk=1"))
        limit, _ = asked(NGINX_PORT, "/version")
        ours, _ = asked(PORT, "/version")
        told.append(("GET /version a second, one core, TLS", ours, f"≥ {limit / 2:.0f}", "20", f"nginx: {limit:.0f}, {limit / ours:.2f} times ours"))
        limit, _ = asked(NGINX_PORT, "/list")
        ours, p99 = asked(PORT, "/2/instances?bulk=1")
        told.append((f"GET /2/instances?bulk=1 of {instances} a second, one core, TLS", ours, "≥ 500, then 1000", "2.1",
                     f"nginx with the same bytes from a file: {limit:.0f}; 99 of 100 within {p99:.1f} ms"))
    pin(cluster, "0,1")
    return told
