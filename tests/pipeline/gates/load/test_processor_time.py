from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pipeline.gates.load.processor_time import ProcessorTime, processor_time

if TYPE_CHECKING:
    from pathlib import Path


def test_the_share_is_of_the_time_in_which_it_was_ready_to_run() -> None:
    assert ProcessorTime(40, 70).stalled_since(ProcessorTime(10, 60)) == 0.25
    assert ProcessorTime(10, 60).stalled_since(ProcessorTime(10, 60)) == 0.0


def test_a_system_that_does_not_count_says_nothing(tmp_path: Path) -> None:
    assert processor_time(tmp_path / "schedstat") == ProcessorTime(0, 0)
    (tmp_path / "schedstat").write_text("0 0\n")
    assert processor_time(tmp_path / "schedstat") == ProcessorTime(0, 0)


def test_a_process_that_shares_a_processor_waits_for_it() -> None:
    """Pinned to one processor beside a busy loop, it waits for about half of the time."""
    processor = min(os.sched_getaffinity(0))
    loop = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{processor}])\nwhile 1: 0"]
    before = os.sched_getaffinity(0)
    with subprocess.Popen(loop) as busy:
        os.sched_setaffinity(0, [processor])
        try:
            began = processor_time()
            end = time.process_time() + 0.5
            while time.process_time() < end:
                pass
            assert processor_time().stalled_since(began) > 0.2
        finally:
            os.sched_setaffinity(0, before)
            busy.kill()
