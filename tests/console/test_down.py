"""`pithead down` during a release, with stubbed responses of CodePipeline."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest

from console import cli
from console.errors import ConsoleError
from console.local import local_cloud
from console.local.local_cloud import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.console.fakes import FakeAws, FakePipeline

CLOUD = LocalCloud("http://127.0.0.1:1", "http://127.0.0.1:2", 1, 60.0, "s")


class Terminal(io.StringIO):
    """An stdin that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stopped(aws: FakeAws, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[LocalCloud]:
    """Run a local cloud; the list contains it after it is stopped."""
    found: list[LocalCloud] = []
    monkeypatch.setattr(local_cloud, "find", lambda *_: CLOUD)
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
def released(pipeline: FakePipeline) -> None:
    """A release that is in stage staging."""
    pipeline.execution("e-1", 10, commit="c" * 40)
    pipeline.stage("e-1", "Source", 10, 12)
    pipeline.action("e-1", "staging", "Load", 12, 20, status="InProgress")


def test_without_a_release_the_local_cloud_stops(
    down: Callable[..., int], stopped: list[LocalCloud], pipeline: FakePipeline
) -> None:
    pipeline.execution("e-1", 10, commit="c" * 40, status="Succeeded")
    assert down() == 0
    assert stopped == [CLOUD]


def test_without_a_pipeline_the_local_cloud_stops(
    down: Callable[..., int], stopped: list[LocalCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_aws: Any) -> None:
        raise ConsoleError("there is no pipeline pithead yet")

    monkeypatch.setattr("console.commands.down.history", missing)
    assert down() == 0
    assert stopped == [CLOUD]


@pytest.mark.usefixtures("released")
class TestDuringARelease:
    def test_without_a_terminal_nothing_is_stopped(
        self,
        down: Callable[..., int],
        stopped: list[LocalCloud],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert down() == 1
        printed = capsys.readouterr().err
        assert "execution e-1, commit ccccccc in stage staging" in printed
        assert "the next start rolls back a traffic shift" in printed
        assert printed.endswith(
            "Next: wait for it with pithead release, or run pithead down --force\n"
        )
        assert stopped == []

    @pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
    def test_on_a_terminal_the_answer_decides(
        self, typed: str, code: int, down: Callable[..., int], stopped: list[LocalCloud]
    ) -> None:
        assert down(typed=typed) == code
        assert stopped == ([CLOUD] if code == 0 else [])

    def test_force_stops_without_a_question(
        self,
        down: Callable[..., int],
        stopped: list[LocalCloud],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert down("--force") == 0
        assert stopped == [CLOUD]
        assert "release" not in capsys.readouterr().err
