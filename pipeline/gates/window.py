"""May a release to prod begin now: no freeze of the environment file lasts."""

from __future__ import annotations

import sys
from email.utils import parsedate_to_datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from environments.schema import Environment, load, load_home
from pipeline.gates.gate import CouldNotRunError, Outcome, run


def judge(environment: Environment | None = None) -> Outcome:
    """Hold AWS's own time against the freezes; a builder's clock may be wrong.

    Raises:
        CouldNotRunError: AWS did not tell the time.
    """
    prod = environment or load("prod")
    try:
        answer = boto3.client("sts", region_name=load_home().region).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(f"AWS did not tell the time: {error}") from error
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    freeze = prod.frozen_at(now)
    if freeze:
        return Outcome(
            "refused",
            f"prod is frozen until {freeze.until.isoformat()}: {freeze.reason}; "
            "release again then, or change environments/prod.toml",
        )
    return Outcome("passed", f"no freeze lasts at {now.isoformat()}")


if __name__ == "__main__":
    sys.exit(run("window", judge))
