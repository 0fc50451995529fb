"""Run by the integration gate against a deployed environment, whose address is in `URL`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import httpx2
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.deployed


@pytest.fixture(scope="module")
def api() -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=os.environ["URL"], timeout=30, trust_env=False) as client:
        yield client


def test_it_runs_the_commit_that_is_promoted(api: httpx2.Client) -> None:
    promoted = os.environ["CODEBUILD_RESOLVED_SOURCE_VERSION"]
    assert api.get("version").json()["commit"] == promoted


def test_it_squares_a_number(api: httpx2.Client) -> None:
    assert api.get("squares", params={"number": 12}).json() == {"number": 12, "square": 144}
