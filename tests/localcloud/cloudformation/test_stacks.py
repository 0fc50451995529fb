"""Stacks and change sets by boto3, whose models check requests and responses."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"


def status(client: Any, name: str = "app") -> str:
    return str(client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def events(client: Any, name: str = "app") -> list[tuple[str, str]]:
    """Oldest first."""
    found = client.describe_stack_events(StackName=name)["StackEvents"]
    stamps = [each["Timestamp"] for each in found]
    assert stamps == sorted(stamps, reverse=True)
    return [(each["LogicalResourceId"], each["ResourceStatus"]) for each in reversed(found)]


def reasons(client: Any, name: str = "app") -> list[str]:
    found = client.describe_stack_events(StackName=name)["StackEvents"]
    return [each["ResourceStatusReason"] for each in found if "ResourceStatusReason" in each]


def change_set(client: Any, body: str, kind: str = "UPDATE", **more: Any) -> dict[str, Any]:
    made = client.create_change_set(
        StackName="app", ChangeSetName="cs", ChangeSetType=kind, TemplateBody=body, **more
    )
    found: dict[str, Any] = client.describe_change_set(ChangeSetName=made["Id"])
    return found


def changes(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (each["Action"], each["LogicalResourceId"], each.get("Replacement"))
        for each in (change["ResourceChange"] for change in found["Changes"])
    ]


def test_a_change_set_creates_a_stack(client: Any, template: Any) -> None:
    found = change_set(
        client, template(A="x", B={"Type": "Test::World::Thing", "DependsOn": "A"}), "CREATE"
    )
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(found) == [("Add", "A", None), ("Add", "B", None)]
    assert status(client) == "REVIEW_IN_PROGRESS"
    assert client.get_template(StackName="app")["TemplateBody"] == {}

    client.execute_change_set(StackName="app", ChangeSetName="cs")

    assert status(client) == "CREATE_COMPLETE"
    assert events(client) == [
        ("app", "REVIEW_IN_PROGRESS"), ("app", "CREATE_IN_PROGRESS"),
        ("A", "CREATE_IN_PROGRESS"), ("A", "CREATE_COMPLETE"),
        ("B", "CREATE_IN_PROGRESS"), ("B", "CREATE_COMPLETE"), ("app", "CREATE_COMPLETE"),
    ]  # fmt: skip
    assert client.get_template(StackName="app")["TemplateBody"]["Resources"].keys() == {"A", "B"}
    assert (
        client.describe_change_set(StackName="app", ChangeSetName="cs")["ExecutionStatus"]
        == "EXECUTE_COMPLETE"
    )
    newest = client.describe_events(StackName="app")["OperationEvents"][0]
    assert (newest["ResourceStatus"], newest["EventType"]) == ("CREATE_COMPLETE", "STACK_EVENT")


def test_a_stack_whose_creation_failed_can_only_be_deleted(
    client: Any, template: Any, world: Any
) -> None:
    client.create_stack(
        StackName="app",
        TemplateBody=template(
            A="x",
            B={"Type": "Test::World::Thing", "DependsOn": "A", "Properties": {"Value": "bad"}},
        ),
    )
    assert status(client) == "ROLLBACK_COMPLETE"
    assert world.exists == {}
    assert ("B", "CREATE_FAILED") in events(client)
    assert "a bad value" in reasons(client)
    assert (
        "The following resource(s) failed to create: [B]. Rollback requested by user."
        in reasons(client)
    )
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        client.update_stack(StackName="app", TemplateBody=template(A="y"))
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        change_set(client, template(A="y"))
    stack_id = client.describe_stacks(StackName="app")["Stacks"][0]["StackId"]
    client.delete_stack(StackName="app")
    assert status(client, stack_id) == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="Stack with id app does not exist"):
        status(client)


def test_a_failed_update_is_rolled_back(client: Any, template: Any, world: Any) -> None:
    client.create_stack(StackName="app", TemplateBody=template(A="x", B="y", Gone="z"))
    before = dict(world.exists)
    body = template(
        A="changed",
        New="n",
        B={"Type": "Test::World::Thing", "DependsOn": ["A", "New"], "Properties": {"Value": "bad"}},
    )
    client.update_stack(StackName="app", TemplateBody=body)
    assert status(client) == "UPDATE_ROLLBACK_COMPLETE"
    assert world.exists == before
    assert "The following resource(s) failed to update: [B]. " in reasons(client)
    # "Stack status codes": the new resources are removed when the others are restored.
    assert events(client)[-6:] == [
        ("A", "UPDATE_IN_PROGRESS"), ("A", "UPDATE_COMPLETE"),
        ("app", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("New", "DELETE_IN_PROGRESS"), ("New", "DELETE_COMPLETE"),
        ("app", "UPDATE_ROLLBACK_COMPLETE"),
    ]  # fmt: skip
    assert ("update", "A", True) in world.calls
    statuses = {
        each["LogicalResourceId"]: each["ResourceStatus"]
        for each in client.describe_stack_resources(StackName="app")["StackResources"]
    }
    assert statuses == {"A": "UPDATE_COMPLETE", "B": "UPDATE_COMPLETE", "Gone": "CREATE_COMPLETE"}
    client.update_stack(StackName="app", TemplateBody=template(A="now", B="y"))
    assert status(client) == "UPDATE_COMPLETE"
    assert ("Gone", "DELETE_COMPLETE") in events(client)


def test_dependents_of_a_replacement_are_announced_and_updated(client: Any, world: Any) -> None:
    def body(key: str) -> str:
        thing = "Test::World::Thing"
        return json.dumps({"Resources": {
            "A": {"Type": thing, "Properties": {"Key": key}},
            "User": {"Type": thing, "Properties": {"Value": {"Ref": "A"}}},
            "Keyed": {"Type": thing, "Properties": {"Key": {"Fn::Sub": "${A}!"}}},
            "Other": {"Type": thing, "Properties": {"Value": "same"}},
        }})  # fmt: skip

    client.create_stack(StackName="app", TemplateBody=body("k"))
    found = change_set(client, body("l"))
    assert changes(found) == [
        ("Modify", "A", "True"), ("Modify", "User", "False"), ("Modify", "Keyed", "Conditional"),
    ]  # fmt: skip
    details = {
        each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"]["Details"]
        for each in found["Changes"]
    }
    assert details["A"][0]["Target"] == {
        "Attribute": "Properties",
        "Name": "Key",
        "RequiresRecreation": "Always",
    }
    assert details["A"][0]["Evaluation"] == "Static"
    assert (
        details["User"][0]["Evaluation"],
        details["User"][0]["ChangeSource"],
        details["User"][0]["CausingEntity"],
    ) == ("Dynamic", "ResourceReference", "A")
    client.execute_change_set(StackName="app", ChangeSetName="cs")
    assert status(client) == "UPDATE_COMPLETE"
    physical = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in client.list_stack_resources(StackName="app")["StackResourceSummaries"]
    }
    assert world.exists[physical["User"]]["Value"] == physical["A"]
    assert len(world.exists) == 4


def test_no_changes(client: Any, template: Any) -> None:
    client.create_stack(StackName="app", TemplateBody=template(A="x"))
    found = change_set(client, template(A="x"))
    assert (found["Status"], found["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert found["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError, match="cannot be executed in its current status of"):
        client.execute_change_set(StackName="app", ChangeSetName="cs")
    with pytest.raises(ClientError, match="No updates are to be performed"):
        client.update_stack(StackName="app", TemplateBody=template(A="x"))
    for metadata in ({"Metadata": {"a": 1}}, {"DeletionPolicy": "Retain"}):
        thing = {"Type": "Test::World::Thing", "Properties": {"Value": "x"}}
        client.update_stack(StackName="app", TemplateBody=template(A=thing | metadata))
        assert status(client) == "UPDATE_COMPLETE"


def thing(*, properties: Any = None, **attributes: Any) -> dict[str, Any]:
    return {"Type": "Test::World::Thing", "Properties": properties or {}, **attributes}


_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"A": {"Type": "AWS::No::Where"}}, r"Unrecognized resource types: \[AWS::No::Where\]"),
    ({"A": {"Type": "Custom::Thing"}}, r"\[Custom::Thing\] are not part of the local cloud"),
    (
        {"A": {"Type": "AWS::CloudFormation::Stack"}},
        r"\[AWS::CloudFormation::Stack\] are not part of the local cloud",
    ),
    ({"A": {"Type": "AWS::CloudFormation::WaitCondition"}}, "WaitCondition.* are not part"),
    (
        {"A": thing(properties={"P": {"Ref": "Missing"}})},
        r"Unresolved resource dependencies \[Missing\] in the Resources block",
    ),
    (
        {
            "A": {"Type": "AWS::SQS::Queue"},
            "B": thing(properties={"P": {"Fn::GetAtt": ["A", "Nothing"]}}),
        },
        "resource A does not support attribute type Nothing in Fn::GetAtt",
    ),
    ({"A": thing(properties={"P": {"Fn::Transform": {}}})}, "Fn::Transform is not part"),
    ({"A": thing(CreationPolicy={"ResourceSignal": {}})}, "CreationPolicy of A is not part"),
    # cfn-language-discussion#139, aws-servicebroker#22
    ({"A": thing(DeletionPolicy="Keep")}, "Unrecognized DeletionPolicy Keep for resource A"),
    ({"A": thing(DeletionPolicy={"Ref": "P"})}, "Every DeletionPolicy member must be a string."),
    (
        {"A": thing(UpdateReplacePolicy="RetainExceptOnCreate")},
        "Unrecognized UpdateReplacePolicy RetainExceptOnCreate for resource A",
    ),
    (
        {"A": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Snapshot"}},
        "resource type AWS::DynamoDB::Table does not support deletion policy Snapshot",
    ),
    ({"A": thing(Property={})}, "Invalid template resource property 'Property'"),
]


def test_a_rejected_template_creates_nothing(client: Any) -> None:
    for resources, said in _REFUSED:
        body = json.dumps({"Resources": resources})
        for call in (
            partial(client.create_stack, StackName="app", TemplateBody=body),
            partial(change_set, client, body, "CREATE"),
            partial(client.validate_template, TemplateBody=body),
        ):
            with pytest.raises(ClientError, match=said) as refused:
                call()
            assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert client.list_stacks()["StackSummaries"] == []


def test_unsupported_options_are_named(client: Any, template: Any) -> None:
    for option in ({"OnFailure": "DO_NOTHING"}, {"TimeoutInMinutes": 5}, {"DisableRollback": True}):
        with pytest.raises(ClientError, match=f"{next(iter(option))} of CreateStack is not part"):
            client.create_stack(StackName="app", TemplateBody=template(A="x"), **option)
    client.create_stack(
        StackName="app", TemplateBody=template(A="x"), OnFailure="ROLLBACK", DisableRollback=False
    )
    assert status(client) == "CREATE_COMPLETE"


def test_a_missing_capability_is_an_error(client: Any) -> None:
    role: dict[str, Any] = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    }
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]"):
        client.create_stack(StackName="app", TemplateBody=json.dumps({"Resources": {"R": role}}))
    role["Properties"]["RoleName"] = "mine"
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"):
        client.create_stack(
            StackName="app",
            TemplateBody=json.dumps({"Resources": {"R": role}}),
            Capabilities=["CAPABILITY_IAM"],
        )


def test_secret_parameters_are_masked(client: Any, world: Any) -> None:
    declared = {
        "Secret": {"Type": "String", "NoEcho": True},
        "Plain": {"Type": "String", "Default": "p"},
    }
    resources = {"A": thing(properties={"Value": {"Fn::Sub": "${Secret} ${Plain}"}})}
    body = json.dumps({"Parameters": declared, "Resources": resources})
    given = [{"ParameterKey": "Secret", "ParameterValue": "hush"}]
    client.create_stack(StackName="app", TemplateBody=body, Parameters=given)
    told = client.describe_stacks(StackName="app")["Stacks"][0]["Parameters"]
    assert told == [
        {"ParameterKey": "Secret", "ParameterValue": "****"},
        {"ParameterKey": "Plain", "ParameterValue": "p"},
    ]
    assert [each["Value"] for each in world.exists.values()] == ["hush p"]
    kept = [
        {"ParameterKey": "Secret", "UsePreviousValue": True},
        {"ParameterKey": "Plain", "ParameterValue": "q"},
    ]
    client.update_stack(StackName="app", UsePreviousTemplate=True, Parameters=kept)
    assert [each["Value"] for each in world.exists.values()] == ["hush q"]


def test_values_of_the_parameter_store_and_of_secrets(
    client: Any, cloud: LocalCloud, world: Any
) -> None:
    ssm = cloud.cloud.client("ssm", ACCOUNT, REGION)
    ssm.put_parameter(Name="/stage", Value="one", Type="String")
    secret = cloud.cloud.client("secretsmanager", ACCOUNT, REGION)
    secret.create_secret(Name="login", SecretString='{"user": "me"}')
    declared = {"Stage": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/stage"}}
    user = "{{resolve:secretsmanager:login:SecretString:user}}"
    value = {"Fn::Sub": f"${{Stage}} {user} {{{{resolve:ssm:/stage:1}}}}"}
    resources = {"A": thing(properties={"Value": value})}
    body = json.dumps({"Parameters": declared, "Resources": resources})
    client.create_stack(StackName="app", TemplateBody=body)
    assert [each["Value"] for each in world.exists.values()] == ["one me one"]
    ssm.put_parameter(Name="/stage", Value="two", Type="String", Overwrite=True)
    assert changes(change_set(client, body)) == [("Modify", "A", "False")]
    client.execute_change_set(StackName="app", ChangeSetName="cs")
    assert [each["Value"] for each in world.exists.values()] == ["two me one"]
    ssm.delete_parameter(Name="/stage")
    with pytest.raises(ClientError, match=r"Unable to fetch parameters \[/stage\] from parameter"):
        client.update_stack(StackName="app", TemplateBody=body)


def test_exports_in_use_stay(client: Any, template: Any) -> None:
    exported = {"Out": {"Value": {"Ref": "A"}, "Export": {"Name": "shared"}}}
    client.create_stack(StackName="app", TemplateBody=template(exported, A="x"))
    user = {"Type": "Test::World::Thing", "Properties": {"Value": {"Fn::ImportValue": "shared"}}}
    client.create_stack(StackName="user", TemplateBody=template(B=user))
    assert client.list_imports(ExportName="shared")["Imports"] == ["user"]
    assert [each["Name"] for each in client.list_exports()["Exports"]] == ["shared"]

    client.delete_stack(StackName="app")
    assert status(client) == "DELETE_FAILED"
    assert "Export shared cannot be deleted as it is in use by user" in reasons(client)

    client.create_stack(
        StackName="twin",
        TemplateBody=template({"Out": {"Value": "v", "Export": {"Name": "shared"}}}, A="x"),
    )
    assert status(client, "twin") == "ROLLBACK_COMPLETE"
    assert any(
        "Export with name shared is already exported by stack app" in each
        for each in reasons(client, "twin")
    )
    client.delete_stack(StackName="user")
    client.delete_stack(StackName="app")
    assert client.list_exports()["Exports"] == []


def test_an_update_cannot_take_an_export_in_use_away(
    client: Any, template: Any, world: Any
) -> None:
    def body(value: str) -> str:
        return str(template({"Out": {"Value": value, "Export": {"Name": "shared"}}}, A=value))

    client.create_stack(StackName="app", TemplateBody=body("x"))
    thing = {"Type": "Test::World::Thing", "Properties": {"Value": {"Fn::ImportValue": "shared"}}}
    client.create_stack(StackName="user", TemplateBody=template(B=thing))
    before = dict(world.exists)
    client.update_stack(StackName="app", TemplateBody=template(A="y"))
    assert status(client) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Export shared cannot be deleted as it is in use by user" in reasons(client)
    client.update_stack(StackName="app", TemplateBody=body("y"))
    assert "Export shared cannot be updated as it is in use by user" in reasons(client)
    assert world.exists == before


def test_deletion_policies_retain_resources(client: Any, template: Any, world: Any) -> None:
    def thing(key: str, **policies: str) -> dict[str, Any]:
        return {"Type": "Test::World::Thing", "Properties": {"Key": key}, **policies}

    client.create_stack(StackName="app", TemplateBody=template(
        Kept=thing("k", DeletionPolicy="Retain"),
        Gone=thing("k"),
        Replaced=thing("k", UpdateReplacePolicy="Retain"),
    ))  # fmt: skip
    client.update_stack(StackName="app", TemplateBody=template(
        Kept=thing("k", DeletionPolicy="Retain"), Replaced=thing("l", UpdateReplacePolicy="Retain"),
    ))  # fmt: skip
    assert ("Replaced", "DELETE_SKIPPED") in events(client)
    assert sorted(name.split("-")[0] for name in world.exists) == ["Kept", "Replaced", "Replaced"]
    stack_id = client.describe_stacks(StackName="app")["Stacks"][0]["StackId"]
    client.delete_stack(StackName="app")
    assert ("Kept", "DELETE_SKIPPED") in events(client, stack_id)
    assert sorted(name.split("-")[0] for name in world.exists) == ["Kept", "Replaced"]

    world.exists.clear()
    bad = {
        "Type": "Test::World::Thing",
        "DependsOn": ["Kept", "Once"],
        "Properties": {"Value": "bad"},
    }
    client.create_stack(StackName="app", TemplateBody=template(
        Kept=thing("k", DeletionPolicy="Retain"),
        Once=thing("k", DeletionPolicy="RetainExceptOnCreate"),
        Bad=bad,
    ))  # fmt: skip
    assert [name.split("-")[0] for name in world.exists] == ["Kept"]


def test_an_undeletable_resource_and_its_dependencies_remain(
    client: Any, template: Any, world: Any
) -> None:
    on = {"Type": "Test::World::Thing", "Properties": {"Value": {"Ref": "Base"}}}
    client.create_stack(StackName="app", TemplateBody=template(Base="b", Stuck=on, Free="f"))
    world.stuck.add("Stuck")
    client.delete_stack(StackName="app")
    assert status(client) == "DELETE_FAILED"
    assert "The following resource(s) failed to delete: [Stuck]. " in reasons(client)
    assert sorted(name.split("-")[0] for name in world.exists) == ["Base", "Stuck"]
    stack_id = client.describe_stacks(StackName="app")["Stacks"][0]["StackId"]
    del world.exists[next(name for name in world.exists if name.startswith("Stuck"))]
    client.delete_stack(StackName="app", RetainResources=["Stuck"])
    assert status(client, stack_id) == "DELETE_COMPLETE"


def test_deletion_follows_the_last_templates_dependencies(
    client: Any, template: Any, world: Any
) -> None:
    client.create_stack(StackName="app", TemplateBody=template(A="a", B=thing(DependsOn="A")))
    after = template(A=thing(DependsOn="B", properties={"Value": "a"}), B=thing(), C="c")
    client.update_stack(StackName="app", TemplateBody=after)
    client.delete_stack(StackName="app")
    removed = [name for verb, name, _ in world.calls if verb == "delete"]
    assert removed.index("A") < removed.index("B")


def test_termination_protection(client: Any, template: Any) -> None:
    client.create_stack(
        StackName="app", TemplateBody=template(A="x"), EnableTerminationProtection=True
    )
    with pytest.raises(
        ClientError, match="cannot be deleted while TerminationProtection is enabled"
    ):
        client.delete_stack(StackName="app")
    client.update_termination_protection(StackName="app", EnableTerminationProtection=False)
    client.delete_stack(StackName="app")
    with pytest.raises(ClientError, match="does not exist"):
        status(client)


def test_a_rollback_that_fails_can_be_continued(client: Any, template: Any, world: Any) -> None:
    client.create_stack(StackName="app", TemplateBody=template(A="x", B="y"))
    world.stuck.add("A")
    bad = {"Type": "Test::World::Thing", "DependsOn": ["A", "New"], "Properties": {"Value": "bad"}}
    body = template(A="changed", New="n", B=bad)
    client.update_stack(StackName="app", TemplateBody=body)
    assert status(client) == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(ClientError, match="is in UPDATE_ROLLBACK_FAILED state"):
        client.update_stack(StackName="app", TemplateBody=body)
    world.stuck.clear()
    client.continue_update_rollback(StackName="app")
    assert status(client) == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(each["Value"] for each in world.exists.values()) == ["x", "y"]


def test_a_failed_update_abandons_new_resources_it_cannot_delete(
    client: Any, template: Any, world: Any
) -> None:
    client.create_stack(StackName="app", TemplateBody=template(A="x"))
    world.stuck.add("New")
    bad = thing(DependsOn="New", properties={"Value": "bad"})
    client.update_stack(StackName="app", TemplateBody=template(A="x", New="n", Bad=bad))
    assert status(client) == "UPDATE_ROLLBACK_COMPLETE"
    assert ("New", "DELETE_FAILED") in events(client)
    [resource] = client.describe_stack_resources(StackName="app")["StackResources"]
    assert resource["LogicalResourceId"] == "A"


@pytest.mark.parametrize("created", ["Retain", "RetainExceptOnCreate", "Delete"])
def test_a_deletion_policy_applies_in_the_rollback_of_an_update(
    client: Any, template: Any, world: Any, created: str
) -> None:
    """RetainExceptOnCreate equals Retain, except in the operation that created it."""
    client.create_stack(StackName="app", TemplateBody=template(A="x"))
    bad = thing(DependsOn="New", properties={"Value": "bad"})
    new = thing(DeletionPolicy=created, properties={"Value": "n"})
    client.update_stack(StackName="app", TemplateBody=template(A="x", New=new, Bad=bad))
    assert status(client) == "UPDATE_ROLLBACK_COMPLETE"
    kept = created == "Retain"
    assert ("New", "DELETE_SKIPPED" if kept else "DELETE_COMPLETE") in events(client)
    assert [name.split("-")[0] for name in world.exists] == (["A", "New"] if kept else ["A"])

    client.update_stack(StackName="app", TemplateBody=template(A="x", New=new))
    assert status(client) == "UPDATE_COMPLETE"
    client.update_stack(StackName="app", TemplateBody=template(A="x"))
    kept = created != "Delete"
    assert events(client)[-2] == ("New", "DELETE_SKIPPED" if kept else "DELETE_COMPLETE")


def test_a_creation_that_fails_leaves_neither_bucket_nor_key(
    cloud: LocalCloud, client: Any, template: Any
) -> None:
    kept = {"DeletionPolicy": "RetainExceptOnCreate"}
    root = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
    policy = {"Statement": {"Effect": "Allow", "Resource": "*"} | root}
    body = template(
        Bucket={"Type": "AWS::S3::Bucket", **kept},
        Key={"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy}, **kept},
        Bad=thing(DependsOn=["Bucket", "Key"], properties={"Value": "bad"}),
    )
    client.create_stack(StackName="app", TemplateBody=body)
    assert status(client) == "ROLLBACK_COMPLETE", reasons(client)
    assert cloud.cloud.client("s3", ACCOUNT, REGION).list_buckets()["Buckets"] == []
    kms = cloud.cloud.client("kms", ACCOUNT, REGION)
    keys = [kms.describe_key(KeyId=each["KeyId"]) for each in kms.list_keys()["Keys"]]
    assert not [each for each in keys if each["KeyMetadata"]["Enabled"]]


def test_a_change_set_is_executed_once(client: Any, template: Any) -> None:
    """A failed change set is found only by its ARN (aws-cdk#11995, aws-cdk#21677)."""
    change_set(client, template(A="x"), "CREATE")
    client.execute_change_set(StackName="app", ChangeSetName="cs")
    again = r"cannot be executed in its current execution status of \[EXECUTE_COMPLETE\]"
    with pytest.raises(client.exceptions.InvalidChangeSetStatusException, match=again):
        client.execute_change_set(StackName="app", ChangeSetName="cs")
    client.delete_change_set(StackName="app", ChangeSetName="cs")
    made = change_set(client, template(A="x", B=thing(properties={"Value": "bad"})))
    client.execute_change_set(StackName="app", ChangeSetName="cs")
    assert status(client) == "UPDATE_ROLLBACK_COMPLETE"
    gone = r"ChangeSet \[cs\] does not exist"
    for call in (client.execute_change_set, client.describe_change_set):
        with pytest.raises(client.exceptions.ChangeSetNotFoundException, match=gone):
            call(StackName="app", ChangeSetName="cs")
    assert client.list_change_sets(StackName="app")["Summaries"] == []
    found = client.describe_change_set(ChangeSetName=made["ChangeSetId"])
    assert found["ExecutionStatus"] == "EXECUTE_FAILED"


@pytest.fixture
def slow_update(client: Any, template: Any, world: Any) -> Any:
    """Start an update that waits in its provider."""
    client.create_stack(StackName="app", TemplateBody=template(A="x", B="y"))
    world.held = threading.Event()
    body = template(A="z", B=thing(DependsOn="A", properties={"Value": "slow"}))
    calling = threading.Thread(
        target=lambda: client.update_stack(StackName="app", TemplateBody=body)
    )
    calling.start()
    assert world.entered.wait(60)
    yield calling
    world.held.set()
    calling.join()


def test_an_update_under_way_can_be_cancelled_and_nothing_else(
    cloud: LocalCloud, client: Any, template: Any, world: Any, slow_update: Any, settle: Any
) -> None:
    assert status(client) == "UPDATE_IN_PROGRESS"
    for call in (
        lambda: client.update_stack(StackName="app", TemplateBody=template(A="q")),
        lambda: change_set(client, template(A="q")),
        lambda: client.delete_stack(StackName="app"),
    ):
        with pytest.raises(ClientError, match="UPDATE_IN_PROGRESS"):
            call()
    client.cancel_update_stack(StackName="app")
    slow_update.join()
    settle(cloud)
    assert status(client) == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(each["Value"] for each in world.exists.values()) == ["x", "y"]
    with pytest.raises(ClientError, match="cannot be called from current stack status"):
        client.cancel_update_stack(StackName="app")


def test_live_and_recorded_resources_are_distinguished(client: Any) -> None:
    budget = {"Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY"}}
    resources = {
        "Live": {"Type": "AWS::S3::Bucket"},
        "Recorded": {"Type": "AWS::Budgets::Budget", "Properties": budget},
    }
    body = json.dumps({"Resources": resources})
    client.create_stack(StackName="app", TemplateBody=body)
    assert status(client) == "CREATE_COMPLETE", reasons(client)
    for name, kind in (("Live", "live"), ("Recorded", "recorded")):
        detail = client.describe_stack_resource(StackName="app", LogicalResourceId=name)[
            "StackResourceDetail"
        ]
        assert json.loads(detail["Metadata"])["localcloud"] == kind


def test_a_recorded_type_is_validated_by_its_schema(client: Any) -> None:
    client.create_stack(
        StackName="app",
        TemplateBody=json.dumps(
            {"Resources": {"B": {"Type": "AWS::Budgets::Budget", "Properties": {"Budgt": {}}}}}
        ),
    )
    assert any("#: extraneous key [Budgt] is not permitted" in each for each in reasons(client))
    assert status(client) == "ROLLBACK_COMPLETE"


def test_another_account_and_region_see_nothing(
    cloud: LocalCloud, client: Any, template: Any
) -> None:
    client.create_stack(StackName="app", TemplateBody=template(A="x"))
    for account, region in ((ACCOUNT, "us-east-1"), ("222222222222", REGION)):
        other = cloud.cloud.client("cloudformation", account, region)
        assert other.describe_stacks()["Stacks"] == []
