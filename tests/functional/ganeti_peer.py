#!/usr/bin/python3
"""The other side of a move between clusters, with the code of Ganeti itself: run inside a machine, with Ganeti's Python packages in PYTHONPATH. It keeps its keys in the folder where it runs, and says JSON.

    ganeti_peer.py IMPORT_EXPORT_DAEMON as-source                                  a key; what the destination is told of the source
    ganeti_peer.py IMPORT_EXPORT_DAEMON receive PREPARED COMPRESS TIMEOUT FILE…    listens, a disk for each file; what the source is told
    ganeti_peer.py IMPORT_EXPORT_DAEMON send TOLD COMPRESS FILE…                   sends to those who listen
    ganeti_peer.py IMPORT_EXPORT_DAEMON ended COUNT                                waits until that many daemons have ended; what they say of it

PREPARED is the result of OP_BACKUP_PREPARE, TOLD the entry `remote-import` of a job's log. The commands are those of Ganeti's StartImportExportDaemon."""
import json
import os
import pathlib
import subprocess
import sys
import time

import OpenSSL
from ganeti import constants, utils
from ganeti.masterd import instance as moves

SECRET = pathlib.Path("/var/lib/ganeti/cluster-domain-secret").read_text().strip()
DAEMON = sys.argv[1]
FOLDER = os.getcwd()
KEY, CERTIFICATE, CA = "key", "cert", "ca"
NAME = os.environ.get("PEER_NAME", "node1.lab.test")
HOST = "192.0.2.1"


def signed(text):
    salt = utils.GenerateSecret(8)
    return [text, utils.Sha1Hmac(SECRET, text, salt=salt), salt]


def new_key():
    """What the other side is told of it."""
    key, certificate = utils.GenerateSelfSignedX509Cert(NAME, constants.RIE_CERT_VALIDITY, int(time.time()))
    loaded = OpenSSL.crypto.load_certificate(OpenSSL.crypto.FILETYPE_PEM, certificate)
    if "PEER_BEGINS" in os.environ:  # a clock that is wrong, in seconds
        own = OpenSSL.crypto.load_privatekey(OpenSSL.crypto.FILETYPE_PEM, key)
        loaded.gmtime_adj_notBefore(int(os.environ["PEER_BEGINS"]))
        loaded.gmtime_adj_notAfter(int(os.environ["PEER_BEGINS"]) + constants.RIE_CERT_VALIDITY)
        loaded.sign(own, constants.X509_CERT_SIGN_DIGEST)
    pathlib.Path(KEY).write_bytes(key)
    pathlib.Path(CERTIFICATE).write_bytes(OpenSSL.crypto.dump_certificate(OpenSSL.crypto.FILETYPE_PEM, loaded))
    return utils.SignX509Certificate(loaded, os.environ.get("PEER_SECRET", SECRET), utils.GenerateSecret(8))


def trust(signed_certificate):
    certificate, _ = utils.LoadSignedX509Certificate(signed_certificate, SECRET)
    code, text = utils.VerifyX509Certificate(certificate, None, None, False)
    assert code is None, text
    pathlib.Path(CA).write_bytes(OpenSSL.crypto.dump_certificate(OpenSSL.crypto.FILETYPE_PEM, certificate))


def start(index, mode, *options):
    pathlib.Path(f"status{index}").unlink(missing_ok=True)
    log = open(f"log{index}", "w")
    subprocess.Popen(["/usr/bin/python3", DAEMON, "--debug", f"{FOLDER}/status{index}", mode, f"--key={FOLDER}/{KEY}", f"--cert={FOLDER}/{CERTIFICATE}", f"--ca={FOLDER}/{CA}", "--ipv4", *options],
                     stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def status(index):
    try:
        return json.loads(pathlib.Path(f"status{index}").read_text())
    except (OSError, ValueError):
        return {}


def until(asked):
    deadline = time.monotonic() + 20
    while not asked():
        assert time.monotonic() < deadline, [path.read_text() for path in pathlib.Path().glob("log*")]
        time.sleep(0.05)
    return asked()


def as_source():
    return {"source_handshake": moves.ComputeRemoteExportHandshake(SECRET), "source_x509_ca": new_key()}


def receive(prepared, compress, timeout, *files):
    prepared = json.loads(prepared)
    wrong = moves.CheckRemoteExportHandshake(SECRET, prepared["handshake"])
    assert not wrong, wrong
    trust(prepared["x509_ca"])
    certificate = new_key()
    if "PEER_TRUSTS" in os.environ:
        pathlib.Path(CA).write_bytes(pathlib.Path(os.environ["PEER_TRUSTS"]).read_bytes())
    magics = [moves._GetInstDiskMagic("base", "vm1", index) for index in range(len(files))]
    for index, path in enumerate(files):
        suffix = os.environ.get("PEER_IMPORT", "dd of=DISK bs=1M conv=notrunc").replace("DISK", path)
        start(index, "import", f"--connect-timeout={timeout}", f"--compress={compress}", f"--magic={magics[index]}", f"--cmd-suffix=| {suffix}")
    disks = []
    for index, magic in enumerate(magics):
        port = until(lambda: status(index).get("listen_port"))
        disks.append(moves.ComputeRemoteImportDiskInfo(SECRET, utils.GenerateSecret(8), index, HOST, port, magic))
    name, hmac, salt = prepared["x509_key_name"]
    assert utils.VerifySha1Hmac(SECRET, name, hmac, salt=salt)
    return {"x509_key_name": prepared["x509_key_name"], "destination": disks, "destination_x509_ca": certificate}


def send(told, compress, *files):
    told = json.loads(told)
    trust(told["x509_ca"])
    for index, path in enumerate(files):
        host, port, magic = moves.CheckRemoteExportDiskInfo(SECRET, index, told["disks"][index])
        magic = os.environ.get("PEER_MAGIC", magic)
        size = os.stat(path).st_size >> 20
        start(index, "export", f"--host={host}", f"--port={port}", f"--compress={compress}", f"--magic={magic}", f"--expected-size={size}",
              f"--connect-retries={constants.RIE_CONNECT_RETRIES}", f"--connect-timeout={constants.RIE_CONNECT_ATTEMPT_TIMEOUT}", f"--cmd-prefix={os.environ.get('PEER_EXPORT', 'dd bs=1M if=DISK').replace('DISK', path)} |")


def ended(count):
    return until(lambda: all("exit_status" in status(index) and status(index)["exit_status"] is not None for index in range(int(count)))) and [status(index) for index in range(int(count))]


print(json.dumps({"as-source": as_source, "receive": receive, "send": send, "ended": ended}[sys.argv[2]](*sys.argv[3:])))
