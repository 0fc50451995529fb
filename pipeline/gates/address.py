"""The address of the deployed environment that a gate sends requests to."""

from __future__ import annotations

import os

from pipeline.gates.report.result import CouldNotRunError


def address() -> str:
    """Return the value of the variable `URL`.

    Raises:
        CouldNotRunError: the variable is not set.
    """
    url = os.environ.get("URL")
    if not url:
        raise CouldNotRunError(
            "variable URL: nothing found; allowed is the address of a deployed API",
            next_step="set URL to an address that `pithead status` shows",
        )
    return url
