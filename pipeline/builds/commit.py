"""Find the commit that is built and released."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


class CommitError(Exception):
    """There is no commit."""


def commit() -> str:
    """Return CodeBuild's source version, or else HEAD of the checkout.

    Raises:
        CommitError: there is neither a build nor a git checkout.
    """
    resolved = os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION")
    if resolved:
        return resolved
    return _resolved("HEAD", ROOT)


def tree(folder: str, root: Path = ROOT) -> str:
    """Return the id of a folder's git tree in the commit of a checkout.

    Raises:
        CommitError: there is no commit, or no such folder in it.
    """
    return _resolved(f"HEAD:{folder}", root)


def _resolved(revision: str, root: Path) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", revision],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CommitError(
            f"{root.name}: found no git checkout with a commit that has {revision}; commit first"
        )
    return done.stdout.strip()
