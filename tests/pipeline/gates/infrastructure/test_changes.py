"""Gate `changes` with a cloud that stores stacks, roles and trust policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from pipeline.builds import safeguards
from pipeline.gates import changes, deployed, gate
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.gates.report.result import GateResult

HOME, PROD, REGION = "111111111111", "444444444444", "eu-west-1"
PROD_STACK = "prod-files"
TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}
BUCKET = {"Files": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}}


class Accounts:
    """The pipeline's account and prod, in a local cloud."""

    def __init__(self, endpoint: str, secret_key: str) -> None:
        self._endpoint = endpoint
        self._secret_key = secret_key

    def client(self, service: str, account: str) -> Any:
        made: Any = boto3.client
        return made(
            service,
            endpoint_url=self._endpoint,
            region_name=REGION,
            aws_access_key_id=account,
            aws_secret_access_key=self._secret_key,
        )

    def deploy(self, account: str, name: str, resources: dict[str, Any], **sections: Any) -> None:
        cloudformation = self.client("cloudformation", account)
        cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps({"Resources": resources, **sections})
        )
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200})

    def trust(self, account: str, trusted: str) -> None:
        """Create the lookup role, as `cdk bootstrap --trust-for-lookup` does."""
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": trusted},
            "Action": "sts:AssumeRole",
        }
        self.client("iam", account).create_role(
            RoleName="lookup", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]})
        )


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    """Both accounts; the gate runs in the pipeline's."""
    server = LocalCloud(tmp_path / "state", services=("sts", "cloudformation"), delays=NO_DELAYS)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", HOME)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.cloud.credentials.secret_key)
    yield Accounts(server.cloud.endpoint, server.cloud.credentials.secret_key)
    server.stop()


def test_a_stack_that_is_not_deployed_has_no_losses(
    accounts: Accounts, assembly: Callable[..., Path], report: Callable[[str], dict[str, Any]]
) -> None:
    accounts.trust(PROD, HOME)
    folder = assembly(Pithead=TOPIC, prod=BUCKET)
    assert gate.main("changes", lambda: changes.run([str(folder)])) == 0
    told = report("changes")
    assert told["sentence"] == "Pithead is not deployed yet; prod is not deployed yet"
    assert told["details"]["new"] == ["Pithead", "prod"]
    assert told["details"]["compared"] == []
    assert {"PH501", "PH503"} <= told["details"]["rules"].keys()


def test_a_deployed_stack_is_compared_in_its_own_account(
    accounts: Accounts, assembly: Callable[..., Path]
) -> None:
    accounts.trust(PROD, HOME)
    accounts.deploy(HOME, "Pithead", TOPIC)
    accounts.deploy(PROD, "prod", BUCKET)
    same = changes.run([str(assembly(Pithead=TOPIC, prod=BUCKET))])
    assert same.status == "passed"
    assert same.sentence == "nothing of Pithead, prod is lost, opened or loosened"
    outcome = changes.run([str(assembly(Pithead=TOPIC, prod=TOPIC))])
    assert outcome.status == "refused"
    assert outcome.sentence.startswith(
        "1 finding pithead-lint PH501 at cdk.out/prod.template.json: AWS::S3::Bucket Files "
        "would be removed from the stack: it "
    )
    assert "behind with its data" in outcome.sentence


def test_a_stack_of_the_pipelines_own_account_needs_a_grant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assembly: Callable[..., Path]
) -> None:
    """Planted: an environment is in the account of a role that assumes lookup roles."""
    server = LocalCloud(tmp_path / "state", services=("sts", "cloudformation"), iam="enforce")
    server.start()
    accounts = Accounts(server.cloud.endpoint, server.cloud.credentials.secret_key)
    accounts.deploy(HOME, "Pithead", BUCKET)
    iam = accounts.client("iam", HOME)
    trust = {"Effect": "Allow", "Principal": {"AWS": HOME}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="changes",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    looks = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:*:iam::*:role/lookup"}
    iam.put_role_policy(
        RoleName="changes",
        PolicyName="looks",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [looks]}),
    )
    session = server.cloud.credentials.assume(f"arn:aws:iam::{HOME}:role/changes", "gate")
    for name, value in session.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.cloud.endpoint)
    refused = "cloudformation:GetTemplate on resource: arn:aws:cloudformation:.* because no"
    with pytest.raises(CouldNotRunError, match=f"assumed-role/changes/gate .*{refused}"):
        changes.run([str(assembly(Pithead=BUCKET))])
    server.stop()


def test_stacks_can_be_named(accounts: Accounts, assembly: Callable[..., Path]) -> None:
    """The pipeline's own stack is compared without access to prod."""
    accounts.deploy(HOME, "Pithead", BUCKET)
    folder = str(assembly(Pithead=TOPIC, prod=TOPIC))
    assert changes.run([folder, "Pithead"]).status == "refused"
    with pytest.raises(CouldNotRunError, match="Prod: no such stack; allowed are Pithead, prod"):
        changes.run([folder, "Prod"])


def test_a_waiver_suppresses_a_reviewed_change(
    accounts: Accounts,
    assembly: Callable[..., Path],
    waive: Callable[..., None],
) -> None:
    accounts.deploy(HOME, "Pithead", BUCKET)
    waive(gate="changes", rule="PH501", subject="Files")
    folder = str(assembly(Pithead=TOPIC))
    assert gate.main("changes", lambda: changes.run([folder])) == 0


def test_a_used_waiver_may_stay_until_it_expires(
    accounts: Accounts, assembly: Callable[..., Path], waive: Callable[..., None]
) -> None:
    """The pipeline restarts after its mutation; then nothing is left to waive."""
    accounts.deploy(HOME, "Pithead", TOPIC)
    waive(gate="changes", rule="PH501", subject="Files")
    folder = str(assembly(Pithead=TOPIC))
    assert gate.main("changes", lambda: changes.run([folder])) == 0


def test_an_account_without_a_lookup_role_is_not_skipped(
    accounts: Accounts, assembly: Callable[..., Path]
) -> None:
    folder = str(assembly(prod=TOPIC))
    with pytest.raises(CouldNotRunError, match="prod: account 444444444444 cannot be read"):
        changes.run([folder])
    accounts.trust(PROD, "999999999999")
    with pytest.raises(CouldNotRunError, match="bootstrap it with --trust-for-lookup"):
        changes.run([folder])
    assert gate.main("changes", lambda: changes.run([folder])) == 2


def test_without_aws_it_could_not_run(
    no_aws: None, assembly: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "ROOT", tmp_path)
    with pytest.raises(CouldNotRunError, match=r"cdk\.out/manifest\.json: the file is missing"):
        changes.run([])
    assembly(prod=TOPIC)
    with pytest.raises(
        CouldNotRunError, match=r"pyproject\.toml: found invalid TOML: .* run pithead"
    ):
        changes.run([])
    (tmp_path / "pyproject.toml").touch()
    with pytest.raises(CouldNotRunError, match="the caller's identity cannot be read from AWS"):
        changes.run([])


def test_an_assembly_without_lookup_roles_cannot_be_compared(
    accounts: Accounts, assembly: Callable[..., Path]
) -> None:
    folder = assembly(prod=TOPIC)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["artifacts"]["prod"]["properties"]["lookupRole"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        CouldNotRunError, match="the assembly names no lookup role for account 4444"
    ):
        changes.run([str(folder)])


def _pipeline(stack: str) -> dict[str, Any]:
    """Return a pipeline that deploys one stack of prod."""
    role = f"arn:${{AWS::Partition}}:iam::{PROD}:role/cdk-x-deploy-role-{PROD}-{REGION}"
    deploy = {
        "Name": "Deploy",
        "ActionTypeId": {"Provider": "CloudFormation"},
        "Configuration": {"StackName": stack},
        "RoleArn": {"Fn::Sub": role},
    }
    return {
        "Pipeline": {
            "Type": "AWS::CodePipeline::Pipeline",
            "Properties": {"Stages": [{"Name": "prod", "Actions": [deploy]}]},
        }
    }


def _was(pipeline: dict[str, Any]) -> Any:
    return lambda stacks: {
        each.name: (
            Template.of({"Resources": pipeline})
            if each.name == "Pithead"
            else Template.of({"Resources": BUCKET})
        )
        for each in stacks
    }


def test_a_renamed_stack_is_reported_with_its_stateful_resources(
    assembly: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployed, "templates", _was(_pipeline("prod-files")))
    same = changes.run([str(assembly(Pithead=_pipeline("prod-files")))])
    assert same.status == "passed"
    outcome = changes.run([str(assembly(Pithead=_pipeline("prod-documents")))])
    (found,) = [each for each in outcome.findings if each.rule == "PH711"]
    assert (found.severity, found.subject) == ("error", f"prod-files {PROD} {REGION}")
    assert "it has 1 resources, with data in AWS::S3::Bucket Files" in found.message
    (told,) = [each for each in outcome.details["looser"] if each["rule"] == "PH711"]
    assert told["message"] == found.message


def test_an_unreadable_account_does_not_hide_removed_stacks(
    assembly: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _was(_pipeline("prod-files"))

    def templates(stacks: Any) -> Any:
        if stacks[0].name == "prod-files":
            raise CouldNotRunError("the account is closed")
        return read(stacks)

    monkeypatch.setattr(deployed, "templates", templates)
    outcome = changes.run([str(assembly(Pithead=_pipeline("prod-documents")))])
    assert any("its template could not be read" in each.message for each in outcome.findings)


def test_settings_are_compared_with_the_record_of_the_deployed_stack(
    accounts: Accounts, assembly: Callable[..., Path], tmp_path: Path
) -> None:
    """With the settings of a checkout that is not the gate's own."""
    checkout = tmp_path / "checkout"
    (checkout / "environments").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    staging = checkout / "environments" / "staging.toml"
    staging.write_text("[load]\nmax_p95_ms = 250\n")
    folder = assembly(**{PROD_STACK: TOPIC})
    record = safeguards.as_metadata(safeguards.read(checkout))
    accounts.trust(PROD, HOME)
    accounts.deploy(PROD, PROD_STACK, TOPIC, Metadata=record)

    def released() -> GateResult:
        text = {"Resources": TOPIC, "Metadata": safeguards.as_metadata(safeguards.read(checkout))}
        (folder / f"{PROD_STACK}.template.json").write_text(json.dumps(text))
        return changes.run(["--checkout", str(checkout), str(folder)])

    assert released().status == "passed"
    staging.write_text("[load]\nmax_p95_ms = 900\n")
    outcome = released()
    assert outcome.status == "refused"
    assert "environments/staging.toml load.max_p95_ms is looser" in outcome.sentence
    assert "250 becomes 900" in outcome.sentence


def test_only_prods_stack_provides_the_settings_record(
    assembly: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier stack of the same commit may contain any record."""
    checkout = tmp_path / "checkout"
    (checkout / "environments").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    staging = checkout / "environments" / "staging.toml"

    def template(limit: int) -> dict[str, Any]:
        staging.write_text(f"[load]\nmax_p95_ms = {limit}\n")
        record = safeguards.as_metadata(safeguards.read(checkout))
        return {"Resources": TOPIC, "Metadata": record}

    before = {PROD_STACK: template(250), "Pithead": template(900)}
    monkeypatch.setattr(
        deployed,
        "templates",
        lambda stacks: {each.name: Template.of(before[each.name]) for each in stacks},
    )
    folder = assembly(Pithead=TOPIC, **{PROD_STACK: TOPIC})
    for name in before:
        (folder / f"{name}.template.json").write_text(json.dumps(template(900)))
    outcome = changes.run(["--checkout", str(checkout), str(folder)])
    assert "250 becomes 900" in outcome.sentence


def test_a_nested_stack_is_reported_as_not_compared(
    accounts: Accounts, assembly: Callable[..., Path]
) -> None:
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Metadata": {"aws:asset:path": "inner.json"},
        "Properties": {"TemplateURL": "https://example.com"},
    }
    folder = assembly(Pithead={"Inner": nested})
    (folder / "inner.json").write_text(json.dumps({"Resources": TOPIC}))
    outcome = changes.run([str(folder)])
    assert outcome.status == "passed"
    ((rule, severity, subject),) = [(f.rule, f.severity, f.subject) for f in outcome.findings]
    assert (rule, severity, subject) == ("PH500", "warning", "Pithead/Inner")
