"""Two workers (pytest -n 2 --dist loadgroup): the lab with its one node in the first, all other files, one after the other, in the second."""
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    def is_lab(item):
        return item.path.parent.name == "lab"

    for item in items:
        item.add_marker(pytest.mark.xdist_group("lab" if is_lab(item) else item.path.stem))
    items.sort(key=is_lab, reverse=True)
