"""The remote API of a machine, asked by the test itself: its sockets are in the machine's network, its requests are written byte by byte where it matters."""
import base64
import functools
import hashlib
import http.client
import http.server
import itertools
import json
import re
import socket
import ssl
import time
import urllib.parse

from machine import INIT

NAME = "ganeti.example.com"  # stands in every cluster's certificate
PORT = 5080
REALM = "Ganeti Remote API"
USERS = "/var/lib/ganeti/rapi/users"
PASSWORD = "secret"
FINAL = ("success", "error", "canceled")
STRANGERS = (f"127.1.{number // 250}.{number % 250 + 1}" for number in itertools.count())


def ha1(name, password=PASSWORD):
    return hashlib.md5(f"{name}:{REALM}:{password}".encode()).hexdigest()


# All have the same password. What follows it: the rights.
ACCOUNTS = f"""\
# Ganeti's own formats
rw {{HA1}}{ha1("rw")} write
ro secret read
plain secret write
both\t{{cleartext}}secret\tread,write
guest secret

# The case of a scheme and of a digest does not matter.
upper {{ha1}}{ha1("upper").upper()} write
# Roles and permissions
boss {{HA1}}{ha1("boss")} @admin
operator secret @operator
reader secret @readonly
starter secret instances.startup,instances.query,jobs.query,jobs.wait
careful secret -instances.remove,@admin
"""

USERS_OF_THE_PACKAGE = """getent group gnt-admin > /dev/null || groupadd --system gnt-admin
    for user in flotte flotte-vm; do getent passwd $user > /dev/null || useradd --system --user-group --shell /usr/sbin/nologin $user; done; usermod -aG gnt-admin flotte"""


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @functools.cached_property
    def json(self):
        assert self.headers["Content-Type"] == "application/json", self
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


def refused(answer, code, says=""):
    """It is an error as Ganeti shows it; returns what is said."""
    body = answer.json
    assert answer.status == code and sorted(body) == ["code", "explain", "message"], answer
    assert (body["code"], body["explain"]) == (code, http.server.BaseHTTPRequestHandler.responses[code][1])
    assert says in body["message"] and body["message"], answer
    return body["message"]


def request(method, target, body=None, account=None, headers=(), content_type="application/json"):
    """The bytes of a request. An account is a name, or a name and a password; a body is bytes, or something for JSON."""
    if isinstance(account, str):
        account = account, PASSWORD
    lines = [f"{method} {target} HTTP/1.1", f"Host: {NAME}:{PORT}", "Accept: application/json", *headers]
    if account:
        lines.append(f"Authorization: Basic {base64.b64encode(':'.join(account).encode()).decode()}")
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines += [f"Content-Type: {content_type}"] if content_type else []
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def answer(connection, method="GET"):
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response)


class RemoteApi:
    def __init__(self, machine, port=PORT):
        self.machine = machine
        self.port = port

    @functools.cached_property
    def certificate(self):
        return re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", self.machine.ok("cat /var/lib/ganeti/rapi.pem"), re.DOTALL).group()

    @functools.cached_property
    def context(self):
        """Trusts the cluster's certificate alone, and looks at the name in it."""
        return ssl.create_default_context(cadata=self.certificate)

    def plain(self, host="127.0.0.1", timeout=60):
        """A connection without TLS; the machine sees that it comes from the address that it goes to."""
        with self.machine.network():
            return socket.create_connection((host, self.port), timeout=timeout, source_address=(host, 0))

    def connect(self, context=None, **options):
        return (context or self.context).wrap_socket(self.plain(**options), server_hostname=NAME)

    def ask(self, method, target, body=None, account=None, host="127.0.0.1", **options):
        with self.connect(host=host) as connection:
            connection.sendall(request(method, target, body, account, **options))
            return answer(connection, method)

    def send(self, raw, method="GET"):
        """Any bytes; nothing is answered where the other side hangs up."""
        with self.connect() as connection:
            try:
                connection.sendall(raw)
            except OSError:
                pass  # it may have said why, all the same
            try:
                return answer(connection, method)
            except (OSError, http.client.HTTPException):
                return None

    def get(self, target, account=None, body=None):
        """What is told to somebody who may know it."""
        got = self.ask("GET", target, body, account)
        assert got.status == 200, got
        return got.json

    def submit(self, method, target, body=None, account="rw"):
        """The number of the job that does it."""
        got = self.ask(method, target, body, account)
        assert got.status == 200 and type(got.json) is int, got
        return got.json

    def ended(self, job, account="rw"):
        """What there is to know of a job, when it has ended."""
        known = {"previous_job_info": None, "previous_log_serial": None}
        while True:
            news = self.get(f"/2/jobs/{job}/wait", account, {"fields": ["status"], **known})
            if news:
                known["previous_job_info"] = news["job_info"]
                if news["log_entries"]:
                    known["previous_log_serial"] = news["log_entries"][-1][0]
            if news and news["job_info"][0] in FINAL:
                return self.get(f"/2/jobs/{job}", account)

    def do(self, method, target, body=None, account="rw"):
        """The job that does it, and does it well."""
        job = self.ended(self.submit(method, target, body, account))
        assert job["status"] == "success", job
        return job

    def fails(self, method, target, body=None, account="rw"):
        """What Ganeti's words are, and their code, for why its job can't."""
        job = self.ended(self.submit(method, target, body, account))
        assert job["status"] == "error", job
        [words, code] = next(result[1] for result in job["opresult"] if result)
        return words, code

    def wait_until_it_listens(self, host="127.0.0.1"):
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.connect(host=host).close()
            except OSError:
                assert time.monotonic() < deadline, "nobody listens"
                time.sleep(0.05)


def write_accounts(machine, text=ACCOUNTS):
    """As an administrator does it: written beside it, and put in its place."""
    machine.write(f"{USERS}.new", text.encode())
    machine.ok(f"chown root:flotte {USERS}.new && chmod 640 {USERS}.new && mv {USERS}.new {USERS}")


def with_cluster(machine):
    """A cluster of one node with the users that the package makes, and accounts. Nothing is done that nobody asked for."""
    # Open to everybody, as Ganeti is where nobody said anything; Debian's package says something.
    machine.ok(f"echo 'RAPI_ARGS=\"\"' > /etc/default/ganeti; {USERS_OF_THE_PACKAGE}; {INIT} && gnt-cluster watcher pause 1h")
    write_accounts(machine)
    api = RemoteApi(machine)
    api.wait_until_it_listens()
    return api


def stranger():
    """An address that nobody has come from: wrong passwords make the next one from there wait."""
    return next(STRANGERS)


def quoted(text):
    return urllib.parse.quote(text, safe="")
