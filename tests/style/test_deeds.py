"""What the node daemon does to its machine goes through src/sys/deeds.h, so that the crash tests know every moment of it."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLS = ("unlink unlinkat rename renameat renameat2 rmdir mkdir mkdirat symlink symlinkat link linkat truncate ftruncate fallocate posix_fallocate write "
         "writev pwrite pwritev chmod fchmod fchmodat chown fchown lchown fchownat mkostemp mkstemp mkdtemp mknod mkfifo creat kill killpg tgkill fork vfork "
         "posix_spawn execv execve execvp execvpe system popen ioctl mount umount umount2 setxattr fsetxattr lsetxattr removexattr flock utimensat setns "
         "unshare sendmsg sendto copy_file_range sendfile splice bpf reboot").split()
RAW = re.compile(r"(?<![\w>])::(" + "|".join(CALLS) + r")\(")
OTHERS = re.compile(r"std::(?:filesystem::(?:remove\w*|rename|create_\w+|resize_file|copy\w*|permissions|last_write_time)|ofstream|fstream|remove|rename|system)\b|"
                    r"\bfopen\(|SYS_pidfd_send_signal|(?:O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE)\b")
# Questions to the kernel, and what a child does between vfork and exec, where no hook may run.
EXEMPT = {"src/sys/deeds.cpp": None,
          "src/sys/network.cpp": {"::ioctl("},
          "src/sys/pipe.cpp": {"::ioctl("},
          "src/sys/process.cpp": {"::vfork(", "::write(", "::execvpe("},
          "src/sys/sessions.cpp": {"::write(", "O_CREAT", "O_TRUNC"}}


def behind_the_back(text):
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("//")[0]
        for pattern in (RAW, OTHERS):
            for found in pattern.finditer(code):
                yield number, found.group()


def test_deeds_go_through_the_seam():
    wrong = []
    for path in sorted([*(ROOT / "src/node").rglob("*"), *(ROOT / "src/sys").rglob("*")]):
        if path.suffix not in (".h", ".cpp") or path.stem.endswith("_test") or path.name.startswith("test_"):
            continue
        name = str(path.relative_to(ROOT))
        exempt = EXEMPT.get(name, set())
        wrong += [f"{name}:{number}: {what}" for number, what in behind_the_back(path.read_text())
                  if exempt is not None and what not in exempt]
    assert not wrong, "use the function of src/sys/deeds.h, or add one there"


def test_a_raw_call_is_seen():
    assert [what for _, what in behind_the_back("  ::unlink(path);\n sys::unlink(path); // ::kill(\n")] == ["::unlink("]
    assert list(behind_the_back("std::filesystem::remove_all(x);"))
    assert list(behind_the_back("int fd = ::open(p, O_RDWR | O_CREAT, 0600);"))
    assert not list(behind_the_back("sys::write(fd, x); connection.write(x); std::filesystem::exists(x);"))


def test_every_exemption_is_needed():
    for name, exempt in EXEMPT.items():
        seen = {what for _, what in behind_the_back((ROOT / name).read_text())}
        assert exempt is None or exempt == seen & exempt, f"{name} no longer has {exempt - seen}"
