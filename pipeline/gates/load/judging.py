"""Measure staging, hold it against its limits, and against the release promoted last."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from environments.schema import load
from pipeline.gates.findings import Finding
from pipeline.gates.gate import CouldNotRunError, Outcome
from pipeline.gates.load import generator, promoted
from pipeline.gates.load.limits import attend, details, refusal, summary
from pipeline.gates.load.measured import ALL
from pipeline.gates.load.plan import Plan
from pipeline.gates.load.regression import (
    RUNS,
    Pair,
    growths,
    is_blind,
    regressions,
    suspected,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.gates import Load
    from pipeline.gates.load.measured import Measured
    from pipeline.gates.load.regression import Growth

_ENVIRONMENT = "staging"
_TOOLS = ("locust",)


def judge() -> Outcome:
    """Measure and judge staging.

    `URL` is its API, `PROMOTED_URL` the API of the release promoted last, and `PROMOTED_ALIAS`
    the ARN of the alias behind that.

    Raises:
        CouldNotRunError: one of them is missing; or it could not be measured, or not be compared.
    """
    url, beside, alias_arn = (_given(name) for name in ("URL", "PROMOTED_URL", "PROMOTED_ALIAS"))
    environment = load(_ENVIRONMENT)
    if environment.load is None:
        raise CouldNotRunError(
            f"environments/{_ENVIRONMENT}.toml: load: nothing found; give the limits"
        )
    commit = promoted.commit()
    if commit is None:
        return alone(url, environment.load, "nothing was promoted before")
    if not promoted.serve(commit, alias_arn, beside, _ENVIRONMENT, environment):
        why = f"{_ENVIRONMENT} has no version of {commit[:7]}, promoted last, to compare with"
        return alone(url, environment.load, why)
    return compared(url, beside, commit, environment.load)


def _given(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CouldNotRunError(
            f"environment variable {name}: nothing found; give the output of {_ENVIRONMENT}'s stack"
        )
    return value


def alone(url: str, limits: Load, why: str) -> Outcome:
    """Hold a release against its limits, where there is none to compare it with.

    Raises:
        CouldNotRunError: it could not be measured.
    """
    (seen,) = _measure([url], limits)
    reason = refusal(seen, limits)
    if reason:
        return Outcome("refused", reason, details(seen))
    return Outcome.of_findings((), f"{summary(seen)}; {why}", details(seen), _TOOLS)


def compared(url: str, beside: str, commit: str, limits: Load) -> Outcome:
    """Measure a release beside the one promoted last; again where it seems to be slower.

    Raises:
        CouldNotRunError: it could not be measured, or not be compared.
    """
    runs: list[Pair] = []
    while True:
        seen, other = _measure([url, beside], limits)
        reason = refusal(seen, limits)
        if reason:
            return Outcome("refused", reason, details(seen))
        if other.failures.total() > limits.max_failure_share * other.requests:
            return _broken(other, commit, seen)
        runs.append(Pair(seen, other))
        found = growths(runs)
        slower = regressions(found, limits.comparison)
        blind = not slower and is_blind(runs, limits.comparison)
        again = not slower and (blind or suspected(found, limits.comparison))
        if not again or len(runs) == RUNS:
            break
    if blind:
        raise CouldNotRunError(
            f"could not compare: in {len(runs)} runs a release that takes twice as long as "
            f"{commit[:7]}, promoted last, could not have been told from chance; send more "
            "requests, or give them a quieter machine"
        )
    about = {"since": commit, "runs": len(runs), "compared": [asdict(each) for each in found]}
    return Outcome.of_findings(
        (_regression(each, commit, runs) for each in slower),
        f"{summary(seen)}; {_beside(found, commit, waived=bool(slower))}",
        details(seen) | about,
        _TOOLS,
    )


def _measure(addresses: Sequence[str], limits: Load) -> list[Measured]:
    plan = Plan.of(limits)
    seen = generator.measure(addresses, plan)
    for each in seen:
        attend(each, plan)
    return seen


def _regression(growth: Growth, commit: str, runs: Sequence[Pair]) -> Finding:
    quantile = _name(growth)
    seen = "one run" if len(runs) == 1 else f"{len(runs)} runs"
    return Finding(
        "locust",
        f"{quantile}-regression",
        f"{quantile} is {growth.now:.0f} ms, and {growth.before:.0f} ms in {commit[:7]}, promoted "
        f"last and sent the same in the same seconds ({growth.now / growth.before - 1:+.0%} in "
        f"{seen}, by chance with a probability of {growth.p_value:.2g})",
        subject=growth.name,
    )


def _broken(other: Measured, commit: str, seen: Measured) -> Outcome:
    """The earlier release fails where it is served now: a release changed what both stand on."""
    reason, count = other.failures.most_common(1)[0]
    finding = Finding(
        "locust",
        "not-compared",
        f"{commit[:7]}, promoted last, cannot be compared with: of {other.requests} requests to it "
        f"{other.failures.total()} failed ({count} {reason}); waive this if it is to be so",
        subject=commit[:7],
    )
    clean = f"{summary(seen)}; not compared with {commit[:7]}, promoted last"
    return Outcome.of_findings([finding], clean, details(seen), _TOOLS)


def _beside(found: Sequence[Growth], commit: str, *, waived: bool) -> str:
    """What was seen of all requests, in one clause; a regression is passed over if it is waived."""
    seen = ", ".join(
        f"{_name(each)} {each.now:.0f} to {each.before:.0f} ms"
        for each in found
        if each.name == ALL
    )
    slower = "slower, as is waived," if waived else "no slower"
    return f"{slower} than {commit[:7]}, promoted last, in the same seconds ({seen})"


def _name(growth: Growth) -> str:
    return f"p{100 * growth.quantile:.0f}"
