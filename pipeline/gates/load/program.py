"""Measure staging, and compare it with its limits and with the release promoted last."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from environments.schema import load
from pipeline.gates.lambda_throttles import EnvironmentWatch
from pipeline.gates.load import generator, promoted, throttled
from pipeline.gates.load.assessment import Assessment
from pipeline.gates.load.limits import (
    FAILURES,
    TOOL,
    exceeded_in_every_run,
    is_generator_starved,
    limit_finding,
    machine,
    require_all_requests,
    sentences,
)
from pipeline.gates.load.measurement import ALL, Measurement
from pipeline.gates.load.plan import Plan
from pipeline.gates.load.regression import RUNS, Pair
from pipeline.gates.load.summary import details, summary
from pipeline.gates.load.throttled import Throttled
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.names import ALIAS, PROMOTED

if TYPE_CHECKING:
    from environments.gates import Load
    from environments.schema import Environment
    from pipeline.gates.load.regression import Growth

_ENVIRONMENT = "staging"
_PROMOTED_TO = "prod"
_TOOLS = (TOOL,)
Explain = Callable[[Mapping[str, Sequence[Measurement]]], Throttled | None]
"""Returns the throttling that explains the failures of runs; see `throttled.explain`."""


def run() -> GateResult:
    """Measure and assess staging.

    The variable `URL` is its API, `PROMOTED_URL` the API of the release promoted last, and
    `PROMOTED_ALIAS` the ARN of the alias behind it.

    Raises:
        CouldNotRunError: a variable is missing, or staging could not be measured or compared.
    """
    url, beside, alias_arn = (_given(name) for name in ("URL", "PROMOTED_URL", "PROMOTED_ALIAS"))
    environment, prod = load(_ENVIRONMENT), load(_PROMOTED_TO)
    if environment.load is None:
        raise CouldNotRunError(
            f"environments/{_ENVIRONMENT}.toml: load: nothing found; the table is required. Add "
            "it with the limits"
        )
    commit = promoted.commit(_PROMOTED_TO, prod)
    explain = explanation(environment, environment.load)
    if commit is None:
        return alone(url, environment.load, "nothing was promoted before", explain)
    if not promoted.serve(commit, alias_arn, beside, _ENVIRONMENT, environment):
        why = f"{_ENVIRONMENT} has no version of {commit[:7]}, promoted last, to compare with"
        return alone(url, environment.load, why, explain)
    return compared(url, beside, commit, environment.load, explain)


def explanation(environment: Environment, limits: Load) -> Explain:
    """Return the function that explains failures by throttling from now on."""
    watch = EnvironmentWatch(_ENVIRONMENT, environment)
    return partial(
        throttled.explain,
        max_failure_share=limits.max_failure_share,
        name=_ENVIRONMENT,
        environment=environment,
        watch=watch,
    )


def _given(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CouldNotRunError(
            f"variable {name}: nothing found; set it to the output of {_ENVIRONMENT}'s stack"
        )
    return value


def alone(url: str, limits: Load, why: str, explain: Explain) -> GateResult:
    """Compare a release with its limits only, if there is no release to compare it with.

    A run within the limits passes. Any other run is repeated; the release is refused only if the
    generator had enough processor time.

    Raises:
        CouldNotRunError: the release could not be measured, or AWS throttled it.
    """
    runs: list[Measurement] = []
    while True:
        (seen,) = _measure([url], limits)
        runs.append(seen)
        exceeded = exceeded_in_every_run(runs, limits)
        if not exceeded or len(runs) == RUNS:
            break
    findings = [limit_finding(each) for each in exceeded]
    if cause := explain({ALIAS: runs}):
        raise cause.error(findings)
    fails = any(each[-1].rule == FAILURES for each in exceeded)
    if exceeded and not fails and all(is_generator_starved(each, limits) for each in runs):
        raise CouldNotRunError(
            f"could not measure: {sentences(exceeded)} in each of {len(runs)} runs, and "
            f"{machine(seen, limits)}"
        )
    return GateResult.of_findings(findings, f"{summary(seen)}; {why}", details(seen), _TOOLS)


def compared(url: str, beside: str, commit: str, limits: Load, explain: Explain) -> GateResult:
    """Measure a release next to the one promoted last; repeat it if it seems to be slower.

    Raises:
        CouldNotRunError: the release could not be measured or compared, or AWS throttled it.
    """
    runs: list[Pair] = []
    while True:
        seen, other = _measure([url, beside], limits)
        runs.append(Pair(seen, other))
        assessment = Assessment.of(runs, limits)
        if assessment.is_settled or len(runs) == RUNS:
            break
    findings = [
        *(_regression(each, commit, runs) for each in assessment.slower),
        *assessment.attributed,
    ]
    sides = {
        ALIAS: [each.release for each in runs],
        PROMOTED: [each.promoted for each in runs],
    }
    if cause := explain(sides):
        raise cause.error(findings)
    if assessment.broken:
        return _broken(assessment, commit, seen)
    assessment.require_proof(runs, commit, limits)
    found = assessment.growths
    about = {"since": commit, "runs": len(runs), "compared": [asdict(each) for each in found]}
    return GateResult.of_findings(
        findings,
        f"{summary(seen)}; {_beside(found, commit, waived=bool(assessment.slower))}",
        details(seen) | about,
        _TOOLS,
    )


def _measure(addresses: Sequence[str], limits: Load) -> list[Measurement]:
    plan = Plan.of(limits)
    seen = generator.measure(addresses, plan)
    for each in seen:
        require_all_requests(each, plan)
    return seen


def _regression(growth: Growth, commit: str, runs: Sequence[Pair]) -> Finding:
    quantile = _name(growth)
    seen = "one run" if len(runs) == 1 else f"{len(runs)} runs"
    return Finding(
        TOOL,
        f"{quantile}-regression",
        f"{quantile} is {growth.now:.0f} ms, and {growth.before:.0f} ms in {commit[:7]}, promoted "
        f"last and measured at the same time ({growth.now / growth.before - 1:+.0%} in "
        f"{seen}, by chance with a probability of {growth.p_value:.2g})",
        subject=growth.name,
    )


def _broken(assessment: Assessment, commit: str, seen: Measurement) -> GateResult:
    """Refuse because the release promoted last fails too often here: a shared resource changed.

    A waiver of this finding does not excuse the limits that the release itself exceeds.
    """
    finding = Finding(
        TOOL,
        "not-compared",
        f"{commit[:7]}, promoted last, cannot be compared with: {assessment.broken}; waive this if "
        "the release is meant to break it",
        subject=commit[:7],
    )
    own = [limit_finding(each) for each in assessment.exceeded]
    clean = f"{summary(seen)}; not compared with {commit[:7]}, promoted last"
    return GateResult.of_findings([finding, *own], clean, details(seen), _TOOLS)


def _beside(found: Sequence[Growth], commit: str, *, waived: bool) -> str:
    """Return the comparison of all requests in one clause; a regression in it is a waived one."""
    seen = ", ".join(
        f"{_name(each)} {each.now:.0f} to {each.before:.0f} ms"
        for each in found
        if each.name == ALL
    )
    slower = "slower (waived)" if waived else "no slower"
    return f"{slower} than {commit[:7]}, promoted last, at the same time ({seen})"


def _name(growth: Growth) -> str:
    return f"p{100 * growth.quantile:.0f}"
