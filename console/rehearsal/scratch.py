"""The rehearsal's own clone of the checkout, in which it commits its acts."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from console.checkout import Checkout
from console.errors import ConsoleError

if TYPE_CHECKING:
    from pathlib import Path

    from console.rehearsal.acts import Act

_AUTHOR = ("-c", "user.name=Rehearsal", "-c", "user.email=rehearsal@localhost")


class Scratch:
    """A clone of a checkout's HEAD; the checkout and its branches are not modified."""

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        commit = checkout.commit("HEAD")
        _git(folder.parent, "clone", "--quiet", "--no-checkout", str(checkout.root), folder.name)
        _git(folder, "checkout", "--quiet", "-B", checkout.home().branch, commit)
        # Share the checkout's caches: the CDK CLI and the dependencies' zip.
        cache = checkout.root / ".cache"
        cache.mkdir(exist_ok=True)
        (folder / ".cache").symlink_to(cache)
        self.checkout = Checkout(folder)

    def commit(self, act: Act) -> str:
        """Commit an act's edits and return the commit id.

        Raises:
            ConsoleError: an edit does not fit.
        """
        for edit in act.edits:
            edit.apply(self.checkout.root)
        _git(self.checkout.root, *_AUTHOR, "commit", "--quiet", "--all", "--message", act.message)
        return self.checkout.commit("HEAD")

    def revert(self, commit: str) -> None:
        """Revert a commit by a new one."""
        _git(self.checkout.root, *_AUTHOR, "revert", "--no-edit", commit)


def _git(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ConsoleError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
