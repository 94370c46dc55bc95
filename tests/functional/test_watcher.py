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


def look(cluster, options=""):
    """It looks, and what it submits has ended."""
    cluster.ok(f"flotte watcher {options}")
    cluster.wait_until("! gnt-job list --no-headers -o status | grep -Eq 'queued|waiting|running'")


def restart(cluster):
    cluster.kill("flotte-controllerd")
    cluster.ok("flotte daemons start")


def test_starts_again_five_times_whoever_is_killed(cluster, guest):
    for _ in range(5):
        end_guest(cluster)
        restart(cluster)
        look(cluster)
        assert cluster.ok(STATUS).strip() == "running"
    end_guest(cluster)
    restart(cluster)
    look(cluster)
    assert cluster.ok(STATUS).strip() == "ERROR_down"
    # A person may.
    cluster.ok("gnt-instance start vm1")


def test_does_nothing_while_it_is_paused(cluster, guest):
    assert cluster.ok("gnt-cluster watcher info") == "The watcher is not paused.\n"
    assert cluster.ok("gnt-cluster watcher pause 1h").startswith("The watcher is paused until ")
    end_guest(cluster)
    restart(cluster)
    look(cluster)
    assert cluster.ok(STATUS).strip() == "ERROR_down"
    look(cluster, "--ignore-pause")
    assert cluster.ok(STATUS).strip() == "running"
    end_guest(cluster)
    assert cluster.ok("gnt-cluster watcher info").startswith("The watcher is paused until ")
    assert cluster.ok("gnt-cluster watcher continue") == "The watcher is no longer paused.\n"
    look(cluster)
    assert cluster.ok(STATUS).strip() == "running"


def test_does_nothing_while_the_queue_is_drained_and_loses_no_try(cluster, guest):
    cluster.ok("gnt-cluster queue drain")
    try:
        end_guest(cluster)
        for _ in range(6):
            look(cluster)
        assert cluster.ok(STATUS).strip() == "ERROR_down"
    finally:
        cluster.ok("gnt-cluster queue undrain")
    look(cluster)
    assert cluster.ok(STATUS).strip() == "running"


def test_leaves_alone_what_was_started_without_a_wish(cluster, guest):
    cluster.ok("gnt-instance shutdown vm1; gnt-instance startup --no-remember vm1")
    look(cluster)
    assert cluster.ok(STATUS).strip() == "ERROR_up"


@pytest.mark.parametrize("wrong,said", [("pause", "Missing pause duration"), ("pause 5x", "'5x'"), ("pause -5", "'-5'"), ("stop", "Command 'stop' is not valid.")])
def test_wrong_words(cluster, wrong, said):
    assert said in cluster.refused(f"gnt-cluster watcher {wrong}")
