"""The IAM mode of a local cloud, and what a release under it does not prove."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from console.local import local_cloud

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODES = ("enforce", "soft")
"""A call of a role that IAM denies is rejected (`enforce`), or logged and answered (`soft`)."""


def unproved_permissions(states: Sequence[Path]) -> str:
    """Return a sentence if a command's cloud does not enforce IAM, else "".

    AWS always enforces it. `states` are the state folders of local clouds.
    """
    cloud = local_cloud.find(*states)
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if cloud is None or (endpoint and endpoint != cloud.endpoint):
        return ""
    return unproved_by(cloud.iam)


def unproved_by(mode: str) -> str:
    """Return a sentence on what a release under an IAM mode does not prove, or ""."""
    if mode == "enforce":
        return ""
    return (
        f"Nothing was proved about permissions: this local cloud runs with --iam {mode}, and AWS "
        "denies what no policy allows."
    )
