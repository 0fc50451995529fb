"""What the numbers of the rule may be, and the sentence for one that is not."""

from __future__ import annotations

_MOST = 1000


def rate(name: str, found: float) -> None:
    """A share of 1 that is neither nothing nor all.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(found, float) or not 0 < found < 1:
        raise ValueError(f"{name}: {found!r} found; allowed is a number above 0 and below 1")


def odds_ratios(tolerance: float, harmful: float) -> None:
    """The odds ratio up to which a canary is no worse, and the one from which it is harmful.

    Raises:
        ValueError: one is no such number, or they are out of order.
    """
    for name, found in (("tolerance", tolerance), ("harmful", harmful)):
        if type(found) not in {int, float} or not 1 <= found <= _MOST:
            raise ValueError(f"{name}: {found!r} found; allowed is an odds ratio from 1 to {_MOST}")
    if harmful <= tolerance:
        raise ValueError(
            f"harmful: {harmful!r} found; allowed is an odds ratio above tolerance, {tolerance!r}"
        )
