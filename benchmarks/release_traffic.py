"""Simulate prod's releases minute by minute: shift, bake, and an incident that hits both versions.

The shift begins and ends in the middle of a minute, as real ones do. Requests arrive at random
(Poisson), go to a version at random, and are bad independently of each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.arrivals import SETTINGS
from benchmarks.cells import SECONDS

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

OBJECTIVES = tuple(SETTINGS.parameters.objectives)
CRASHES = "crashes"
"""The failures that Lambda counts as errors: the rail `function-errors` reads them."""
_CLIENT_ERRORS = 0.01
_SLOW_SHARE_OF_FAILED = 0.5
_CRASHED_SHARE_OF_FAILED = 0.5

_SHIFT_MINUTES, _SHARE = SETTINGS.shift.minutes, SETTINGS.shift.percent / 100
_BAKE_MINUTES = SETTINGS.bake_minutes + 1
"""The whole minutes of a bake: it ends up to a minute later than configured."""
COMPARED = slice(1, _SHIFT_MINUTES)
"""The whole minutes of the shift, which the judge compares."""
BAKED = slice(_SHIFT_MINUTES + 1, _SHIFT_MINUTES + 1 + _BAKE_MINUTES)
"""The whole minutes in which the new version alone serves."""
NEW_SHARES = np.array(
    [_SHARE / 2, *[_SHARE] * (_SHIFT_MINUTES - 1), (1 + _SHARE) / 2, *[1.0] * _BAKE_MINUTES]
)
"""The new version's share of the requests in each minute."""


@dataclass(frozen=True)
class Incident:
    """What both versions do alike in every minute of the release."""

    requests_per_second: int
    failing: float
    """Share of the requests that fail."""
    slow: float = 0.01
    """Share of the other requests that are slow."""


class Version(NamedTuple):
    """The counts of one version, each of shape (releases, minutes)."""

    requests: Integers
    bad: dict[str, Integers]
    """The bad requests by objective, and `CRASHES`."""


class Releases(NamedTuple):
    """Simulated releases that are no worse than the version before them."""

    new: Version
    old: Version


def simulate(incident: Incident, releases: int, chance: Generator) -> Releases:
    """Simulate releases in which both versions behave alike."""
    return Releases(
        _version(incident, NEW_SHARES, releases, chance),
        _version(incident, 1 - NEW_SHARES, releases, chance),
    )


def _version(
    incident: Incident, shares: NDArray[np.float64], releases: int, chance: Generator
) -> Version:
    mean = SECONDS * incident.requests_per_second * shares
    requests = chance.poisson(mean, (releases, len(shares)))
    failures = chance.binomial(requests, incident.failing)
    slow = chance.binomial(failures, _SLOW_SHARE_OF_FAILED) + chance.binomial(
        requests - failures, incident.slow
    )
    refused = chance.binomial(requests - failures, _CLIENT_ERRORS)
    bad = dict(zip(OBJECTIVES, (failures, slow, failures + refused), strict=True))
    return Version(requests, bad | {CRASHES: chance.binomial(failures, _CRASHED_SHARE_OF_FAILED)})
