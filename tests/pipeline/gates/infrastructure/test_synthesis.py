"""The gate that synthesises; a small program stands in for the CDK CLI, and runs a small app."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates import cdk, gate, synthesis
from pipeline.gates.gate import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLI = f"""#!{sys.executable}
import os, runpy, sys
os.environ["CDK_OUTDIR"] = sys.argv[sys.argv.index("--output") + 1]
os.makedirs(os.environ["CDK_OUTDIR"])
with open("asked", "a") as log:
    print(" ".join(sys.argv[1:]), file=log)
runpy.run_path("pipeline/app.py", run_name="__main__")
"""
APP = """
import json, os, pathlib, sys, time
folder = pathlib.Path(os.environ["CDK_OUTDIR"])
made = {}
(folder / "files.template.json").write_text(json.dumps({"Resources": made}))
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an app, and with a CLI on the path."""
    folder, tools = tmp_path / "checkout", tmp_path / "bin"
    for each in (folder / "pipeline", folder / "service", tools):
        each.mkdir(parents=True)
    (tools / "cdk").write_text(CLI)
    (tools / "cdk").chmod(0o755)
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    for module in (cdk, synthesis):
        monkeypatch.setattr(module, "ROOT", folder)
    monkeypatch.setattr(synthesis, "ASSEMBLY", folder / "cdk.out")
    monkeypatch.setattr(synthesis, "PROVED", folder / ".cache" / "synthesis" / "proved")
    return folder


@pytest.fixture
def app(root: Path) -> Callable[[str], None]:
    """Writes the app, with what it makes."""

    def write(made: str) -> None:
        (root / "pipeline" / "app.py").write_text(APP.replace("made = {}", made))

    write("made = {}")
    return write


def _asked(root: Path) -> int:
    """How often the app was synthesised since this was last asked."""
    log = root / "asked"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return len(lines)


def test_sources_that_were_seen_to_be_stable_are_synthesised_once(
    root: Path, app: Callable[[str], None]
) -> None:
    assert synthesis.judge([]).status == "passed"
    assert (root / "cdk.out" / "files.template.json").exists()
    assert _asked(root) == 2
    assert synthesis.judge([]).details == {"files": 1, "how": "as it was seen to for these sources"}
    assert _asked(root) == 1
    # The service's own sources are copied as they are.
    (root / "service" / "app.py").write_text("1")
    synthesis.judge([])
    assert _asked(root) == 1
    for path in ("pipeline/names.py", "cdk.json", "pyproject.toml"):
        (root / path).write_text("1")
        synthesis.judge([])
        assert _asked(root) == 2, path
    synthesis.judge(["-c", "bundle=host"])
    assert _asked(root) == 2


def test_the_context_is_passed_on_and_has_a_connection_in_any_case(
    root: Path, app: Callable[[str], None]
) -> None:
    synthesis.judge(["-c", "bundle=host", "--context", "a=b=c"])
    first, second = (root / "asked").read_text().splitlines()
    for asked in (first, second):
        assert "--context bundle=host --context a=b=c" in asked
        assert "--context connection-arn=arn:aws:codeconnections:" in asked
    _asked(root)
    synthesis.judge(["-c", "connection-arn=mine"])
    assert "--context connection-arn=mine" in (root / "asked").read_text()


def test_files_of_an_earlier_synthesis_are_not_left(root: Path, app: Callable[[str], None]) -> None:
    (root / "cdk.out").mkdir()
    (root / "cdk.out" / "old.template.json").write_text("{}")
    assert synthesis.judge([]).status == "passed"
    assert not (root / "cdk.out" / "old.template.json").exists()


@pytest.mark.parametrize(
    "made",
    [
        'made = {"A": time.time_ns()}',
        'made = {"A": os.urandom(8).hex()}',
        'made = {"A": list({str(each) for each in range(30)})}',
        'made = {"A": os.environ["CDK_OUTDIR"]}',
        'made = {"A": os.urandom(20).hex()}; (folder / ("asset." + made["A"])).write_text("x")',
    ],
)
def test_what_changes_by_itself_is_refused_and_not_remembered(
    made: str, root: Path, app: Callable[[str], None], report: Callable[[str], dict[str, Any]]
) -> None:
    app(made)
    for _ in range(2):
        assert gate.run("synthesis", lambda: synthesis.judge([])) == 1
        assert _asked(root) == 2
    sentence = report("synthesis")["sentence"]
    assert sentence.startswith("1 finding pithead-lint PH601 at cdk.out/files.template.json")
    assert "two syntheses of the same sources differ at Resources.A" in sentence


def test_an_app_that_refuses_is_told_in_its_own_sentence(
    root: Path, app: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    app('print("more\\npithead: prod.toml is wrong\\nbye", file=sys.stderr); sys.exit(1)')
    outcome = synthesis.judge([])
    assert outcome.status == "refused"
    assert outcome.sentence == "the app cannot be synthesised: prod.toml is wrong"
    assert "more\n" in capsys.readouterr().out
    app('print("pithead: cdk-nag found 2:\\nIAM5 at X\\nIAM5 at Y", file=sys.stderr); sys.exit(1)')
    assert synthesis.judge([]).sentence.endswith(": cdk-nag found 2: IAM5 at X")


def test_what_cdk_nag_found_is_counted_and_no_waiver_passes_it(
    root: Path, app: Callable[[str], None], report: Callable[[str], dict[str, Any]]
) -> None:
    violation = {
        "ruleName": "AwsSolutions-S1",
        "description": "no logs",
        "violatingConstructs": [{"constructPath": "App/A"}, {"constructPath": "App/B"}],
    }
    document = {"pluginReports": [{"violations": [violation]}]}
    app(
        f"""
(folder / "validation-report.json").write_text(json.dumps({document!r}))
print("pithead: cdk-nag found 2", file=sys.stderr)
sys.exit(1)
"""
    )
    assert gate.run("synthesis", lambda: synthesis.judge([])) == 1
    found = report("synthesis")
    assert found["findings"] == 2
    assert found["next"] == "fix each finding, or review it with its reason in pipeline/nag.py"
    gate.WAIVERS.write_text(
        '[[waiver]]\ngate = "synthesis"\nrule = "AwsSolutions-S1"\nsubject = "App/A"\n'
        'reason = "nobody reads it"\nowner = "ops"\nexpires = 2999-01-01\n'
    )
    assert gate.run("synthesis", lambda: synthesis.judge([])) == 1
    assert report("synthesis")["waived"] == 1


def test_an_app_that_breaks_is_no_verdict(root: Path, app: Callable[[str], None]) -> None:
    app("1 / 0")
    with pytest.raises(CouldNotRunError, match="last word was: ZeroDivisionError"):
        synthesis.judge([])
    app("sys.exit(1)")
    with pytest.raises(CouldNotRunError, match="last word was: nothing"):
        synthesis.judge([])


def test_a_second_synthesis_that_fails_is_told_as_that(
    root: Path, app: Callable[[str], None]
) -> None:
    app('sys.exit("no more" if "PYTHONHASHSEED" in os.environ else 0)')
    with pytest.raises(
        CouldNotRunError, match="the first time it did not fail, but then: cdk synth"
    ):
        synthesis.judge([])


def test_without_the_cli_it_could_not_run(
    root: Path, app: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(CouldNotRunError, match="cdk is missing"):
        synthesis.judge([])


def test_whatever_was_started_ends_with_it(root: Path, app: Callable[[str], None]) -> None:
    """The first synthesis fails as soon as the second one has begun."""
    app(
        f"""
begun = pathlib.Path("{root}/begun")
if "PYTHONHASHSEED" in os.environ:
    begun.with_suffix(".new").write_text(str(os.getpid()))
    begun.with_suffix(".new").rename(begun)
    time.sleep(600)
while not begun.exists():
    time.sleep(0.01)
sys.exit("no")
"""
    )
    with pytest.raises(CouldNotRunError, match="last word was: no"):
        synthesis.judge([])
    with pytest.raises(ProcessLookupError):
        os.kill(int((root / "begun").read_text()), 0)


def test_a_synthesis_has_so_long(
    root: Path, app: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    app("time.sleep(600)")
    monkeypatch.setattr(cdk, "SECONDS", 0.1)
    with pytest.raises(CouldNotRunError, match=r"cdk synth did not end within 0\.1 s"):
        synthesis.judge([])
