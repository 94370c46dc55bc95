"""docs/local-api.md lists the routes of the local socket: those that there are, and no others."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def routes():
    return {f"{method} {path}" for method, path in re.findall(r'\{"(GET|POST|PUT|DELETE)", "([^"]+)", (?:Read|Write),', (ROOT / "src/rapi/local_api.cpp").read_text())}


def documented():
    rows = [line.split("|")[1] for line in (ROOT / "docs/local-api.md").read_text().splitlines() if line.startswith("| `")]
    return {re.sub(r"\?.*", "", call).replace("/N/", "/{job}/") for row in rows for call in re.findall(r"`([^`]+)`", row)}


def test_every_route_is_documented():
    assert len(routes()) > 10
    assert documented() == routes()
