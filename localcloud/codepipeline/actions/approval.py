"""The manual approval action."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from localcloud.codepipeline.model import ActionError

if TYPE_CHECKING:
    from localcloud.codepipeline.actions.running import Running

_LONGEST = 7 * 24 * 60  # minutes of the cloud


def approval(running: Running) -> None:
    """Wait for `PutApprovalResult`, seven days or as long as the action says."""
    token = running.record.token or str(uuid.uuid4())
    answered = threading.Event()
    if not running.record.token:
        running.note(token=token, summary=running.configuration.get("CustomData", ""))
    running.service.runner.approvals[token] = answered
    minutes = float(running.action.get("timeoutInMinutes") or _LONGEST)
    clock = running.cloud.clock
    left = running.record.started + minutes * 60 - clock.timestamp()
    with running.halt.waking(answered):
        # The answer may be there by now, or from before the local cloud stopped.
        if not running.record.answer:
            clock.wait(left, answered)
    running.service.runner.approvals.pop(token, None)
    if not running.record.answer:
        running.halt.check()
        raise ActionError(f"The approval action timed out after {minutes:g} minutes")
    if running.record.answer != "Approved":
        raise ActionError(f"Rejected: {running.record.summary}")
