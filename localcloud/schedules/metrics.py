"""EventBridge's own metrics, by rule, handed on a few times a second.

See "Monitoring Amazon EventBridge" of the user guide.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from typing import TYPE_CHECKING

from localcloud.ports import Datum

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

_EVERY = 0.25  # wall seconds


class Metrics:
    """Counts without waiting; its thread passes the counts on."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._counted: Counter[tuple[str, str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._something = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedules-metrics", daemon=True)

    def start(self) -> None:
        """Begin to pass on."""
        self._thread.start()

    def stop(self) -> None:
        """Pass the rest on and end."""
        self._stopping.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def count(self, account: str, region: str, rule: str, *names: str) -> None:
        """Add one to metrics of a rule."""
        with self._lock:
            for name in names:
                self._counted[account, region, rule, name] += 1
        self._something.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._something.wait()
            self._stopping.wait(_EVERY)
            self._something.clear()
            with self._lock:
                counted, self._counted = self._counted, Counter()
            try:
                self._flush(counted)
            except Exception:  # noqa: BLE001  # what comes next is still to be passed on
                traceback.print_exc()

    def _flush(self, counted: Counter[tuple[str, str, str, str]]) -> None:
        now = self._cloud.clock.timestamp()
        for account, region in {key[:2] for key in counted}:
            data = [
                Datum(name, {"RuleName": rule}, (1.0,), now, "Count", (float(count),))
                for (owner, place, rule, name), count in counted.items()
                if (owner, place) == (account, region)
            ]
            self._cloud.cloudwatch.put(account, region, "AWS/Events", data)
