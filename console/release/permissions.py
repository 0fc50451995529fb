"""Whether a release proved anything about permissions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from console.local import local_cloud

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODES = ("enforce", "soft")
"""What a local cloud does with a call of a role that IAM denies."""


def unproved(states: Sequence[Path]) -> str:
    """Return a sentence if the cloud that a command speaks to does not enforce IAM, else "".

    AWS always does.
    """
    running = local_cloud.find(*states)
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if running is None or (endpoint and endpoint != running.endpoint):
        return ""
    return sentence(running.iam)


def sentence(mode: str) -> str:
    """Return what a local cloud of this mode leaves unproved, or ""."""
    if mode == "enforce":
        return ""
    return (
        f"Nothing was proved about permissions: this local cloud runs with --iam {mode}, and AWS "
        "denies what no policy allows."
    )
