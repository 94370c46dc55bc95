#!/usr/bin/python3
"""Black-box tests of the OS definitions: tests/os/test_debootstrap.py [--short] [unittest options]

--short leaves out what installs or boots a guest (minutes). Needs root, a Debian mirror and QEMU; no daemons.
OS_TEST_ROOT=DIR keeps the cache of trees in DIR between runs (the first creation isn't timed then).
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from guest import Guest

OS_DIR = os.path.join(HERE, "..", "..", "os")
PRIVATE = os.path.join(HERE, "private")
SHORT = "--short" in sys.argv
slow = unittest.skipIf(SHORT, "slow")
MIB = 1 << 20


def setUpModule():
    global ROOT, WORK
    if os.geteuid() != 0:
        raise unittest.SkipTest("must be run by root")
    WORK = tempfile.mkdtemp(prefix="flotte-os-test-")
    ROOT = os.environ.get("OS_TEST_ROOT") or os.path.join(WORK, "root")


def tearDownModule():
    shutil.rmtree(WORK)


def cache_dir():
    return os.path.join(ROOT, "var/cache/ganeti-instance-debootstrap")


def caches():
    return [name for name in os.listdir(cache_dir()) if name.startswith("cache-")] if os.path.isdir(cache_dir()) else []


def environment(disk, **extra):
    """What the node daemon hands to an OS script, and nothing else."""
    return {
        "PATH": "/sbin:/bin:/usr/sbin:/usr/bin", "FLOTTE_ROOT": ROOT, "OS_API_VERSION": "20", "DEBUG_LEVEL": "0",
        "OS_NAME": "debootstrap", "OS_VARIANT": "default", "INSTANCE_NAME": "demo1.example.net",
        "INSTANCE_OS": "debootstrap+default", "HYPERVISOR": "kvm", "INSTANCE_HV_serial_console": "True",
        "DISK_COUNT": "1", "DISK_0_PATH": disk, "DISK_0_ACCESS": "rw", "NIC_COUNT": "0", **extra}


def start(os_name, script, disk, arguments=(), prefix=(), **extra):
    # A session of its own, as under the node daemon.
    return subprocess.Popen([*prefix, "./" + script, *arguments], cwd=os.path.join(OS_DIR, os_name),
                            env=environment(disk, **extra), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)


def run(os_name, script, disk, arguments=(), **extra):
    """Returns (exit code, output)."""
    process = start(os_name, script, disk, arguments, **extra)
    output = process.communicate(timeout=1200)[0]
    return process.returncode, output


def write_file(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


class OsTest(unittest.TestCase):
    def disk(self, mib=2048, name="disk"):
        path = os.path.join(WORK, name)
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "w") as file:
            file.truncate(mib * MIB)
        return path

    def create(self, disk, **extra):
        code, output = run("debootstrap", "create", disk, **extra)
        self.assertEqual(code, 0, output)
        return output

    def assert_fails(self, answer, *texts):
        code, output = answer
        self.assertEqual(code, 1, output)
        for text in texts:
            self.assertIn(text, output.splitlines()[-1])

    def leftovers(self):
        found = [line for line in subprocess.run(["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"],
                                                 capture_output=True, text=True).stdout.splitlines() if WORK in line]
        with open("/proc/self/mountinfo") as mounts:
            found += [line for line in mounts if WORK in line or cache_dir() in line]
        if os.path.isdir(cache_dir()):
            found += [name for name in os.listdir(cache_dir()) if name.startswith((".build", ".lock", ".run"))]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ") as file:
                    if f"FLOTTE_ROOT={ROOT}\0" in file.read():
                        found.append(f"process {pid}")
            except OSError:
                pass
        return found

    def tearDown(self):
        shutil.rmtree(os.path.join(ROOT, "etc"), ignore_errors=True)
        if os.geteuid() == 0:
            self.assertEqual(self.leftovers(), [])

    def mounted(self, disk, command):
        """What a shell command says with the guest's root file system mounted in its current directory."""
        os.makedirs(os.path.join(WORK, "mnt"), exist_ok=True)
        script = f'mount -o ro,offset=1048576 "$0" "$1" && cd "$1" && {command}'
        return subprocess.run([PRIVATE, "sh", "-c", script, disk, os.path.join(WORK, "mnt")],
                              capture_output=True, text=True, check=True).stdout


class Noop(OsTest):
    def test_create_rename_verify_do_nothing(self):
        disk = self.disk(1)
        for script, arguments in (("create", ()), ("rename", ()), ("verify", ("parameters",))):
            self.assertEqual(run("noop", script, disk, arguments), (0, ""))

    def test_definition_is_complete(self):
        for name in ("noop", "debootstrap"):
            with open(os.path.join(OS_DIR, name, "ganeti_api_version")) as file:
                self.assertIn(20, [int(line) for line in file])
            self.assertTrue(os.path.isfile(os.path.join(OS_DIR, name, "parameters.list")))

    def test_export_and_import_carry_the_raw_disk(self):
        source, target = self.disk(5, "source"), self.disk(5, "target")
        with open(source, "r+b") as file:
            file.seek(3 * MIB - 7)
            file.write(os.urandom(MIB))
        data, size_file = os.path.join(WORK, "data"), os.path.join(WORK, "size")
        script = 'exec 23>"$0"; exec ./export >"$1"'
        subprocess.run(["bash", "-c", script, size_file, data], cwd=os.path.join(OS_DIR, "noop"), check=True,
                       env=environment(source, EXPORT_DEVICE=source, EXP_SIZE_FD="23"))
        with open(size_file) as file:
            self.assertEqual(file.read(), f"{5 * MIB}\n")
        with open(data, "rb") as file:
            subprocess.run(["./import"], cwd=os.path.join(OS_DIR, "noop"), stdin=file, check=True,
                           env=environment(target, IMPORT_DEVICE=target))
        with open(source, "rb") as one, open(target, "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_import_does_not_create_a_file(self):
        missing = os.path.join(WORK, "missing")
        self.assert_fails(run("noop", "import", missing, IMPORT_DEVICE=missing), missing)
        self.assertFalse(os.path.exists(missing))


class BadInput(OsTest):
    def test_unknown_variant(self):
        self.assert_fails(run("debootstrap", "create", self.disk(), OS_VARIANT="nope"), "unknown variant 'nope'")
        self.assert_fails(run("debootstrap", "create", self.disk(), OS_VARIANT="../default"), "no valid name")

    def test_published_variant_without_settings(self):
        write_file(os.path.join(ROOT, "etc/ganeti/instance-debootstrap/variants.list"), "default\nspecial\n")
        self.assert_fails(run("debootstrap", "create", self.disk(), OS_VARIANT="special"), "special.conf")

    def test_disk_too_small(self):
        self.assert_fails(run("debootstrap", "create", self.disk(510)), "too small", "510 MiB")

    def test_no_disk(self):
        self.assert_fails(run("debootstrap", "create", "", DISK_COUNT="0"), "at least one disk")
        self.assert_fails(run("debootstrap", "create", "/nonexistent"), "/nonexistent")

    def test_unknown_api_version(self):
        self.assert_fails(run("debootstrap", "create", self.disk(), OS_API_VERSION="99"), "API version")

    def test_verify(self):
        for values, good in (({}, True), ({"OSP_FILESYSTEM": "ext3"}, True), ({"OSP_FILESYSTEM": "ntfs"}, False),
                             ({"OS_VARIANT": "nope"}, False)):
            code, output = run("debootstrap", "verify", "", ["parameters"], **values)
            self.assertEqual(code, 0 if good else 1, output)

    def test_unknown_partition_style(self):
        write_file(os.path.join(ROOT, "etc/default/ganeti-instance-debootstrap"), "PARTITION_STYLE=gpt\n")
        self.assert_fails(run("debootstrap", "create", self.disk()), "PARTITION_STYLE")

    def test_failing_mirror(self):
        write_file(os.path.join(ROOT, "etc/default/ganeti-instance-debootstrap"), "MIRROR=http://127.0.0.1:9/debian\n")
        before = caches()
        self.assert_fails(run("debootstrap", "create", self.disk()), "strap failed", "127.0.0.1")
        self.assertEqual(caches(), before)

    @slow
    def test_no_room_for_the_cache(self):
        for mib in (40, 300):
            with self.subTest(mib=mib):
                # Variables only a fresh tree has, so that none from the cache is taken; the file system is private.
                full = os.path.join(WORK, "full")
                process = start("debootstrap", "create", self.disk(), FLOTTE_ROOT=full, prefix=(
                    PRIVATE, "sh", "-c",
                    f'd={full}/var/cache; mkdir -p $d; mount -t tmpfs -o size={mib}m tmpfs $d; "$@"; code=$?; '
                    'find $d -name "cache-*" -o -name ".build*"; exit $code', "sh"))
                output = process.communicate(timeout=600)[0]
                self.assertEqual(process.returncode, 1, output)
                self.assertIn("was full", output.splitlines()[-1])
                shutil.rmtree(full)


@slow
class Debootstrap(OsTest):
    """Numbered: the first one fills the cache for the others."""

    def test_1_two_creations_share_one_new_tree(self):
        for name in caches():
            if not os.environ.get("OS_TEST_ROOT"):
                os.unlink(os.path.join(cache_dir(), name))
        had = bool(caches())
        outputs = [None, None]
        started = time.monotonic()

        def create(number):
            outputs[number] = run("debootstrap", "create", self.disk(name=f"disk{number}"))

        threads = [threading.Thread(target=create, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for code, output in outputs:
            self.assertEqual(code, 0, output)
        if not had:
            print(f"\n  first creation (two at once): {time.monotonic() - started:.1f} s", file=sys.stderr)
            self.assertEqual(sum("waiting for another creation" in output for _, output in outputs), 1)
        self.assertEqual(len(caches()), 1)

    def test_2_guest_boots_from_its_own_disk(self):
        disk = self.disk()
        self.assertIn("from the cache", self.create(disk))
        # Two starts: GRUB as we wrote it, then as the guest's own tools write it.
        for again in (False, True):
            guest = Guest(disk, WORK)
            try:
                guest.wait_for("demo1 login: ", 600)
                print(f"\n  login after {time.monotonic() - guest.started:.1f} s", file=sys.stderr)
                guest.log_in()
                self.assertEqual(guest.run("id -un; hostname; cat /etc/hostname"),
                                 ("root\ndemo1.example.net\ndemo1.example.net", 0))
                self.assertEqual(guest.run("systemctl --failed --no-legend"), ("", 0))
                self.assertEqual(guest.run("findmnt -no SOURCE,FSTYPE /"), ("/dev/vda1 ext4", 0))
                self.assertEqual(guest.run("grep -c deb.debian.org /etc/apt/sources.list"), ("3", 0))
                if not again:
                    self.assertEqual(guest.run("update-grub && grub-install /dev/vda", 180)[1], 0)
                self.assertEqual(guest.power_down(), 0)
            finally:
                guest.kill()

    def test_4_hooks(self):
        hooks = os.path.join(ROOT, "etc/ganeti/instance-debootstrap/hooks")
        write_file(os.path.join(hooks, "show"), "#!/bin/sh\nfor v in TARGET SUITE ARCH PARTITION_STYLE EXTRA_PKGS "
                   "BLOCKDEV FSYSDEV INSTANCE_NAME; do eval echo $v=\\$$v; done; chroot $TARGET update-grub\n", 0o755)
        write_file(os.path.join(hooks, "interfaces"), "")  # not executable: turns ours off
        disk = self.disk()
        output = self.create(disk)
        for text in ("SUITE=bookworm", "ARCH=amd64", "PARTITION_STYLE=msdos", "EXTRA_PKGS=openssh-server",
                     "BLOCKDEV=/dev/loop", "FSYSDEV=/dev/loop", "INSTANCE_NAME=demo1.example.net"):
            self.assertIn(text, output)
        self.assertEqual(self.mounted(disk, "ls etc/systemd/network"), "")
        self.assertNotIn("root=/dev", self.mounted(disk, "cat boot/grub/grub.cfg"))
        write_file(os.path.join(hooks, "show"), "#!/bin/sh\nexit 3\n", 0o755)
        self.assert_fails(run("debootstrap", "create", disk), "hooks/show failed (exit code 3)")

    def interrupted(self, wait_for, end):
        """Starts a creation with a hook that never ends; ends it by `end(process)` after it showed `wait_for`."""
        write_file(os.path.join(ROOT, "etc/ganeti/instance-debootstrap/hooks/endless"),
                   "#!/bin/sh\necho reached\nsleep 12345 &\nsleep 12345\n", 0o755)
        disk = self.disk()
        process = start("debootstrap", "create", disk)
        for line in process.stdout:
            if wait_for in line:
                break
        time.sleep(0.1)
        end(process)
        output = process.communicate(timeout=60)[0]
        return disk, process.returncode, output

    def test_5_sigterm_undoes_everything(self):
        for moment in ("extracting", "reached"):
            _, code, output = self.interrupted(moment, lambda process: process.terminate())
            self.assertEqual(code, 143)
            self.assertIn("interrupted by SIGTERM", output)
            self.assertEqual(self.leftovers(), [])
        _, code, _ = self.interrupted("reached", lambda process: os.killpg(process.pid, signal.SIGTERM))
        self.assertEqual(self.leftovers(), [])

    def test_6_sigkill_leaves_nothing_that_cleanup_cannot_remove(self):
        for moment in ("extracting", "reached"):
            disk, code, _ = self.interrupted(moment, lambda process: process.kill())
            self.assertEqual(code, -signal.SIGKILL)
            self.assertEqual(run("debootstrap", "cleanup", disk), (0, ""))
            self.assertEqual(self.leftovers(), [])

    def test_6_sigkill_while_a_tree_is_made(self):
        write_file(os.path.join(ROOT, "etc/default/ganeti-instance-debootstrap"), "EXTRA_PKGS=less\n")
        before = caches()
        disk, code, _ = self.interrupted("extracting", lambda process: process.kill())
        self.assertEqual(code, -signal.SIGKILL)
        self.assertEqual(run("debootstrap", "cleanup", disk), (0, ""))
        self.assertEqual(caches(), before)
        _, code, _ = self.interrupted("installing", lambda process: process.terminate())
        self.assertEqual(code, 143)
        self.assertEqual(caches(), before)

    def test_7_cleanup_ends_a_run_and_another_run_is_refused(self):
        answers = []

        def end(process):
            answers.append(run("debootstrap", "create", os.path.join(WORK, "disk")))
            answers.append(run("debootstrap", "cleanup", os.path.join(WORK, "disk")))

        self.interrupted("reached", end)
        self.assert_fails(answers[0], "another run is working on")
        self.assertEqual(answers[1][0], 0, answers[1][1])
        self.assertIn("ending process", answers[1][1])

    def test_8_rename(self):
        disk = self.disk()
        self.create(disk)
        names = {"INSTANCE_NAME": "other.example.org", "OLD_INSTANCE_NAME": "demo1.example.net"}
        self.assertEqual(run("debootstrap", "rename", disk, **names)[0], 0)
        self.assertEqual(self.mounted(disk, "cat etc/hostname etc/mailname; grep ^127.0.1.1 etc/hosts").split(),
                         ["other.example.org"] * 2 + ["127.0.1.1", "other.example.org", "other"])
        self.assert_fails(run("debootstrap", "rename", disk, **names), "other.example.org")

    def test_8_export_and_import(self):
        source, target, data = self.disk(name="source"), self.disk(3000, "target"), os.path.join(WORK, "data")
        self.create(source)
        with open(data, "wb") as file:
            subprocess.run(["./export"], cwd=os.path.join(OS_DIR, "debootstrap"), stdout=file, check=True,
                           stderr=subprocess.DEVNULL, env=environment(source, EXPORT_DEVICE=source))
        with open(data, "rb") as file:
            subprocess.run(["./import"], cwd=os.path.join(OS_DIR, "debootstrap"), stdin=file, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env=environment(target, IMPORT_DEVICE=target))
        self.assertEqual(self.mounted(source, "find . -xdev -not -path ./lost+found -not -path ./boot/grub/grub.cfg -type f | sort"),
                         self.mounted(target, "find . -xdev -not -path ./lost+found -not -path ./boot/grub/grub.cfg -type f | sort"))
        guest = Guest(target, WORK)
        try:
            guest.wait_for("demo1 login: ", 600)
        finally:
            guest.kill()
        with open("/dev/zero", "rb") as file:
            process = subprocess.run(["./import"], cwd=os.path.join(OS_DIR, "debootstrap"), stdin=file, text=True,
                                     capture_output=True, env=environment(target, IMPORT_DEVICE=target))
        self.assertEqual(process.returncode, 1)
        self.assertIn("neither an archive", process.stderr.splitlines()[-1])

    def test_9_block_device_and_small_disk(self):
        disk = self.disk(512)
        loop = subprocess.run(["losetup", "--find", "--show", disk], capture_output=True, text=True,
                              check=True).stdout.strip()
        try:
            self.create(loop, OSP_FILESYSTEM="ext3", INSTANCE_REINSTALL="1")
            self.create(loop, OSP_FILESYSTEM="ext2", INSTANCE_REINSTALL="1")
            names = subprocess.run(["losetup", "--noheadings", "--output", "NAME", "--associated", loop],
                                   capture_output=True, text=True).stdout
            self.assertEqual(names, "")
        finally:
            subprocess.run(["losetup", "--detach", loop], check=True)
        self.assertIn("ext2", self.mounted(disk, "cat etc/fstab"))

    def test_9_no_partition_table(self):
        write_file(os.path.join(ROOT, "etc/default/ganeti-instance-debootstrap"), "PARTITION_STYLE=none\n")
        disk = self.disk()
        self.assertIn("kernel_path", self.create(disk))
        self.assertIn("ext4", subprocess.run(["blkid", "--probe", disk], capture_output=True, text=True).stdout)


if __name__ == "__main__":
    unittest.main(argv=[argument for argument in sys.argv if argument != "--short"], verbosity=2)
