"""The users of a load profile, in Locust's processes: each request is sent when it is due.

Locust's users wait for an answer before they send again, so that a slow service would slow its
own load, and nothing would be sent while it stalls ("coordinated omission"). Here the arrivals
are decided beforehand, the users take them in turn, and a latency counts from when the request
was due: what waited for a free user waited for the service.

A profile derives its users from `OpenModelUser` and is otherwise written as Locust wants it.
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

from pipeline.gates.load.measured import NO_ANSWER, NOT_INVOKED, RATE_LIMITED
from pipeline.gates.load.plan import ADDRESSES, COLD, FOLDER, PLAN, Plan
from pipeline.gates.load.sending import Sending, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.env import Environment

_WARM = 3
"""Answers in a row that met no cold start, after which a user is warm."""
_PAUSE = 0.1
"""Seconds between the attempts of a warm-up that fails."""
_GATEWAY_REASONS = {429: RATE_LIMITED, 500: NOT_INVOKED}
locust.stats.HISTORY_STATS_INTERVAL_SEC = 1  # a point of the report's plots


class OpenModelUser(FastHttpUser):
    """Sends what its tasks say, when the plan says."""

    abstract = True
    insecure = False  # by Locust's default any certificate is good
    sending: ClassVar[Sending]

    def __init__(self, environment: Environment) -> None:
        self._traffic = self.sending.assign()
        self.host = self._traffic.address  # Locust would send all of it to one
        super().__init__(environment)
        self.client.request_event = _SinceDue(self, self.client.request_event.fire)
        self._request = self.client.request
        self.client.request = self._send  # type: ignore[method-assign]  # Locust makes the client
        self._warm = 0
        self._pause = 0.0
        self._counts = False
        self._due: float | None = None

    def wait_time(self) -> float:
        """Seconds until the next request is due; a warm-up does not wait.

        Raises:
            StopUser: the last one has been taken.
        """
        if not self.sending.begun.is_set():
            if self._warm < _WARM:
                return self._pause
            self.sending.is_warm(self)
            self.sending.begun.wait()
        self._due = self._traffic.take()
        self._counts = self._due is not None
        if self._due is None:
            self.sending.look_for_the_end()
            raise StopUser
        return max(0.0, self._due - time.perf_counter())

    def _send(self, *arguments: Any, **options: Any) -> Any:
        if self._counts:
            return self._request(*arguments, **options)
        with self._traffic.few:
            return self._request(*arguments, **options)

    def answer(self, meta: dict[str, Any]) -> bool:
        """Look at an answer; returns whether it counts, and its time is then that since due."""
        failure, cold = _failure(meta), _met_cold_start(meta["response"])
        if not self._counts:
            self._warm = 0 if cold else self._warm + 1
            self._pause = _PAUSE if failure else 0.0
            return False
        # What else a task sends is due when it is sent.
        due = self._due or time.perf_counter() - meta["response_time"] / 1000
        self._due = None
        meta["response_time"] = self._traffic.answered(due, meta["name"], failure, cold=cold)
        meta["name"] += self._traffic.mark
        self.sending.look_for_the_end()
        return True


class _SinceDue:
    """Locust's own event of a request, for those that count, with the time since it was due."""

    def __init__(self, user: OpenModelUser, fire: Callable[..., None]) -> None:
        self._user = user
        self._fire = fire

    def fire(self, **meta: Any) -> None:
        if self._user.answer(meta):
            self._fire(**meta)


def _failure(meta: dict[str, Any]) -> str | None:
    """Why a request failed, in words that are the same for many."""
    error = meta["exception"]
    if error is None:
        return None
    status, by_gateway = meta["response"].status_code, _is_from_gateway(meta["response"])
    if status and by_gateway:
        return _GATEWAY_REASONS.get(status, f"status {status} of API Gateway")
    if status:
        return f"status {status}"
    error = getattr(error, "original", error)  # what it was before it was tried once too often
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    return f"{type(error).__name__}: {error}"[:100]


def _is_from_gateway(response: Any) -> bool:
    """Whether API Gateway answered instead of the service ("Gateway responses")."""
    return bool((response.headers or {}).get("x-amzn-errortype"))


def _met_cold_start(response: Any) -> bool:
    return "cold" in ((response.headers or {}).get("server-timing") or "")


def _prepare(environment: Environment, runner: Any, **_event: Any) -> None:
    plan = Plan.read(os.environ[PLAN])
    OpenModelUser.network_timeout = OpenModelUser.connection_timeout = COLD
    OpenModelUser.default_headers = {"User-Agent": f"locust/{locust.__version__}"}
    addresses = os.environ[ADDRESSES].split()
    sending = prepare(plan, addresses, runner, Path(os.environ[FOLDER]))
    if sending:
        OpenModelUser.sending = sending
        for event, listener in (
            (environment.events.test_start, sending.start),
            (environment.events.user_error, sending.failed),
        ):
            event.add_listener(listener)  # type: ignore[no-untyped-call]  # Locust's own


events.init.add_listener(_prepare)  # type: ignore[no-untyped-call]  # Locust's own
