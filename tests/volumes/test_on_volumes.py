"""The node daemon's tests that want a real volume group, on a kernel that has one (on-volumes). Each counts by itself; all run at one start of that kernel."""
import os
import pathlib
import subprocess
import xml.etree.ElementTree as tree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODE_TEST = "build/dev/src/node_test"
FILTER = "*/volume_group"
# A quiet machine takes a minute or two. Nothing waits for this but a kernel that hangs.
PATIENCE_SECONDS = 3600
LINES_SHOWN = 80


def names():
    """Empty where it isn't built, or holds none."""
    program = ROOT / NODE_TEST
    if not program.exists():
        return []
    listed = subprocess.run([program, "--gtest_list_tests", "--gtest_filter=" + FILTER], env=os.environ | {"FLOTTE_TEST_VG": "vms"}, capture_output=True, text=True, check=True)
    found, suite = [], ""
    for line in listed.stdout.splitlines():
        text = line.split("#")[0].rstrip()
        if text.startswith("  "):
            found.append(suite + text.strip())
        elif text.endswith("."):
            suite = text
    return found


NAMES = names()


class Outcome:
    """What became of a run: the fault of each test that has ended, and all that was said."""

    def __init__(self, directory, status):
        self.status = status
        self.said = (directory / "console").read_text(errors="replace") + (directory / "said").read_text(errors="replace")
        self.faults = {}
        for file in directory.glob("results.xml"):
            for case in tree.parse(file).iter("testcase"):
                name = f"{case.get('classname')}.{case.get('name')}"
                self.faults[name] = "\n".join(fault.get("message") for fault in case.iter("failure"))

    def of(self, name):
        if name in self.faults:
            return self.faults[name]
        last = "\n".join(self.said.splitlines()[-LINES_SHOWN:])
        return f"{name} did not end: on-volumes gave {self.status}, and its last words were\n{last}"


@pytest.fixture(scope="module")
def outcome(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("volumes")
    chosen = [item.callspec.params["name"] for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    (directory / "said").touch()
    command = f"exec {NODE_TEST} --gtest_color=no --gtest_filter={':'.join(chosen)} --gtest_output=xml:/run/results/results.xml >/run/results/said 2>&1"
    with open(directory / "console", "w") as console:
        # It ends with us, however we end.
        running = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", ROOT / "tests" / "volumes" / "on-volumes", directory, "env", "FLOTTE_TEST_VG=vms", "FLOTTE_TEST_DISKS=/dev/ubdb /dev/ubdc", "sh", "-c", command],
                                   stdout=console, stderr=subprocess.STDOUT)
        try:
            status = running.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            status = f"nothing for {PATIENCE_SECONDS} seconds"
        finally:
            running.kill()
            running.wait()
    return Outcome(directory, status)


def test_there_are_tests_on_a_real_volume_group():
    assert NAMES, f"{NODE_TEST} is not built, or has no test {FILTER} where FLOTTE_TEST_VG is set; cmake --build --preset dev --target node_test"


@pytest.mark.parametrize("name", NAMES)
def test_on_a_real_volume_group(outcome, name):
    fault = outcome.of(name)
    if fault:
        pytest.fail(fault, pytrace=False)
