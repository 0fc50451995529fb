"""Check the numbers of the rule."""

from __future__ import annotations

_MAX_ODDS_RATIO = 1000


def rate(name: str, found: float) -> None:
    """Check that a rate is above 0 and below 1.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(found, float) or not 0 < found < 1:
        raise ValueError(f"{name}: {found!r} found; allowed is a number above 0 and below 1")


def odds_ratios(tolerance: float, harmful: float) -> None:
    """Check the odds ratio up to which a canary is no worse, and the one from which it is harmful.

    Raises:
        ValueError: one is not between 1 and 1,000, or `harmful` is not above `tolerance`.
    """
    for name, found in (("tolerance", tolerance), ("harmful", harmful)):
        if type(found) not in {int, float} or not 1 <= found <= _MAX_ODDS_RATIO:
            raise ValueError(
                f"{name}: {found!r} found; allowed is an odds ratio from 1 to {_MAX_ODDS_RATIO}"
            )
    if harmful <= tolerance:
        raise ValueError(
            f"harmful: {harmful!r} found; allowed is an odds ratio above tolerance, {tolerance!r}"
        )
