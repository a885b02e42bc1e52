"""What the benchmarks share: how a figure is compared with its floor, printed and kept."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def compare(
    what: str,
    figures: Sequence[float],
    floors: Sequence[float] = (),
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> dict[str, Any]:
    """Return a figure as a median, with its floor and their ratio, and whether the aim is reached.

    Args:
        figures: What was measured, slice by slice.
        floors: The least code that does the same, measured in the same slices; empty when the aim is absolute.
        at_least: The aim of the ratio, or of the figure when there are no floors.
        at_most: The same, from above.
    """
    figure = statistics.median(figures)
    result: dict[str, Any] = {"what": what, "figure": round(figure, 4)}
    judged = figure
    if floors:
        judged = statistics.median(a / b for a, b in zip(figures, floors, strict=True))
        result["floor"] = round(statistics.median(floors), 4)
        result["ratio"] = round(judged, 3)
    if at_least is not None:
        result |= {"aim": f">= {at_least}", "reached": judged >= at_least}
    elif at_most is not None:
        result |= {"aim": f"<= {at_most}", "reached": judged <= at_most}
    return result


def report(bench: str, results: Sequence[dict[str, Any]], **more: Any) -> bool:
    """Print a line a result, keep them as JSON, and return whether every aim is reached."""
    for result in results:
        line = f"{bench:8} {result['what']:62} {result['figure']:>12,.3f}"
        if "floor" in result:
            line += f"   floor {result['floor']:>12,.3f}   ratio {result['ratio']:.2f}"
        if "aim" in result:
            line += f"   (aim {result['aim']}{'' if result['reached'] else ', NOT REACHED'})"
        print(line, flush=True)
    RESULTS.mkdir(exist_ok=True)
    kept = {"bench": bench, **more, "results": list(results)}
    (RESULTS / f"{bench}.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return all(result.get("reached", True) for result in results)


@contextlib.contextmanager
def serving(*flags: str, store: str = "") -> Iterator[tuple[str, int]]:
    """Run `tenuto serve` in a process of its own, on any port. Yields its address and process id.

    Args:
        store: The URL of its store; a new one when empty.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tenuto", "serve", "--port", "0", "--json"]
        command += ["--store", store or f"sqlite:///{folder}/bench.db", *flags]
        environment = {**os.environ, "TENUTO_KEYS": f"{folder}/keys"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
        )
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.terminate()
            process.wait(20)
