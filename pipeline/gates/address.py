"""The address of the deployed environment that a gate sends requests to."""

from __future__ import annotations

import os

from pipeline.gates.report.result import CouldNotRunError


def address() -> str:
    """Return the variable `URL`.

    Raises:
        CouldNotRunError: it is not set.
    """
    url = os.environ.get("URL")
    if not url:
        raise CouldNotRunError(
            "environment variable URL: nothing found; the address of a deployed API is allowed",
            next_step="set URL to an address that `pithead status` shows",
        )
    return url
