"""Runs every benchmark: `make bench`, or some of them: `make bench ARGS="append resume"`.

The exit code is 1 when an aim is not reached.
"""

import importlib
import sys

BENCHES = ("imports", "append", "resume", "latency", "relay", "density", "analytics", "memory")


def main() -> int:
    """Run the benchmarks that are named, or all."""
    names = sys.argv[1:] or BENCHES
    if unknown := set(names) - set(BENCHES):
        sys.exit(
            f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(BENCHES)}."
        )
    reached = [importlib.import_module(f"bench.{name}").main() for name in names]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
