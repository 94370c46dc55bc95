"""What runs when, and beside what.

`./check` runs all but the lab, and of the lab the tests marked `core`: what only a whole node can show. `./check --lab` runs all of the lab but what is marked `long`, `--lab-all` that too,
`--changed` what concerns.py says. The lab with its one node has a worker of its own; the other files are dealt to the others (pytest -n 3 --dist loadgroup), each whole."""
import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "lab: needs an emulated node")
    config.addinivalue_line("markers", "core: of the lab, and part of plain ./check")
    config.addinivalue_line("markers", "long: of the long suite, ./check --lab-all")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    def is_lab(item):
        return item.get_closest_marker("lab") is not None

    for item in items:
        if item.path.parent.name == "lab" and "machine" in item.fixturenames:  # the node
            item.add_marker(pytest.mark.lab)
        item.add_marker(pytest.mark.xdist_group("lab" if is_lab(item) else item.path.stem))
    items.sort(key=is_lab, reverse=True)
