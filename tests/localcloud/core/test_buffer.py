from __future__ import annotations

import threading

import pytest

from localcloud.core.buffer import LONGEST_INTERVAL_SECONDS, Buffer


def test_items_added_before_a_flush_are_delivered_together() -> None:
    delivered: list[list[int]] = []
    buffer = Buffer("numbers", delivered.append)
    for number in range(1000):
        buffer.put(number)
    buffer.start()
    buffer.stop()
    assert delivered == [list(range(1000))]


def test_each_item_is_delivered_once_and_in_its_senders_order() -> None:
    delivered: list[tuple[int, int]] = []
    buffer: Buffer[tuple[int, int]] = Buffer("numbers", delivered.extend)
    buffer.start()

    def send(sender: int) -> None:
        for number in range(500):
            buffer.put((sender, number))

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    buffer.stop()
    assert len(delivered) == 4 * 500
    for sender in range(4):
        assert [number for who, number in delivered if who == sender] == list(range(500))


def test_a_buffer_delivers_before_it_is_stopped() -> None:
    delivered = threading.Event()
    buffer: Buffer[int] = Buffer("numbers", lambda _: delivered.set())
    buffer.start()
    buffer.put(1)
    assert delivered.wait(60)
    delivered.clear()
    buffer.put(2)
    assert delivered.wait(60)
    buffer.stop()


def test_items_added_during_the_last_flush_are_delivered() -> None:
    delivered: list[int] = []
    under_way, go_on = threading.Event(), threading.Event()

    def deliver(numbers: list[int]) -> None:
        under_way.set()
        assert go_on.wait(60)
        delivered.extend(numbers)

    buffer = Buffer("numbers", deliver)
    buffer.start()
    buffer.put(1)
    assert under_way.wait(60)
    stopping = threading.Thread(target=buffer.stop)
    stopping.start()
    assert buffer._stopping.wait(60)
    buffer.put(2)
    go_on.set()
    stopping.join()
    assert delivered == [1, 2]


def test_an_error_ends_only_one_delivery(caplog: pytest.LogCaptureFixture) -> None:
    delivered: list[int] = []
    failed = threading.Event()

    def deliver(numbers: list[int]) -> None:
        if not failed.is_set():
            failed.set()
            raise ValueError("not this time")
        delivered.extend(numbers)

    buffer = Buffer("numbers", deliver)
    buffer.start()
    buffer.put(1)
    assert failed.wait(60)
    buffer.put(2)
    buffer.stop()
    assert delivered == [2]
    assert "ValueError: not this time" in caplog.text


def test_no_buffer_delays_longer_than_alarms_allow() -> None:
    with pytest.raises(ValueError, match=f"must be at most {LONGEST_INTERVAL_SECONDS} s"):
        Buffer("slow", print, 1.0)
