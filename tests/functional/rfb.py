"""The first words of VNC (RFB 3.8 and VeNCrypt), as a client says them. Run in the machine under test; prints what it has found as JSON.

    rfb.py HOST PORT|PATH [--password P] [--certificate-authority FILE] [--client-certificate FILE]"""
import argparse
import json
import socket
import ssl
import struct
import subprocess

NONE, VNC, VENCRYPT = 1, 2, 19
TLS_NONE, TLS_VNC, X509_NONE, X509_VNC = 257, 258, 260, 261


def des_answer(challenge, password):
    """VNC's DES: each byte of the key has its bits the other way round."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    return subprocess.run(["openssl", "enc", "-des-ecb", "-nopad", "-K", key.hex(), "-provider", "legacy", "-provider", "default"],
                          input=challenge, stdout=subprocess.PIPE, check=True).stdout


class Display:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, int(port)), timeout=10) if port else socket.socket(socket.AF_UNIX)
        if not port:
            self.socket.connect(host)
        self.socket.settimeout(10)

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError("the display hung up")
            data += more
        return data

    def number(self, kind):
        return struct.unpack(kind, self.read(struct.calcsize(kind)))[0]

    def start_tls(self, authority, client, is_anonymous):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if is_anonymous:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ADH:AECDH:@SECLEVEL=0")
        elif authority:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority)
        if client:
            context.load_cert_chain(client)
        self.socket = context.wrap_socket(self.socket)


def talk(arguments):
    display = Display(arguments.host, arguments.port)
    found = {"version": display.read(12).decode().strip()}
    display.socket.sendall(b"RFB 003.008\n")
    found["types"] = list(display.read(display.number("B")))
    chosen = VENCRYPT if VENCRYPT in found["types"] else found["types"][0]
    display.socket.sendall(bytes([chosen]))
    asks_password = chosen == VNC
    if chosen == VENCRYPT:
        display.read(2)
        display.socket.sendall(bytes([0, 2]))
        assert display.number("B") == 0
        found["subtypes"] = list(struct.unpack(f">{(count := display.number('B'))}I", display.read(4 * count)))
        subtype = found["subtypes"][0]
        display.socket.sendall(struct.pack(">I", subtype))
        assert display.number("B") == 1
        display.start_tls(arguments.certificate_authority, arguments.client_certificate, subtype in (TLS_NONE, TLS_VNC))
        asks_password = subtype in (TLS_VNC, X509_VNC)
    if asks_password:
        display.socket.sendall(des_answer(display.read(16), arguments.password or ""))
    found["asks_password"] = asks_password
    found["is_let_in"] = display.number(">I") == 0
    if found["is_let_in"]:
        display.socket.sendall(b"\1")
        found["width"] = display.number(">H")
        display.read(2 + 16)
        found["name"] = display.read(display.number(">I")).decode()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", nargs="?")
    parser.add_argument("--password")
    parser.add_argument("--certificate-authority")
    parser.add_argument("--client-certificate")
    try:
        print(json.dumps(talk(parser.parse_args())))
    except (OSError, EOFError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}", "is_let_in": False}))


main()
