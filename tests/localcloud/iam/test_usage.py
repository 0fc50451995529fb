"""The record of actions that roles used, which never fails a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.clock import Clock
from localcloud.core.ledger import Ledger
from localcloud.core.storage import FullDiskError
from localcloud.iam.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::111111111111:role/r"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def test_a_full_disk_loses_only_the_usage_record(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = Usage(ledger, Clock())

    def refuse(*_given: Any) -> None:
        raise FullDiskError

    with monkeypatch.context() as full:
        full.setattr(ledger, "put", refuse)
        usage.record(ROLE, "ssm:GetParameter", "eu-west-1")
    assert usage.of(ROLE) == []
    usage.record(ROLE, "ssm:GetParameter", "eu-west-1")
    assert [each.action for each in Usage(ledger, Clock()).of(ROLE)] == ["ssm:GetParameter"]
