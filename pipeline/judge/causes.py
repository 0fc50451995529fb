"""The false rollback rate, and the share of it that each cause of a rollback gets.

Two causes can stop a release that is no worse by chance alone: the judge's evidence and a guard
rail. Their shares sum to 1, so by the union bound the release as a whole keeps the configured rate.

All other causes have no share, because they are faults and not chance: the judge is silent or
blind, the service's counts contradict AWS's, or journeys fail through a service that should answer
nearly every request. The policies `undecided` and `incident` stop a release on purpose.
"Whole releases" in docs/canary.md measures how often each stops one that is no worse.
"""

from __future__ import annotations

RAILS_SHARE = 0.1
"""Share of the rate for all guard rails together."""
EVIDENCE_SHARE = 1 - RAILS_SHARE
"""Share of the rate for the judge's evidence, which needs -log10(0.9) = 0.05 more for it."""

_DIGITS = 12
"""Digits to which a rate is rounded: 0.009 and not 0.009000000000000001."""


def evidence_rate(false_rollback_rate: float) -> float:
    """Return the largest share of no worse releases that the evidence rolls back."""
    return round(false_rollback_rate * EVIDENCE_SHARE, _DIGITS)


def rails_rate(false_rollback_rate: float) -> float:
    """Return the largest share of no worse releases that the guard rails roll back."""
    return round(false_rollback_rate * RAILS_SHARE, _DIGITS)
