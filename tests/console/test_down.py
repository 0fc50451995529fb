"""`pithead down` during a release, against CodePipeline's answers that a test sets."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest

from console import cli
from console.errors import ConsoleError
from console.local import local_cloud
from console.local.local_cloud import Running

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNING = Running("http://127.0.0.1:1", "http://127.0.0.1:2", 1, 60.0, "s")


class Terminal(io.StringIO):
    """An stdin that a person types into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stopped(aws: Any, folder: Any, monkeypatch: pytest.MonkeyPatch) -> list[Running]:
    """A local cloud runs; the list holds it once it is stopped."""
    found: list[Running] = []
    monkeypatch.setattr(local_cloud, "find", lambda *_: RUNNING)
    monkeypatch.setattr(local_cloud, "stop", found.append)
    monkeypatch.setattr("console.commands.down.AwsSession", lambda _: aws)
    return found


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def run(*arguments: str, typed: str | None = None) -> int:
        monkeypatch.setattr(sys, "argv", ["pithead", "down", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
        return cli.main()

    return run


@pytest.fixture
def released(pipeline: Any) -> None:
    """A release is in staging."""
    pipeline.execution("e-1", 10, commit="c" * 40)
    pipeline.stage("e-1", "Source", 10, 12)
    pipeline.action("e-1", "staging", "Load", 12, 20, status="InProgress")


def test_without_a_release_it_stops(
    down: Callable[..., int], stopped: list[Running], pipeline: Any
) -> None:
    pipeline.execution("e-1", 10, commit="c" * 40, status="Succeeded")
    assert down() == 0
    assert stopped == [RUNNING]


def test_before_there_is_a_pipeline_it_stops(
    down: Callable[..., int], stopped: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_aws: Any) -> None:
        raise ConsoleError("there is no pipeline pithead yet")

    monkeypatch.setattr("console.commands.down.history", missing)
    assert down() == 0
    assert stopped == [RUNNING]


@pytest.mark.usefixtures("released")
class TestDuringARelease:
    def test_where_nobody_can_answer_it_stops_nothing(
        self,
        down: Callable[..., int],
        stopped: list[Running],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert down() == 1
        told = capsys.readouterr().err
        assert "execution e-1, commit ccccccc in stage staging" in told
        assert "the next start rolls back a traffic shift" in told
        assert told.endswith(
            "Next: wait for it with pithead release, or run pithead down --force\n"
        )
        assert stopped == []

    @pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
    def test_on_a_terminal_it_asks(
        self, typed: str, code: int, down: Callable[..., int], stopped: list[Running]
    ) -> None:
        assert down(typed=typed) == code
        assert stopped == ([RUNNING] if code == 0 else [])

    def test_by_force_it_asks_nothing(
        self,
        down: Callable[..., int],
        stopped: list[Running],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert down("--force") == 0
        assert stopped == [RUNNING]
        assert "release" not in capsys.readouterr().err
