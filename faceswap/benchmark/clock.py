"""How often something can be done in a second, and what it costs."""

import statistics
import time
from collections.abc import Callable

from faceswap.types import Json


def calls_per_s(once: Callable[[], object], seconds: float, warm_up: int) -> float:
    """Calls a second over at least `seconds` and three calls, after `warm_up` calls."""
    for _ in range(warm_up):
        once()
    calls, begun = 0, time.perf_counter()
    while calls < 3 or time.perf_counter() < begun + seconds:
        once()
        calls += 1
    return calls / (time.perf_counter() - begun)


def cost(once: Callable[[], object], seconds: float) -> Json:
    """Milliseconds of a call on the clock, and of processor time, which other programs hardly lengthen."""
    spent_s: list[float] = []

    def measured() -> None:
        begun = time.process_time()
        once()
        spent_s.append(time.process_time() - begun)

    wall_ms = 1000 / calls_per_s(measured, seconds, warm_up=2)
    return {"wall_ms": round(wall_ms, 1), "cpu_ms": round(1000 * statistics.median(spent_s), 1)}
