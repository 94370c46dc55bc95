"""The watcher: what should run does, five times in eight hours; never while it is paused."""
import pytest

ADD = "gnt-instance add -t diskless -o noop --no-install -H fake --no-name-check --no-ip-check --no-nics"
STATUS = "gnt-instance list --no-headers -o status vm1"


@pytest.fixture
def guest(cluster):
    cluster.ok(f"{ADD} vm1")
    yield
    cluster.ok("gnt-instance remove -f vm1")


def end_guest(cluster):
    cluster.ok("rm /var/run/ganeti/fake-hypervisor/*vm1*")
    assert cluster.ok(STATUS).strip() == "ERROR_down"


def next_look(cluster):
    """It looks soon after the controller has started."""
    cluster.kill("flotte-controllerd")
    cluster.ok("flotte daemons start")


def test_starts_again_five_times_whoever_is_killed(cluster, guest):
    for _ in range(5):
        end_guest(cluster)
        next_look(cluster)
        cluster.wait_until(f"{STATUS} | grep -q running")
    end_guest(cluster)
    next_look(cluster)
    cluster.ok("sleep 8")
    assert cluster.ok(STATUS).strip() == "ERROR_down"
    # A person may.
    cluster.ok("gnt-instance start vm1")


def test_does_nothing_while_it_is_paused(cluster, guest):
    assert cluster.ok("gnt-cluster watcher info") == "The watcher is not paused.\n"
    assert cluster.ok("gnt-cluster watcher pause 1h").startswith("The watcher is paused until ")
    end_guest(cluster)
    next_look(cluster)
    cluster.ok("sleep 8")
    assert cluster.ok(STATUS).strip() == "ERROR_down"
    assert cluster.ok("gnt-cluster watcher info").startswith("The watcher is paused until ")
    assert cluster.ok("gnt-cluster watcher continue") == "The watcher is no longer paused.\n"
    next_look(cluster)
    cluster.wait_until(f"{STATUS} | grep -q running")


def test_does_nothing_while_the_queue_is_drained_and_loses_no_try(cluster, guest):
    cluster.ok("gnt-cluster queue drain")
    try:
        end_guest(cluster)
        for _ in range(6):
            next_look(cluster)
            cluster.ok("sleep 6")
        assert cluster.ok(STATUS).strip() == "ERROR_down"
    finally:
        cluster.ok("gnt-cluster queue undrain")
    next_look(cluster)
    cluster.wait_until(f"{STATUS} | grep -q running")


def test_leaves_alone_what_was_started_without_a_wish(cluster, guest):
    cluster.ok("gnt-instance shutdown vm1; gnt-instance startup --no-remember vm1")
    next_look(cluster)
    cluster.ok("sleep 8")
    assert cluster.ok(STATUS).strip() == "ERROR_up"


@pytest.mark.parametrize("wrong,said", [("pause", "Missing pause duration"), ("pause 5x", "'5x'"), ("pause -5", "'-5'"), ("stop", "Command 'stop' is not valid.")])
def test_wrong_words(cluster, wrong, said):
    assert said in cluster.refused(f"gnt-cluster watcher {wrong}")
