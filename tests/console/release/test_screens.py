from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, get_args

import pytest
from rich.console import Console

from console.aws.addresses import Address
from console.aws.request_counts import RequestCounts
from console.errors import ConsoleError
from console.local import toolchain
from console.local.toolchain import Cdk
from console.progress import Steps
from console.release.canary import Canary
from console.release.executions import Action, Execution, Stage
from console.release.next_step import NextStep
from console.release.promotion import Outcome
from console.release.screen import ReleaseScreen
from console.release.snapshot import Snapshot
from console.release.summary import explain
from console.words import duration
from pipeline.judge.statistics.judging import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console.release.promotion import Ending
    from pipeline.judge.statistics.record import Record

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def action(name: str, began: float, ended: float, status: str = "Succeeded") -> Action:
    return Action(name, "CodeBuild", status, at(began), at(ended), "", "")


FIRST = Execution(
    "aaaaaaaa-1", "Cancelled", "", "c0ffee", rollback=False, started=at(0), updated=at(60)
)
SECOND = Execution(
    "bbbbbbbb-2",
    "InProgress",
    "",
    "c0ffee",
    rollback=False,
    started=at(60),
    updated=at(60),
    stages=(
        Stage("Build", "Succeeded", (action("Synth", 60, 120),), at(60), at(120)),
        Stage(
            "prod",
            "InProgress",
            (action("Prepare", 120, 180), action("Deploy", 180, 660, "InProgress")),
            at(120),
        ),
        Stage("later", "NotStarted"),
    ),
)
CANARY = Canary(
    environment="prod",
    deployment_id="d-1",
    status="InProgress",
    began=at(180),
    current_version="2",
    target_version="3",
    weights=((1.0, 10.0), (300.0, 100.0)),
    traffic=RequestCounts(812, 17, 79, 17),
    bake_began=at(480),
)


def snapshot() -> Snapshot:
    return Snapshot((FIRST, SECOND), CANARY, at(600), 10.0, 60.0)


def paper(*, terminal: bool) -> tuple[Console, StringIO]:
    out = StringIO()
    return Console(file=out, force_terminal=terminal, width=110, color_system=None), out


def test_a_terminal_shows_stages_and_traffic() -> None:
    console, out = paper(terminal=True)
    screen = ReleaseScreen("release of c0ffee Better", console)
    with screen.showing():
        screen.show(snapshot())
    # Control sequences erase the live display; the last one is printed again.
    shown = " ".join(out.getvalue().rsplit("release of c0ffee Better", 1)[-1].split())
    for line in (
        "updated the pipeline, which restarted with the same commit",
        "✓ Build 1.0 s",
        "bake: watching the alarms",
        "version 2 → 3 ━━━━━━━━━━━━━━━━━━━━ 100 % requests 812, on the new version 79 (17 failed)",
    ):
        assert line in shown
    assert "· later" in shown


def test_the_last_display_stays_after_an_interrupt() -> None:
    console, out = paper(terminal=True)
    screen = ReleaseScreen("release of c0ffee", console)

    def leave() -> None:
        with screen.showing():
            screen.show(snapshot())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    erase_line = "\x1b[2K"
    assert "bake: watching the alarms" in out.getvalue().rsplit(erase_line, 1)[1]


def test_durations_are_shown_once_the_pace_is_known() -> None:
    console, out = paper(terminal=False)
    screen = ReleaseScreen("release of c0ffee", console)
    with screen.showing():
        screen.show(replace(snapshot(), pace=1.0, is_first=True))
        screen.show(snapshot())
    (line,) = (line for line in out.getvalue().splitlines() if "Build" in line)
    assert line.endswith("  Build: Succeeded")


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        (((80, 40), (720, 0)), "of 2.05 rollback"),
        (((80, 0), (720, 0)), "judge evidence ━━━━━━━━━━━━━━━━━━━━ 0.00 of 2.05 undecided"),
        (((80, 40), (720, 360)), "of 2.05 undecided both versions fail alike"),
    ],
)
def test_the_evidence_is_shown_with_its_limit(
    decided: Callable[..., Record], counts: tuple[tuple[int, int], tuple[int, int]], shown: str
) -> None:
    console, out = paper(terminal=True)
    judged = replace(CANARY, record=decided(*counts))
    screen = ReleaseScreen("release of c0ffee", console)
    with screen.showing():
        screen.show(replace(snapshot(), canary=judged))
    assert shown in " ".join(out.getvalue().split())


def test_a_file_gets_each_change_once(decided: Callable[..., Record]) -> None:
    console, out = paper(terminal=False)
    judged = replace(snapshot(), canary=replace(CANARY, record=decided((80, 0))))
    screen = ReleaseScreen("release of c0ffee", console)
    with screen.showing():
        screen.show(snapshot())
        screen.show(judged)
        screen.show(judged)
    lines = [line.split("s  ", 1)[-1] for line in out.getvalue().splitlines()]
    assert lines == [
        "release of c0ffee",
        "execution aaaaaaaa-1: Cancelled",
        "execution bbbbbbbb-2: InProgress",
        "Build: Succeeded after 1.0 s",
        "prod: InProgress",
        "prod: version 3 has 100 % of the traffic (d-1)",
        "prod: bake: watching the alarms",
        "prod: judged 1 min: evidence 0.00 of 2.05, undecided",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_shift_after_the_end_of_its_execution_is_shown(terminal: bool) -> None:
    console, out = paper(terminal=terminal)
    screen = ReleaseScreen("release of c0ffee", console)
    with screen.showing():
        screen.show(replace(snapshot(), moving="prod"))
    assert "the execution has ended, but traffic in prod still shifts" in out.getvalue()


@pytest.mark.parametrize(
    ("ending", "words"),
    [("promoted", "promoted"), ("rolled_back", "rolled back"), ("refused", "refused")],
)
def test_the_summary_has_the_reason_and_the_durations(
    decided: Callable[..., Record], ending: Ending, words: str
) -> None:
    prod = Stage(
        "prod",
        "Succeeded",
        (action("Prepare", 120, 180), action("Deploy", 180, 660)),
        at(120),
        at(660),
    )
    last = Execution(
        "bbbbbbbb-2",
        "Succeeded",
        "",
        "c0ffee",
        rollback=False,
        started=at(60),
        updated=at(660),
        stages=(SECOND.stages[0], prod, SECOND.stages[2]),
    )
    outcome = Outcome(
        ending=ending,
        sentence="because of [this]",
        commit="c0ffee" * 6,
        executions=(FIRST, last),
        gate=None,
        reports=(),
        canary=replace(CANARY, status="Succeeded", completed=at(660), record=decided((80, 0))),
        at=at(660),
        wall=11.0,
        pace=60.0,
    )
    console, out = paper(terminal=False)
    prod_address = Address("prod", "http://localhost/prod/", "version 2 of commit decaf00")
    step = NextStep("git revert --no-edit c0ffee", "takes [it] back")
    explain(outcome, console, addresses=[prod_address], steps=[step])
    shown = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert f"c0ffeec {words}: because of [this]." in shown
    # Sentences of other outcomes include the reason.
    assert any(line.startswith("The judge: Undecided") for line in shown) == (ending == "promoted")
    assert any(line.startswith("The release changed the pipeline. Its bake") for line in shown)
    assert shown[-14:] == [
        "until the pipeline had updated itself 1.0 9%",
        "Build 1.0 9%",
        "prod 9.0 82%",
        "Prepare 1.0 9%",
        "Deploy 5.0 45%",
        "bake 3.0 27%",
        "between stages 0.0 0%",
        "release 11.0",
        "By the cloud's clock, which is 60 times as fast, the release took 11 m 00 s.",
        "",
        "prod http://localhost/prod/ version 2 of commit decaf00, shift d-1",
        "",
        "Next steps",
        "git revert --no-edit c0ffee # takes [it] back",
    ]


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 m 00 s"), (125, "2 m 05 s"),
        (3599.7, "1 h 00 m"), (3840, "1 h 04 m"),
    ],
)  # fmt: skip
def test_a_duration_is_formatted(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_a_step_is_printed_at_its_begin_and_at_its_end_unless_it_fails() -> None:
    console, out = paper(terminal=False)
    steps = Steps(console)
    with steps.step("bootstrap"):
        assert out.getvalue().split() == ["bootstrap", "…"]
    assert out.getvalue().splitlines()[1].startswith("✓ bootstrap 0.")
    with pytest.raises(ZeroDivisionError), steps.step("impossible"):
        _ = 1 / 0
    assert "✓ impossible" not in out.getvalue()


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("noise\npithead: environments/prod.toml: x: found 1\nSubprocess exited", "environments"),
        ("noise\n ❌  Pithead failed: ValidationError: no\nat stack", "Pithead failed: Validation"),
        ("", "its log is empty"),
    ],
)
def test_an_error_of_the_cdk_cli_becomes_a_sentence(
    output: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "cdk.log"
    log.write_text(output)
    assert toolchain._error_message(log).startswith(sentence)
    monkeypatch.setattr(toolchain, "_SCRIPTS", tmp_path)
    with pytest.raises(ConsoleError, match=r"found no node\. Run make setup"):
        Cdk(tmp_path).run(["deploy"], cwd=tmp_path, variables={}, log=log)


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_each_verdict_has_a_colour(verdict: Verdict, decided: Callable[..., Record]) -> None:
    record = replace(decided(), verdict=verdict)
    console, out = paper(terminal=True)
    screen = ReleaseScreen("release", console)
    with screen.showing():
        screen.show(replace(snapshot(), canary=replace(CANARY, record=record)))
    assert f"of 2.05  {verdict}" in out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_refused_shift_is_shown(terminal: bool, decided: Callable[..., Record]) -> None:
    record = replace(decided(), outcome="refused as condemned before", periods=(), evidence=())
    refused = replace(CANARY, status="Failed", weights=(), record=record)
    console, out = paper(terminal=terminal)
    screen = ReleaseScreen("release", console)
    with screen.showing():
        screen.show(replace(snapshot(), canary=refused))
    assert "prod: the judge refused version 3, which it condemned before" in out.getvalue()
