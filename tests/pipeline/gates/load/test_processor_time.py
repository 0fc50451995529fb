from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pipeline.gates.load.processor_time import ProcessorTime, processor_time

if TYPE_CHECKING:
    from pathlib import Path


def test_the_share_is_relative_to_the_runnable_time() -> None:
    assert ProcessorTime(40, 70).stalled_since(ProcessorTime(10, 60)) == 0.25
    assert ProcessorTime(10, 60).stalled_since(ProcessorTime(10, 60)) == 0.0


def test_a_system_without_scheduler_statistics_has_zero_times(tmp_path: Path) -> None:
    assert processor_time(tmp_path / "schedstat") == ProcessorTime(0, 0)
    (tmp_path / "schedstat").write_text("0 0\n")
    assert processor_time(tmp_path / "schedstat") == ProcessorTime(0, 0)


def test_a_process_on_a_shared_processor_has_waiting_time() -> None:
    """Pinned to one processor with a busy loop, it waits for about half of the time."""
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
