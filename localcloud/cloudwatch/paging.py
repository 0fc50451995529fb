"""Pages of an answer; a `NextToken` is the number of items on earlier pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def begin(token: str | None) -> int:
    """Return the index of the first item of a token's page.

    Raises:
        ApiError: the token is invalid.
    """
    if token is None:
        return 0
    if not token.isdecimal():
        raise ApiError("InvalidNextToken", f"The token {token!r} is not a NextToken of this cloud")
    return int(token)


def page(items: Sequence[T], token: str | None, most: int) -> tuple[Sequence[T], dict[str, str]]:
    """Return the page of a token, and the `NextToken` if more items follow."""
    first = begin(token)
    last = first + most
    return items[first:last], {"NextToken": str(last)} if len(items) > last else {}
