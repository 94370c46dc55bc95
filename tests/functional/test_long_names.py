"""The longest names work from the beginning to the end; longer ones are refused before anything is touched."""
import pytest

ADD = "gnt-instance add --no-name-check --no-ip-check --no-start"
# But what is written beside all the time.
LEFT = "find /srv/ganeti/ /var/lib/ganeti/ /var/run/ganeti/ /var/log/ganeti/os ! -name 'store.sqlite*' ! -name crashes ! -name 'ssconf_*' | sort"
LONGEST = "n" * 240


@pytest.mark.parametrize("length", [241, 250, 255, 256, 4000])
def test_a_name_that_is_too_long_is_refused_and_leaves_nothing(cluster, length):
    before = cluster.ok(LEFT)
    for command in (f"{ADD} -t file -s 64M -o noop -H kvm {'n' * length}", f"{ADD} -t diskless -o noop -H fake {'n' * length}"):
        refusal = cluster.refused(command)
        assert "Invalid hostname" in refusal and "at most 240" in refusal, refusal
    assert cluster.ok(LEFT) == before
    assert cluster.ok("gnt-instance list --no-headers") == ""


def test_the_longest_name_works(cluster):
    before = cluster.ok(LEFT.replace("/var/log/ganeti/os", ""))
    cluster.ok(f"{ADD} -t file -s 64M -o noop -H kvm -B memory=64 {LONGEST}")
    cluster.ok(f"gnt-instance startup --paused {LONGEST}")
    assert cluster.ok("gnt-instance list --no-headers -o name,status").split() == [LONGEST, "running"]
    cluster.ok(f"gnt-instance shutdown --timeout=0 {LONGEST}")
    renamed = "m" * 240
    cluster.ok(f"gnt-instance rename --no-name-check --no-ip-check {LONGEST} {renamed}")
    refusal = cluster.refused(f"gnt-instance rename --no-name-check --no-ip-check {renamed} {renamed}m")
    assert "Invalid hostname" in refusal, refusal
    cluster.ok(f"gnt-instance reinstall -f {renamed} && gnt-instance remove -f {renamed}")
    cluster.ok("gnt-cluster verify")
    left = cluster.ok(LEFT.replace("/var/log/ganeti/os", ""))
    assert not [line for line in left.splitlines() if "nnnnnn" in line or "mmmmmm" in line], set(left.splitlines()) - set(before.splitlines())


@pytest.mark.parametrize("command", [
    f"{ADD} -t file -s 64M -o {'o' * 300} -H fake vm1", f"{ADD} -t file -s 64M -o noop -H fake --tags {'t' * 129} vm1",
    f"gnt-cluster add-tags {'t' * 129}", f"gnt-group add {'g' * 300}"])
def test_other_names_that_are_too_long_are_refused_and_leave_nothing(cluster, command):
    before = cluster.ok(LEFT)
    cluster.refused(command)
    assert cluster.ok(LEFT) == before
    assert cluster.ok("gnt-instance list --no-headers") == ""
