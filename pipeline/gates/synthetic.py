"""Run a few journeys against staging, whose address is in variable `URL`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from environments.schema import load
from pipeline.gates import lambda_throttles, throttling
from pipeline.gates.address import address
from pipeline.gates.gate import main
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.journeys.journey import run_journey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from environments.gates import Synthetic
    from pipeline.journeys.journey import Journey

_ENVIRONMENT = "staging"
_JOURNEY_COUNT = 3
"""One journey could miss an occasional failure, or be slow because of a cold start."""


def run() -> GateResult:
    """Run the journeys against staging.

    Raises:
        CouldNotRunError: there is no URL, nothing answers there, or a request was throttled.
    """
    url = address()
    staging = load(_ENVIRONMENT)
    synthetic = staging.synthetic
    if synthetic is None:
        raise CouldNotRunError(
            "environments/staging.toml: synthetic: nothing found; the table is required. Add it "
            "with seconds, the longest time of a journey"
        )
    explain = partial(
        throttling.require_unthrottled,
        name=_ENVIRONMENT,
        environment=staging,
        watch=lambda_throttles.EnvironmentWatch(_ENVIRONMENT, staging),
    )
    return examine(url, synthetic, explain)


def examine(url: str, limits: Synthetic, explain: Callable[[int, str], None]) -> GateResult:
    """Run journeys one after another until one fails.

    `explain` gets a status with which API Gateway itself answered and the sentence of the failure;
    it raises an error if the request was throttled.

    Raises:
        CouldNotRunError: nothing answers, or a request was throttled.
    """
    journeys: list[Journey] = []
    for number in range(1, _JOURNEY_COUNT + 1):
        journey = run_journey(url, limits.seconds)
        journeys.append(journey)
        failure = journey.failure
        if failure and not journey.answered:
            raise CouldNotRunError(f"nothing answers at {url}: {failure.found}")
        if failure:
            sentence = f"journey {number} of {_JOURNEY_COUNT}: {failure.sentence}"
            if failure.gateway_status:
                explain(failure.gateway_status, sentence)
            return GateResult("refused", sentence, _details(journeys))
    slowest = max(each.milliseconds for each in journeys)
    return GateResult(
        "passed",
        f"{_JOURNEY_COUNT} journeys against {url}, the slowest in {slowest} ms",
        _details(journeys),
    )


def _details(journeys: Sequence[Journey]) -> dict[str, Any]:
    return {"journeys": [asdict(each) for each in journeys]}


if __name__ == "__main__":
    sys.exit(main("synthetic", run))
