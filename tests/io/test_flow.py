import threading
import time

import pytest

from faceswap.errors import UserError
from faceswap.io.flow import fetched_ahead, ordered_map, within


def test_results_come_in_the_order_of_the_items():
    def slow_when_even(number):
        time.sleep(0.004 * (number % 2 == 0))
        return number

    assert list(ordered_map(slow_when_even, range(20), 4)) == list(range(20))
    assert list(fetched_ahead(range(20))) == list(range(20))
    assert list(ordered_map(str, [], 2)) == list(fetched_ahead([])) == []


def test_no_more_items_are_held_than_workers_and_one():
    lock, held, most = threading.Lock(), 0, 0

    def items():
        nonlocal held, most
        for number in range(50):
            with lock:
                held += 1
                most = max(most, held)
            yield number

    for _ in ordered_map(lambda number: number, items(), 3):
        with lock:
            held -= 1
    assert most <= 4


@pytest.mark.parametrize(
    "flow", [fetched_ahead, lambda items: ordered_map(str, items, 2)], ids=["ahead", "map"]
)
def test_errors_of_the_source_reach_the_consumer(flow):
    def broken():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(flow(broken()))


def test_an_error_in_the_work_drops_what_has_not_begun():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise ValueError(number)

    with pytest.raises(ValueError, match="3"):
        list(ordered_map(work, range(1000), 2))
    assert len(begun) < 10


def test_what_takes_too_long_is_left_behind_with_a_sentence():
    never = threading.Event()
    began = time.monotonic()
    with pytest.raises(UserError, match="too late"):
        within(0.1, never.wait, UserError("too late"))
    assert time.monotonic() - began < 5
    never.set()


@pytest.mark.parametrize("error", [TimeoutError("its own"), ValueError("bad"), KeyboardInterrupt()])
def test_what_is_in_time_returns_or_raises_its_own(error):
    def failing():
        raise error

    assert within(60, lambda: 7, UserError("too late")) == 7
    with pytest.raises(type(error)):
        within(60, failing, UserError("too late"))
