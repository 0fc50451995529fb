from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Writes a line of cloud time for each attempt; fails as often as configured.
STUBBORN = """
def handler(event, context):
    with open(event["file"], "a") as file:
        print(context.aws_request_id, file=file)
        file.flush()
        if len(open(event["file"]).readlines()) <= event["failures"]:
            raise RuntimeError("not yet")
"""


@pytest.fixture
def attempts_in() -> Iterator[Path]:
    """Return a folder that a function can write to."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _event(path: Path, failures: int) -> dict[str, Any]:
    # The function writes nothing beside the cloud's state folder, which is in `path`.
    (path / "told").mkdir(exist_ok=True)
    return {"file": str(path / "told" / "attempts"), "failures": failures}


def _attempts(path: Path) -> list[str]:
    return (path / "told" / "attempts").read_text().splitlines()


@pytest.mark.parametrize(("failures", "attempts"), [(0, 1), (2, 3)])
def test_an_event_is_retried_until_it_succeeds(
    start: Any, attempts_in: Path, failures: int, attempts: int
) -> None:
    lambdas = start(speed=600)
    lambdas.create("stubborn", STUBBORN)
    begun = lambdas.server.cloud.clock.timestamp()
    answer, payload = lambdas.invoke(
        "stubborn", _event(attempts_in, failures), InvocationType="Event"
    )
    assert (answer["StatusCode"], payload) == (202, None)
    lambdas.metrics.wait_for(attempts, "Invocations", FunctionName="stubborn")
    assert lambdas.metrics.total("Errors", FunctionName="stubborn") == failures
    # One minute before the second attempt and two before the third.
    passed = lambdas.server.cloud.clock.timestamp() - begun
    assert passed >= {0: 0, 2: 180}[failures]
    assert len(_attempts(attempts_in)) == attempts
    assert len(set(_attempts(attempts_in))) == 1


def test_an_event_that_fails_every_attempt_is_dropped_and_logged(
    start: Any, attempts_in: Path
) -> None:
    lambdas = start(speed=600)
    lambdas.create("stubborn", STUBBORN)
    lambdas.client.put_function_event_invoke_config(FunctionName="stubborn", MaximumRetryAttempts=1)
    lambdas.invoke("stubborn", _event(attempts_in, 9), InvocationType="Event")
    lambdas.written.wait_for("/aws/lambda/stubborn", "was dropped: it failed 2 times")
    assert len(_attempts(attempts_in)) == 2
    assert lambdas.server.cloud.ledger.all("functions:event") == []


def test_a_throttled_event_is_retried_later(start: Any, attempts_in: Path) -> None:
    lambdas = start(speed=600)
    lambdas.create("stubborn", STUBBORN)
    lambdas.client.put_function_concurrency(FunctionName="stubborn", ReservedConcurrentExecutions=0)
    lambdas.invoke("stubborn", _event(attempts_in, 0), InvocationType="Event")
    with lambdas.metrics.arrived:
        assert lambdas.metrics.arrived.wait_for(
            lambda: lambdas.metrics.total("Throttles", FunctionName="stubborn") >= 1, timeout=60
        )
    lambdas.client.delete_function_concurrency(FunctionName="stubborn")
    lambdas.metrics.wait_for(1, "Invocations", FunctionName="stubborn")


def test_an_event_survives_a_restart(start: Any, attempts_in: Path) -> None:
    lambdas = start(speed=1)
    lambdas.create("stubborn", STUBBORN)
    lambdas.invoke("stubborn", _event(attempts_in, 1), InvocationType="Event")
    lambdas.metrics.wait_for(1, "Errors", FunctionName="stubborn")
    lambdas.server.stop()
    lambdas = start(speed=6000)
    lambdas.metrics.wait_for(1, "Invocations", FunctionName="stubborn")
    assert len(set(_attempts(attempts_in))) == 1
    assert len(_attempts(attempts_in)) == 2


def test_destinations_are_refused(lambdas: Any) -> None:
    lambdas.create("plain", "")
    with pytest.raises(lambdas.client.exceptions.InvalidParameterValueException) as refused:
        lambdas.client.put_function_event_invoke_config(
            FunctionName="plain",
            DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:1:q"}},
        )
    assert "destinations are not part of the local cloud" in str(refused.value)
