"""docs/a-first-evening.md says what happens."""
import difflib

import pytest

import evening
import probe_guest


@pytest.mark.long
def test_a_first_evening_goes_as_it_is_told(installed):
    installed.ok(f"rm -r {probe_guest.DEFINITION}")  # a person has none
    evening.prepare(installed)
    _, changes = evening.typed_again(installed, evening.DOCUMENT.read_text())
    told = [f"$ {command}\n" + "\n".join(difflib.unified_diff(evening.skeleton(then), evening.skeleton(now), "told", "printed", lineterm="", n=1))
            for command, then, now in changes]
    assert not told, "\n".join(told) + "\ntools/first-evening writes it anew"
