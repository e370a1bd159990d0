"""KiB of the gateway process per idle socket, at 5,000 sockets; and how long all of them take to reconnect.

The difference of the resident memory with and without the sockets, each of another person. Then all are cut
at once and connect again; the time is until the last is ready again.
"""

import sys
import time

import gateways  # noqa: F401  puts benchmarks/ on the path
import sides
from results import Row, record, scale
from system import servers

SETTLED_S = 3.0  # the server frees what coming in needed, and looks at its connections every two seconds
AT_ONCE = 50


def measure(name: str, keys: dict[str, int]) -> tuple[float, float]:
    """Return KiB a socket, and the seconds of the reconnect."""
    targets = list(keys)
    with sides.running(name, keys) as side:
        few = side.crowd(targets[: min(200, len(targets) // 5)])
        few.open(at_once=20)  # warm up: one-time allocations are made now
        few.close()
        time.sleep(SETTLED_S)
        before = side.gateway.rss_kib()
        crowd = side.crowd(targets)
        crowd.open(at_once=AT_ONCE, timeout_s=300)
        time.sleep(SETTLED_S)
        each = (side.gateway.rss_kib() - before) / len(targets)
        crowd.close()
        again = side.crowd(targets)
        back_s = again.open(at_once=AT_ONCE, timeout_s=300)
        again.close()
    return each, back_s


def main() -> None:
    sockets = scale(quick=500, full=5_000)
    allow_open_files(2 * sockets + 500)
    with servers():
        keys = sides.persons(sockets)
        sizes, backs = [], []
        for name in sides.names():
            each, back_s = measure(name, keys)
            sizes.append(Row(name, each, "KiB", "less"))
            backs.append(Row(name, back_s, "s", "less"))
            print(f"{name}: {each:.1f} KiB a socket, {sockets:,} back after {back_s:.1f} s", flush=True)
    record("memory", "an idle socket of 5,000", sizes)
    record("reconnect", "5,000 sockets cut and ready again", backs)


def allow_open_files(wanted: int) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        sys.exit(f"this needs {wanted} open files; ulimit -n allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, wanted)), hard))


if __name__ == "__main__":
    main()
