"""The synthesis gate with a fake of the CDK CLI, which runs a small app."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.builds import inputs
from pipeline.gates import cdk, gate, synthesis
from pipeline.gates.report.result import CouldNotRunError

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
    """A checkout with an app, and a CLI on PATH."""
    folder, tools = tmp_path / "checkout", tmp_path / "bin"
    for each in (folder / "pipeline", folder / "service" / "app", tools):
        each.mkdir(parents=True)
    (tools / "cdk").write_text(CLI)
    (tools / "cdk").chmod(0o755)
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    for module in (cdk, synthesis):
        monkeypatch.setattr(module, "ROOT", folder)
    monkeypatch.setattr(synthesis, "ASSEMBLY", folder / "cdk.out")
    monkeypatch.delenv(inputs.PROVED, raising=False)
    return folder


@pytest.fixture
def app(root: Path) -> Callable[[str], None]:
    """Return a writer of the app's source."""

    def write(made: str) -> None:
        (root / "pipeline" / "app.py").write_text(APP.replace("made = {}", made))

    write("made = {}")
    return write


def _synthesis_count(root: Path) -> int:
    """Return how often the app was synthesised since the last call."""
    log = root / "asked"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return len(lines)


@pytest.fixture
def deployed(root: Path, app: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the checkout's own inputs, without context, those of the deployed pipeline."""
    monkeypatch.setenv(inputs.PROVED, inputs.digest(root, synthesis.given([])))


@pytest.mark.usefixtures("deployed")
def test_inputs_of_the_deployed_pipeline_are_synthesised_once(root: Path) -> None:
    outcome = synthesis.run([])
    assert outcome.status == "passed"
    assert outcome.details == {"files": 1, "how": "as those of the deployed pipeline did"}
    assert (root / "cdk.out" / "files.template.json").exists()
    assert _synthesis_count(root) == 1
    # The app's sources are copied unchanged, without bytecode.
    for path in ("service/app/main.py", "pipeline/app.pyc"):
        (root / path).write_text("1")
        synthesis.run([])
        assert _synthesis_count(root) == 1, path


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    "path",
    [
        "pipeline/names.py",
        "environments/prod.toml",
        "requirements/service.txt",
        "cdk.json",
        "cdk.context.json",
        "pyproject.toml",
    ],
)
def test_a_changed_input_is_synthesised_twice_each_time(root: Path, path: str) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("1")
    for _ in range(2):
        assert synthesis.run([]).details["how"] == "twice"
        assert _synthesis_count(root) == 2


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("pair", ["bundle=host", "connection-arn=mine", "signed=arn"])
def test_another_context_is_synthesised_twice(root: Path, pair: str) -> None:
    synthesis.run(["-c", pair])
    assert _synthesis_count(root) == 2


@pytest.mark.parametrize("digest", [None, "", "0" * 64])
def test_without_the_deployed_digest_it_is_synthesised_twice(
    root: Path,
    app: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    digest: str | None,
) -> None:
    if digest is not None:
        monkeypatch.setenv(inputs.PROVED, digest)
    synthesis.run([])
    assert _synthesis_count(root) == 2


@pytest.mark.usefixtures("deployed")
def test_an_unstable_change_to_a_verified_app_is_refused(
    root: Path, app: Callable[[str], None]
) -> None:
    app('made = {"A": time.time_ns()}')
    assert synthesis.run([]).findings[0].rule == "PH601"
    assert _synthesis_count(root) == 2


def test_a_file_left_by_a_build_does_not_prove_stability(
    root: Path, app: Callable[[str], None]
) -> None:
    left = root / ".cache" / "synthesis" / "proved"
    left.parent.mkdir(parents=True)
    left.write_text(inputs.digest(root, synthesis.given([])))
    synthesis.run([])
    assert _synthesis_count(root) == 2


def test_the_second_synthesis_reuses_the_firsts_bundles(
    root: Path, app: Callable[[str], None]
) -> None:
    """Bundles and bytecode cost more than all else, and were built by both."""
    app(
        """
made, built = {}, pathlib.Path("built")
with open("builds", "a") as log:
    log.write("" if built.exists() else "x")
built.touch()
"""
    )
    assert synthesis.run([]).status == "passed"
    assert (root / "builds").read_text() == "x"


def test_the_context_is_passed_on_and_has_a_connection_in_any_case(
    root: Path, app: Callable[[str], None]
) -> None:
    synthesis.run(["-c", "bundle=host", "--context", "a=b=c"])
    first, second = (root / "asked").read_text().splitlines()
    for asked in (first, second):
        assert "--context bundle=host --context a=b=c" in asked
        assert "--context connection-arn=arn:aws:codeconnections:" in asked
    _synthesis_count(root)
    synthesis.run(["-c", "connection-arn=mine"])
    assert "--context connection-arn=mine" in (root / "asked").read_text()


def test_files_of_an_earlier_synthesis_are_not_left(root: Path, app: Callable[[str], None]) -> None:
    (root / "cdk.out").mkdir()
    (root / "cdk.out" / "old.template.json").write_text("{}")
    assert synthesis.run([]).status == "passed"
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
def test_an_unstable_assembly_is_refused_and_not_cached(
    made: str, root: Path, app: Callable[[str], None], report: Callable[[str], dict[str, Any]]
) -> None:
    app(made)
    for _ in range(2):
        assert gate.main("synthesis", lambda: synthesis.run([])) == 1
        assert _synthesis_count(root) == 2
    sentence = report("synthesis")["sentence"]
    assert sentence.startswith("1 finding pithead-lint PH601 at cdk.out/files.template.json")
    assert "two syntheses of the same sources differ at Resources.A" in sentence


def test_an_error_of_the_app_is_reported_in_its_own_words(
    root: Path, app: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    app('print("more\\npithead: prod.toml is wrong\\nbye", file=sys.stderr); sys.exit(1)')
    outcome = synthesis.run([])
    assert outcome.status == "refused"
    assert outcome.sentence == "the app cannot be synthesised: prod.toml is wrong"
    assert "more\n" in capsys.readouterr().out
    app('print("pithead: cdk-nag found 2:\\nIAM5 at X\\nIAM5 at Y", file=sys.stderr); sys.exit(1)')
    assert synthesis.run([]).sentence.endswith(": cdk-nag found 2: IAM5 at X")


def test_cdk_nag_findings_are_counted_and_cannot_be_waived(
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
    assert gate.main("synthesis", lambda: synthesis.run([])) == 1
    found = report("synthesis")
    assert found["findings"] == 2
    assert (
        found["next"]
        == "fix each finding, or review it with its reason in pipeline/delivery/reviews.py"
    )
    gate.WAIVERS.write_text(
        '[[waiver]]\ngate = "synthesis"\nrule = "AwsSolutions-S1"\nsubject = "App/A"\n'
        'reason = "nobody reads it"\nowner = "ops"\nexpires = 2999-01-01\n'
    )
    assert gate.main("synthesis", lambda: synthesis.run([])) == 1
    assert report("synthesis")["waived"] == 1


def test_a_crashing_app_could_not_run(root: Path, app: Callable[[str], None]) -> None:
    app("1 / 0")
    with pytest.raises(CouldNotRunError, match="output is: ZeroDivisionError"):
        synthesis.run([])
    app("sys.exit(1)")
    with pytest.raises(CouldNotRunError, match="output is: nothing"):
        synthesis.run([])


def test_a_failing_second_synthesis_is_reported_as_such(
    root: Path, app: Callable[[str], None]
) -> None:
    app('sys.exit("no more" if "PYTHONHASHSEED" in os.environ else 0)')
    with pytest.raises(CouldNotRunError, match=r"second synthesis failed after .*: cdk synth"):
        synthesis.run([])


def test_without_the_cli_it_could_not_run(
    root: Path, app: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(CouldNotRunError, match="cdk is missing"):
        synthesis.run([])


def test_all_child_processes_end_with_the_gate(
    root: Path, app: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    app('pathlib.Path("begun").write_text(str(os.getpid())); time.sleep(600)')

    def interrupted(_self: cdk.Synthesis) -> None:
        while not (root / "begun").exists() or not (root / "begun").read_text():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(cdk.Synthesis, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        synthesis.run([])
    with pytest.raises(ProcessLookupError):
        os.kill(int((root / "begun").read_text()), 0)


def test_a_synthesis_has_a_timeout(
    root: Path, app: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    app("time.sleep(600)")
    monkeypatch.setattr(cdk, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(CouldNotRunError, match=r"cdk synth did not end within 0\.1 s"):
        synthesis.run([])
