"""The integration tests, run by their gate with the service on a real server."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import boto3
import pytest
import uvicorn

from pipeline.gates import integration, unit
from pipeline.gates.gate import main
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.testing import suite
from service.app.main import create_app
from service.app.settings import Settings
from service.app.storage import S3Storage
from tests.pipeline.gates.watch import FakeWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "c" * 40


@pytest.fixture(scope="module")
def deployed(moto: str) -> Iterator[str]:
    s3 = boto3.client(
        "s3",
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    s3.create_bucket(Bucket="files")
    app = create_app(Settings(bucket="files", commit=COMMIT), S3Storage("files", s3))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()


def test_the_service_passes(deployed: str, monkeypatch: pytest.MonkeyPatch, reports: Path) -> None:
    monkeypatch.setenv("URL", deployed)
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", COMMIT)
    assert main("integration", integration.run) == 0
    report = json.loads((reports / "integration.json").read_text())
    assert report["sentence"] == f"3 tests against {deployed}"


def test_another_commit_than_the_promoted_one_refuses(
    deployed: str, monkeypatch: pytest.MonkeyPatch, reports: Path
) -> None:
    monkeypatch.setenv("URL", deployed)
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "d" * 40)
    assert main("integration", integration.run) == 1
    report = json.loads((reports / "integration.json").read_text())
    assert report["sentence"].startswith(
        "1 of 3 tests failed: test_it_runs_the_commit_that_is_promoted: AssertionError: assert "
    )
    assert report["sentence"].endswith(f" against {deployed}")


def test_the_first_of_many_failed_tests_are_named_with_reasons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("service/app", "environments"):
        (tmp_path / "tests" / folder).mkdir(parents=True)
    bodies = ["assert 1 == 2, 'odd'", "raise OSError", "[][0]", "assert None", "pass"]
    text = "\n".join(f"def test_{index}(): {body}" for index, body in enumerate(bodies))
    (tmp_path / "tests" / "service" / "app" / "test_many.py").write_text(text)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    assert unit.run().sentence == (
        "4 of 5 tests failed: test_0: AssertionError: odd; test_1: OSError; "
        "test_2: IndexError: list index out of range; and 1 more"
    )


def test_a_run_without_tests_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tests" / "service" / "integration"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text("import pytest\n@pytest.mark.skip\ndef test(): pass\n")
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setenv("URL", "http://127.0.0.1:1/")
    with pytest.raises(CouldNotRunError, match="no test of tests/service/integration ran"):
        integration.run()


@pytest.mark.parametrize(
    ("failure", "throttles", "code", "asked"),
    [
        pytest.param("assert 500 == 200", 3, 2, [1], id="throttled"),
        pytest.param("assert {'message': 'Internal server error'} == {}", 3, 2, [1], id="body"),
        pytest.param("assert 500 == 200", 0, 1, [1], id="its own error"),
        pytest.param("assert 404 == 200", 3, 1, [], id="another failure"),
    ],
)
def test_a_throttled_test_is_no_failure_of_the_release(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    failure: str,
    throttles: int,
    code: int,
    asked: list[int],
) -> None:
    folder = tmp_path / "tests" / "service" / "integration"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text(f"def test_it(): {failure}\n")
    watch = FakeWatch(live=throttles)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(integration, "EnvironmentWatch", lambda *_dev: watch)
    monkeypatch.setenv("URL", "http://127.0.0.1:1/")
    assert main("integration", integration.run) == code
    sentence = capsys.readouterr().out.splitlines()[-1]
    assert "1 of 1 tests failed: test_it: " in sentence
    assert ("AWS throttled 3 requests since the gate began" in sentence) == (code == 2)
    assert watch.asked == asked


def test_without_an_address_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL", raising=False)
    with pytest.raises(CouldNotRunError, match="variable URL: nothing found"):
        integration.run()


def test_the_unit_gate_runs_the_tests_of_the_service_and_the_environments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder, body in (("service/app", "pass"), ("environments", "assert False")):
        tests = tmp_path / "tests" / folder
        tests.mkdir(parents=True)
        (tests / f"test_{tests.name}.py").write_text(f"def test_{tests.name}(): {body}\n")
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    outcome = unit.run()
    assert (outcome.status, outcome.sentence) == (
        "refused",
        "1 of 2 tests failed: test_environments: assert False",
    )
