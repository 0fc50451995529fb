"""The commit that is built and released."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


class CommitError(Exception):
    """There is no commit."""


def commit() -> str:
    """CodeBuild's source version, else the checkout's HEAD.

    Raises:
        CommitError: this is neither a build nor a checkout.
    """
    resolved = os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION")
    if resolved:
        return resolved
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CommitError(f"{ROOT.name} is no git checkout with a commit; commit first")
    return done.stdout.strip()
