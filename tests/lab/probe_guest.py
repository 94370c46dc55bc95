"""The probe guest, seen through its serial console (see probe/README.md)."""
import json
import queue
import re
import threading
import time

import lab as labs

DEFINITION = "/usr/share/ganeti/os/probe"
ADD = ("gnt-instance add -o probe -t plain --disk 0:size=1G,vg=vms_hdd --disk 1:size=1G,vg=vms_ssd -B memory=128M "
       "--net=0:link=br-rzn-205 --no-name-check --no-ip-check")


def install_definition(node):
    """An OS definition whose machines are probes."""
    node.send(labs.probe_image(), "/srv/probe.raw")
    node.ok(f"""mkdir -p {DEFINITION} && cd {DEFINITION} && echo 20 > ganeti_api_version && : > parameters.list
printf '#!/bin/sh\\nexec dd if=/srv/probe.raw of="$DISK_0_PATH" bs=1M conv=notrunc,fsync status=none\\n' > create
for script in import export rename verify; do printf '#!/bin/sh\\nexit 0\\n' > $script; done
chmod +x create import export rename verify""")


class Guest:
    """One connection to the serial console of a probe guest."""

    def __init__(self, node, name):
        self.name = name
        self.lines = []  # all that was said, but beats
        self.beats = []  # (number, milliseconds)
        self._said = queue.Queue()
        # A guest runs a moment before QEMU has made its socket.
        self._process = node.start(f"exec socat -t0 - unix-connect:/var/run/ganeti/kvm-hypervisor/ctrl/{name}.serial,retry=120,interval=1")
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _read(self):
        for line in self._process.stdout:
            line = line.strip()
            words = line.split()
            if len(words) == 3 and words[0] == "beat" and words[1].isdigit() and words[2].isdigit():
                self.beats.append((int(words[1]), int(words[2])))
            else:
                self.lines.append(line)
                self._said.put(line)
        self._said.put(None)

    def say(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def expect(self, key, timeout=labs.PATIENCE_SECONDS, where=lambda value: True):
        """The next `probe: KEY {...}` whose value fits."""
        deadline = time.monotonic() + timeout
        while True:
            said, text = self._next(deadline, key)
            if said == key and where(value := json.loads(text)):
                return value

    def wait_until_ready(self, timeout=240):
        """Also of one that was ready before we looked."""
        deadline = time.monotonic() + timeout
        while True:
            self.say("echo hello")
            try:
                return self.expect("echo", timeout=1)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise

    def report(self):
        """All that it sees: {"disk": {name: ...}, "nic": {name: ...}, "cpu": ..., ...}"""
        self.say("report")
        seen = {"disk": {}, "nic": {}, "cdrom": {}}
        deadline = time.monotonic() + labs.PATIENCE_SECONDS
        while True:
            key, text = self._next(deadline, "reported")
            if key == "reported":
                return seen
            value = json.loads(text)
            if key in ("disk", "nic", "cdrom"):
                seen[key][value["name"]] = value
            else:
                seen[key] = value

    def wait_for_beats(self, count, timeout=labs.PATIENCE_SECONDS):
        """Until so many more have come."""
        wanted = len(self.beats) + count
        deadline = time.monotonic() + timeout
        while len(self.beats) < wanted:
            assert time.monotonic() < deadline, f"{self.name}: {wanted - len(self.beats)} beats are missing:\n" + "\n".join(self.lines[-10:])
            time.sleep(0.05)

    def _next(self, deadline, awaited):
        """The next that it says as a probe: the key, and its value as JSON, which may have been cut off where it ended."""
        while True:
            try:
                line = self._said.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"{self.name} did not say '{awaited}' in time:\n" + "\n".join(self.lines[-30:])
            said = re.search(r"probe: (\w+) (.*)", line)
            if said:
                return said.groups()
