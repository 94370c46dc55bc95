"""Two clusters of Ganeti's as move-instance sees them: remote APIs over TLS on loopback addresses, with the answers of Ganeti 3.0. Nothing moves but a few words."""
import base64
import http.server
import itertools
import json
import ssl
import threading
import time
import urllib.parse

PORT = 5080
ADDRESSES = (f"127.80.{number // 250}.{number % 250 + 1}" for number in itertools.count())
# Whatever else a body has Ganeti refuses.
CREATE = set("""__version__ name os mode disk_template disks nics pnode snode start ip_check name_check iallocator hypervisor source_handshake source_x509_ca compress
    source_instance_name beparams hvparams osparams opportunistic_locking tags wait_for_sync""".split())
EXPORT = set("mode destination x509_key_name destination_x509_ca shutdown remove_instance compress".split())
NIC = {"bridge", "ip", "link", "mac", "mode", "name", "network", "vlan"}
DISK = {"size", "mode", "name", "spindles", "vg", "metavg", "access", "provider", "adopt"}
WAIT_S = 0.5  # Ganeti: 10


def machine(runs=True):
    return {"up": runs, "runs": runs, "whole": True, "tags": ["prod"]}


def prereq(text, code="wrong_input"):
    return ["OpPrereqError", [text, code]]


class Refusal(Exception):
    """(status, message)"""


class FakeGaneti:
    def __init__(self, name, certificate, user="mover", password="secret", port=PORT):
        self.name, self.user, self.password = name, user, password
        self.machines = {}
        self.jobs = {}
        self.asked = []  # "PUT shutdown"
        self.bodies = {}  # the last one of each
        self.lose = set()  # the answers of these requests, once
        self.fail = {}  # the jobs of these: what they say
        self.is_silent = False
        self.peer = None
        self.secret = "one"
        self.has_arrived = True  # what is sent to it
        self.sends_for_s = 0.2
        self.waits_for_s = 30  # for somebody who sends; Ganeti: 300
        self.lock = threading.RLock()
        self.address = next(ADDRESSES)
        self.server = http.server.ThreadingHTTPServer((self.address, port), self._handler())
        self.port = self.server.server_address[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _handler(self):
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 20

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                path, _, query = self.path.partition("?")
                if cluster.is_silent:
                    return
                try:
                    if self.headers.get("Authorization") != "Basic " + base64.b64encode(f"{cluster.user}:{cluster.password}".encode()).decode():
                        raise Refusal(401, "Unauthorized")
                    if body and self.headers.get("Content-Type") != "application/json":
                        raise Refusal(415, "Unsupported Media Type")
                    status, told = 200, cluster.answer(self.command, urllib.parse.unquote(path), dict(urllib.parse.parse_qsl(query)), json.loads(body) if body else None)
                except Refusal as refusal:
                    status, told = refusal.args[0], {"code": refusal.args[0], "message": refusal.args[1], "explain": ""}
                if told is LOST:
                    return
                raw = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, method, path, query, body):
        parts = path.strip("/").split("/")
        with self.lock:
            if path == "/2/info":
                return {"name": self.name, "uuid": f"uuid-of-{self.name}", "software_version": "3.0.2", "vcs_version": "(ganeti) version v3.0.2", "default_iallocator": "hail",
                        "compression_tools": ["gzip", "gzip-fast", "gzip-slow", "lzop"]}
            if path == "/2/jobs":
                return [{"id": number, "status": job["status"], "ops": [job["op"]]} for number, job in self.jobs.items()]
            if parts[1] == "jobs":
                if method == "DELETE":
                    return [False, f"Job {parts[2]} is running"]
                job = self.jobs.get(int(parts[2])) or self.no()
            else:
                job = None
        if job:
            return self.wait(job, body) if parts[-1] == "wait" else {"status": job["status"], "opstatus": [job["status"]], "opresult": [job["result"]]}
        with self.lock:
            return self.change(method, parts, query, body)

    def no(self):
        raise Refusal(404, "Nothing matches the given URI")

    def wait(self, job, body):
        assert isinstance(body["fields"], list)
        deadline = time.monotonic() + WAIT_S
        while True:
            with self.lock:
                job["advance"](job)
                lines = [line for line in job["log"] if line[0] > (body["previous_log_serial"] or 0)]
                if lines or body["previous_job_info"] != [job["status"]]:
                    return {"job_info": [job["status"]], "log_entries": lines}
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)

    def submit(self, what, op, query, deed):
        number = len(self.jobs) + 1
        op["reason"] = [["gnt:user", query.get("reason", ""), 1]]
        job = self.jobs[number] = {"op": op, "status": "success", "log": [], "result": None, "advance": lambda job: None, "began": time.monotonic()}
        if what in self.fail:
            job["status"], job["result"] = "error", self.fail.pop(what)
        else:
            deed(job)
        if what in self.lose:
            self.lose.remove(what)
            return LOST
        return number

    def say(self, job, text, kind="message"):
        job["log"].append([len(job["log"]) + 1, [int(time.time()), 0], kind, text])

    def change(self, method, parts, query, body):
        name = parts[2] if len(parts) > 2 else body["name"]
        last = "look" if len(parts) == 3 else parts[-1]
        what = f"{method} {'try' if query.get('dry-run') == '1' else last}"
        self.asked.append(what)
        if body is not None:
            self.bodies[what] = body
        if last == "instances":
            return self.create(what, name, query, body)
        found = self.machines.get(name) or self.no()
        op = {"instance_name": name}
        if what == "GET look":
            return {"name": name, "admin_state": "up" if found["up"] else "down", "oper_state": found["runs"], "tags": found["tags"]}
        if what == "GET info":
            assert query["static"] == "1"
            return self.submit(what, {**op, "OP_ID": "OP_INSTANCE_QUERY_DATA"}, query, lambda job: job.update(result={name: {
                "name": name, "config_state": "up" if found["up"] else "down", "run_state": None, "pnode": "n1", "snodes": [], "os": "noop", "disk_template": "plain", "hypervisor": "kvm",
                "disks": [{"size": 1024, "mode": "rw", "name": None, "spindles": None}, {"size": 512, "mode": "rw", "name": "None", "spindles": None}],
                "nics": [[None, "uuid", None, "aa:00:00:12:34:56", "bridged", "br-rzn-205", "", None, None]],
                "be_instance": {"maxmem": 512, "minmem": 512}, "hv_instance": {"acpi": True}, "os_instance": {}}}))
        if what == "PUT prepare-export":
            assert query["mode"] == "remote"
            return self.submit(what, {**op, "OP_ID": "OP_BACKUP_PREPARE"}, query, lambda job: job.update(result={
                "handshake": [0, f"hmac by {self.secret}", "salt"], "x509_key_name": ["key", "hmac", "salt"], "x509_ca": f"CA of {self.name} {len(self.jobs)}"}))
        if last == "tags":
            tag = query["tag"]
            tags = found["tags"]
            return self.submit(what, {"OP_ID": "OP_TAGS_SET"}, query, lambda job: tags.append(tag) if method == "PUT" else tags.remove(tag))
        if last in ("shutdown", "startup"):
            return self.submit(what, {**op, "OP_ID": f"OP_INSTANCE_{last.upper()}"}, query, lambda job: found.update(up=last == "startup", runs=last == "startup"))
        if what == "DELETE look":
            return self.submit(what, {**op, "OP_ID": "OP_INSTANCE_REMOVE"}, query, lambda job: self.machines.pop(name))
        assert what == "PUT export", what
        if set(body) - EXPORT:
            raise Refusal(400, f"Invalid body parameters: {set(body) - EXPORT}")
        assert not found["runs"] and body["mode"] == "remote" and body["shutdown"] is True and body["remove_instance"] is False
        op = {"OP_ID": "OP_BACKUP_EXPORT", "instance_name": name, "destination_x509_ca": body["destination_x509_ca"]}
        return self.submit(what, op, query, lambda job: job.update(status="running", advance=self.export))

    def create(self, what, name, query, body):
        unknown = set(body) - CREATE | {key for nic in body["nics"] for key in nic} - NIC | {key for disk in body["disks"] for key in disk} - DISK
        if unknown or body["__version__"] != 1 or body["mode"] != "remote-import":
            raise Refusal(400, f"Invalid body parameters: {unknown}")
        op = {"OP_ID": "OP_INSTANCE_CREATE", "instance_name": name, "dry_run": what == "POST try", **{key: body[key] for key in ("mode", "source_instance_name", "source_x509_ca", "start")}}

        def deed(job):
            if body["source_handshake"][1] != f"hmac by {self.secret}":
                job.update(status="error", result=prereq("Invalid handshake: Hash didn't match, clusters don't share the same domain secret"))
            elif name in self.machines:
                job.update(status="error", result=prereq(f"Instance '{name}' is already in the cluster", "already_exists"))
            elif what == "POST instances":
                self.machines[name] = {"up": False, "runs": False, "whole": False, "tags": body["tags"]}
                self.say(job, "* creating instance disks...")
                ca = job["ca"] = f"CA of {self.name} {len(self.jobs)}"
                disks = [["192.0.2.2", 40000 + index, "magic", "hmac", "salt"] for index in range(len(body["disks"]))]
                self.say(job, {"disks": disks, "x509_ca": ca}, "remote-import")
                job.update(status="running", advance=self.imported)

        return self.submit(what, op, query, deed)

    def export(self, job):
        """Sends as long as somebody listens."""
        if job["status"] != "running":
            return
        with self.peer.lock:
            listens = any(other.get("ca") == job["op"]["destination_x509_ca"] and other["status"] == "running" for other in self.peer.jobs.values())
        if not listens or "sending" in self.fail:
            job.update(status="error", result=self.fail.pop("sending", ["OpExecError", ["Export failed, errors in disk export: disk(s) 0"]]))
        elif time.monotonic() - job["began"] > self.sends_for_s:
            self.say(job, "Disk 0 succeeded in sending data")
            job.update(status="success", result=[True, [True, True]])

    def imported(self, job):
        """As Ganeti's: it goes on, whatever has arrived."""
        if job["status"] != "running":
            return
        sender = next((other for other in self.peer.jobs.values() if other["op"].get("destination_x509_ca") == job["ca"] and other["status"] != "running"), None)
        if not sender and time.monotonic() - job["began"] < self.waits_for_s:
            return
        name = job["op"]["instance_name"]
        arrived = bool(sender) and sender["status"] == "success" and self.has_arrived
        if not arrived:
            self.say(job, "Disk 0 failed to receive data: Exited with status 1 (recent output: [])")
            self.say(job, f"Some disks for instance {name} on node n1 were not imported successfully")
        self.machines[name].update(whole=arrived, up=job["op"]["start"], runs=job["op"]["start"])
        job.update(status="success", result=["n1"])


LOST = object()
