"""The delivery without faults, so that each planted fault is the only cause of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.planted.policies import TOOLING
from tests.planted.target import TOPIC

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery


def test_an_event_starts_a_release_that_reaches_the_target_account(delivery: Delivery) -> None:
    delivery.deploy()
    delivery.push()
    execution = delivery.announce()
    assert execution, delivery.buried()
    released = delivery.ended(execution)
    assert released.status == "Succeeded", released.failed
    assert "published " in released.build_log
    deployed = released.deployment()
    assert deployed["status"] == "Succeeded"
    assert delivery.alias() == {"version": deployed["version"], "weights": {}}
    assert delivery.logged("delivery-notice", "released", TOOLING)


def test_an_alarm_reaches_its_topic(delivery: Delivery) -> None:
    delivery.deploy()
    with delivery.alarming() as action:
        assert action["HistorySummary"] == f"Successfully executed action {TOPIC}"
