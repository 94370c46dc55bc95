import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from machine import INIT, Machine  # noqa: E402


@pytest.fixture(scope="module")
def machine():
    """With nothing but Flotte's programs."""
    made = Machine()
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster(machine):
    """A machine with a cluster of one node, as the transcripts have it."""
    machine.ok(INIT)
    return machine
