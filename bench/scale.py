"""Rows of bench/run: what a cluster of 10,000 machines costs beside one of 100, measured in the same cluster one after the other."""
import itertools

from measure import Cluster, median_ms, ms

FEW, MANY = 100, 10_000
AT_ONCE = 1000
NEW = {"OP_ID": "OP_INSTANCE_CREATE", "mode": "create", "hypervisor": "fake", "disk_template": "diskless", "disks": [], "nics": [{}], "no_install": True,
       "start": False, "os_type": "noop", "name_check": False, "ip_check": False}
ADD = ["gnt-instance", "add", "-t", "diskless", "-H", "fake", "-o", "noop", "--no-install", "--no-start", "--no-name-check", "--no-ip-check"]


def grow(cluster: Cluster, first, last):
    """Adds machines, and starts every tenth."""
    for begin in range(first, last, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, last))
        cluster.run_jobs([[{**NEW, "instance_name": f"m{n}.example"}] for n in numbers])
        cluster.run_jobs([[{"OP_ID": "OP_INSTANCE_STARTUP", "instance_name": f"m{n}.example"}] for n in numbers if n % 10 == 0])
        cluster.run("gnt-job", "autoarchive", "all")


def measured(cluster, numbers):
    """By name, in milliseconds."""
    names = [f"new{n}.example" for n in itertools.islice(numbers, 25)]
    fresh = iter(names)
    found = {"adding one": median_ms(lambda: cluster.run(*ADD, next(fresh))),
             "adding 200 together": ms(lambda: cluster.run_jobs([[{**NEW, "instance_name": f"more{next(numbers)}.example"}] for _ in range(200)])),
             "a job that does nothing": median_ms(lambda: cluster.run("gnt-debug", "delay", "0")),
             "list of one": median_ms(lambda: cluster.run("gnt-instance", "list", "m7.example"))}
    tagged, started = iter(names), iter(names)
    found["tagging one"] = median_ms(lambda: cluster.run("gnt-instance", "add-tags", next(tagged), "tag"))
    found["starting one"] = median_ms(lambda: cluster.run("gnt-instance", "startup", next(started)))
    cluster.run("gnt-job", "autoarchive", "all")
    return found


def scale_rows(cluster, true_ms):
    numbers = itertools.count()
    before = cluster.pss_mb()
    grow(cluster, 0, FEW)
    few = measured(cluster, numbers)
    grow(cluster, FEW, MANY)
    many = measured(cluster, numbers)
    memory = (cluster.pss_mb() - before) * 1024 / MANY
    rows = [(f"{what}, {MANY} machines as a multiple of {FEW}", many[what] / few[what], "≤ 1.2", "", f"{few[what]:.1f} and {many[what]:.1f} ms") for what in few]
    listing = median_ms(lambda: cluster.run("gnt-instance", "list"), 5)
    rows += [(f"list of {MANY}, as a multiple of true", listing / true_ms, "≤ 40", "", f"true: {true_ms:.2f}, list: {listing:.0f} ms"),
             ("memory of both daemons a machine (KB PSS)", memory, "≤ 10", "", "")]
    return rows
