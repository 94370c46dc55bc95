"""A guest under QEMU for tests: its serial console and its QMP socket. No network, no privileges needed."""

import json
import os
import re
import select
import socket
import subprocess
import time


class Guest:
    def __init__(self, disk, directory, memory_mib=512, extra=()):
        self.output = b""
        self.started = time.monotonic()
        serial, qmp = os.path.join(directory, "serial"), os.path.join(directory, "qmp")
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-m", str(memory_mib), "-nodefaults",
             "-display", "none", "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
             "-serial", f"unix:{serial},server=on,wait=on", "-qmp", f"unix:{qmp},server=on,wait=off", *extra],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.serial = self._connect(serial)
        control = self._connect(qmp)
        self.qmp = control.makefile("rwb")
        control.close()
        self.qmp.readline()
        self.execute("qmp_capabilities")

    def _connect(self, path):
        deadline = time.monotonic() + 20
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(path)
                return client
            except OSError:
                client.close()
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise
                time.sleep(0.05)

    def execute(self, command, **arguments):
        self.qmp.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "return" in answer or "error" in answer:
                return answer

    def wait_for(self, pattern, seconds):
        """Waits until the console showed `pattern` since the last match; returns what it showed up to its end."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern.encode(), self.output)
            if found:
                shown, self.output = self.output[:found.end()], self.output[found.end():]
                return shown.decode(errors="replace")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {pattern!r} on the console; it showed: ...{self.output[-1500:]!r}")
            if select.select([self.serial], [], [], left)[0]:
                data = self.serial.recv(65536)
                if not data:
                    raise EOFError(f"the guest ended; its console showed: ...{self.output[-1500:]!r}")
                self.output += data

    def type(self, line):
        self.serial.sendall(line.encode() + b"\n")

    def log_in(self):
        """As root, without a password."""
        self.type("root")
        self.wait_for(r"root@\S+:\S*# ", 60)
        self.type("export TERM=dumb; bind 'set enable-bracketed-paste off'; PS1=; stty -echo")
        self.run("true")

    def run(self, command, seconds=60):
        """Runs a command in the guest's shell; returns (output, exit code)."""
        self.type(command + '; printf "\\nENDED:%d:\\n" $?')
        shown = self.wait_for(r"\nENDED:\d+:\r?\n", seconds)
        output, _, rest = shown.rpartition("\nENDED:")
        return output.replace("\r", "").strip(), int(rest.split(":")[0])

    def power_down(self, seconds=60):
        """Presses the power button; waits until the guest has switched itself off."""
        self.execute("system_powerdown")
        deadline = time.monotonic() + seconds
        # A console that nobody reads stops the guest.
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.serial], [], [], 1)[0] and not self.serial.recv(65536):
                return self.process.wait(5)
        return self.process.wait(0)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for connection in (getattr(self, "serial", None), getattr(self, "qmp", None)):
            if connection:
                connection.close()
