from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pipeline.gates.load.scheduled import Scheduled, scheduled

if TYPE_CHECKING:
    from pathlib import Path


def test_the_share_is_of_the_time_in_which_it_was_ready_to_run() -> None:
    assert Scheduled(40, 70).stalled_since(Scheduled(10, 60)) == 0.25
    assert Scheduled(10, 60).stalled_since(Scheduled(10, 60)) == 0.0


def test_a_system_that_does_not_count_says_nothing(tmp_path: Path) -> None:
    assert scheduled(tmp_path / "schedstat") == Scheduled(0, 0)
    (tmp_path / "schedstat").write_text("0 0\n")
    assert scheduled(tmp_path / "schedstat") == Scheduled(0, 0)


def test_a_process_that_shares_a_processor_waits_for_it() -> None:
    """Pinned to one processor beside a busy loop, it waits for about half of the time."""
    processor = min(os.sched_getaffinity(0))
    loop = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{processor}])\nwhile 1: 0"]
    before = os.sched_getaffinity(0)
    with subprocess.Popen(loop) as busy:
        os.sched_setaffinity(0, [processor])
        try:
            began = scheduled()
            end = time.process_time() + 0.5
            while time.process_time() < end:
                pass
            assert scheduled().stalled_since(began) > 0.2
        finally:
            os.sched_setaffinity(0, before)
            busy.kill()
