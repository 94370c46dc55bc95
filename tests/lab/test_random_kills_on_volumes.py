"""The random kills of tests/functional/test_random_kills.py for an hour: on volume groups and KVM, with power cuts of the node, and with a guest whose
heartbeat says what it has written. FLOTTE_RANDOM_KILLS_LAB_SECONDS makes it shorter, FLOTTE_RANDOM_KILLS_SEED repeats what was done."""
import base64
import gzip
import os
import pathlib
import random
import struct
import sys
import time

import pytest

import lab as labs
import probe_guest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "functional"))
from random_kills import STEADY, Campaign, Site, Violation  # noqa: E402

SECONDS = int(os.environ.get("FLOTTE_RANDOM_KILLS_LAB_SECONDS", "3600"))
SEED = int(os.environ.get("FLOTTE_RANDOM_KILLS_SEED") or random.SystemRandom().randrange(1 << 32))

# Of the probe: probe/probe.cpp.
RING = 16384
SECTOR = 512
MAGIC = 0x464C4F5454454254
# How many of the last beats are looked for on the volume after a guest has ended.
BEATS_READ_BACK = 1000
CHECK_SECONDS = 30

SITE = Site(
    add="gnt-instance add --no-name-check --no-ip-check --ignore-ipolicy -B memory=32M",
    disk_sizes=[4, 8, 16],
    disk="--disk {index}:size={size}M,vg=vms",
    templates=["plain", "plain", "plain", "diskless"],
    nics=["--net 0:link=br-rzn-205", "--no-nics"],
    qemu=labs.QEMU,
    disk_paths="/dev/(dm-|mapper)",
    list_disks="lvs --noheadings --nosuffix --units b -o lv_name,lv_size vms vms_hdd vms_ssd",
    list_left="lvs --noheadings -o lv_full_name; dmsetup ls; ip -br link | cut -d' ' -f1; systemctl list-units --all --plain --no-legend 'flotte-guest-*'; "
              "find /run/ganeti /var/lib/ganeti /etc/ganeti ! -name 'store.sqlite*'",
    watch_pause=0.5,
    pause_between_kills=(4, 20),
    growths=("4M", "8M"),
    steady_add=probe_guest.ADD + " --ignore-ipolicy",
    steady_size=1024,
    power_cuts=0.06,
    quiet_seconds_max=600,
    start_seconds_max=60)  # systemd may just be noticing that they were killed


class CampaignOnVolumes(Campaign):
    def also_watched(self):
        return [self._beat]

    def _run(self):
        super()._run()
        for proof in ("beats heard", "heartbeat checks"):
            if not self.counts[proof]:
                raise Violation(f"there were no {proof}")

    def _beat(self):
        while not self._stop.is_set():
            try:
                with probe_guest.Guest(self.host, STEADY) as guest:
                    guest.wait_until_ready(timeout=90)
                    guest.say("heartbeat start vdb 50")
                    self._listen(guest)
            except (AssertionError, BrokenPipeError) as error:
                self._note(f"{STEADY} is not up: {str(error)[:200]}")
                time.sleep(1)
                continue
            self.counts["beats heard"] += len(guest.beats)
            if guest.beats and not self._stop.is_set():
                self._read_back(guest)

    def _listen(self, guest):
        """Until the guest has ended."""
        checked = time.monotonic()
        while guest._process.poll() is None and not self._stop.is_set():
            time.sleep(0.2)
            if time.monotonic() - checked < CHECK_SECONDS:
                continue
            checked = time.monotonic()
            try:
                guest.say("heartbeat check vdb")
                found = guest.expect("heartbeat", timeout=20, where=lambda value: "missing" in value)
            except (AssertionError, BrokenPipeError):
                continue
            self.counts["heartbeat checks"] += 1
            if found["missing"]:
                raise Violation(f"{STEADY} misses what it wrote: {found}")
        time.sleep(1)  # what it said last

    def _read_back(self, guest):
        """What it said that it had written is on the volume, whatever ended it."""
        heard = [number for number, _ in guest.beats][-BEATS_READ_BACK:]
        text = None
        while not text and not self._stop.is_set():
            done = self.host.run(f"dd if=$(lvs --noheadings -o lv_path vms_ssd | tr -d ' ') bs={SECTOR} skip=$(({1 << 30} / {SECTOR} - {RING})) "
                                 f"count={RING} status=none | gzip -1 | base64 -w0; exit ${{PIPESTATUS[0]}}")
            text = done.stdout if done.returncode == 0 else None
            time.sleep(0 if text else 1)
        if not text:
            return
        ring = gzip.decompress(base64.b64decode(text))
        missing = [number for number in heard if struct.unpack_from("<QQ", ring, number % RING * SECTOR) != (MAGIC, number)]
        self.counts["beats read back"] += len(heard)
        if missing:
            raise Violation(f"{STEADY} said that it had written these beats, and they are not on its volume: {missing}")


@pytest.fixture
def node():
    """Of two processors: four users leave none to a guest. Should the node hang, its power is cut."""
    with labs.fresh_node(f"flotte-kills-{os.getpid()}", processors=2) as node:
        probe_guest.install_definition(node)
        node.ok(labs.INIT)
        yield node


@pytest.mark.long
def test_random_kills_on_volumes(node):
    CampaignOnVolumes(node, SITE, SEED, SECONDS).run()
