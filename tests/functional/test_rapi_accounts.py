"""The users of the remote API as root keeps them: flotte rapi-passwd and rapi-users."""
import re

import pytest
from terminal import Terminal

USERS = "/var/lib/ganeti/rapi/users"
HASH = r"\{argon2id\}\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}"


@pytest.fixture(scope="module", autouse=True)
def group(machine):
    """Which the package makes."""
    machine.ok("getent group flotte > /dev/null || groupadd --system flotte")


@pytest.fixture
def users(machine):
    """Reads the file, or writes it first. None is there at first."""
    def content(text=None):
        if text is not None:
            machine.ok("mkdir -p /var/lib/ganeti/rapi")
            machine.write(USERS, text.encode())
        return machine.ok(f"cat {USERS}")
    machine.ok("rm -rf /var/lib/ganeti/rapi")
    return content


def test_the_first_user(machine, users):
    said = machine.ok("echo hunter2 | flotte rapi-passwd --opts=read jack")
    assert said == "The password of jack is set\n"
    assert re.fullmatch(f"jack {HASH} read\n", users())
    assert machine.ok(f"stat -c '%a %U %G' /var/lib/ganeti/rapi {USERS}") == "750 root flotte\n640 root flotte\n"
    assert machine.ok("flotte rapi-users") == "jack argon2id read\n"
    assert "hunter2" not in machine.ok("cat /var/log/ganeti/commands.log || true")


def test_all_else_stays_as_it_is(machine, users):
    users("# ours\njack old  read,write\r\n  jill {HA1}00 @operator\n\njoe")
    machine.ok(f"chown nobody:mail {USERS} && chmod 604 {USERS}")
    said = machine.run("echo 'with a blank' | flotte rapi-passwd jack")
    assert (said.returncode, said.stdout, said.stderr) == (0, "The password of jack is set\n", "")
    assert re.fullmatch(f"# ours\njack {HASH}  read,write\n  jill {{HA1}}00 @operator\n\njoe", users())
    assert machine.ok(f"grep -c 'write\r$' {USERS}") == "1\n"
    assert machine.ok(f"stat -c '%a %U %G' {USERS}") == "604 nobody mail\n"
    assert machine.ok("ls /var/lib/ganeti/rapi") == "users\n"
    said = machine.ok("echo x | flotte rapi-passwd jim")
    assert said == "The password of jim is set\njim has no options, and may ask what everybody may: see --opts\n"
    assert machine.ok("flotte rapi-users") == "jack argon2id read,write\njill ha1 @operator\n(line 5 is not understood)\njim argon2id -\n"
    machine.ok("echo x | flotte rapi-passwd --opts=@readonly,-jobs.list jack")
    assert machine.ok("flotte rapi-users").startswith("jack argon2id @readonly,-jobs.list\n")


def test_a_file_that_the_controller_could_not_read_is_told(machine, users):
    users("jack old read\n")
    machine.ok(f"chown root:root {USERS} && chmod 600 {USERS}")
    said = machine.run("echo x | flotte rapi-passwd jack")
    assert said.stderr == f"The controller may be unable to read it: chgrp flotte {USERS} && chmod 640 {USERS}\n"


def test_another_file_also_behind_a_link(machine, users):
    machine.ok("mkdir /srv/elsewhere && echo 'jack old read' > /srv/elsewhere/people && ln -s elsewhere/people /srv/link")
    machine.ok("cd /srv && echo x | flotte rapi-passwd --file=link jack")
    assert re.fullmatch(f"jack {HASH} read\n", machine.ok("cat /srv/elsewhere/people"))
    assert machine.ok("readlink /srv/link") == "elsewhere/people\n"


@pytest.mark.parametrize("command, told", [
    ("echo | flotte rapi-passwd jack", "can't be empty"),
    ("flotte rapi-passwd jack < /dev/null", "No password was given"),
    ("printf 'a\\tb\\n' | flotte rapi-passwd jack", "control characters"),
    ("head -c 2000 /dev/zero | tr '\\0' x | flotte rapi-passwd jack", "at most 1024 bytes"),
    ("echo x | flotte rapi-passwd ja:ck", "has a colon"),
    ("echo x | flotte rapi-passwd '#jack'", "begins a comment"),
    ("echo x | flotte rapi-passwd \"$(printf 'jack\\njill')\"", "has blanks or control characters"),
    ("echo x | flotte rapi-passwd --opts=reed jack", "'reed' is no option of a user"),
    ("echo x | flotte rapi-passwd --opts=\"$(printf 'read\\njill')\" jack", "is no option of a user"),
    ("mkfifo /run/pipe && echo x | timeout 10 flotte rapi-passwd --file=/run/pipe jack", "is no regular file"),
    ("head -c 1048577 /dev/zero > /run/large && echo x | flotte rapi-passwd --file=/run/large jack", "is larger than 1048576 bytes"),
    ("head -c 1048500 /dev/zero > /run/full && echo x | flotte rapi-passwd --file=/run/full jack", "would be larger than 1048576 bytes"),
])
def test_refused(machine, users, command, told):
    users("jack old read\n")
    assert told in machine.refused(command)
    assert users() == "jack old read\n"


def test_ten_at_once_are_ten_users(machine, users):
    machine.ok("for i in $(seq 10); do echo x | flotte rapi-passwd --opts=read user$i & done; wait")
    assert sorted(machine.ok("flotte rapi-users").splitlines()) == sorted(f"user{i} argon2id read" for i in range(1, 11))


def test_asked_on_a_terminal(machine, users):
    with Terminal(machine, "flotte rapi-passwd --opts=write jack") as terminal:
        terminal.expect("New password of jack: ")
        terminal.type("hunter2\n")
        assert "hunter2" not in terminal.expect("Again: ")
        terminal.type("hunter2\n")
        assert "hunter2" not in terminal.expect("The password of jack is set")
        terminal.end()
    assert re.fullmatch(f"jack {HASH} write\n", users())


def test_two_that_differ_change_nothing(machine, users):
    users("jack old read\n")
    with Terminal(machine, "flotte rapi-passwd jack") as terminal:
        terminal.expect("New password of jack: ")
        terminal.type("hunter2\n")
        terminal.expect("Again: ")
        terminal.type("hunter3\n")
        terminal.expect("nothing was changed")
        terminal.end(1)
    assert users() == "jack old read\n"


def test_interrupted_it_leaves_the_terminal_as_it_was(machine, users):
    users("jack old read\n")
    with Terminal(machine, "bash -c 'flotte rapi-passwd jack; echo ended $?'") as terminal:
        terminal.expect("New password of jack: ")
        machine.ok("pkill -INT -x flotte")
        terminal.expect("ended 130")
        terminal.end()
    assert users() == "jack old read\n"
