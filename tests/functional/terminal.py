"""A terminal with one command in it, as a person has it: on a machine of namespaces, or on a node of the lab."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time


class Terminal:
    def __init__(self, machine, command, rows=24, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.process = machine.start(f"exec {command}", terminal=slave)
        self.slave = slave  # kept, to look at its modes
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def expect(self, pattern, timeout=120):
        """What was shown since the last match, up to the end of this one."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, f"not within {timeout} s: {pattern}\n{self.text!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 4096).decode(errors="replace")
        shown, self.text = self.text[:found.end()], self.text[found.end():]
        return shown

    def silence(self, seconds=0.5):
        """All that comes within this time, beside what has not been matched yet."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self.text += os.read(self.master, 4096).decode(errors="replace")
        return self.text

    def type(self, text):
        os.write(self.master, text.encode())

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def end(self, exit_code=0):
        """Ends by itself, and leaves the terminal as it was."""
        assert self.process.wait(timeout=120) == exit_code
        assert termios.tcgetattr(self.slave) == self.before
