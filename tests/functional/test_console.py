"""O9: the serial console on a real terminal. The guest is a boot sector that says who it is, then says back what it hears; `!` switches it
off, and `*` makes it talk without end."""
import re
import signal
import struct
import time

import pytest

from terminal import Terminal

ADD = "gnt-instance add -t file -s 1G -o talker --no-name-check --no-ip-check --no-nics -H kvm -B memory=64M"
LOG = "/var/log/ganeti/kvm/vm1.console"


def boot_sector(hello):
    """si: the text; then a loop over COM1: bit 0 of the line status is a byte that came."""
    code = bytes.fromhex(
        "be0000"        # 00 mov si, hello
        "ac84c0"        # 03 next: lodsb; test al, al
        "7406"          # 06 jz hear
        "baf803ee"      # 08 mov dx, 0x3f8; out dx, al
        "ebf5"          # 0c jmp next
        "bafd03ec"      # 0e hear: mov dx, 0x3fd; in al, dx
        "a801"          # 12 test al, 1
        "74f8"          # 14 jz hear
        "baf803ec"      # 16 mov dx, 0x3f8; in al, dx
        "3c21"          # 1a cmp al, '!'
        "7407"          # 1c je off
        "3c2a"          # 1e cmp al, '*'
        "740b"          # 20 je talk
        "ee"            # 22 out dx, al
        "ebe9"          # 23 jmp hear
        "ba0406b80020ef"  # 25 off: mov dx, 0x604 (PIIX4: PM1a control); mov ax, 0x2000; out dx, ax
        "f4"            # 2c hlt
        "b061ee"        # 2d talk: mov al, 'a'; out dx, al
        "ebfb")         # 30 jmp talk
    start = 0x7c00 + len(code)
    return (b"\xbe" + struct.pack("<H", start) + code[3:] + hello + b"\0").ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture(scope="module")
def talker(cluster):
    cluster.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/talker")
    cluster.write("/usr/share/ganeti/os/talker/sector", boot_sector(b"one\r\ntwo\r\nhello from vm1\r\n"))
    cluster.write("/usr/share/ganeti/os/talker/create", b'#!/bin/sh\ndd if=sector of="$DISK_0_PATH" conv=notrunc status=none\n')
    return cluster


@pytest.fixture
def guest(talker):
    talker.ok(f"{ADD} vm1")
    talker.wait_until(f"grep -q 'hello from vm1' {LOG}")
    yield "vm1"
    talker.run("gnt-instance remove -f --shutdown-timeout=0 vm1")


def console(cluster, *options, **size):
    return Terminal(cluster, " ".join(["gnt-instance console", *options, "vm1"]), **size)


def test_O9_what_was_said_what_is_typed_and_the_way_out(talker, guest):
    with console(talker) as terminal:
        shown = terminal.expect("hello from vm1\r\n")
        assert "Leave with Ctrl-]" in shown and "one\r\ntwo\r\n" in shown
        assert terminal.is_raw()
        terminal.type("abc")
        terminal.expect("abc")
        terminal.type("\x03\x1a\x11")  # Ctrl-C, Ctrl-Z and Ctrl-Q are the guest's
        terminal.expect("\x03\x1a\x11")
        terminal.type("x\x1d")
        terminal.end()
    # What was typed last has still arrived.
    talker.wait_until(f"grep -q x {LOG}")
    with console(talker) as terminal:
        terminal.expect("hello from vm1\r\nabc")


def test_O9_the_guest_s_shell_can_be_told_the_window_s_size(talker, guest):
    with console(talker, rows=50, columns=132) as terminal:
        terminal.expect("stty rows 50 cols 132")
    with console(talker) as terminal:
        assert "stty" not in terminal.expect("hello from vm1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_O9_a_signal_leaves_the_terminal_as_it_was(talker, guest, number):
    with console(talker) as terminal:
        terminal.expect("hello from vm1")
        assert terminal.is_raw()
        talker.kill("gnt-instance", number)
        terminal.end(128 + number)


def test_O9_several_viewers_see_the_same_and_one_has_the_keyboard(talker, guest):
    with console(talker) as first, console(talker, "--read-only") as second:
        first.expect("hello from vm1")
        second.expect("hello from vm1")
        with console(talker) as third:
            shown = third.expect("hello from vm1")
            assert re.search(r"read only: process \d+ on /dev/\S+ has the keyboard, 'gnt-instance console --write vm1' takes it", shown) \
                or re.search(r"read only: process \d+ has the keyboard", shown)
            third.type("no")
            second.type("no")
            first.type("yes")
            for terminal in (first, second, third):
                assert "no" not in terminal.expect("yes")
        with console(talker, "--write") as fourth:
            fourth.expect("hello from vm1")
            first.expect("another terminal has taken the keyboard; you only watch now")
            first.type("lost")
            fourth.type("taken")
            for terminal in (first, second, fourth):
                assert "lost" not in terminal.expect("taken")
            fourth.type("\x1d")
            fourth.end()
        first.type("\x1d")
        first.end()
    # The keyboard is free again.
    with console(talker) as last:
        assert "read only" not in last.expect("taken")
        last.type("again")
        last.expect("again")


def test_O9_what_another_program_holds_is_seen_and_watched(talker, guest):
    holder = talker.start("exec socat -u UNIX-CONNECT:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.serial -")
    try:
        talker.wait_until("pgrep -x socat")
        time.sleep(0.3)
        with console(talker) as terminal:
            assert "read only: another program has the keyboard" in terminal.expect("hello from vm1")
    finally:
        talker.kill("socat")
        holder.communicate(timeout=120)


def test_O9_outlives_the_daemons(talker, guest):
    with console(talker) as terminal:
        terminal.expect("hello from vm1")
        talker.kill("flotte-noded")
        talker.kill("flotte-controllerd")
        terminal.type("alone")
        terminal.expect("alone")
        talker.ok("flotte daemons start")
        terminal.type("together")
        terminal.expect("together")
        terminal.type("\x1d")
        terminal.end()


def test_O9_ends_with_the_guest(talker, guest):
    with console(talker) as terminal, console(talker, "--read-only") as watcher:
        terminal.expect("hello from vm1")
        watcher.expect("hello from vm1")
        talker.ok("gnt-instance stop --timeout=0 vm1")
        for one in (terminal, watcher):
            one.expect("Instance vm1 has stopped")
            one.end()
    said = talker.refused("gnt-instance console vm1")
    assert said == "Failure: command execution error:\nInstance vm1 is not running, can't get console\n"
    talker.ok("gnt-instance start vm1")
    talker.wait_until(f"grep -q 'hello from vm1' {LOG}")
    assert "hello from vm1" in talker.ok(f"cat {LOG}.old")


def test_O9_a_paused_guest_goes_on_three_seconds_after_somebody_looks(talker, guest):
    talker.ok("gnt-instance stop --timeout=0 vm1; gnt-instance start --paused vm1")
    with console(talker, "--read-only") as watcher:
        assert "hello" not in watcher.silence(1)
        with console(talker) as terminal:
            terminal.expect("Instance vm1 is paused; it goes on in 3 seconds")
            terminal.expect("hello from vm1")
        watcher.expect("hello from vm1")


def test_O9_a_script_types_and_leaves(talker, guest):
    said = talker.ok("printf 'from a script\\035' | gnt-instance console vm1")
    assert "hello from vm1" in said and "from a script\x1d" in said


def test_O9_the_record_is_root_s_and_bounded(talker, guest):
    assert talker.ok(f"stat -c %a:%U {LOG}") == "600:root\n"
    assert talker.ok("stat -c %U /var/run/ganeti/kvm-hypervisor/ctrl/vm1.serial") == "root\n"
    assert int(talker.ok("stat -c %a /var/run/ganeti/kvm-hypervisor/ctrl/vm1.serial").strip()[-1]) == 0 or \
        talker.ok("stat -c %a /var/run/ganeti/kvm-hypervisor").strip()[-1] == "0"
    with console(talker) as terminal:
        terminal.expect("hello from vm1")
        terminal.type("*")
        terminal.expect("a{1000}")
        talker.wait_until(f"test $(stat -c %s {LOG}) -gt 2000000", timeout=600)
        terminal.type("\x1d")
        deadline = time.monotonic() + 120
        while terminal.process.poll() is None and time.monotonic() < deadline:
            terminal.silence(0.1)
        terminal.end()
    talker.wait_until(f"test $(( $(stat -c %b {LOG}) * 512 )) -lt 1200000")
    with console(talker, "--read-only") as terminal:
        assert "\0" not in terminal.expect("a{4000}")


def test_a_wish_that_contradicts_itself(talker):
    assert "only one of --write and --read-only" in talker.refused("gnt-instance console --write --read-only vm1")
