"""Resources in moto that stacks create, update and delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloudformation.moto_provider import MotoProvider

if TYPE_CHECKING:
    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"


def role(trusted: str, **more: Any) -> dict[str, Any]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        ],
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"RoleName": "mine", "AssumeRolePolicyDocument": trust, **more},
    }


@pytest.fixture
def deploy(client: Any) -> Any:
    def deployed(**resources: Any) -> dict[str, Any]:
        call = (
            client.update_stack if client.list_stacks()["StackSummaries"] else client.create_stack
        )
        call(
            StackName="app",
            TemplateBody=json.dumps({"Resources": resources}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        stack: dict[str, Any] = client.describe_stacks(StackName="app")["Stacks"][0]
        said = [
            each.get("ResourceStatusReason")
            for each in client.describe_stack_events(StackName="app")["StackEvents"]
        ]
        return stack | {"Reasons": [each for each in said if each]}

    return deployed


def test_a_role_is_updated_in_place_and_rolled_back(cloud: LocalCloud, deploy: Any) -> None:
    iam = cloud.cloud.client("iam", ACCOUNT, REGION)
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    inline = {"PolicyName": "own", "PolicyDocument": document}
    managed = "arn:aws:iam::aws:policy/AdministratorAccess"

    def state() -> tuple[Any, ...]:
        found = iam.get_role(RoleName="mine")["Role"]
        attached = iam.list_attached_role_policies(RoleName="mine")["AttachedPolicies"]
        return (
            found["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"],
            found["Description"],
            iam.list_role_policies(RoleName="mine")["PolicyNames"],
            [each["PolicyArn"] for each in attached],
            {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName="mine")["Tags"]},
        )

    deploy(R=role("1" * 12, Policies=[inline], Tags=[{"Key": "a", "Value": "1"}]))
    first: tuple[Any, ...] = ("1" * 12, "", ["own"], [], {"a": "1"})
    assert state() == first
    changed = role(
        "2" * 12, ManagedPolicyArns=[managed], Description="d", Tags=[{"Key": "b", "Value": "2"}]
    )
    bad = {"Type": "Test::World::Thing", "DependsOn": "R", "Properties": {"Value": "bad"}}
    assert deploy(R=changed, Bad=bad)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert state() == first
    assert deploy(R=changed)["StackStatus"] == "UPDATE_COMPLETE"
    assert state() == ("2" * 12, "d", [], [managed], {"b": "2"})


def test_a_parameter_keeps_counting_its_versions(cloud: LocalCloud, deploy: Any) -> None:
    def parameter(value: str) -> dict[str, Any]:
        return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}

    deploy(P=parameter("one"))
    deploy(P=parameter("two"))
    ssm = cloud.cloud.client("ssm", ACCOUNT, REGION)
    name = ssm.describe_parameters()["Parameters"][0]["Name"]
    assert name.startswith("CFN-app-P-")
    found = ssm.get_parameter(Name=name)["Parameter"]
    assert (found["Value"], found["Version"]) == ("two", 2)


def test_a_bucket_is_created_updated_and_not_deleted_with_objects(
    cloud: LocalCloud, client: Any, deploy: Any
) -> None:
    def bucket(**more: Any) -> dict[str, Any]:
        return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "mine", **more}}

    s3 = cloud.cloud.client("s3", ACCOUNT, REGION)
    lifecycle = {
        "Rules": [
            {
                "Id": "old",
                "Status": "Enabled",
                "ExpirationInDays": 3,
                "NoncurrentVersionExpiration": {"NoncurrentDays": "7"},
            },
            {"Status": "Enabled", "Prefix": "x/", "ExpiredObjectDeleteMarker": "true"},
        ]
    }
    first = deploy(
        B=bucket(
            VersioningConfiguration={"Status": "Enabled"},
            LifecycleConfiguration=lifecycle,
            PublicAccessBlockConfiguration={"BlockPublicAcls": "true"},
        )
    )
    assert first["StackStatus"] == "CREATE_COMPLETE", first["Reasons"]
    assert s3.get_bucket_versioning(Bucket="mine")["Status"] == "Enabled"
    rule, markers = s3.get_bucket_lifecycle_configuration(Bucket="mine")["Rules"]
    assert (rule["Expiration"]["Days"], rule["NoncurrentVersionExpiration"]["NoncurrentDays"]) == (
        3,
        7,
    )
    assert (markers["Filter"]["Prefix"], markers["Expiration"]) == (
        "x/",
        {"ExpiredObjectDeleteMarker": True},
    )
    deploy(B=bucket())
    assert s3.get_bucket_versioning(Bucket="mine")["Status"] == "Suspended"
    with pytest.raises(s3.exceptions.ClientError, match="lifecycle"):
        s3.get_bucket_lifecycle_configuration(Bucket="mine")
    s3.put_object(Bucket="mine", Key="k", Body=b"x")
    client.delete_stack(StackName="app")
    stack = client.describe_stacks(StackName="app")["Stacks"][0]
    assert stack["StackStatus"] == "DELETE_FAILED"
    reasons = [
        each.get("ResourceStatusReason", "")
        for each in client.describe_stack_events(StackName="app")["StackEvents"]
    ]
    assert any("not empty" in each and "BucketNotEmpty" in each for each in reasons)
    assert s3.get_object(Bucket="mine", Key="k")["Body"].read() == b"x"


def test_an_existing_bucket_is_neither_adopted_nor_deleted(cloud: LocalCloud, deploy: Any) -> None:
    s3 = cloud.cloud.client("s3", ACCOUNT, REGION)
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    stack = deploy(B={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "mine"}})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "mine already exists" in stack["Reasons"]
    assert s3.head_bucket(Bucket="mine")


def test_unsupported_bucket_properties_are_named(deploy: Any) -> None:
    stack = deploy(B={"Type": "AWS::S3::Bucket", "Properties": {"ReplicationConfiguration": {}}})
    assert "ReplicationConfiguration of bucket B is not part of the local cloud" in stack["Reasons"]


def test_a_replacement_has_another_name_while_both_exist(cloud: LocalCloud, deploy: Any) -> None:
    def queue(*, fifo: bool) -> dict[str, Any]:
        return {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True} if fifo else {}}

    def table(key: str) -> dict[str, Any]:
        return {"Type": "AWS::DynamoDB::Table", "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        }}  # fmt: skip

    dynamodb = cloud.cloud.client("dynamodb", ACCOUNT, REGION)
    deploy(T=table("a"))
    (first,) = dynamodb.list_tables()["TableNames"]
    stack = deploy(T=table("b"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stack["Reasons"]
    (second,) = dynamodb.list_tables()["TableNames"]
    assert first != second
    assert (
        dynamodb.describe_table(TableName=second)["Table"]["KeySchema"][0]["AttributeName"] == "b"
    )


def test_a_managed_policy_is_updated_more_often_than_it_may_have_versions(
    cloud: LocalCloud, deploy: Any
) -> None:
    def policy(number: int) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": f"arn:aws:s3:::b{number}"}
        return {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}},
        }

    for number in range(8):
        stack = deploy(P=policy(number))
        assert stack["StackStatus"].endswith("_COMPLETE"), stack["Reasons"]
        assert "ROLLBACK" not in stack["StackStatus"], stack["Reasons"]
    iam = cloud.cloud.client("iam", ACCOUNT, REGION)
    (found,) = iam.list_policies(Scope="Local")["Policies"]
    version = iam.get_policy_version(PolicyArn=found["Arn"], VersionId=found["DefaultVersionId"])
    assert version["PolicyVersion"]["Document"]["Statement"][0]["Resource"] == "arn:aws:s3:::b7"


def test_every_model_of_moto_is_found_by_its_type() -> None:
    from moto.cloudformation.parsing import get_model_map  # noqa: PLC0415  # slow

    theirs = {
        type_name: model
        for type_name, model in get_model_map().items()
        if type_name.startswith("AWS::")
        and not type_name.startswith(("AWS::CloudFormation", "AWS::SERVICE"))
    }
    assert {name for name in theirs if not MotoProvider.makes(name)} == set()
    assert not MotoProvider.makes("AWS::CloudFormation::Stack")
    assert not MotoProvider.makes("AWS::Budgets::Budget")


def test_policies_of_topics_and_queues_take_effect_and_roll_back(
    cloud: LocalCloud, deploy: Any
) -> None:
    sns, sqs = (cloud.cloud.client(name, ACCOUNT, REGION) for name in ("sns", "sqs"))

    def policy(kind: str, target: str, sid: str) -> dict[str, Any]:
        statement = {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement | {"Resource": "*"}]}
        return {
            "Type": f"AWS::{'SNS' if kind == 'Topics' else 'SQS'}::{kind[:-1]}Policy",
            "Properties": {kind: [{"Ref": target}], "PolicyDocument": document},
        }

    topic: dict[str, Any] = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}
    queue: dict[str, Any] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}

    def sids() -> list[str]:
        arn = sns.list_topics()["Topics"][0]["TopicArn"]
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        texts = [
            sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"],
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
            .get("Attributes", {})
            .get("Policy"),
        ]
        return [json.loads(text)["Statement"][0]["Sid"] if text else "" for text in texts]

    def policies(sid: str) -> dict[str, Any]:
        return {"TP": policy("Topics", "T", sid), "QP": policy("Queues", "Q", sid)}

    deploy(T=topic, Q=queue, **policies("first"))
    assert sids() == ["first", "first"]
    bad = {"Type": "Test::World::Thing", "DependsOn": ["TP", "QP"], "Properties": {"Value": "bad"}}
    changed = deploy(T=topic, Q=queue, **policies("second"), Bad=bad)
    assert changed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert sids() == ["first", "first"]
    deploy(T=topic, Q=queue, **policies("second"))
    assert sids() == ["second", "second"]
    deploy(T=topic, Q=queue)
    assert sids() == ["__default_statement_ID", ""]
