"""The node image and its cache."""
import os
import signal
import subprocess
import time

import lab as labs
import pytest


@pytest.mark.lab  # it takes as long as a node's start
def test_an_interrupted_build_leaves_nothing_that_looks_finished(tmp_path):
    target = tmp_path / "image"
    build = subprocess.Popen([labs.HERE / "image" / "build", target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(6)
    os.killpg(build.pid, signal.SIGKILL)
    build.wait()
    time.sleep(0.5)
    assert not target.exists()
    # No mount, no process of it is left; what lies around is thrown away by the next build.
    assert str(tmp_path) not in open("/proc/mounts").read()
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True).returncode != 0


def test_a_recipe_is_built_once_for_its_content(tmp_path, monkeypatch):
    monkeypatch.setattr(labs, "CACHE", tmp_path / "cache")
    recipe = tmp_path / "recipe"
    recipe.write_text("one")
    built = []

    def build(path):
        built.append(path)
        path.mkdir()

    first = labs.cached("thing", [recipe], build)
    assert labs.cached("thing", [recipe], build) == first
    recipe.write_text("two")
    second = labs.cached("thing", [recipe], build)
    assert built == [first, second]
    assert first.exists() and second.exists()
    os.utime(first, (0, 0))
    assert labs.cached("thing", [recipe], build) == second
    assert not first.exists() and second.exists()
