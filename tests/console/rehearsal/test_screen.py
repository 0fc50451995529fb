"""The rehearsal's display while acts run."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from console.rehearsal.screen import RehearsalScreen
from console.rehearsal.traffic import Served
from service.delivery.rehearsal import ACTS


@pytest.fixture
def output() -> StringIO:
    return StringIO()


def _shown(screen: RehearsalScreen) -> str:
    drawn = Console(file=StringIO(), width=110, color_system=None)
    drawn.print(screen._render())
    assert isinstance(drawn.file, StringIO)
    return drawn.file.getvalue()


def test_a_running_act_is_not_listed_as_pending(output: StringIO) -> None:
    screen = RehearsalScreen(ACTS, Console(file=output, force_terminal=True, width=110))
    with screen.opening("opening: c0ffee is installed"):
        shown = _shown(screen)
    assert shown.startswith("opening: c0ffee is installed")
    assert "to come: good-release, bad-release, pipeline-change, refused-release" in shown
    with screen.playing(ACTS[0], "c0ffee" + 34 * "0", lambda: Served(120, 3)):
        shown = _shown(screen)
    assert shown.startswith(f"good-release: c0ffee0 {ACTS[0].message}")
    assert "customers of prod: 120 requests, 3 failed" in shown
    assert "to come: bad-release, pipeline-change, refused-release" in shown
    for act in ACTS[1:]:
        with screen.playing(act, 40 * "1", Served):
            shown = _shown(screen)
    assert "to come" not in shown


def test_without_a_terminal_each_act_is_printed(output: StringIO) -> None:
    screen = RehearsalScreen(ACTS, Console(file=output, width=110))
    with screen.opening("opening: c0ffee is installed"):
        pass
    with screen.playing(ACTS[0], 40 * "1", Served):
        pass
    first, second = output.getvalue().splitlines()
    assert first.endswith("opening: c0ffee is installed")
    assert second.endswith(f"good-release: 1111111 {ACTS[0].message}")
