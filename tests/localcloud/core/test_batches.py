from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from localcloud.core.batches import Batches

if TYPE_CHECKING:
    import pytest


def test_what_comes_before_the_thread_looks_is_delivered_together() -> None:
    delivered: list[list[int]] = []
    batches = Batches("numbers", delivered.append)
    for number in range(1000):
        batches.put(number)
    batches.start()
    batches.stop()
    assert delivered == [list(range(1000))]


def test_each_item_is_delivered_once_and_in_its_senders_order() -> None:
    delivered: list[tuple[int, int]] = []
    batches: Batches[tuple[int, int]] = Batches("numbers", delivered.extend)
    batches.start()

    def send(sender: int) -> None:
        for number in range(500):
            batches.put((sender, number))

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    batches.stop()
    assert len(delivered) == 4 * 500
    for sender in range(4):
        assert [number for who, number in delivered if who == sender] == list(range(500))


def test_it_delivers_without_being_stopped() -> None:
    delivered = threading.Event()
    batches: Batches[int] = Batches("numbers", lambda _: delivered.set())
    batches.start()
    batches.put(1)
    assert delivered.wait(60)
    delivered.clear()
    batches.put(2)
    assert delivered.wait(60)
    batches.stop()


def test_what_comes_during_the_last_delivery_is_delivered_too() -> None:
    delivered: list[int] = []
    under_way, go_on = threading.Event(), threading.Event()

    def deliver(numbers: list[int]) -> None:
        under_way.set()
        assert go_on.wait(60)
        delivered.extend(numbers)

    batches = Batches("numbers", deliver)
    batches.start()
    batches.put(1)
    assert under_way.wait(60)
    stopping = threading.Thread(target=batches.stop)
    stopping.start()
    assert batches._stopping.wait(60)
    batches.put(2)
    go_on.set()
    stopping.join()
    assert delivered == [1, 2]


def test_an_error_ends_one_delivery_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    delivered: list[int] = []
    failed = threading.Event()

    def deliver(numbers: list[int]) -> None:
        if not failed.is_set():
            failed.set()
            raise ValueError("not this time")
        delivered.extend(numbers)

    batches = Batches("numbers", deliver)
    batches.start()
    batches.put(1)
    assert failed.wait(60)
    batches.put(2)
    batches.stop()
    assert delivered == [2]
    assert "ValueError: not this time" in capsys.readouterr().err
