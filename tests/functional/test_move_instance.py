"""move-instance, as it is typed, between two clusters that answer as Ganeti 3.0 does."""
import os
import re
import signal
import subprocess
import time

import pytest
from fake_ganeti import PORT, FakeGaneti, machine, prereq
from machine import BIN, ROOT

O25 = "--compress gzip-fast --verbose --net 0:link=br-gnd-200 --vg-name VG"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A certificate with its key for each cluster, made as Ganeti's rapi.pem; passwords."""
    folder = tmp_path_factory.mktemp("move")
    for name in ("src", "dest", "other"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ganeti.example.com", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"],
                       check=True, capture_output=True)
        (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())
        (folder / f"{name}.pw").write_text(f"\n{name}-password\n")
    return folder


class Clusters:
    def __init__(self, files, port=PORT):
        self.files = files
        self.src = FakeGaneti("src", files / "src.pem", "mover", "src-password", port)
        self.dest = FakeGaneti("dest", files / "dest.pem", "mover2", "dest-password", port)
        self.src.peer, self.dest.peer = self.dest, self.src
        self.src.machines["web1"] = machine()

    def argv(self, options="", names="web1", **files):
        paths = {"src_ca": "src.crt", "dest_ca": "dest.crt", "src_pw": "src.pw", "dest_pw": "dest.pw", **files}
        given = {key: self.files / value for key, value in paths.items()}
        return [BIN / "move-instance", *f"--src-ca-file {given['src_ca']} --src-username mover --src-password-file {given['src_pw']} --dest-ca-file {given['dest_ca']} --dest-username mover2 "
                f"--dest-password-file {given['dest_pw']} {self.src.address} {self.dest.address} {names} {options}".split()]

    def close(self):
        self.src.close()
        self.dest.close()

    def start(self, *given, **files):
        return subprocess.Popen(self.argv(*given, **files), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *given, **files):
        done = subprocess.run(self.argv(*given, **files), capture_output=True, text=True, timeout=120)
        assert "-password" not in done.stdout + done.stderr
        return done

    def ok(self, *given, **files):
        done = self.run(*given, **files)
        assert done.returncode == 0, done
        return done.stdout

    def refused(self, *given, exit_code=1, **files):
        done = self.run(*given, **files)
        assert done.returncode == exit_code, done
        return done.stderr

    def state(self):
        def of(side):
            found = side.machines.get("web1")
            return found and ("runs" if found["runs"] else "stopped") + ("" if found["whole"] else " broken")
        return of(self.src), of(self.dest)


MOVED = (None, "runs")
AS_BEFORE = ("runs", None)


@pytest.fixture
def clusters(files):
    made = Clusters(files)
    yield made
    made.close()


def test_the_command_as_it_is_typed(clusters):
    """O25"""
    out = clusters.run(O25)
    assert out.returncode == 0, out
    assert clusters.state() == MOVED
    assert clusters.src.asked == ["GET look", "GET info", "PUT prepare-export", "PUT tags", "PUT shutdown", "PUT export", "GET look", "DELETE look"]
    assert clusters.dest.asked == ["GET look", "POST try", "POST instances", "GET look", "PUT startup"]
    body = clusters.dest.bodies["POST instances"]
    assert body == {**clusters.dest.bodies["POST try"]}
    assert body["nics"] == [{"mac": "aa:00:00:12:34:56", "mode": "bridged", "link": "br-gnd-200"}]
    assert body["disks"] == [{"size": 1024, "mode": "rw", "vg": "VG"}, {"size": 512, "mode": "rw", "vg": "VG"}]
    assert (body["compress"], body["tags"], body["wait_for_sync"], body["ip_check"]) == ("gzip-fast", ["prod"], False, False)
    export = clusters.src.bodies["PUT export"]
    assert export["compress"] == "gzip-fast" and len(export["destination"]) == 2 and export["x509_key_name"] == ["key", "hmac", "salt"]
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: web1 INFO Preparing export on source cluster$", out.stderr, re.M)
    assert "INFO Disk 0 succeeded in sending data" in out.stderr
    assert "web1: removed from" in out.stdout


def test_a_certificate_with_its_key_beside_it_is_taken(clusters):
    done = clusters.run("--debug", src_ca="src.pem", dest_ca="dest.pem")
    assert done.returncode == 0 and f"DEBUG {clusters.dest.address} POST /2/instances?" in done.stderr
    assert "Basic" not in done.stderr
    assert clusters.state() == MOVED


def test_without_verbose_it_says_what_matters(clusters):
    done = clusters.run()
    assert done.stderr == ""
    src, dest = clusters.src.address, clusters.dest.address
    assert done.stdout.splitlines() == [f"web1: {dest} waits for it (job 2)", f"web1: stopped on {src}", f"web1: copying 2 disks of 1536 MiB (job 5 of {src})",
                                        f"web1: is on {dest} now, and was started", f"web1: removed from {src}"]


def test_a_dry_run_moves_nothing(clusters):
    assert f"2 disks of 1536 MiB, running on {clusters.src.address}: {clusters.dest.address} takes it" in clusters.ok("--dry-run")
    assert clusters.state() == AS_BEFORE
    assert clusters.dest.asked == ["GET look", "POST try"] and "PUT shutdown" not in clusters.src.asked


def test_it_stays_on_the_source_where_that_is_wished(clusters):
    clusters.ok("--keep-source-instance")
    assert clusters.state() == ("stopped", "runs") and clusters.src.machines["web1"]["tags"] == ["prod"]


@pytest.mark.parametrize("given,says", [
    ({"src_pw": "other.pw"}, "does not know the user 'mover', or the password is wrong"), ({"dest_pw": "src.pw"}, "does not know the user 'mover2'"),
    ({"src_ca": "other.crt"}, "TLS verification failed"), ({"dest_ca": "src.crt"}, "TLS verification failed"), ({"src_ca": "nothing"}, "nothing")])
def test_who_it_is_must_be_right_on_both_sides(clusters, given, says):
    assert says in clusters.refused(**given)
    assert (clusters.src.asked, clusters.dest.asked) == ([], [])


def test_what_is_wrong_with_both_is_said_at_once(clusters):
    told = clusters.refused(src_pw="dest.pw", dest_ca="other.crt")
    assert "the password is wrong" in told and "TLS verification failed" in told
    told = clusters.refused("--compress=nosuch")
    assert told.count("does not know 'nosuch'") == 2


def test_another_secret_is_told_before_anything_is_stopped(clusters):
    clusters.dest.secret = "two"
    assert "renew-crypto --cluster-domain-secret" in clusters.refused()
    assert clusters.state() == AS_BEFORE and "PUT shutdown" not in clusters.src.asked


@pytest.mark.parametrize("side,what,error", [
    ("dest", "POST try", prereq("Not enough memory", "insufficient_resources")), ("dest", "POST instances", ["OpExecError", ["no room"]]), ("src", "PUT shutdown", ["OpExecError", ["it hangs"]]),
    ("src", "PUT export", ["OpExecError", ["no snapshot"]]), ("src", "sending", ["OpExecError", ["the line broke"]]), ("dest", "PUT startup", ["OpExecError", ["no QEMU"]])])
def test_a_job_that_fails_leaves_it_where_it_was(clusters, side, what, error):
    if what == "PUT shutdown":
        clusters.dest.waits_for_s = 1
    getattr(clusters, side).fail[what] = error
    assert error[1][0] in clusters.refused()
    assert clusters.state() == AS_BEFORE and clusters.src.machines["web1"]["tags"] == ["prod"]
    clusters.ok()
    assert clusters.state() == MOVED


def test_disks_that_did_not_arrive_are_noticed_although_ganeti_goes_on(clusters):
    clusters.dest.has_arrived = False
    assert "not every disk arrived" in clusters.refused()
    assert clusters.state() == AS_BEFORE


@pytest.mark.parametrize("side,what", [("dest", "POST try"), ("dest", "POST instances"), ("src", "PUT shutdown"), ("src", "PUT export"), ("src", "DELETE look")])
def test_an_answer_that_gets_lost(clusters, side, what):
    getattr(clusters, side).lose.add(what)
    clusters.ok()
    assert clusters.state() == MOVED
    assert clusters.src.asked.count("PUT export") == 1 and clusters.dest.asked.count("POST instances") == 1


def wait_for(clusters, side, what):
    deadline = time.monotonic() + 30
    while what not in getattr(clusters, side).asked:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_while_it_copies_the_same_command_goes_on(clusters):
    clusters.src.sends_for_s = 3
    killed = clusters.start()
    wait_for(clusters, "src", "PUT export")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert clusters.state() == ("stopped", "stopped broken")
    assert "going on with an earlier try" in clusters.ok()
    assert clusters.state() == MOVED and clusters.src.asked.count("PUT export") == 1


def test_while_another_process_moves_it_nothing_is_done(clusters):
    clusters.src.sends_for_s = 3
    first = clusters.start()
    wait_for(clusters, "src", "PUT export")
    assert re.search(rf"being moved by job 2 of \S+ \(move-instance \S+ {first.pid} ", clusters.refused())
    assert first.communicate() and first.returncode == 0
    assert clusters.state() == MOVED


def test_a_cluster_that_is_gone_for_long_is_asked_again_by_the_same_command(clusters):
    clusters.src.sends_for_s = 3
    first = clusters.start("--patience=1")
    wait_for(clusters, "src", "PUT export")
    clusters.dest.is_silent = True
    told = first.communicate()[1]
    assert first.returncode == 1 and "Nobody knows whether" in told and "the same command again goes on" in told
    assert clusters.state() == ("stopped", "stopped broken") and "PUT startup" not in clusters.src.asked
    clusters.dest.is_silent = False
    clusters.ok()
    assert clusters.state() == MOVED


def test_several_at_once(clusters):
    clusters.src.machines |= {"web2": machine(), "web3": machine(runs=False)}
    out = clusters.ok("-p 2", "web1 web2 web3")
    assert clusters.src.machines == {} and {name: one["runs"] for name, one in clusters.dest.machines.items()} == {"web1": True, "web2": True, "web3": False}
    assert all(f"{name}: removed from" in out for name in ("web1", "web2", "web3"))
    clusters.src.machines["web4"] = machine()
    told = clusters.refused("", "web4 nosuch")
    assert "nosuch: " in told and "has no instance 'nosuch'" in told and "web4" in clusters.dest.machines


def test_ports(files):
    made = Clusters(files, port=5081)
    try:
        made.ok("--src-rapi-port=5081")  # and the other one's, if nothing else is said
        assert made.state() == MOVED
    finally:
        made.close()


@pytest.mark.parametrize("argv,says", [
    ("a b", "Not enough arguments"), ("a b c", "Missing source cluster CA file"), ("a b c --src-ca-file=x -p 0", "option --parallel: 0 is not between 1 and 100"),
    ("a b c --src-ca-file=x -I hail --dest-primary-node=n", "Destination node and iallocator options exclude each other"),
    ("a b c --src-ca-file=x --opportunistic-tries=1", "Opportunistic instance creation can only be used with an iallocator"),
    ("a b c --src-ca-file=x -I hail --opportunistic-delay=1", "Opportunistic delay can only be specified when opportunistic tries are used"),
    ("a b c d --src-ca-file=x --net 0:link=br0", "can only be used when moving exactly one instance"), ("a b c d --src-ca-file=x -B memory=1G", "can only be used when moving exactly one instance"),
    ("a b c --src-ca-file=x --dest-rapi-port=nosuch", "option --dest-rapi-port: invalid integer value: 'nosuch'"), ("a b c --src-ca-file=x --src-username=a:b", "a name has no colon"),
    ("a b c --frob", "no such option: --frob")])
def test_what_cannot_be_typed(argv, says):
    done = subprocess.run([BIN / "move-instance", *argv.split()], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("Usage") and "move-instance: error: " in done.stderr and says in done.stderr


@pytest.mark.parametrize("text,says", [("", "is empty"), ("\n\n", "is empty"), ("a\nb\n", "has more than one line"), (None, "Can't read")])
def test_a_password_is_the_only_line_of_its_file(clusters, tmp_path, text, says):
    path = tmp_path / "pw"
    if text is not None:
        path.write_text(text)
    assert says in clusters.refused(src_pw=path)


def test_options_are_ganetis():
    told = subprocess.run([BIN / "flotte", "move-instance", "--help"], capture_output=True, text=True, check=True).stdout
    for option in ("-d, --debug", "-v, --verbose", "-I, --iallocator=", "-B, --backend-parameters=", "-H, --hypervisor-parameters=", "-O, --os-parameters=", "--net=", "--src-rapi-port=",
                   "--src-ca-file=", "--src-username=", "--src-password-file=", "--dest-rapi-port=", "--dest-ca-file=", "--dest-username=", "--dest-password-file=", "--dest-instance-name=",
                   "--dest-primary-node=", "--dest-secondary-node=", "--dest-disk-template=", "--compress=", "-p, --parallel=", "--opportunistic-tries=", "--opportunistic-delay=",
                   "--keep-source-instance ", "--vg-name=", "--dry-run "):
        assert f"  {option}" in told, option


def test_it_is_where_ganetis_package_has_it():
    links = (ROOT / "debian/flotte.links").read_text()
    for place in ("usr/lib/ganeti/tools", "usr/share/ganeti/3.0", "usr/share/ganeti/default", "usr/share/ganeti/2.15"):
        assert f"usr/sbin/flotte {place}/move-instance\n" in links
    assert os.readlink(BIN / "move-instance") == "flotte"
