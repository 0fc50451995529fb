"""Whether the advisory service is reachable, and the override if it is not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from console.errors import ConsoleError
from console.release import overrides
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.supply_chain import program
from pipeline.gates.supply_chain.override import MAX_REASON_CHARACTERS

if TYPE_CHECKING:
    from console.aws.account import Aws

_OVERRIDE_PERIOD = timedelta(days=1)  # of the cloud's time


def not_run() -> str | None:
    """Return why pip-audit cannot run here, or None if it can.

    Raises:
        ConsoleError: it runs and refuses the checkout.
    """
    try:
        found = program.audit()
    except CouldNotRunError as error:
        return str(error)
    if found.status == "refused":
        raise ConsoleError(f"the gate supply_chain refuses this checkout: {found.sentence}")
    return None


def override(aws: Aws, why: str) -> None:
    """Grant the override that an operator grants during an outage."""
    reason = f"rehearsal without an advisory service: {why}"[:MAX_REASON_CHARACTERS]
    overrides.grant(aws, lasts=_OVERRIDE_PERIOD, reason=reason, by="pithead rehearse")
