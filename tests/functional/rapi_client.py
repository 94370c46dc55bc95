"""Ganeti's own client of the remote API, at the service of a test: run in the machine under test, with Debian's Python.

    rapi_client.py HOST USER PASSWORD CERTIFICATE

First it writes the names of all that the client can do. Then, for each line [method, [argument, ...], {name: argument, ...}] that it reads, a line: {"result": ...}, or {"error": text, "code": number or null,
"kind": class}."""
import inspect
import json
import sys


def say(**what):
    print(json.dumps(what), flush=True)


def main():
    try:
        import pycurl
        from ganeti.rapi import client as rapi
    except ImportError as error:
        say(error=f"{error}; this test needs: apt-get install python3-ganeti-rapi", code=None, kind="ImportError")
        return
    pycurl.global_init(pycurl.GLOBAL_ALL)
    host, user, password, certificate = sys.argv[1:]
    options = {"username": user, "password": password} if user else {}
    client = rapi.GanetiRapiClient(host, curl_config_fn=rapi.GenericCurlConfig(cafile=certificate, verify_hostname=True, proxy=""), **options)
    say(result=[name for name, _ in inspect.getmembers(client, callable) if not name.startswith("_")])
    for line in sys.stdin:
        method, given, named = json.loads(line)
        try:
            say(result=getattr(client, method)(*given, **named))
        except rapi.GanetiApiError as error:
            say(error=str(error), code=error.code, kind=type(error).__name__)


main()
