"""kill -9 of the daemons every few seconds, for two minutes of random operations with real QEMUs. FLOTTE_RANDOM_KILLS_SECONDS makes it longer,
FLOTTE_RANDOM_KILLS_SEED repeats what was done."""
import os
import random

from random_kills import Campaign, Site

SECONDS = int(os.environ.get("FLOTTE_RANDOM_KILLS_SECONDS", "120"))
SEED = int(os.environ.get("FLOTTE_RANDOM_KILLS_SEED") or random.SystemRandom().randrange(1 << 32))

SITE = Site(
    add="gnt-instance add --no-name-check --no-ip-check -H kvm -B memory=32M",
    disk_sizes=[4, 8, 16],
    disk="--disk {index}:size={size}M",
    templates=["file", "file", "sharedfile", "diskless"],
    nics=["--net 0:link=br0", "--no-nics"],
    qemu="-x qemu-system-x86",
    disk_paths="/srv/ganeti",
    list_disks="find /srv/ganeti -type f ! -name '*.flotte' -printf '%p %s\\n'",
    # The write-ahead log comes and goes with SQLite's wishes.
    list_left="find /srv/ganeti /var/lib/ganeti /run/ganeti /etc/ganeti ! -name 'store.sqlite*'; ip -br link | cut -d' ' -f1",
    watch_pause=0.1,
    pause_between_kills=(1, 4))


def test_random_kills(cluster):
    Campaign(cluster, SITE, SEED, SECONDS).run()
