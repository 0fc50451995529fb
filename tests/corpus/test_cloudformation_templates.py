"""Reports on templates that CloudFormation rejects before it changes anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.awslambda.configuration import RUNTIME
from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, TOPIC, Bench, parameter, refused, started, trust

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud")) as made:
        yield made


def rejected(bench: Bench, template: dict[str, Any], **more: Any) -> tuple[str, str]:
    """Code and message of CreateStack, which leaves no stack behind."""
    said = refused(
        bench.stacks.create_stack, StackName="no", TemplateBody=json.dumps(template), **more
    )
    assert refused(bench.stacks.describe_stacks, StackName="no") == (
        "ValidationError", "Stack with id no does not exist",
    )  # fmt: skip
    return said


def condition(value: Any) -> dict[str, Any]:
    return {"Conditions": {"Wanted": {"Fn::Equals": [value, "yes"]}}, "Resources": {"A": TOPIC}}


@report(
    "aws/aws-cdk#32238",
    "CloudFormation",
    situation="A condition compares a value that another stack exports.",
    outcome="The template is rejected: no Fn::ImportValue in Conditions.",
)
def test_a_condition_imports_a_value(bench: Bench) -> None:
    assert rejected(bench, condition({"Fn::ImportValue": "environment"})) == (
        "ValidationError", "Template error: Cannot use Fn::ImportValue in Conditions.",
    )  # fmt: skip


@report(
    "aws-cloudformation/cloudformation-cli#1098",
    "CloudFormation",
    situation="A condition compares the name of a resource.",
    outcome="Rejected: CloudFormation evaluates conditions before it creates resources.",
)
def test_a_condition_refers_to_a_resource(bench: Bench) -> None:
    assert rejected(bench, condition({"Ref": "A"})) == (
        "ValidationError",
        "Template format error: Unresolved dependencies [A]. Cannot reference resources in the "
        "Conditions block of the template",
    )


@report(
    "aws-amplify/amplify-cli#4748",
    "CloudFormation",
    situation="The name of an imported export contains a resource's name.",
    outcome="Rejected: the name must not depend on resources, imported values or zones.",
)
def test_the_name_of_an_import_depends_on_a_resource(bench: Bench) -> None:
    imported = {"Fn::ImportValue": {"Fn::Sub": "${A}:GetAtt:Table:StreamArn"}}
    assert rejected(bench, {"Resources": {"A": TOPIC, "B": parameter(imported)}}) == (
        "ValidationError",
        "Template error: the attribute in Fn::ImportValue must not depend on any resources, "
        "imported values, or Fn::GetAZs",
    )


@report(
    "serverless/serverless#1924",
    "CloudFormation",
    situation="A logical id is a bucket's name with dots.",
    outcome="Rejected: the resource's name is not alphanumeric.",
)
def test_a_logical_id_with_dots(bench: Bench) -> None:
    assert rejected(bench, {"Resources": {"org.abc.searchhistory0S3Event": TOPIC}}) == (
        "ValidationError",
        "Template format error: Resource name org.abc.searchhistory0S3Event is non alphanumeric.",
    )


@report(
    "aws/aws-cdk#6786",
    "CloudFormation",
    situation="A template's parameter is declared with the Parameter Store's type SecureString.",
    outcome="Rejected: unrecognized parameter type.",
)
def test_a_parameter_of_type_secure_string(bench: Bench) -> None:
    template = {
        "Parameters": {"Key": {"Type": "SecureString", "Default": "/key"}},
        "Resources": {"A": TOPIC},
    }
    assert rejected(bench, template) == (
        "ValidationError", "Template format error: Unrecognized parameter type: SecureString",
    )  # fmt: skip


def stored(name: str) -> dict[str, Any]:
    """A template whose parameter is read from the Parameter Store."""
    declared = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": name}
    return {"Parameters": {"Version": declared}, "Resources": {"A": parameter({"Ref": "Version"})}}


@report(
    "aws/aws-cdk#15135",
    "CloudFormation",
    situation="A template's parameter names a SecureString in the Parameter Store.",
    outcome="Rejected: its type is not supported by CloudFormation.",
)
def test_a_parameter_that_names_a_secure_string(bench: Bench) -> None:
    bench.client("ssm").put_parameter(Name="/token", Value="secret", Type="SecureString")
    code, message = rejected(bench, stored("/token"))
    assert code == "ValidationError"
    assert message.startswith("Parameters [/token] referenced by template have types not supported")


@report(
    "awslabs/aws-service-catalog-products#84",
    "CloudFormation",
    situation="A parameter that takes the name of an SSM parameter gets its value.",
    outcome="CreateChangeSet is rejected: there is no such parameter in the Parameter Store.",
)
def test_a_value_is_passed_instead_of_a_name(bench: Bench) -> None:
    bench.client("ssm").put_parameter(Name="/cdk/version", Value="12", Type="String")
    given = {
        "StackName": "no",
        "ChangeSetName": "deploy",
        "ChangeSetType": "CREATE",
        "TemplateBody": json.dumps(stored("/cdk/version")),
        "Parameters": [{"ParameterKey": "Version", "ParameterValue": "12"}],
    }
    assert refused(bench.stacks.create_change_set, **given) == (
        "ValidationError",
        "Unable to fetch parameters [12] from parameter store for this account.",
    )


@report(
    "aws/serverless-application-model#1528",
    "CloudFormation",
    situation="A function's environment variable is a dynamic reference to a SecureString.",
    outcome="The change set fails: the property does not support a secure reference.",
)
def test_a_secure_reference_in_an_environment(bench: Bench) -> None:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"ZipFile": "def handler(*_): return 1"},
            "Handler": "index.handler",
            "Runtime": RUNTIME,
            "Role": f"arn:aws:iam::{ACCOUNT}:role/runner",
            "Environment": {"Variables": {"API_KEY": "{{resolve:ssm-secure:MyApiKey:1}}"}},
        },
    }
    found = bench.change_set("secure", {"Resources": {"A": function}}, "CREATE")
    assert (found["Status"], found["StatusReason"]) == (
        "FAILED",
        "SSM Secure reference is not supported in: "
        "[AWS::Lambda::Function/Properties/Environment/Variables/API_KEY]",
    )


@report(
    "aws-solutions/media-insights-on-aws#145",
    "CloudFormation",
    situation="A resource refers to another one whose condition is false.",
    outcome="Rejected before any resource is created: unresolved resource dependencies.",
)
def test_a_reference_to_a_resource_with_a_false_condition(bench: Bench) -> None:
    template: dict[str, Any] = {
        "Parameters": {"Deploy": {"Type": "String", "Default": "false"}},
        "Conditions": {"Deployed": {"Fn::Equals": [{"Ref": "Deploy"}, "true"]}},
        "Resources": {
            "Analytics": TOPIC | {"Condition": "Deployed"},
            "Site": parameter({"Ref": "Analytics"}),
        },
    }
    assert rejected(bench, template) == (
        "ValidationError",
        "Template format error: Unresolved resource dependencies [Analytics] in the Resources "
        "block of the template",
    )
    chosen = {"Fn::If": ["Deployed", {"Ref": "Analytics"}, "none"]}
    template["Resources"]["Site"] = parameter(chosen) | {"DependsOn": "Analytics"}
    assert bench.create("chosen", template) == "CREATE_COMPLETE"


@report(
    "envato/stack_master#138",
    "CloudFormation",
    situation="A template names a role, and only CAPABILITY_IAM is acknowledged.",
    outcome="InsufficientCapabilitiesException asks for CAPABILITY_NAMED_IAM.",
)
def test_a_named_role_requires_its_capability(bench: Bench) -> None:
    document = trust({"Service": "lambda.amazonaws.com"})
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"RoleName": "named", "AssumeRolePolicyDocument": document},
    }
    assert rejected(bench, {"Resources": {"A": role}}, Capabilities=["CAPABILITY_IAM"]) == (
        "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    )  # fmt: skip


@report(
    "aws/aws-sam-cli#6786",
    "CloudFormation",
    situation="The type of a deployed resource changes from a topic to a queue.",
    outcome="The change set fails: an update of the resource's type is not permitted.",
)
def test_a_resource_becomes_one_of_another_type(bench: Bench) -> None:
    assert bench.create("letters", {"Resources": {"DLQ": TOPIC}}) == "CREATE_COMPLETE"
    found = bench.change_set("letters", {"Resources": {"DLQ": {"Type": "AWS::SQS::Queue"}}})
    assert (found["Status"], found["StatusReason"]) == (
        "FAILED",
        "Update of resource type is not permitted. The new template modifies resource type of "
        "the following resources: [DLQ]",
    )
