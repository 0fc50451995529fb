"""Coordinate a run in Locust's processes: warm-up, common start, end and report.

Locust patches threads to be green threads, so that users continue while a thread here waits.
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
from pipeline.gates.load.processor_time import processor_time
from pipeline.gates.load.request_queue import RequestQueue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from locust.runners import LocalRunner

    from pipeline.gates.load.plan import Plan

# Messages between workers and master; a runner without workers sends them to itself.
_READY, _BEGIN, _OVER = "load-ready", "load-begin", "load-over"
_MARKS = ("", " beside it")
"""Suffixes of request names in Locust's own report, by address."""
_LATENESS_INTERVAL_SECONDS = 0.01
_WORKER_POLL_INTERVAL_SECONDS = 0.5
"""Locust itself notices a missing worker after about four seconds."""


class LoadProcess:
    """The part of one process in a run."""

    def __init__(
        self,
        plan: Plan,
        addresses: Sequence[str],
        runner: LocalRunner | WorkerRunner,
        report: Path,
    ) -> None:
        self.begun = threading.Event()
        self._traffic = [RequestQueue(plan, *each) for each in zip(addresses, _MARKS, strict=False)]
        self._turns = itertools.cycle(self._traffic)
        self._plan = plan
        self._runner = runner
        self._report = report
        self._warm: set[object] = set()
        self._ready = threading.Event()
        self._spent = 0.0
        self._scheduled = processor_time()
        self._over = threading.Event()
        self._lateness = Histogram()
        self._errors: Counter[str] = Counter()
        runner.register_message(_BEGIN, self._begin)

    def start(self, **_event: Any) -> None:
        """Start the warm-up."""
        threading.Thread(target=self._conduct, daemon=True).start()

    def assign(self) -> RequestQueue:
        """Return the queue of the next user; all addresses have the same number of users."""
        return next(self._turns)

    def add_warm_user(self, user: object) -> None:
        """Record that a user has finished its warm-up."""
        self._warm.add(user)
        spawned = self._runner.user_count
        all_users = self._plan.users * len(self._traffic)
        if len(self._warm) >= spawned >= all_users // self._plan.workers:
            self._ready.set()

    def end_if_complete(self) -> None:
        """End the run if every request has been answered."""
        if all(each.is_over for each in self._traffic):
            self._over.set()

    def failed(self, exception: Exception, **_event: Any) -> None:
        """Count an error of the profile's own code."""
        self._errors[f"{type(exception).__name__}: {exception}"[:100]] += 1

    def _conduct(self) -> None:
        began = time.perf_counter()
        self._ready.wait(self._plan.warm_up_seconds)
        warm_up = time.perf_counter() - began
        self._runner.send_message(_READY)
        self.begun.wait()
        began = time.perf_counter()
        self._measure_lateness(began)
        busy = (time.process_time() - self._spent) / (time.perf_counter() - began)
        stalled = processor_time().stalled_since(self._scheduled)
        for each in self._traffic:
            each.close()
            # These belong to the process and not to an address.
            each.seen.warm_up, each.seen.busy, each.seen.stalled = warm_up, busy, stalled
            each.seen.lateness, each.seen.errors = self._lateness, self._errors
        report = [each.seen.document() for each in self._traffic]
        self._report.write_text(json.dumps(report), encoding="utf-8")
        self._runner.send_message(_OVER)

    def _measure_lateness(self, began: float) -> None:
        """Measure how late this process wakes up, until the run is complete or timed out."""
        end = began + self._plan.seconds + self._plan.answer_timeout
        due = began
        while due < end and not self._over.wait(due - time.perf_counter()):
            self._lateness.add(1000 * (time.perf_counter() - due))
            due += _LATENESS_INTERVAL_SECONDS

    def _begin(self, **_message: Any) -> None:
        random.seed(SEED)  # Locust's users choose their tasks with it
        self._runner.stats.reset_all()
        self._spent = time.process_time()
        self._scheduled = processor_time()
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
) -> LoadProcess | None:
    """Prepare a process for a run; None for a master, which sends no requests."""
    if not isinstance(runner, WorkerRunner):
        _direct(plan, runner)
    if isinstance(runner, MasterRunner):
        return None
    return LoadProcess(plan, addresses, runner, reports / f"worker-{os.getpid()}.json")


def _direct(plan: Plan, runner: LocalRunner | MasterRunner) -> None:
    """Start all workers when all are ready, and end the run when all are done."""
    received: Counter[str] = Counter()

    def on_ready(**_message: Any) -> None:
        received[_READY] += 1
        if received[_READY] == plan.workers:
            runner.stats.reset_all()
            runner.send_message(_BEGIN)

    def on_over(**_message: Any) -> None:
        received[_OVER] += 1
        if received[_OVER] == plan.workers:
            # In a thread, because it ends the caller of this function.
            threading.Thread(target=runner.quit, daemon=True).start()

    runner.register_message(_READY, on_ready)
    runner.register_message(_OVER, on_over)
    if isinstance(runner, MasterRunner):

        def watch(**_event: Any) -> None:
            threading.Thread(target=_watch, args=(plan, runner, received), daemon=True).start()

        # At the start of the test all workers have connected.
        runner.environment.events.test_start.add_listener(watch)  # type: ignore[no-untyped-call]  # Locust's own


def _watch(plan: Plan, runner: MasterRunner, received: Counter[str]) -> None:
    """End Locust if a worker is dead or hangs; Locust itself would continue without it."""
    while received[_OVER] < plan.workers:
        alive = sum(worker.state != STATE_MISSING for worker in runner.clients.all)
        if alive < plan.workers:
            sys.stderr.write(f"{plan.workers - alive} of {plan.workers} workers fell silent\n")
            sys.stderr.flush()
            os._exit(1)  # a regular exit would wait for the worker
        time.sleep(_WORKER_POLL_INTERVAL_SECONDS)
