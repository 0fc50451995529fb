"""Lost tests are detected by comparison with the promotion's attested counts."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from pipeline.gates import aws as gate_aws
from pipeline.gates import gate, unit
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.supply_chain import attestation, envelope
from pipeline.gates.supply_chain.summaries import Summary
from pipeline.gates.testing import promoted, suite
from pipeline.gates.testing.counts import TestCounts
from pipeline.names import ATTESTATION_KEY

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "c" * 40
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAS = TestCounts(4, 3, 1, 0, 0, ("tests/a.py::test_1", "tests/a.py::test_2", "tests/a.py::test_3"))


class Promotion:
    """A promoted release with reports in a bucket."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real = gate_aws.client
        self._pipeline = boto3.client(
            "codepipeline",
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        self.stub = Stubber(self._pipeline)
        self.stub.activate()
        monkeypatch.setattr(gate_aws, "client", self._client)
        self.bucket = f"artifacts-{uuid4()}"
        self._real("s3").create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        kms = self._real("kms")
        try:
            kms.describe_key(KeyId=ATTESTATION_KEY)
        except ClientError:
            made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
            key = made["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName=ATTESTATION_KEY, TargetKeyId=key)

    def _client(self, service: Any) -> Any:
        return self._pipeline if service == "codepipeline" else self._real(service)

    def executions(self, commit: str | None = COMMIT) -> None:
        summary = {
            "pipelineExecutionId": "e-1",
            "status": "Succeeded",
            "startTime": NOW,
            "sourceRevisions": [{"actionName": "Git", "revisionId": commit}],
        }
        answer = {"pipelineExecutionSummaries": [summary] if commit else []}
        self.stub.add_response("list_pipeline_executions", answer, {"pipelineName": ANY})

    def attested(self, summary: dict[str, Any], *, commit: str = COMMIT, sealed: str = "") -> None:
        """Put the reports of the action that attested a summary of the gate `unit`."""
        text = json.dumps(summary).encode()
        result = Summary("unit", "passed", "4 tests", hashlib.sha256(text).hexdigest())
        release = attestation.Release("r", "main", commit, "l", (), "b")
        statement = attestation.statement(release, (result,), "")
        sealed = sealed or envelope.seal(statement, self._real("kms"), ATTESTATION_KEY)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("attestation.json", sealed)
            archive.writestr("evidence/Integration/evidence/Build/unit.json", text)
        self._real("s3").put_object(Bucket=self.bucket, Key="k", Body=content.getvalue())

    def actions(self, name: str = "Attest") -> None:
        place = {"bucket": self.bucket, "key": "k"}
        action = {
            "actionName": name,
            "status": "Succeeded",
            "output": {"outputArtifacts": [{"name": "a", "s3location": place}]},
        }
        asked = {"pipelineName": ANY, "filter": {"pipelineExecutionId": "e-1"}}
        self.stub.add_response(
            "list_action_executions", {"actionExecutionDetails": [action]}, asked
        )


@pytest.fixture
def promotion(aws: str, monkeypatch: pytest.MonkeyPatch) -> Promotion:
    return Promotion(monkeypatch)


def _summary(counts: TestCounts) -> dict[str, Any]:
    return {"gate": "unit", "details": {"counts": asdict(counts)}}


def _served(promotion: Promotion, summary: dict[str, Any], **more: Any) -> None:
    promotion.attested(summary, **more)
    promotion.executions()
    promotion.executions()
    promotion.actions()


def test_the_same_tests_and_more_pass(promotion: Promotion) -> None:
    for now in (WAS, replace(WAS, collected=5, passed=5, skipped=0)):
        _served(promotion, _summary(WAS))
        findings, clause = promoted.comparison("unit")(now)
        assert (findings, clause) == ([], ", no fewer than in ccccccc, promoted last")


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"collected": 3}, "collected 4 to 3"),
        ({"passed": 2, "skipped": 2}, "passed 3 to 2, skipped 1 to 2"),
        ({"passed": 2, "xfailed": 1}, "passed 3 to 2, xfailed 0 to 1"),
        ({"deselected": 1}, "deselected 0 to 1"),
        ({"functions": WAS.functions[:2]}, "tests 3 to 2"),
    ],
)
def test_each_lost_test_is_a_waivable_finding(
    promotion: Promotion, change: dict[str, Any], subject: str
) -> None:
    _served(promotion, _summary(WAS))
    (found,), _ = promoted.comparison("unit")(replace(WAS, **change))
    assert (found.rule, found.subject, found.severity) == ("fewer-tests", subject, "error")
    assert ("tests/a.py::test_3" in found.message) == ("functions" in change)


def test_the_first_release_is_reported_as_such(promotion: Promotion) -> None:
    promotion.executions(None)
    findings, clause = promoted.comparison("unit")(WAS)
    assert (findings, clause) == ([], ", the first release: nothing was promoted before")


@pytest.mark.parametrize("summary", [{"details": {}}, {"details": {"counts": {"passed": 1}}}])
def test_a_promotion_without_counts_is_a_finding(
    promotion: Promotion, summary: dict[str, Any]
) -> None:
    _served(promotion, summary)
    (found,), _ = promoted.comparison("unit")(WAS)
    assert (found.rule, found.subject) == ("not-compared", COMMIT)


def test_a_promotion_without_an_attestation_or_with_expired_reports_is_a_finding(
    promotion: Promotion,
) -> None:
    for name in ("Other", "Attest"):
        promotion.executions()
        promotion.executions()
        promotion.actions(name)
        (found,), _ = promoted.comparison("unit")(WAS)
        assert found.rule == "not-compared"


@pytest.mark.parametrize(
    ("more", "said"),
    [({"sealed": "{}"}, "is forged"), ({"commit": "d" * 40}, "is of ddddddd")],
)
def test_an_unusable_attestation_could_not_compare(
    promotion: Promotion, more: dict[str, Any], said: str
) -> None:
    _served(promotion, _summary(WAS), **more)
    with pytest.raises(CouldNotRunError, match=said):
        promoted.comparison("unit")(WAS)


def test_without_aws_it_could_not_compare(no_aws: None) -> None:
    with pytest.raises(CouldNotRunError, match=r"^the last promoted release cannot be read"):
        promoted.comparison("unit")(WAS)


def test_the_gate_refuses_a_lost_test_unless_waived(
    promotion: Promotion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reports: Path
) -> None:
    (tmp_path / "tests" / "service").mkdir(parents=True)
    (tmp_path / "tests" / "service" / "test_it.py").write_text("def test_it(): pass\n")
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(unit, "FOLDERS", ("tests/service",))
    judge = partial(unit.run, promoted.comparison("unit"))
    _served(promotion, _summary(WAS))
    assert gate.main("unit", judge) == 1
    summary = json.loads((reports / "unit.json").read_text())
    subject = "tests 3 to 1, collected 4 to 1, passed 3 to 1"
    assert f"since ccccccc was promoted: {subject}" in summary["sentence"]
    (tmp_path / "waivers.toml").write_text(
        f'[[waiver]]\ngate = "unit"\nrule = "fewer-tests"\nsubject = "{subject}"\n'
        'reason = "two tests moved to another service"\nowner = "@acme/pithead"\n'
        f"expires = {datetime.now(UTC).date()}\n"
    )
    _served(promotion, _summary(WAS))
    assert gate.main("unit", judge) == 0
