"""Tests of the lab. A test gets a node as it is right after `gnt-cluster init`, within seconds, from a snapshot."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "functional"))
import lab as labs  # noqa: E402
import probe_guest  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Below a failure stands what the node's journal and logs say, or what a node hangs in that answers no more."""
    outcome = yield
    report = outcome.get_result()
    node = next((item.funcargs[name] for name in ("node", "installed", "running") if name in item.funcargs), None)
    if call.when != "call" or not report.failed or node is None or not node.is_on():
        return
    if node.hangs():
        said = node.what_it_hangs_in()
    else:
        said = node.run("journalctl --no-pager -n 40 -u 'flotte*'; tail -n 40 /var/log/ganeti/*.log /var/log/ganeti/kvm/*.log", timeout=60).stdout
    report.sections.append((node.name, said))


@pytest.fixture(scope="session")
def machine(tmp_path_factory):
    """One node with volume groups, our package, and a definition of the probe guest; saved as `installed`, `initialised` and `running`.

    FLOTTE_LAB_KEPT=DIRECTORY leaves it there when the tests have ended, and begins with it where it is."""
    kept = os.environ.get("FLOTTE_LAB_KEPT")
    if kept:
        yield a_kept(pathlib.Path(kept))
        return
    lab = labs.Lab.create(tmp_path_factory.mktemp("lab") / "lab", f"flotte-lab-{os.getpid()}", 1)
    try:
        make_snapshots(lab)
        yield lab.nodes[0]
    finally:
        lab.destroy()


def make_snapshots(lab):
    node = lab.nodes[0]
    lab.boot()
    lab.prepare(node)
    probe_guest.install_definition(node)
    lab.install(node)
    node.save("installed")
    node.ok(labs.INIT)
    node.save("initialised")
    node.ok(f"{probe_guest.ADD} vm1", timeout=120)
    with probe_guest.Guest(node, "vm1") as probe:
        probe.wait_until_ready()
    node.save("running")


def a_kept(directory):
    if directory.exists():
        return labs.Lab.open(directory).nodes[0]
    lab = labs.Lab.create(directory, f"flotte-kept-{os.getpid()}", 1)
    try:
        make_snapshots(lab)
    except BaseException:
        lab.destroy()
        raise
    return lab.nodes[0]


@pytest.fixture
def installed(machine):
    """A node with our package and no cluster."""
    machine.load("installed")
    return machine


@pytest.fixture
def node(machine):
    """A node with a cluster of its own."""
    machine.load("initialised")
    return machine


@pytest.fixture
def running(machine):
    """A node with a cluster and a probe guest vm1 that runs."""
    machine.load("running")
    return machine
