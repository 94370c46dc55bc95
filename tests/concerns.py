#!/usr/bin/python3
"""Which tests concern which files: for `./check --changed [REV]`, which runs what concerns the files changed since REV.

    tests/concerns.py [REV]    one line: test programs of ctest; one line: files of pytest

The first row of a table whose pattern fits a file counts. tests/style/test_concerns.py keeps them complete."""
import fnmatch
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Test programs, by what they are linked with: a folder's own, and those of the folders that use it (src/CMakeLists.txt).
ALL = "base schema sys net model placement opcodes store rpc query jobs node units rapi controller cli simulation"
PROGRAMS = [
    ("src/base/*", ALL), ("src/schema/*", ALL), ("src/model/*", ALL),
    ("src/sys/*", "sys node controller"), ("src/net/*", "net rpc cli node rapi"), ("src/placement/*", "placement units simulation"), ("src/opcodes/*", "opcodes jobs units rapi simulation"),
    ("src/store/*", "store jobs units rapi controller simulation"), ("src/rpc/*", "rpc query jobs node units rapi controller simulation"), ("src/query/*", "query units rapi simulation"),
    ("src/jobs/*", "jobs units rapi controller simulation"), ("src/node/*", "node"), ("src/units/*", "units rapi simulation"), ("src/rapi/*", "rapi controller simulation"),
    ("src/controller/*", "controller simulation"), ("src/cli/*", "cli"), ("src/bin/*", ""), ("src/CMakeLists.txt", ALL),
    ("tests/simulation/*", "simulation"), ("tests/CMakeLists.txt", "simulation"), ("cmake/*", ALL), ("CMake*", ALL), ("simulate", "simulation"),
    ("*", ""),
]

# Black-box tests. tests/style runs always.
COMMANDS = ("tests/functional/test_commands.py tests/functional/test_bad_input.py tests/functional/test_transcript.py tests/functional/test_instances.py "
            "tests/functional/test_groups.py tests/functional/test_networks.py tests/functional/test_whole_cluster.py tests/functional/test_same_instance.py")
STORAGE = ("tests/functional/test_conversion.py tests/functional/test_recreate_disks.py tests/functional/test_rename.py tests/functional/test_devices.py tests/functional/test_crash.py "
           "tests/functional/test_instances.py tests/lab/test_machines.py tests/lab/test_changes.py tests/lab/test_verify_on_volumes.py tests/volumes")
GUESTS = ("tests/functional/test_start_checks.py tests/functional/test_instances.py tests/functional/test_devices.py tests/functional/test_vnc.py tests/functional/test_user_shutdown.py tests/functional/test_console.py "
          "tests/functional/test_crash.py tests/lab/test_machines.py tests/lab/test_manual.py tests/lab/test_nics.py tests/lab/test_survival.py")
NETWORK = "tests/functional/test_network.py tests/functional/test_devices.py tests/lab/test_nics.py tests/lab/test_cluster.py"
HOOKS = "tests/functional/test_hooks.py"
REMOTE = "tests/functional/test_rapi.py tests/functional/test_rapi_client.py tests/functional/test_rapi_docs.py"
DAEMONS = ("tests/functional/test_ssconf.py tests/functional/test_crash.py tests/functional/test_watcher.py tests/functional/test_random_kills.py tests/functional/test_bad_input.py tests/lab/test_survival.py "
           "tests/lab/test_random_kills_on_volumes.py")
PACKAGES = "tests/lab/test_packages.py tests/lab/test_survival.py tests/lab/test_cluster.py"
OS = "tests/os tests/lab/test_debian_definitions.py"
VERIFY = "tests/functional/test_verify.py tests/lab/test_verify_on_volumes.py"
RENEWAL = "tests/functional/test_renew_crypto.py"
MOVE = "tests/functional/test_move_instance.py tests/functional/test_move_ganeti.py"
EVERYTHING = "tests"
BLACK_BOX = [
    ("src/base/*", EVERYTHING), ("src/schema/*", EVERYTHING), ("src/model/*", EVERYTHING), ("src/rpc/*", EVERYTHING), ("src/bin/*", EVERYTHING),
    ("src/sys/*", f"{GUESTS} {NETWORK} {STORAGE} {HOOKS} {DAEMONS}"), ("src/net/*", f"{COMMANDS} {DAEMONS} {REMOTE} {RENEWAL} {MOVE}"), ("src/opcodes/*", f"{COMMANDS} {STORAGE} {GUESTS} {REMOTE}"),
    ("src/store/*", f"{COMMANDS} {DAEMONS}"), ("src/jobs/*", f"{COMMANDS} {DAEMONS} {HOOKS}"), ("src/query/*", f"{COMMANDS} {VERIFY} {REMOTE}"), ("src/rapi/*", f"{COMMANDS} {REMOTE}"),
    ("src/controller/*", f"{COMMANDS} {DAEMONS} {REMOTE} tests/functional/test_user_shutdown.py tests/lab/test_cluster.py"), ("src/cli/serial_console*", "tests/functional/test_console.py tests/lab/test_manual.py"),
    ("src/cli/rapi_users*", "tests/functional/test_rapi_accounts.py"), ("src/cli/renew_crypto*", RENEWAL), ("src/cli/move*", MOVE), ("src/cli/rapi_client*", MOVE), ("src/cli/remote_cluster*", MOVE), ("src/cli/answers*", MOVE), ("src/cli/*world*", MOVE), ("src/node/daemon/cluster_keys*", f"{RENEWAL} {VERIFY}"),
    ("src/cli/*", f"{COMMANDS} tests/functional/test_devices.py tests/functional/test_verify.py tests/lab/test_manual.py tests/lab/test_first_evening.py"),
    ("src/placement/*", COMMANDS), ("src/units/*verify*", VERIFY), ("src/units/*hooks*", HOOKS), ("src/units/*", f"{COMMANDS} {STORAGE} {GUESTS} {HOOKS} {VERIFY}"),
    ("src/node/storage/*", STORAGE), ("src/node/exports/*", f"{STORAGE} {MOVE}"), ("src/node/daemon/transfer*", MOVE), ("src/node/hypervisor/*", GUESTS), ("src/node/network/*", NETWORK), ("src/node/hooks/*", HOOKS),
    ("src/node/os/*", f"{OS} tests/functional/test_commands.py tests/functional/test_bad_input.py"), ("src/node/*", f"{STORAGE} {GUESTS} {NETWORK} {VERIFY} {DAEMONS}"),
    ("src/CMakeLists.txt", ""), ("os/*", OS), ("debian/*", PACKAGES), ("tools/package", PACKAGES), ("tools/man-pages", PACKAGES), ("tools/first-evening", "tests/lab/test_first_evening.py"),
    ("tests/functional/test_*", "{}"), ("tests/functional/transcript/*", "tests/functional/test_transcript.py"), ("tests/functional/random_kills.py", "tests/functional/test_random_kills.py tests/lab/test_random_kills_on_volumes.py"),
    ("tests/functional/fake_ganeti.py", MOVE), ("tests/functional/ganeti_peer.py", "tests/functional/test_move_ganeti.py"), ("tests/functional/rapi_client.py", "tests/functional/test_rapi_client.py"), ("tests/functional/remote_api.py", REMOTE), ("docs/remote-api.md", "tests/functional/test_rapi_docs.py"),
    ("tests/functional/*", "tests/functional"), ("tests/lab/test_*", "{}"), ("tests/lab/evening.py", "tests/lab/test_first_evening.py"), ("tests/lab/image/*", "tests/lab/test_image.py tests/lab"),
    ("tests/lab/*", "tests/lab"), ("tests/os/*", "tests/os"), ("tests/volumes/*", "tests/volumes"), ("tests/conftest.py", EVERYTHING), ("docs/a-first-evening.md", "tests/lab/test_first_evening.py"),
    ("tests/simulation/*", ""), ("tests/style/*", ""), ("tests/*", ""), ("*", ""),
]


def first(table, path):
    return next(wanted for pattern, wanted in table if fnmatch.fnmatchcase(path, pattern)).replace("{}", path)


def concerned(paths):
    """(test programs of ctest, files and directories of pytest), each once, in order."""
    programs = [program for program in ALL.split() if any(program in first(PROGRAMS, path).split() for path in paths)]
    files = {name for path in paths for name in first(BLACK_BOX, path).split() if (ROOT / name).exists()} | {"tests/style"}
    if EVERYTHING in files:
        files = {EVERYTHING}
    return programs, sorted(name for name in files if not any(name.startswith(f"{other}/") for other in files))


def changed(revision):
    """Files that differ from a revision, those that git does not know yet among them."""
    def lines(*words):
        return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return lines("diff", "--name-only", revision) + lines("ls-files", "--others", "--exclude-standard")


if __name__ == "__main__":
    for names in concerned(changed(sys.argv[1] if len(sys.argv) > 1 else "main")):
        print(*names)
