"""What does `import tenuto` cost, and what does it bring along?

CPU of a new interpreter that imports Tenuto and its public names, next to one that imports asyncio and msgspec. An
interpreter that imports nothing is taken off both.

Usage: python -m bench.imports
"""

import resource
import subprocess
import sys
from typing import Any

from bench.harness import compare, report

ROUNDS = 15
HEAVY = ("numpy", "apsw", "starlette", "uvicorn", "picows", "tenuto.server", "tenuto.engines")


def cpu(code: str) -> float:
    """Return the milliseconds of CPU of a new interpreter that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def brought(code: str) -> list[str]:
    """Return which of the heavy modules an import brings along."""
    found = f"import sys; {code}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", found], check=True, capture_output=True, text=True)
    return out.stdout.split()


def main() -> bool:
    """Measure, print, and keep the figures. Returns whether every aim is reached."""
    nothing, floors, alone, named = [], [], [], []
    for _ in range(ROUNDS):
        nothing.append(cpu("pass"))
        floors.append(cpu("import asyncio, msgspec"))
        alone.append(cpu("import tenuto"))
        named.append(cpu("from tenuto import SessionConfig, TenutoError"))

    def above(figures: list[float]) -> list[float]:
        return [max(0.1, figure - bare) for figure, bare in zip(figures, nothing, strict=True)]

    results: list[dict[str, Any]] = [
        compare("ms CPU, import tenuto", above(alone), above(floors), at_most=1.5),
        compare("ms CPU, its settings and errors", above(named), above(floors), at_most=1.5),
        compare("heavy modules that come along", [len(brought("import tenuto"))], at_most=0),
    ]
    return report("imports", results)


if __name__ == "__main__":
    raise SystemExit(not main())
