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
from pipeline.gates.load.limits import added, attend, blame, details, refusal, summary
from pipeline.gates.load.plan import Plan
from pipeline.gates.load.regression import growths, regressions

if TYPE_CHECKING:
    from environments.gates import Load
    from pipeline.gates.load.measured import Measured
    from pipeline.gates.load.promoted import Promoted
    from pipeline.gates.load.regression import Growth

_TOOLS = ("locust",)


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
    """Measure a release, and once more where it seems to be slower than the one before.

    A neighbour on the machine comes and goes, and a slower release stays slower.

    Raises:
        CouldNotRunError: it could not be measured, or not be compared.
    """
    with ThreadPoolExecutor(max_workers=1) as aside:
        asked = aside.submit(promoted.last, _way(limits))  # answered before Locust has even started
        seen = _measure(url, limits)
        before = asked.result()
    first = _outcome(seen, before, limits)
    if not first.findings:
        return first
    suspected = {each.subject for each in first.findings}
    again = _outcome(_measure(url, limits), before, limits)
    return again.left_with(each for each in again.findings if each.subject in suspected)


def _outcome(seen: Measured, before: Promoted | str, limits: Load) -> Outcome:
    reason = refusal(seen, limits)
    if reason:
        return Outcome("refused", reason, details(seen))
    if isinstance(before, str):
        return Outcome.of_findings((), f"{summary(seen)}; {before}", details(seen), _TOOLS)
    found = growths(before.measured, seen)
    slower = regressions(found, limits.comparison)
    if any(each.now - each.before <= added(seen, 0.95) for each in slower):
        raise CouldNotRunError(f"could not compare: {blame(seen, limits)}")
    return Outcome.of_findings(
        (_finding(each, before.commit) for each in slower),
        f"{summary(seen)}; no slower than {before.commit[:7]}, promoted last",
        details(seen) | {"since": before.commit, "compared": [asdict(each) for each in found]},
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


def _finding(growth: Growth, commit: str) -> Finding:
    return Finding(
        "locust",
        "p95-regression",
        f"p95 was {growth.before:.0f} ms in {commit[:7]}, promoted last, and is "
        f"{growth.now:.0f} ms ({growth.now / growth.before - 1:+.0%}, by chance with a "
        f"probability of {growth.p_value:.2g})",
        subject=growth.name,
    )
