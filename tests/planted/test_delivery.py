"""The delivery without faults: what it does, so that each planted fault is the only cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery


def test_a_release_reaches_the_target_account(delivery: Delivery) -> None:
    released = delivery.release()
    assert released.status == "Succeeded", released.failed
    assert "published " in released.build_log
    deployed = released.deployment()
    assert deployed["status"] == "Succeeded"
    assert delivery.alias() == {"version": deployed["version"], "weights": {}}
