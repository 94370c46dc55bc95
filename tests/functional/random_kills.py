"""Random operations of a few users while daemons and guests are killed, and what must hold all the while, seen from outside.

Used on a machine made of namespaces (test_random_kills.py) and on a node of the lab (tests/lab/test_random_kills_on_volumes.py). One seed decides what
each user, and who kills, does next; how they meet is up to the machine."""
import base64
import collections
import dataclasses
import json
import random
import re
import sqlite3
import tempfile
import threading
import time

DAEMONS = {"flotte-noded": "flotte-noded", "flotte-controllerd": "flotte-controll"}
NAMES = [f"vm{number}" for number in range(1, 7)]
# No user stops or removes it: it runs until the test itself kills it.
STEADY = "steady"
USERS = 4
COMMAND_SECONDS_MAX = 240
HOST_SECONDS_MAX = 60
HANGS_MAX = 3
# How often the watcher starts a guest within eight hours.
WATCHER_TRIES_MAX = 5
FINAL = {"success", "error", "canceled"}
WITHOUT_DISK_SECONDS_MAX = 10
LINES_TOLD = 80
# Around what should not have been, in seconds.
TOLD_AROUND = 30
# A guest may end in one of these, if they are about it.
MAY_END_A_GUEST = {"OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_REBOOT", "OP_INSTANCE_REMOVE", "OP_INSTANCE_STARTUP", "OP_INSTANCE_CREATE"}
# Words that no answer has, whatever was killed.
NEVER_SAID = re.compile(r"internal_error|Unhandled Ganeti error|CHECK failed|terminate called|out_of_range|Could not undo")

# Says again and again: "begin" and the time, a line for each guest with its process, start, name and disks, then "end" and the time. A process without a disk is none
# yet. Two programs a look, however many guests there are: under load each takes long to start.
WATCH = r"""
while :; do
  echo "begin $EPOCHREALTIME"
  declare -A disks=()
  pids=($(pgrep {qemu}))
  if [ ${{#pids[@]}} -gt 0 ]; then
    folders=("${{pids[@]/#//proc/}}")
    while read -r folder disk; do
      [[ $disk =~ ^({disks}) ]] && disks[${{folder//[^0-9]/}}]+=" ${{disk// /_}}"
    done < <(find "${{folders[@]/%//fd}}" -mindepth 1 -printf '%h %l\n')
  fi
  for pid in "${{!disks[@]}}"; do
    read -r stat < /proc/$pid/stat || continue
    mapfile -d "" -t words < /proc/$pid/cmdline || continue
    set -- ${{stat##*) }}
    name=
    for index in "${{!words[@]}}"; do
      [ "${{words[index]}}" != -name ] || name=${{words[index + 1]%%,*}}
    done
    [ -z "$name" ] || echo "guest $pid ${{20}} $name${{disks[$pid]}}" # it is ending
  done
  echo "end $EPOCHREALTIME"
  sleep {pause}
done 2> /dev/null
"""

# An OS whose script takes a while and notices when another one writes to the same disk.
SLOW_OS = b"""#!/bin/bash
exec 9< "$DISK_0_PATH"
flock -n 9 || echo "$INSTANCE_NAME: $$" >> /srv/two-writers
sleep 0.$((RANDOM % 5))
echo installed 1<> "$DISK_0_PATH"
"""


@dataclasses.dataclass
class Site:
    """What differs between a machine of namespaces and a node of the lab."""
    add: str  # gnt-instance add, but for disks, NICs, start and name
    disk_sizes: list  # MiB
    disk: str  # of one disk
    templates: list
    nics: list
    qemu: str  # for pgrep
    disk_paths: str  # an expression for where a guest's disks are
    list_disks: str  # a command: one line for each disk there is, and its size in bytes
    list_left: str  # a command: every file, volume and device that an instance could leave behind
    watch_pause: float
    pause_between_kills: tuple
    growths: tuple = ("1M", "4M")
    steady_add: str = ""  # the whole command, where the steady guest is another one
    steady_size: int = 4  # of its first disk
    power_cuts: float = 0  # how often one takes the place of other kills
    quiet_seconds_max: int = 180
    start_seconds_max: int = 0  # how long the daemons' start may fail at first


class Violation(Exception):
    pass


class Campaign:
    def __init__(self, host, site, seed, seconds):
        self.host = host
        self.site = site
        self.seed = seed
        self.seconds = seconds
        self.history = []  # (when, what)
        self.counts = collections.Counter()
        self.violations = []
        self.known_jobs = {}  # id: its final status, or None
        self.guest_ends = []  # (name, beginning of the last look that saw it, end of the first that missed it)
        self.killed_guests = set()  # (process, start)
        self.ended = set()  # (process, start)
        self.seen = {}  # (process, start): (name, disks, beginning of the last look that saw it)
        self.tags = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._is_ending = False
        self._daemon_pids = {}
        self._watching = None
        self._is_dark = False
        self._is_over = False
        self._without_disk = {}  # process: since when

    # --- the course of it

    def run(self):
        print(f"random kills: seed {self.seed}, {self.seconds} s")
        try:
            self._run()
        except (Violation, AssertionError) as error:
            self._violate(str(error))
        finally:
            self._stop.set()
            self._is_over = True
            if self._watching:
                self._watching.kill()
                self._watching.wait()
        assert not self.violations, self._story()
        print(f"random kills: {dict(self.counts)}")

    def _run(self):
        self.host.ok("cp -r /usr/share/ganeti/os/noop /usr/share/ganeti/os/slow; rm -f /srv/two-writers")
        self.host.ok(f"base64 -d > /usr/share/ganeti/os/slow/create <<END\n{base64.b64encode(SLOW_OS).decode()}\nEND")
        # Folders that are made once and stay are no leftovers.
        self._add_steady()
        self.host.ok(f"gnt-instance remove -f --shutdown-timeout=0 {STEADY}")
        self.left_before = self._left()
        self._add_steady()
        self._remember_daemons()
        self._start_watching()
        threads = [threading.Thread(target=self._guarded, args=(self._watch,), daemon=True)]
        threads += [threading.Thread(target=self._guarded, args=(function,), daemon=True) for function in self.also_watched()]
        threads += [threading.Thread(target=self._guarded, args=(self._use, random.Random(f"{self.seed} user {number}"), number), daemon=True)
                    for number in range(USERS)]
        for thread in threads:
            thread.start()
        self._kill(random.Random(f"{self.seed} killer"), time.monotonic() + self.seconds)
        self._stop.set()
        for thread in threads[1:]:
            thread.join(COMMAND_SECONDS_MAX + 30)
            if thread.is_alive():
                self._violate("a command does not end")
        if self.counts["looks"] < self.seconds / 10:
            self._violate(f"there were only {self.counts['looks']} looks at the processes")
        if not self.violations:
            self._come_to_rest()
            self._check_at_rest()
            self._check_nothing_is_left()

    def also_watched(self):
        """What else goes on beside the users until the end."""
        return []

    def _guarded(self, function, *arguments):
        try:
            function(*arguments)
        except Exception as error:  # a thread that dies must fail the test
            self._violate(f"{function.__name__}: {type(error).__name__}: {error}")

    def _violate(self, text):
        with self._lock:
            self.violations.append(text)
        self._stop.set()

    def _note(self, text):
        with self._lock:
            self.history.append((time.time(), text))

    def _add_steady(self):
        usual = f"{self.site.add} -o noop {self.site.disk.format(index=0, size=self.site.steady_size)} {self.site.nics[0]} -t {self.site.templates[0]}"
        self.host.ok(f"{self.site.steady_add or usual} {STEADY}")

    # --- users

    def _use(self, rng, number):
        mine = []
        serial = 0
        while not self._stop.is_set():
            serial += 1
            command = self._choose(rng, number, serial, mine)
            done = self._type(command)
            jobs = [int(found) for found in re.findall(r"^JobID: (\d+)|Waiting for job (\d+)|^(\d+)(?:: |$)", done.stdout + done.stderr, re.M)
                    for found in found if found]
            if "Cannot communicate with the master daemon" in done.stderr + done.stdout:
                self._stop.wait(0.2)
            self._acknowledged(jobs)
            mine = (mine + jobs)[-10:]
            self._after(command, done)
            if " --submit" in command and jobs and rng.random() < 0.3:
                self._stop.wait(rng.uniform(0, 0.3))
                self._type(f"gnt-job cancel {jobs[0]}")

    def _type(self, command):
        begun = time.monotonic()
        done = self.host.run(command, timeout=COMMAND_SECONDS_MAX)
        said = (done.stdout + done.stderr).strip()
        self._note(f"$ {command} = {done.returncode} ({time.monotonic() - begun:.1f} s) {said[-300:]}")
        with self._lock:
            self.counts["commands"] += 1
            self.counts["of them done"] += done.returncode == 0
        if self.site.power_cuts and done.returncode == 255:
            self._stop.wait(1)  # the connection was lost
        elif done.returncode < 0 or done.returncode > 100:
            self._violate(f"$ {command}\n= {done.returncode}: {said}")
        if NEVER_SAID.search(said):
            self._violate(f"$ {command}\n{said}")
        return done

    def _choose(self, rng, number, serial, mine):
        name = rng.choice(NAMES)
        how = rng.choice(["", "", "", " --submit", " --submit", " --priority=high", " --priority=low", " --print-jobid"])
        submits = rng.choice(["", "", " --submit", " --print-jobid"])
        stops = f"--shutdown-timeout={rng.choice([0, 0, 1])}"
        kind = rng.choices(
            ["add", "start", "shutdown", "reboot", "modify", "grow", "reinstall", "remove", "tags", "delay", "cancel", "priority", "batch", "look",
             "steady grow", "steady tags"],
            [14, 12, 10, 8, 6, 5, 5, 8, 4, 3, 8, 2, 4, 6, 5, 3])[0]
        with self._lock:
            self.counts[kind] += 1
        if kind == "add":
            template = rng.choice(self.site.templates)
            disks = [] if template == "diskless" else [rng.choice(self.site.disk_sizes) for _ in range(rng.choice([1, 1, 2]))]
            options = [self.site.disk.format(index=index, size=size) for index, size in enumerate(disks)]
            options += [rng.choice(self.site.nics), rng.choice(["", "", "--no-start"]), f"-o {rng.choice(['noop', 'slow'])}" if disks else "--no-install -o noop"]
            return f"{self.site.add}{how} -t {template} {' '.join(options)} {name}"
        if kind == "start":
            return f"gnt-instance startup{how} {name}"
        if kind == "shutdown":
            return f"gnt-instance shutdown{how} --timeout=0 {name}"
        if kind == "reboot":
            return f"gnt-instance reboot{how} --type={rng.choice(['soft', 'hard', 'full'])} {stops} {name}"
        if kind == "modify":
            what = rng.choice(["-B memory=48M", "-B memory=32M", "-B vcpus=2", "-B vcpus=1", "-H acpi=false", "-H acpi=true", "--offline", "--online"])
            return f"gnt-instance modify{submits} {what} {name}"
        if kind == "grow":
            return f"gnt-instance grow-disk{submits} {name} {rng.choice([0, 0, 1])} {rng.choice(self.site.growths)}"
        if kind == "reinstall":
            return f"gnt-instance reinstall -f{how} -o {rng.choice(['noop', 'slow'])} {name}"
        if kind == "remove":
            return f"gnt-instance remove -f{how} {stops} {name}"
        if kind == "tags":
            return f"gnt-instance {rng.choice(['add-tags', 'remove-tags'])} {name} tag{rng.randrange(3)}"
        if kind == "delay":
            return f"gnt-debug delay{how} {rng.choice(['', '-n $(hostname -f)'])} {rng.choice([0, 0.2, 0.5])}"
        if kind == "cancel" and mine:
            return f"gnt-job cancel {rng.choice(mine)}"
        if kind == "priority" and mine:
            return f"gnt-job change-priority --priority={rng.choice(['low', 'high'])} {rng.choice(mine)}"
        if kind == "batch":
            ops = [{"OP_ID": "OP_INSTANCE_SHUTDOWN", "instance_name": name, "timeout": 0}, {"OP_ID": "OP_INSTANCE_STARTUP", "instance_name": name},
                   {"OP_ID": "OP_INSTANCE_REBOOT", "instance_name": name, "reboot_type": "hard", "shutdown_timeout": 0},
                   {"OP_ID": "OP_TEST_DELAY", "duration": 0.2, "no_locks": True}]
            rng.shuffle(ops)
            for op in ops[1:]:
                op["depends"] = [[-1, rng.choice([["success"], ["success", "error"], []])]]
            each = rng.choice(["--each", ""])
            if not each:
                ops = [{key: value for key, value in op.items() if key != "depends"} for op in ops]
            return f"printf %s {quoted(json.dumps(ops))} > /srv/batch{number}; gnt-debug submit-job {each} /srv/batch{number}"
        if kind == "steady grow":
            return f"gnt-instance grow-disk --print-jobid {STEADY} 0 4M"
        if kind == "steady tags":
            return f"gnt-instance add-tags {STEADY} t{number}-{serial}"
        return rng.choice(["gnt-instance list -o name,status,oper_ram,disk.sizes,tags", f"gnt-instance info {name}", "gnt-job list", "gnt-node list",
                           "gnt-cluster verify", "gnt-debug locks", "gnt-instance list --json"])

    def _after(self, command, done):
        if command.startswith("gnt-instance add-tags " + STEADY) and done.returncode == 0:
            with self._lock:
                self.tags.add(command.split()[-1])

    def _acknowledged(self, jobs):
        with self._lock:
            for job in jobs:
                self.known_jobs.setdefault(job, None)

    # --- who kills

    def _kill(self, rng, until):
        while time.monotonic() < until and not self._stop.is_set():
            self._stop.wait(rng.uniform(*self.site.pause_between_kills))
            try:
                self._kill_once(rng)
            except (Violation, AssertionError) as error:
                if not self._is_host_lost():
                    raise
                self._note(f"the machine does not answer: {str(error)[:200]}")
                self._bring_host_back()

    def _kill_once(self, rng):
        if rng.random() < 0.25:
            self._kill_a_guest(rng)
        if rng.random() < self.site.power_cuts:
            self._cut_power()
            return
        self._kill_daemons(rng.choice([["flotte-noded"], ["flotte-controllerd"], ["flotte-noded", "flotte-controllerd"]]))
        if rng.random() < 0.3:
            # Again, in the midst of what it takes up.
            self._stop.wait(rng.uniform(0, 0.6))
            self._kill_daemons([rng.choice(list(DAEMONS))])
        self._check_jobs()

    def _is_host_lost(self):
        """An emulated machine under an emulated hypervisor may hang as a whole, which is no fault of what runs on it."""
        return self.site.power_cuts and self.host.run("true", timeout=HOST_SECONDS_MAX).returncode == 255

    def _bring_host_back(self):
        print(f"The machine does not answer any more: {self.host.what_it_hangs_in()}")
        self.counts["machines that hung"] += 1
        if self.counts["machines that hung"] > HANGS_MAX:
            raise Violation("the machine hangs again and again")
        self._cut_power()

    def _sure(self, command):
        """What may be typed twice; it is, where the connection was lost."""
        deadline = time.monotonic() + HOST_SECONDS_MAX
        while (done := self.host.run(command)).returncode == 255 and self.site.power_cuts and time.monotonic() < deadline:
            time.sleep(1)
        if done.returncode == 255:
            raise Violation(f"no answer to: {command}")
        return done

    def _kill_daemons(self, names, pause=0.0):
        for name in names:
            pid = self._daemon_pid(name)
            if pid != self._daemon_pids[name]:
                raise Violation(f"{name} ended by itself: it was process {self._daemon_pids[name]}, is {pid or 'gone'}")
        self._note(f"kill -9 {' '.join(names)}")
        pids = " ".join(str(self._daemon_pids[name]) for name in names)
        self._sure(f"kill -9 {pids}; while kill -0 {pids}; do sleep 0.1; done")
        self.counts["kills of daemons"] += len(names)
        self._stop.wait(pause)
        self._start_daemons()

    def _start_daemons(self):
        deadline = time.monotonic() + self.site.start_seconds_max
        while (done := self.host.run("flotte daemons start")).returncode != 0:
            if time.monotonic() >= deadline:
                raise Violation(f"the daemons do not start again: {done.stdout}{done.stderr}")
            time.sleep(0.5)
        self._remember_daemons()

    def _daemon_pid(self, name):
        said = self._sure(f"pgrep -o -x {DAEMONS[name]}").stdout.strip()
        return int(said) if said else 0

    def _remember_daemons(self):
        self._daemon_pids = {name: self._daemon_pid(name) for name in DAEMONS}

    def _cut_power(self):
        self._note("power cut")
        with self._lock:
            self._is_dark = True
        self.host.power_cut()
        with self._lock:
            self.seen.clear()
        self.counts["power cuts"] += 1
        self.host.power_on()
        self.host.wait_for_ssh()
        self._start_daemons()
        self._check_jobs()
        self._start_watching()

    def _kill_a_guest(self, rng):
        with self._lock:
            running = sorted(self.seen, key=lambda guest: self.seen[guest][0])
            if not running:
                return
            guest = rng.choice(running)
            name = self.seen[guest][0]
            self.killed_guests.add(guest)
        self._note(f"kill -9 of the QEMU of {name}")
        self.host.run(f"kill -9 {guest[0]}")
        self.counts["kills of guests"] += 1

    # --- what is watched all the while

    def _start_watching(self):
        script = WATCH.format(qemu=self.site.qemu, disks=self.site.disk_paths, pause=self.site.watch_pause)
        with self._lock:
            self._watching = self.host.start("exec bash -c " + quoted(script))
            self._is_dark = False

    def _go_on_watching(self, lost):
        """The connection was lost: what was seen before counts."""
        with self._lock:
            is_still_lost = self._watching is lost and not self._is_dark
        if is_still_lost:
            self.counts["times that the watch was lost"] += 1
            self._start_watching()

    def _watch(self):
        while not self._is_over:
            with self._lock:
                watching, is_dark = self._watching, self._is_dark
            if not is_dark:
                self._follow(watching)
            if not is_dark and not self._is_over and self.site.power_cuts and watching.poll() is not None:
                self._go_on_watching(watching)
            time.sleep(0.1)

    def _follow(self, watching):
        begun = None
        now = {}
        for line in watching.stdout:
            words = line.split()
            if words and words[0] == "begin":
                begun = float(words[1])
                now = {}
            elif words and words[0] == "guest" and len(words) > 4:
                now[(int(words[1]), words[2])] = (words[3], set(words[4:]))
            elif words and words[0] == "end" and begun:
                self._look(now, begun, float(words[1]))

    def _look(self, now, begun, ended):
        """A guest that a look saw was there at some time of it."""
        with self._lock:
            if self._is_dark:
                return
            self.counts["looks"] += 1
            users = collections.defaultdict(list)
            for (pid, _), (name, disks) in now.items():
                for disk in disks:
                    users[disk].append(f"{name} (process {pid})")
                if any(disk.endswith("_(deleted)") for disk in disks):
                    # One that is being ended may outlive its disks by a moment.
                    if begun - self._without_disk.setdefault(pid, begun) > WITHOUT_DISK_SECONDS_MAX:
                        self.violations.append(f"{name} (process {pid}) goes on without its disks: {disks}")
            for disk, names in users.items():
                if len(names) > 1:
                    self.violations.append(f"two QEMUs have {disk}: {', '.join(names)}")
            for guest, (name, _, last) in list(self.seen.items()):
                if guest in now:
                    continue
                del self.seen[guest]
                if guest in self.killed_guests:
                    continue
                self.guest_ends.append((name, last, ended))
                self.ended.add(guest)
                if name == STEADY and not self._is_ending:
                    self.violations.append(f"the QEMU of {STEADY} (process {guest[0]}) ended, and nobody asked for it")
            for guest, (name, disks) in now.items():
                if guest in self.ended:
                    self.violations.append(f"the QEMU of {name} (process {guest[0]}) was there, was not, and is there again")
                self.seen[guest] = (name, disks, begun)
            if self.violations:
                self._stop.set()

    def _jobs(self):
        done = self._sure("gnt-job list --json -o id,status,ops,received_ts,start_ts,end_ts,opresult")
        if done.returncode != 0:
            raise Violation(f"no list of jobs: {done.stderr}")
        return {int(job["id"]): job for job in json.loads(done.stdout)}

    def _check_jobs(self):
        """None is lost, and what has ended stays so."""
        with self._lock:
            known = dict(self.known_jobs)
        jobs = self._jobs()
        for job, final in known.items():
            if job not in jobs:
                raise Violation(f"job {job} was acknowledged and is gone")
            if final and jobs[job]["status"] != final:
                raise Violation(f"job {job} had ended as {final} and is {jobs[job]['status']}")
        with self._lock:
            for job, row in jobs.items():
                self.known_jobs[job] = row["status"] if row["status"] in FINAL else None

    # --- at rest

    def _come_to_rest(self):
        self._wait("all jobs end", lambda: not self._pending())
        # The watcher looks soon after the controller starts. What has ended more often than it tries is left to the operator.
        self._kill_daemons(["flotte-controllerd"])
        self._wait("the controller answers", lambda: self.host.run("gnt-cluster getmaster").returncode == 0)
        ends = collections.Counter(name for name, *_ in self.guest_ends)
        for name in self._should_run():
            if ends[name] >= WATCHER_TRIES_MAX:
                self.host.run(f"gnt-instance startup {name}")
        self._wait("guests that should run do", lambda: not self._pending() and self._should_run() == self._run_by_qemu())

    def _wait(self, what, holds):
        deadline = time.monotonic() + self.site.quiet_seconds_max
        while not holds():
            if time.monotonic() > deadline:
                raise Violation(f"not within {self.site.quiet_seconds_max} s: {what}; pending: {self._pending()}, wished: {self._should_run()}, "
                                f"running: {self._run_by_qemu()}\n" + self.host.run("gnt-debug locks; gnt-instance list; ps axo pid,args").stdout)
            time.sleep(0.5)

    def _pending(self):
        return [job for job, row in self._jobs().items() if row["status"] not in FINAL]

    def _instances(self, fields):
        return json.loads(self.host.ok(f"gnt-instance list --json -o {fields}"))

    def _should_run(self):
        return sorted(row["name"] for row in self._instances("name,admin_state") if row["admin_state"] == "up")

    def _run_by_qemu(self):
        lines = self.host.run(f"for pid in $(pgrep {self.site.qemu}); do tr '\\0' '\\n' < /proc/$pid/cmdline | sed -n '/^-name$/{{n;s/,.*//p}}'; done").stdout
        return sorted(lines.split())

    def _check_at_rest(self):
        self._check_jobs()
        jobs = self._jobs()
        for job, row in jobs.items():
            if NEVER_SAID.search(json.dumps(row["opresult"])):
                raise Violation(f"job {job}: {row['opresult']}")
        self._check_guest_ends(jobs)
        rows = self._instances("name,status,oper_state,admin_state,disk.sizes,tags,disk_template")
        listed = sorted(row["name"] for row in rows if row["oper_state"])
        if listed != self._run_by_qemu():
            raise Violation(f"the list says that {listed} run, the processes are those of {self._run_by_qemu()}")
        wrong = [(row["name"], row["status"]) for row in rows if row["status"] not in ("running", "ADMIN_down", "ADMIN_offline")]
        if wrong:
            raise Violation(f"at rest there are {wrong}")
        self._check_disks(rows)
        self._check_steady(rows, jobs)
        verified = self.host.run("gnt-cluster verify")
        if verified.returncode != 0:
            raise Violation(f"gnt-cluster verify:\n{verified.stdout}{verified.stderr}")
        locks = self.host.ok("gnt-debug locks --no-headers").strip()
        if locks:
            raise Violation(f"locks at rest:\n{locks}")
        writers = self.host.run("cat /srv/two-writers").stdout
        if writers:
            raise Violation(f"two scripts wrote to one disk: {writers}")

    def _check_guest_ends(self, jobs):
        intervals = collections.defaultdict(list)
        for row in jobs.values():
            for op in row["ops"]:
                if op["OP_ID"] in MAY_END_A_GUEST:
                    intervals[op["instance_name"]].append((seconds(row["received_ts"]), seconds(row["end_ts"])))
        for name, last, missed in self.guest_ends:
            if not any(begin - 1 <= missed and last <= end + 1 for begin, end in intervals[name]):
                raise Violation(f"{name} ended between {last} and {missed}, when no job was about it and nobody killed it\n{self._around(name, last, jobs)}")
        self.counts["guests ended by jobs"] = len(self.guest_ends)

    def _check_disks(self, rows):
        there = collections.Counter(int(line.split()[-1]) for line in self.host.ok(self.site.list_disks).splitlines())
        wanted = collections.Counter(int(size) << 20 for row in rows for size in row["disk.sizes"] or [])
        if there != wanted:
            raise Violation(f"the disks that are there: {there}, those of the configuration: {wanted}\n{rows}\n{self.host.ok(self.site.list_disks)}")

    def _check_steady(self, rows, jobs):
        """Each job that says it succeeded was done, and once."""
        [steady] = [row for row in rows if row["name"] == STEADY]
        # Also those that nobody was told of, because the controller died before it could say so.
        ends = collections.Counter(row["status"] for row in jobs.values() if row["ops"][0]["OP_ID"] == "OP_INSTANCE_GROW_DISK"
                                   and row["ops"][0]["instance_name"] == STEADY and row["start_ts"])
        # No disk shrinks again: one that was canceled, or whose guest was killed, may have grown it.
        least = self.site.steady_size + 4 * ends["success"]
        most = least + 4 * (ends["canceled"] + ends["error"])
        if not least <= steady["disk.sizes"][0] <= most:
            raise Violation(f"the disk of {STEADY} has {steady['disk.sizes']}, not {least} to {most}, after {dict(ends)} jobs of 4 MiB each")
        missing = self.tags - set(steady["tags"])
        if missing:
            raise Violation(f"tags were added and are gone: {missing}")
        self.counts["growths of the steady disk"] = ends["success"]

    def _check_nothing_is_left(self):
        self._is_ending = True
        for row in self._instances("name"):
            self.host.ok(f"gnt-instance remove -f --shutdown-timeout=0 {row['name']}")
        self.host.ok("gnt-job autoarchive all")
        left = self._left() - self.left_before
        if left:
            raise Violation("left behind:\n" + "\n".join(sorted(left)))
        if self._run_by_qemu():
            raise Violation(f"QEMUs of instances that are removed: {self._run_by_qemu()}")
        keys = self._store_keys()
        archived = {key.split("/")[2] for key in keys if key.startswith("/archive/")}
        wrong = [key for key in keys if not key.startswith(("/config/", "/archive/", "/queue/", "/watcher/", "/leadership", "/log/")) or key.startswith("/config/instances/")
                 or key.startswith("/log/") and key.split("/")[2] not in archived]
        if wrong:
            raise Violation(f"keys in the store: {wrong}")
        if not any(key.startswith("/archive/") for key in keys):
            raise Violation("the store could not be read from outside")

    def _left(self):
        return set(self.host.ok(self.site.list_left).splitlines())

    def _store_keys(self):
        with tempfile.TemporaryDirectory() as directory:
            for suffix in ("", "-wal"):
                text = self.host.ok(f"base64 -w0 /var/lib/ganeti/controller/store.sqlite{suffix}")
                with open(f"{directory}/store.sqlite{suffix}", "wb") as file:
                    file.write(base64.b64decode(text))
            connection = sqlite3.connect(f"{directory}/store.sqlite")
            try:
                return [key.decode() for key, in connection.execute("SELECT key FROM kv")]
            finally:
                connection.close()

    def _around(self, name, when, jobs):
        """All that was about an instance around a moment."""
        done = [f"{told(at)} {text}" for at, text in self.history if abs(at - when) < TOLD_AROUND and ("kill" in text or "power" in text or name in text)]
        rows = [f"job {job} ({row['status']}): {row['ops']}, {told(seconds(row['received_ts']))} to {told(seconds(row['end_ts']))}: {row['opresult']}"
                for job, row in jobs.items() if name in json.dumps(row["ops"]) and seconds(row["received_ts"]) < when + TOLD_AROUND
                and seconds(row["end_ts"]) > when - TOLD_AROUND]
        logs = self.host.run(f"grep -hE '{told(when)[:-1]}|{told(when + 10)[:-1]}' /var/log/ganeti/flotte-*.log; "
                             f"journalctl --no-pager --since=@{int(when) - 10} --until=@{int(when) + 10}; tail -n 20 /var/log/ganeti/kvm/{name}.log").stdout
        return "\n".join([f"--- around {told(when)}:", *done, *rows, logs])

    def _story(self):
        logs = self.host.run("tail -n 60 /var/log/ganeti/flotte-*.log").stdout
        last = [f"{told(at)} {text}" for at, text in self.history[-LINES_TOLD:]]
        return "\n".join([*self.violations, f"seed {self.seed}; {dict(self.counts)}", "--- the last that was done:", *last, "--- logs:", logs])


def told(when):
    return time.strftime("%H:%M:%S", time.localtime(when)) if when != float("inf") else "now"


def seconds(stamp):
    return stamp[0] + stamp[1] / 1e6 if stamp else float("inf")


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"
