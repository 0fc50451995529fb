"""A run in Locust's processes: they warm up, begin together, and say what they saw.

Locust makes the threads of its processes green ones: what waits here lets the users go on.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from pipeline.gates.load.histogram import Histogram
from pipeline.gates.load.plan import SEED
from pipeline.gates.load.scheduled import scheduled
from pipeline.gates.load.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from locust.runners import LocalRunner

    from pipeline.gates.load.plan import Plan

# What a worker tells the master, and the master its workers; a runner alone tells itself.
_READY, _BEGIN, _OVER = "load-ready", "load-begin", "load-over"
_MARKS = ("", " beside it")
"""By which Locust's own report tells the requests to one address from those to the other."""
_BEAT = 0.01
"""Seconds between two looks at how late it is."""
_LOOK = 0.5
"""Seconds between two looks at the workers, whom Locust misses after some four seconds."""


class Sending:
    """One process's part of a run."""

    def __init__(
        self,
        plan: Plan,
        addresses: Sequence[str],
        runner: LocalRunner | WorkerRunner,
        report: Path,
    ) -> None:
        self.begun = threading.Event()
        self._traffic = [Traffic(plan, *each) for each in zip(addresses, _MARKS, strict=False)]
        self._turns = itertools.cycle(self._traffic)
        self._plan = plan
        self._runner = runner
        self._report = report
        self._warm: set[object] = set()
        self._ready = threading.Event()
        self._spent = 0.0
        self._scheduled = scheduled()
        self._over = threading.Event()
        self._lateness = Histogram()
        self._errors: Counter[str] = Counter()
        runner.register_message(_BEGIN, self._begin)

    def start(self, **_event: Any) -> None:
        """From now on there is so much time to warm up."""
        threading.Thread(target=self._conduct, daemon=True).start()

    def assign(self) -> Traffic:
        """What the next user sends; the addresses have equally many users."""
        return next(self._turns)

    def is_warm(self, user: object) -> None:
        """One more user needs no more warming up."""
        self._warm.add(user)
        spawned = self._runner.user_count
        all_users = self._plan.users * len(self._traffic)
        if len(self._warm) >= spawned >= all_users // self._plan.workers:
            self._ready.set()

    def look_for_the_end(self) -> None:
        """See whether everything was answered."""
        if all(each.is_over for each in self._traffic):
            self._over.set()

    def failed(self, exception: Exception, **_event: Any) -> None:
        """The profile's own code raised."""
        self._errors[f"{type(exception).__name__}: {exception}"[:100]] += 1

    def _conduct(self) -> None:
        began = time.perf_counter()
        self._ready.wait(self._plan.warm_up_seconds)
        warm_up = time.perf_counter() - began
        self._runner.send_message(_READY)
        self.begun.wait()
        began = time.perf_counter()
        self._watch_the_time(began)
        busy = (time.process_time() - self._spent) / (time.perf_counter() - began)
        stalled = scheduled().stalled_since(self._scheduled)
        for each in self._traffic:
            each.close()
            # These are the process's own, whatever it sent where.
            each.seen.warm_up, each.seen.busy, each.seen.stalled = warm_up, busy, stalled
            each.seen.lateness, each.seen.errors = self._lateness, self._errors
        report = [each.seen.document() for each in self._traffic]
        self._report.write_text(json.dumps(report), encoding="utf-8")
        self._runner.send_message(_OVER)

    def _watch_the_time(self, began: float) -> None:
        """Until all is answered or time is up, see how late this process notices what is due."""
        end = began + self._plan.seconds + self._plan.patience
        due = began
        while due < end and not self._over.wait(due - time.perf_counter()):
            self._lateness.add(1000 * (time.perf_counter() - due))
            due += _BEAT

    def _begin(self, **_message: Any) -> None:
        random.seed(SEED)  # Locust's users draw their tasks by it
        self._runner.stats.reset_all()
        self._spent = time.process_time()
        self._scheduled = scheduled()
        began = time.perf_counter()
        for index, each in enumerate(self._traffic):
            arrivals = self._plan.arrivals(self._runner.worker_index, index, len(self._traffic))
            each.begin(began, arrivals)
        self.begun.set()


def prepare(
    plan: Plan,
    addresses: Sequence[str],
    runner: LocalRunner | MasterRunner | WorkerRunner,
    reports: Path,
) -> Sending | None:
    """Prepare a process of a run; a master sends nothing itself, and has None."""
    if not isinstance(runner, WorkerRunner):
        _direct(plan, runner)
    if isinstance(runner, MasterRunner):
        return None
    return Sending(plan, addresses, runner, reports / f"worker-{os.getpid()}.json")


def _direct(plan: Plan, runner: LocalRunner | MasterRunner) -> None:
    """Let all workers begin when all are ready, and end the run when all have seen their part."""
    told: Counter[str] = Counter()

    def on_ready(**_message: Any) -> None:
        told[_READY] += 1
        if told[_READY] == plan.workers:
            runner.stats.reset_all()
            runner.send_message(_BEGIN)

    def on_over(**_message: Any) -> None:
        told[_OVER] += 1
        if told[_OVER] == plan.workers:
            # Not here: it ends what this is called by.
            threading.Thread(target=runner.quit, daemon=True).start()

    runner.register_message(_READY, on_ready)
    runner.register_message(_OVER, on_over)
    if isinstance(runner, MasterRunner):

        def watch(**_event: Any) -> None:
            threading.Thread(target=_watch, args=(plan, runner, told), daemon=True).start()

        # Now all workers have said that they are there.
        runner.environment.events.test_start.add_listener(watch)  # type: ignore[no-untyped-call]  # Locust's own


def _watch(plan: Plan, runner: MasterRunner, told: Counter[str]) -> None:
    """End it all when a worker is dead or hangs: Locust would go on without its part."""
    while told[_OVER] < plan.workers:
        alive = sum(worker.state != STATE_MISSING for worker in runner.clients.all)
        if alive < plan.workers:
            sys.stderr.write(f"{plan.workers - alive} of {plan.workers} workers fell silent\n")
            sys.stderr.flush()
            os._exit(1)  # in good order it would wait for the worker
        time.sleep(_LOOK)
