"""Reports on stacks of CloudFormation: order, failures, and resources in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from tests.corpus.report import report
from tests.corpus.stacks import (
    ACCOUNT,
    REGION,
    TOPIC,
    WAIT,
    Bench,
    parameter,
    refused,
    started,
    statements,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud")) as made:
        yield made


def policy(action: str = "nothing") -> dict[str, Any]:
    """A managed policy; an action without its service's name is malformed."""
    document = statements({"Action": action, "Resource": "*"})
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}


def exporting(name: str, value: Any = "v") -> dict[str, Any]:
    outputs = {"Output": {"Value": value, "Export": {"Name": name}}}
    return {"Resources": {"A": TOPIC}, "Outputs": outputs}


@report(
    "boto/boto3#2327",
    "CloudFormation",
    situation="A change set of type UPDATE is created for a stack that is in review.",
    outcome="Rejected: the stack does not exist.",
)
def test_an_update_of_a_stack_in_review(bench: Bench) -> None:
    template = {"Resources": {"A": TOPIC}}
    bench.change_set("review", template, "CREATE", "one")
    given = {"ChangeSetName": "two", "TemplateBody": json.dumps(template)}
    assert refused(bench.stacks.create_change_set, StackName="review", **given) == (
        "ValidationError", "Stack [review] does not exist",
    )  # fmt: skip


@report(
    "ministackorg/ministack#1646",
    "CloudFormation",
    situation="Only a deletion policy changes, or only a dependency.",
    outcome="The policy is a Modify without replacement; the dependency alone is no change.",
)
def test_a_change_of_a_policy_or_of_a_dependency_alone(bench: Bench) -> None:
    bench.create("attributes", {"Resources": {"A": TOPIC, "B": TOPIC}})
    kept = {"Resources": {"A": TOPIC | {"DeletionPolicy": "Retain"}, "B": TOPIC}}
    found = bench.change_set("attributes", kept)
    [change] = [each["ResourceChange"] for each in found["Changes"]]
    described = (change["Action"], change["Replacement"], change["Scope"])
    assert described == ("Modify", "False", ["DeletionPolicy"])
    behind = {"Resources": {"A": TOPIC, "B": TOPIC | {"DependsOn": "A"}}}
    found = bench.change_set("attributes", behind, called="dependency")
    assert found["Status"] == "FAILED"
    assert found["StatusReason"].startswith("The submitted information didn't contain changes.")


@report(
    "ministackorg/ministack#1418",
    "CloudFormation",
    situation="A change set's execution rolls back; then the stack is deleted.",
    outcome="It is CREATE_COMPLETE and EXECUTE_FAILED, and is deleted with its stack.",
)
def test_a_failed_change_set_is_deleted_with_its_stack(bench: Bench) -> None:
    made = bench.change_set("failing", {"Resources": {"A": policy()}}, "CREATE")
    assert bench.execute(made) == "ROLLBACK_COMPLETE"
    found = bench.stacks.describe_change_set(ChangeSetName=made["ChangeSetId"])
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "EXECUTE_FAILED")
    assert bench.delete("failing") == "DELETE_COMPLETE"
    code, _ = refused(bench.stacks.describe_change_set, ChangeSetName=made["ChangeSetId"])
    assert code == "ChangeSetNotFound"
    again = bench.change_set("failing", {"Resources": {"A": policy("s3:List*")}}, "CREATE")
    assert bench.execute(again) == "CREATE_COMPLETE"


@report(
    "ministackorg/ministack#1625",
    "CloudFormation",
    situation="An absent change set is deleted, with an existing and with an absent stack.",
    outcome="It succeeds if the stack exists; else it is a ValidationError.",
)
def test_the_deletion_of_an_absent_change_set(bench: Bench) -> None:
    bench.create("deployed", {"Resources": {"A": TOPIC}})
    bench.stacks.delete_change_set(StackName="deployed", ChangeSetName="absent")
    code, message = refused(
        bench.stacks.delete_change_set, StackName="absent", ChangeSetName="absent"
    )
    assert (code, "does not exist" in message) == ("ValidationError", True)


@report(
    "convox/rack#2941",
    "CloudFormation",
    situation="An update replaces a resource that has a custom name.",
    outcome="UPDATE_FAILED with the name to change; the stack rolls back.",
)
def test_a_resource_with_a_custom_name_is_replaced(bench: Bench) -> None:
    def table(key: str) -> dict[str, Any]:
        properties = {
            "TableName": "orders",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        }
        return {"Resources": {"A": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}}

    assert bench.create("named", table("id")) == "CREATE_COMPLETE"
    assert bench.update("named", table("number")) == "UPDATE_ROLLBACK_COMPLETE"
    assert bench.failures("named")[0] == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename orders and update the stack again."
    )


@report(
    "anomalyco/sst#1256",
    "CloudFormation",
    situation="A deployment drops an export that another stack imports.",
    outcome="The update fails and names the stack that uses the export.",
)
def test_an_export_in_use_is_dropped(bench: Bench) -> None:
    bench.create("producer", exporting("table-arn"))
    bench.create("consumer", {"Resources": {"A": parameter({"Fn::ImportValue": "table-arn"})}})
    status = bench.update("producer", {"Resources": {"A": TOPIC}})
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    expected = "Export table-arn cannot be deleted as it is in use by consumer"
    assert expected in bench.failures("producer", "producer")


@report(
    "aws-amplify/amplify-cli#1581",
    "CloudFormation",
    situation="Two stacks in one account and region export the same name.",
    outcome="The second stack fails: the name is already exported.",
)
def test_an_export_of_another_stack(bench: Bench) -> None:
    assert bench.create("first", exporting("Post:Name")) == "CREATE_COMPLETE"
    assert bench.create("second", exporting("Post:Name")) == "ROLLBACK_COMPLETE"
    [why, *_] = [each for each in bench.failures("second", "second") if "Export" in each]
    assert why.startswith("Export with name Post:Name is already exported by stack first")


@report(
    "aws/serverless-application-model#3547",
    "CloudFormation",
    situation="A secret gets a new value, and the template that refers to it is deployed again.",
    outcome="Nothing changes until another property of the resource changes.",
)
def test_a_secret_that_changed_is_no_change(bench: Bench) -> None:
    secrets, ssm = bench.client("secretsmanager"), bench.client("ssm")
    secrets.create_secret(Name="mysecret", SecretString='{"user": "a"}')

    def template(description: str) -> dict[str, Any]:
        resource = parameter("{{resolve:secretsmanager:mysecret:SecretString:user}}")
        resource["Properties"] |= {"Name": "user", "Description": description}
        return {"Resources": {"A": resource}}

    bench.create("secrets", template("first"))
    secrets.put_secret_value(SecretId="mysecret", SecretString='{"user": "b"}')
    assert bench.change_set("secrets", template("first"))["Status"] == "FAILED"
    assert ssm.get_parameter(Name="user")["Parameter"]["Value"] == "a"
    assert bench.update("secrets", template("second")) == "UPDATE_COMPLETE"
    assert ssm.get_parameter(Name="user")["Parameter"]["Value"] == "b"


@report(
    "org-formation/org-formation-cli#455",
    "CloudFormation",
    situation="A stack whose rollback failed is updated, and then rolled back further.",
    outcome="The update is rejected; the rollback continues without the failed resource.",
)
def test_a_stack_whose_rollback_failed(bench: Bench) -> None:
    def template(key: str, **broken: Any) -> dict[str, Any]:
        function = {
            "Code": {"S3Bucket": "bundles", "S3Key": key},
            "Handler": "app.handler",
            "Runtime": RUNTIME,
            "Architectures": [ARCHITECTURE],
            "Role": f"arn:aws:iam::{ACCOUNT}:role/runner",
        }
        return {
            "Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": function}} | broken
        }

    s3 = bench.client("s3")
    s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("one", "two"):
        s3.put_object(Bucket="bundles", Key=key, Body=zipped(f"def handler(*_): return '{key}'"))
    assert bench.create("stuck", template("one")) == "CREATE_COMPLETE"
    s3.delete_object(Bucket="bundles", Key="one")
    failing = template("two", B=policy() | {"DependsOn": "A"})
    assert bench.update("stuck", failing) == "UPDATE_ROLLBACK_FAILED"
    given = {"TemplateBody": json.dumps(failing), "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    code, message = refused(bench.stacks.update_stack, StackName="stuck", **given)
    assert code == "ValidationError"
    assert message.endswith("is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
    bench.stacks.continue_update_rollback(StackName="stuck", ResourcesToSkip=["A"])
    bench.stacks.get_waiter("stack_rollback_complete").wait(StackName="stuck", WaiterConfig=WAIT)
