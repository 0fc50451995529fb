"""The users of a load profile in Locust's processes, which send each request when it is due.

Locust's users wait for an answer before they send again: a slow service reduces its own load, and
during a stall no request is sent ("coordinated omission"). Here the arrivals are planned, the
users take them in turn, and a latency counts from the due time of the request, including the wait
for a free user.

A profile derives its users from `OpenModelUser`, and is otherwise an ordinary Locust file.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import locust
import locust.stats
from locust import FastHttpUser, events
from locust.exception import StopUser

from pipeline.gates.load.measurement import NO_ANSWER, NOT_INVOKED, RATE_LIMITED
from pipeline.gates.load.plan import ADDRESSES, FOLDER, MAX_COLD_START_SECONDS, PLAN, Plan
from pipeline.gates.load.process import LoadProcess, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.env import Environment

_WARM_ANSWERS = 3
"""Consecutive answers without a cold start, after which a user is warm."""
_RETRY_INTERVAL_SECONDS = 0.1
"""Time between failed requests of the warm-up."""
_GATEWAY_REASONS = {429: RATE_LIMITED, 500: NOT_INVOKED}
locust.stats.HISTORY_STATS_INTERVAL_SEC = 1  # resolution of the plots in the report


class OpenModelUser(FastHttpUser):
    """Sends the requests of its tasks at the times of the plan."""

    abstract = True
    insecure = False  # Locust's default accepts any certificate
    process: ClassVar[LoadProcess]

    def __init__(self, environment: Environment) -> None:
        self._queue = self.process.assign()
        self.host = self._queue.address  # Locust's default is one host for all users
        super().__init__(environment)
        self.client.request_event = _SinceDue(self, self.client.request_event.fire)
        self._request = self.client.request
        self.client.request = self._send  # type: ignore[method-assign]  # Locust creates the client
        self._warm = 0
        self._pause = 0.0
        self._counts = False
        self._due: float | None = None

    def wait_time(self) -> float:
        """Return the seconds until the next request is due; the warm-up does not wait.

        Raises:
            StopUser: there is no further request.
        """
        if not self.process.begun.is_set():
            if self._warm < _WARM_ANSWERS:
                return self._pause
            self.process.add_warm_user(self)
            self.process.begun.wait()
        self._due = self._queue.take()
        self._counts = self._due is not None
        if self._due is None:
            self.process.end_if_complete()
            raise StopUser
        return max(0.0, self._due - time.perf_counter())

    def _send(self, *arguments: Any, **options: Any) -> Any:
        if self._counts:
            return self._request(*arguments, **options)
        with self._queue.warm_up_slots:
            return self._request(*arguments, **options)

    def count(self, meta: dict[str, Any]) -> bool:
        """Count an answer; return False for one of the warm-up.

        The response time in `meta` becomes the time since the request was due.
        """
        failure, cold = _failure(meta), _met_cold_start(meta["response"])
        if not self._counts:
            self._warm = 0 if cold else self._warm + 1
            self._pause = _RETRY_INTERVAL_SECONDS if failure else 0.0
            return False
        # Further requests of a task are due when they are sent.
        due = self._due or time.perf_counter() - meta["response_time"] / 1000
        self._due = None
        meta["response_time"] = self._queue.answered(due, meta["name"], failure, cold=cold)
        meta["name"] += self._queue.mark
        self.process.end_if_complete()
        return True


class _SinceDue:
    """Passes counted requests to Locust's own event, with the time since they were due."""

    def __init__(self, user: OpenModelUser, fire: Callable[..., None]) -> None:
        self._user = user
        self._fire = fire

    def fire(self, **meta: Any) -> None:
        if self._user.count(meta):
            self._fire(**meta)


def _failure(meta: dict[str, Any]) -> str | None:
    """Return the reason of a failed request, the same for similar failures."""
    error = meta["exception"]
    if error is None:
        return None
    status, by_gateway = meta["response"].status_code, _is_from_gateway(meta["response"])
    if status and by_gateway:
        return _GATEWAY_REASONS.get(status, f"status {status} of API Gateway")
    if status:
        return f"status {status}"
    error = getattr(error, "original", error)  # the cause of Locust's own retry error
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    return f"{type(error).__name__}: {error}"[:100]


def _is_from_gateway(response: Any) -> bool:
    """Return whether API Gateway answered instead of the service ("Gateway responses")."""
    return bool((response.headers or {}).get("x-amzn-errortype"))


def _met_cold_start(response: Any) -> bool:
    return "cold" in ((response.headers or {}).get("server-timing") or "")


def _prepare(environment: Environment, runner: Any, **_event: Any) -> None:
    plan = Plan.read(os.environ[PLAN])
    OpenModelUser.network_timeout = MAX_COLD_START_SECONDS
    OpenModelUser.connection_timeout = MAX_COLD_START_SECONDS
    OpenModelUser.default_headers = {"User-Agent": f"locust/{locust.__version__}"}
    addresses = os.environ[ADDRESSES].split()
    process = prepare(plan, addresses, runner, Path(os.environ[FOLDER]))
    if process:
        OpenModelUser.process = process
        for event, listener in (
            (environment.events.test_start, process.start),
            (environment.events.user_error, process.failed),
        ):
            event.add_listener(listener)  # type: ignore[no-untyped-call]  # Locust's own


events.init.add_listener(_prepare)  # type: ignore[no-untyped-call]  # Locust's own
