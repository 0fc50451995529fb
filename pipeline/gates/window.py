"""Check that no freeze of prod's environment file is active."""

from __future__ import annotations

import sys

from botocore.exceptions import BotoCoreError, ClientError

from environments.schema import Environment, load
from pipeline.gates import aws
from pipeline.gates.gate import main
from pipeline.gates.report.result import CouldNotRunError, GateResult


def run(environment: Environment | None = None) -> GateResult:
    """Compare AWS's time with the freezes.

    Raises:
        CouldNotRunError: AWS's time cannot be read.
    """
    prod = environment or load("prod")
    try:
        answer = aws.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(f"AWS's time cannot be read: {error}") from error
    now = aws.answered_at(answer)
    freeze = prod.frozen_at(now)
    if freeze:
        return GateResult(
            "refused",
            f"prod is frozen until {freeze.until.isoformat()}: {freeze.reason}",
        )
    return GateResult("passed", f"no freeze is active at {now.isoformat()}")


if __name__ == "__main__":
    sys.exit(main("window", run))
