"""Measure staging, hold it against its limits, and against the last promoted release."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from environments.schema import load
from pipeline.gates import gate
from pipeline.gates.findings import Finding
from pipeline.gates.gate import CouldNotRunError, Outcome
from pipeline.gates.load import generator, promoted
from pipeline.gates.load.limits import attend, details, refusal, summary
from pipeline.gates.load.plan import Plan
from pipeline.gates.load.regression import growths, noise, regressions, suspected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.gates import Load
    from pipeline.gates.load.measured import Measured
    from pipeline.gates.load.regression import Growth

_TOOLS = ("locust",)
_MOST = 3
"""Measurements of a release that seems to be slower in each of them."""


def judge() -> Outcome:
    """Measure and judge staging.

    Raises:
        CouldNotRunError: there is no URL; or it could not be measured, or not be compared.
    """
    url = os.environ.get("URL")
    if not url:
        raise CouldNotRunError("environment variable URL: nothing found; give the API's address")
    limits = load("staging").load
    if limits is None:
        raise CouldNotRunError("environments/staging.toml: load: nothing found; give the limits")
    return examine(url, limits)


def examine(url: str, limits: Load) -> Outcome:
    """Measure a release, and again where it seems to be slower than the one before.

    A neighbour on the machine comes and goes, and a slower release stays slower: the first
    measurement in which it is no slower clears it.

    Raises:
        CouldNotRunError: it could not be measured, or not be compared.
    """
    with ThreadPoolExecutor(max_workers=1) as aside:
        asked = aside.submit(promoted.last, _way(limits))  # answered before Locust has even started
        runs = [_measure(url, limits)]
        before = asked.result()
    while True:
        seen = runs[-1]
        reason = refusal(seen, limits)
        if reason:
            return Outcome("refused", reason, details(seen))
        if isinstance(before, str):
            return Outcome.of_findings((), f"{summary(seen)}; {before}", details(seen), _TOOLS)
        found = growths(before.measured, runs)
        if len(runs) == _MOST or not suspected(found, limits.comparison):
            return _compared(found, before.commit, seen, limits)
        runs.append(_measure(url, limits))


def _compared(found: Sequence[Growth], commit: str, seen: Measured, limits: Load) -> Outcome:
    """What the growths say; `seen` is the last run."""
    slower = regressions(found, limits.comparison)
    certain = [each for each in slower if not each.is_hidden]
    if slower and not certain:
        raise CouldNotRunError(
            f"could not compare: at {slower[0].name}, {_change(slower[0], commit)}, but the "
            f"noise of the machine may be {max(slower[0].noise):.0f} ms of it; give the load "
            f"generator a quieter machine, or more workers than {limits.workers}"
        )
    least = max(limits.comparison.min_growth_ms, noise(seen))
    return Outcome.of_findings(
        (
            Finding("locust", "p95-regression", _change(each, commit), subject=each.name)
            for each in certain
        ),
        f"{summary(seen)}; no slower than {commit[:7]}, promoted last, within {least:.0f} ms",
        details(seen) | {"since": commit, "compared": [asdict(each) for each in found]},
        _TOOLS,
    )


def _measure(url: str, limits: Load) -> Measured:
    plan = Plan.of(limits)
    seen = generator.measure(url, plan)
    attend(seen, plan)
    text = promoted.record(_way(limits), seen)
    (gate.REPORTS / promoted.REPORT).write_text(text, encoding="utf-8")
    return seen


def _way(limits: Load) -> str:
    """Of the measurement: plan, profile and generator, as a SHA-256."""
    files = [generator.PROFILE, *sorted(Path(__file__).parent.glob("*.py"))]
    parts = [Plan.of(limits).text(), *(each.read_text(encoding="utf-8") for each in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _change(growth: Growth, commit: str) -> str:
    now = min(growth.now)
    return (
        f"p95 was {growth.before:.0f} ms in {commit[:7]}, promoted last, and is at least "
        f"{now:.0f} ms in each of {len(growth.now)} runs ({now / growth.before - 1:+.0%}, by "
        f"chance with a probability of {growth.p_value:.2g})"
    )
