"""Work that overlaps: the next item is fetched, and several are worked on, while one is used."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from faceswap.errors import UserError

T = TypeVar("T")
R = TypeVar("R")


def fetched_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield `items` in order while a thread already fetches the next one; its errors are raised here.

    Besides overlapping, this keeps Ctrl-C out of libraries that swallow it inside their callbacks:
    Python raises it in the main thread only.
    """
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1) as pool:
        pending: Future[T | object] = pool.submit(next, iterator, end)
        while (item := pending.result()) is not end:
            pending = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc]


def within(limit_s: float, work: Callable[[], T], late: UserError) -> T:
    """What `work` returns or raises; `late` is raised where it takes longer than `limit_s`.

    For native code that may never return: a thread does it that ends with the process, since nobody can stop
    it, and Ctrl-C is heard meanwhile.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return outcome.result(limit_s)
    except TimeoutError:
        if outcome.done():
            raise
        raise late from None


def ordered_map(work: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R, None, None]:
    """Yield `work(item)` in the order of `items`, worked on by threads, at most `workers` + 1 under way.

    Memory is therefore the same for ten items and ten thousand. When the consumer stops or work raises,
    what has not begun is dropped and what has begun is waited for.
    """
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
