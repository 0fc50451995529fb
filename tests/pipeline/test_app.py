"""Errors that stop the app's synthesis, and their messages."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import aws_cdk as cdk
import pytest

from environments import schema
from pipeline import app
from pipeline.builds import bundle
from pipeline.delivery import nag
from pipeline.gates.supply_chain import sbom
from pipeline.gates.template import validation

if TYPE_CHECKING:
    from pathlib import Path


def _refusal(context: dict[str, str]) -> str:
    with pytest.raises((app.AppError, bundle.BundleError, schema.EnvironmentFileError)) as refused:
        app.synthesise(cdk.App(context=context))
    return str(refused.value)


def test_a_missing_connection_is_an_error(context: dict[str, str]) -> None:
    assert _refusal(context | {"connection-arn": ""}).startswith(
        "context key connection-arn: nothing found; give the ARN of the CodeConnections connection"
    )


def test_an_unknown_bundle_is_named(context: dict[str, str]) -> None:
    assert _refusal(context | {"bundle": "windows"}) == (
        "context key bundle: found 'windows'; allowed are linux-arm64 (AWS) and host (this machine)"
    )


def test_an_invalid_environment_file_stops_synthesis(
    context: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "environments"
    shutil.copytree(schema.FOLDER, folder)
    path = folder / "prod.toml"
    path.write_text(path.read_text().replace("percent = 10", "percent = 100"))
    monkeypatch.setattr(app, "load_all", lambda: schema.load_all(folder))
    assert _refusal(context) == (
        "environments/prod.toml: shift.percent: found 100; input should be less than or equal to 99"
    )


def test_an_error_is_one_sentence_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_app: cdk.App) -> None:
        raise app.AppError("what was wrong")

    monkeypatch.setattr(app, "synthesise", refuse)
    assert app.main() == 1
    assert capsys.readouterr() == ("", "pithead: what was wrong\n")


def test_an_unreviewed_finding_stops_synthesis(
    context: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = nag.NagResult((("AwsSolutions-X", "Pithead/Y", "do not"),), ())
    monkeypatch.setattr(nag, "check", lambda _app, _reviews: found)
    monkeypatch.setattr(app, "DeliveryStack", lambda *_a, **_k: None)
    monkeypatch.setattr(bundle, "build", lambda _platform: tmp_path)
    monkeypatch.setattr(sbom, "write", lambda *_arguments: tmp_path)
    with pytest.raises(app.AppError, match="cdk-nag found 1; fix each finding, or review it in"):
        app.synthesise(cdk.App(context=context, outdir=str(tmp_path / "out")))
    (finding,) = validation.of_refusal(tmp_path / "out")
    assert (finding.rule, finding.subject) == ("AwsSolutions-X", "Pithead/Y")
    assert (finding.severity, finding.message) == ("error", "do not")
