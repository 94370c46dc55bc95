"""Tests of the lab. A test gets a node as it is right after `gnt-cluster init`, within seconds, from a snapshot."""
import os
import pathlib
import sys
import warnings

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "functional"))
import lab as labs  # noqa: E402
import probe_guest  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: of the long suite, ./check --lab-all")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the node's journal and logs say stands below a failure. That a node hung as a whole is no failure of the test: ./check begins it again (--only-rerun)."""
    node = next((item.funcargs[name] for name in ("node", "installed", "running") if name in item.funcargs), None)
    failed = call.when == "call" and call.excinfo is not None and node is not None and node.is_on()
    has_hung = failed and node.hangs()
    if has_hung:
        hung = labs.NodeHung(f"{node.name}: {node.what_it_hangs_in()}")
        warnings.warn(str(hung))
        hung.__cause__ = call.excinfo.value
        call.excinfo = pytest.ExceptionInfo.from_exc_info((labs.NodeHung, hung, call.excinfo.tb))
    outcome = yield
    report = outcome.get_result()
    if failed and not has_hung and report.failed:
        said = node.run("journalctl --no-pager -n 40 -u 'flotte*'; tail -n 40 /var/log/ganeti/*.log /var/log/ganeti/kvm/*.log", timeout=60)
        report.sections.append((f"{node.name}", said.stdout))


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
