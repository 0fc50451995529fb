"""Check in git's history whether one commit contains another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.checkout import Checkout

_COMMIT = re.compile(r"[0-9a-f]{4,64}")


class Lineage(Protocol):
    """The relation of commits."""

    def contains(self, later: str, earlier: str) -> bool:
        """Whether `later` is `earlier` or descends from it.

        Raises:
            ConsoleError: one of them is not known.
        """
        ...


class CheckoutLineage:
    """`Lineage` by a checkout, which fetches the released branch for a commit that it lacks."""

    def __init__(self, checkout: Checkout, url: Callable[[], str], branch: str) -> None:
        """`url` returns the git URL of the pipeline's repository."""
        self._checkout = checkout
        self._url = url
        self._branch = branch
        self._known: dict[tuple[str, str], bool] = {}

    def contains(self, later: str, earlier: str) -> bool:
        """See `Lineage.contains`."""
        if later == earlier:
            return True
        if (later, earlier) not in self._known:
            for commit in (later, earlier):
                self._require(commit)
            self._known[later, earlier] = self._checkout.is_ancestor(earlier, later)
        return self._known[later, earlier]

    def _require(self, commit: str) -> None:
        if _COMMIT.fullmatch(commit) is None:
            raise ConsoleError(f"{commit!r} is no commit's id; expected hexadecimal digits")
        if self._checkout.has(commit):
            return
        self._checkout.fetch(self._url(), self._branch)
        if not self._checkout.has(commit):
            raise ConsoleError(
                f"commit {commit[:7]} is neither in this checkout nor in the history of "
                f"{self._branch}; fetch the branch that has it, and try again"
            )
