from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline.served import Served


@pytest.fixture
def service() -> Iterator[Served]:
    """The service on a real server."""
    with serve() as served:
        yield served
