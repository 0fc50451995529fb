"""Pages of an answer; a `NextToken` is the number of what was answered before."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def begin(token: str | None) -> int:
    """Where the page of a token begins.

    Raises:
        ApiError: it is no token of ours.
    """
    if token is None:
        return 0
    if not token.isdecimal():
        raise ApiError("InvalidNextToken", f"The token {token!r} was not given out by this cloud")
    return int(token)


def page(items: Sequence[T], token: str | None, most: int) -> tuple[Sequence[T], dict[str, str]]:
    """The page of a token, and the `NextToken` of the answer where more follows."""
    first = begin(token)
    last = first + most
    return items[first:last], {"NextToken": str(last)} if len(items) > last else {}
