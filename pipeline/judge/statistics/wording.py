"""The sentences of a decision record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.judge.statistics.counts import Counts
from pipeline.judge.statistics.judging import line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.judge.statistics.judging import Judged, Outcome
    from pipeline.judge.statistics.periods import Discrepancy, Parameters, Period

_BAD_PHRASES = {
    "failures": "failed",
    "slow-requests": "were slow",
    "error-responses": "were answered with an error (4xx or 5xx)",
}


def rule(parameters: Parameters) -> str:
    """Return the rule as a sentence without a full stop."""
    return (
        f"Roll back when the evidence reaches {line(parameters):.2f}: this rolls back at most "
        f"{100 * parameters.false_rollback_rate:g} % of the releases whose odds of a bad request "
        f"are at most {parameters.tolerance:g} times those of the version before"
    )


def sentence(
    parameters: Parameters,
    periods: Sequence[Period],
    judged: Judged,
    outcome: Outcome,
    because: str = "",
    discrepancies: Sequence[Discrepancy] = (),
) -> str:
    """Return the reason for the verdict; `because` is CodeDeploy's reason for a stop."""
    counted = _counted(periods, judged.objective)
    if judged.verdict == "rollback":
        return f"The new version is worse: {_reached(parameters, counted, judged)}."
    if judged.verdict == "inconsistent":
        return f"The service's own counts cannot be trusted: {contradicted(discrepancies)}."
    if outcome == "stopped by another":
        return (
            f"Stopped, but not by the judge: {because.rstrip('.') or 'CodeDeploy gives no reason'}."
        )
    if judged.incident:
        then = "it was stopped" if parameters.incident == "stop" else "it continued"
        alike = "Both versions fail alike, which is no evidence against the new one"
        return f"{alike}: {counted}; {then}."
    if judged.verdict != "undecided":
        word = "better" if judged.verdict == "better" else "no worse"
        return f"The new version is {word}: {counted}."
    return _undecided(parameters, periods, judged, outcome, counted)


def _undecided(
    parameters: Parameters,
    periods: Sequence[Period],
    judged: Judged,
    outcome: Outcome,
    counted: str,
) -> str:
    if not any(each.counts[judged.objective].canary.requests for each in periods):
        return "Undecided: no request to the new version could be compared yet."
    needed = judged.requests_needed
    more = f"; a verdict needs about {needed} more requests to it" if needed else ""
    policy = {
        "promoted undecided": "; the environment's policy promotes it",
        "rolled back undecided": "; the environment's policy rolls it back",
    }.get(outcome, more)
    return f"Undecided: {_reached(parameters, counted, judged)}{policy}."


def _reached(parameters: Parameters, counted: str, judged: Judged) -> str:
    return f"{counted}; evidence {judged.strongest:z.2f} of {line(parameters):.2f}"


def contradicted(discrepancies: Sequence[Discrepancy]) -> str:
    """Return the contradicted counts as a sentence without a full stop."""
    return "; ".join(
        f"{f'version {each.version} reports' if each.version else 'the versions report'} "
        f"{each.reported} {each.what}, but {'Lambda' if each.version else 'API Gateway'} counts "
        f"{each.platform} (allowed difference: {each.allowed})"
        for each in discrepancies
    )


def _counted(periods: Sequence[Period], objective: str) -> str:
    canary = _sum([each.counts[objective].canary for each in periods])
    stable = _sum([each.counts[objective].stable for each in periods])
    what = _BAD_PHRASES.get(objective, "were bad")
    return f"{_share(canary)} of its requests {what}, and {_share(stable)} of the version before"


def _sum(counts: Sequence[Counts]) -> Counts:
    return Counts(sum(each.requests for each in counts), sum(each.failures for each in counts))


def _share(counts: Counts) -> str:
    share = f" ({counts.failures / counts.requests:.1%})" if counts.requests else ""
    return f"{counts.failures} of {counts.requests}{share}"
