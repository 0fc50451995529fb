"""Deliveries to targets: queued in the ledger, and retried.

Source: "How EventBridge retries delivering events" in the user guide. By default a delivery is
retried with exponential back-off for up to 24 hours and 185 times. A missing target or permission
is not retried. A failed delivery goes to the dead-letter queue of the target, if there is one.
"""

from __future__ import annotations

import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from localcloud.eventbridge.authority import NotAuthorizedError
from localcloud.eventbridge.targets import TransientError, UndeliverableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.core.core import Core
    from localcloud.eventbridge.metrics import Metrics
    from localcloud.eventbridge.targets import Targets
    from localcloud.eventbridge.timer import Timer

logger = logging.getLogger(__name__)
_KIND = "schedules:delivery"
_MAX_CONCURRENT_DELIVERIES = 4
_DEFAULT_MAX_AGE_SECONDS, _DEFAULT_MAX_RETRIES = 86400, 185
_MAX_BACKOFF_SECONDS = 3600.0  # cloud seconds
_ATTEMPT_PLACEHOLDER = "<aws.scheduler.attempt-number>"


@dataclass
class Delivery:
    """One payload for one target. Times are cloud time."""

    account: str
    region: str
    source_arn: str
    """The ARN of the rule or the schedule."""
    target: dict[str, Any]
    payload: str
    due: float
    """The time of the event."""
    begins: float = 0.0
    """The time of the first attempt."""
    attempts: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def rule(self) -> str:
        """The name of the rule or the schedule."""
        return self.source_arn.rsplit("/", 1)[-1]


class Deliveries:
    """Runs deliveries, with retries, until they succeed or are given up."""

    def __init__(self, core: Core, targets: Targets, timer: Timer, metrics: Metrics) -> None:
        self._core = core
        self._timer = timer
        self._metrics = metrics
        self._targets = targets
        self._workers = ThreadPoolExecutor(
            _MAX_CONCURRENT_DELIVERIES, thread_name_prefix="delivery"
        )

    def start(self) -> None:
        """Resume the deliveries in the ledger."""
        for _, document in self._core.ledger.all(_KIND):
            self._submit(Delivery(**document))

    def stop(self) -> None:
        """Finish running attempts; the next start resumes the other deliveries."""
        self._workers.shutdown(cancel_futures=True)

    def accept(self, deliveries: Iterable[Delivery]) -> None:
        """Write deliveries to the ledger and start them."""
        accepted = list(deliveries)
        with self._core.ledger.transaction():
            for delivery in accepted:
                self._core.ledger.put(_KIND, delivery.id, asdict(delivery))
        now = self._core.clock.timestamp()
        for delivery in accepted:
            if delivery.begins > now:
                self._timer.at(delivery.begins, partial(self._submit, delivery))
            else:
                self._submit(delivery)

    def _submit(self, delivery: Delivery) -> None:
        try:
            self._workers.submit(self._attempt, delivery)
        except RuntimeError:  # stopped; the delivery stays in the ledger
            return

    def _attempt(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        try:
            payload = delivery.payload.replace(_ATTEMPT_PLACEHOLDER, str(delivery.attempts))
            self._targets.deliver(delivery.target, payload, delivery.source_arn)
        except TransientError as error:
            self._retry(delivery, str(error))
        except UndeliverableError as error:
            self._give_up(delivery, str(error), error.code)
        except Exception as error:  # an internal error fails only this delivery
            logger.exception("Delivery to %s fails", delivery.target["Arn"])
            self._give_up(delivery, f"{type(error).__name__}: {error}")
        else:
            self._end(delivery, "Invocations")

    def _retry(self, delivery: Delivery, reason: str) -> None:
        policy = delivery.target.get("RetryPolicy") or {}
        pause = min(2.0**delivery.attempts, _MAX_BACKOFF_SECONDS)
        now = self._core.clock.timestamp()
        oldest = policy.get("MaximumEventAgeInSeconds", _DEFAULT_MAX_AGE_SECONDS)
        # `MaximumRetryAttempts` does not count the first attempt.
        spent = delivery.attempts > policy.get("MaximumRetryAttempts", _DEFAULT_MAX_RETRIES)
        if spent or now + pause > delivery.due + oldest:
            self._give_up(delivery, reason)
            return
        self._core.ledger.put(_KIND, delivery.id, asdict(delivery))
        self._timer.at(now + pause, lambda: self._submit(delivery))

    def _give_up(self, delivery: Delivery, reason: str, code: str = "") -> None:
        attributes = {
            "RULE_ARN": delivery.source_arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_MESSAGE": reason,
            "RETRY_ATTEMPTS": str(delivery.attempts - 1),
        } | ({"ERROR_CODE": code} if code else {})
        if (delivery.target.get("DeadLetterConfig") or {}).get("Arn"):
            try:
                self._targets.send_to_dead_letter_queue(
                    delivery.target, delivery.payload, delivery.source_arn, attributes
                )
            except NotAuthorizedError as error:
                logger.warning("%s: %s", delivery.source_arn, error)
            except Exception:  # as on AWS, the event is dropped if the queue does not exist
                logger.exception("%s: an event is dropped", delivery.source_arn)
        self._end(delivery, "Invocations", "FailedInvocations")

    def _end(self, delivery: Delivery, *metrics: str) -> None:
        self._core.ledger.delete(_KIND, delivery.id)
        if ":rule/" in delivery.source_arn:
            self._metrics.count(delivery.account, delivery.region, delivery.rule, *metrics)
