"""Restore objects in memory after the disk rejects a write."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def restored_on_error(*objects: object) -> Iterator[None]:
    """Restore the attributes of objects if the block raises."""
    before = [dict(vars(each)) for each in objects]
    try:
        yield
    except BaseException:
        for each, attributes in zip(objects, before, strict=True):
            vars(each).clear()
            vars(each).update(attributes)
        raise
