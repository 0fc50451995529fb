"""Which gates there are, and what each needs to have an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Gate:
    """A program `python -m pipeline.gates.NAME`."""

    name: str
    needs: Literal["", "URL", "AWS"] = ""
    """Nothing but the checkout; the address of a deployed environment in `URL`; or AWS itself."""
    passing: bool = False
    """Whether what it finds is gone once it is deployed: its waivers may wait unused."""


GATES = (
    Gate("unit"),
    Gate("synthesis"),
    Gate("changes", "AWS", passing=True),
    Gate("security"),
    Gate("supply_chain"),
    Gate("infrastructure"),
    Gate("integration", "URL"),
    Gate("dynamic", "URL"),
    Gate("load", "URL"),
    Gate("synthetic", "URL"),
    Gate("attest", "AWS"),
    Gate("provenance", "AWS"),
    Gate("window", "AWS"),
)
"""In the order of a release."""
NAMES = tuple(each.name for each in GATES)
PASSING = frozenset(each.name for each in GATES if each.passing)
