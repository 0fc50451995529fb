from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from localcloud.core.ports import Routing
from localcloud.core.service_api import ApiError

ACCOUNT, REGION = "222222222222", "eu-west-1"
NUMBERED = "def handler(event, context): return [{}, context.function_version]"


@pytest.fixture
def two(lambdas: Any) -> Any:
    """A function with versions 1 and 2, and an alias `live` at 1."""
    lambdas.create("two", NUMBERED.format(1))
    lambdas.client.publish_version(FunctionName="two")
    lambdas.client.update_function_code(
        FunctionName="two", ZipFile=lambdas.zipped(NUMBERED.format(2)), Publish=True
    )
    lambdas.client.create_alias(FunctionName="two", Name="live", FunctionVersion="1")
    return lambdas


def test_a_version_keeps_its_code(two: Any) -> None:
    assert two.invoke("two", Qualifier="1")[1] == [1, "1"]
    assert two.invoke("two", Qualifier="2")[1] == [2, "2"]
    answer, payload = two.invoke("two", Qualifier="live")
    assert payload == [1, "1"]
    assert answer["ExecutedVersion"] == "1"


def test_an_unchanged_function_publishes_its_last_version_again(two: Any) -> None:
    def publish() -> str:
        made: str = two.client.publish_version(FunctionName="two")["Version"]
        return made

    assert publish() == "2"
    two.client.update_function_configuration(FunctionName="two", Timeout=31)
    assert (publish(), publish()) == ("3", "3")
    two.client.delete_function(FunctionName="two", Qualifier="3")
    two.client.update_function_configuration(FunctionName="two", Timeout=32)
    assert publish() == "4"
    listed = two.client.list_versions_by_function(FunctionName="two")["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "1", "2", "4"]


def test_weights_share_the_traffic(two: Any) -> None:
    functions = two.server.cloud.functions
    functions.route(ACCOUNT, REGION, "two", "live", Routing("1", {"2": 0.25}))
    assert functions.routing(ACCOUNT, REGION, "two", "live") == Routing("1", {"2": 0.25})
    functions.random.seed(7)
    seen = Counter(
        functions.invoke(ACCOUNT, REGION, "two", "live", b"").version for _ in range(400)
    )
    assert 60 < seen["2"] < 140
    functions.route(ACCOUNT, REGION, "two", "live", Routing("2"))
    assert functions.invoke(ACCOUNT, REGION, "two:live", None, b"").version == "2"


def test_an_alias_accepts_only_what_lambda_accepts(two: Any) -> None:
    route = two.server.cloud.functions.route
    for routing in (
        Routing("1", {"1": 0.1}),
        Routing("1", {"2": 1.1}),
        Routing("1", {"$LATEST": 0.1}),
        Routing("3"),
        Routing("1", {"3": 0.1}),
    ):
        with pytest.raises(ApiError):
            route(ACCOUNT, REGION, "two", "live", routing)
    with pytest.raises(ApiError, match="Cannot find alias"):
        route(ACCOUNT, REGION, "two", "dead", Routing("1"))


def test_an_alias_by_the_api(two: Any) -> None:
    client = two.client
    made = client.update_alias(
        FunctionName="two",
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
        Description="shifting",
    )
    assert made["FunctionVersion"] == "1"
    assert made["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_alias(FunctionName="two", Name="live", RevisionId="other")
    client.update_alias(
        FunctionName="two", Name="live", FunctionVersion="2", RoutingConfig={},
        RevisionId=made["RevisionId"],
    )  # fmt: skip
    now = client.get_alias(FunctionName="two", Name="live")
    assert (now["FunctionVersion"], now["Description"]) == ("2", "shifting")
    assert "RoutingConfig" not in now
    with pytest.raises(client.exceptions.ResourceConflictException, match="live"):
        client.delete_function(FunctionName="two", Qualifier="2")
    [listed] = client.list_aliases(FunctionName="two", FunctionVersion="2")["Aliases"]
    assert listed["AliasArn"].endswith(":function:two:live")
    client.delete_alias(FunctionName="two", Name="live")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_alias(FunctionName="two", Name="live")


def test_a_function_is_described_listed_and_deleted(two: Any) -> None:
    client = two.client
    two.create("other", NUMBERED.format(3), Tags={"team": "a"}, MemorySize=512, Publish=True)
    found = client.get_function(FunctionName="other")
    assert found["Tags"] == {"team": "a"}
    assert found["Configuration"]["MemorySize"] == 512
    assert found["Configuration"]["CodeSize"] > 0
    listed = client.list_functions()["Functions"]
    assert [each["FunctionName"] for each in listed] == ["other", "two"]
    arn = found["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"stage": "b"})
    assert client.list_tags(Resource=arn)["Tags"] == {"team": "a", "stage": "b"}
    client.delete_function(FunctionName="other")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_configuration(FunctionName="other")
    stranger = two.server.cloud.client("lambda", "333333333333", REGION)
    with pytest.raises(ClientError, match="is not authorized to perform: lambda:GetAlias"):
        stranger.get_alias(
            FunctionName=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:two", Name="live"
        )


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"Runtime": "python3.8"}, f"python3.8 is not available here.*{RUNTIME}"),
        (
            {"Architectures": ["arm64" if ARCHITECTURE == "x86_64" else "x86_64"]},
            f"is not available here.*{ARCHITECTURE}",
        ),
        ({"Layers": ["arn:aws:lambda:eu-west-1:1:layer:x:1"]}, "Layers is not part of the local"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig is not part of the local cloud"),
        ({"Code": {"ImageUri": "a/b:c"}}, "Container images are not part of the local cloud"),
        ({"Code": {"ZipFile": b"no zip"}}, "Could not unzip uploaded file"),
        ({"Code": {"S3Bucket": "nowhere", "S3Key": "a"}}, "S3 Error Code: NoSuchBucket"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "Reserved keys used.*: AWS_REGION"),
        ({"Environment": {"Variables": {"AB": "x" * 4096}}}, "exceeded the 4KB limit"),
        ({"Timeout": 901}, "Timeout is 901; it must be between 1 and 900"),
        ({"Role": f"arn:aws:iam::{ACCOUNT}:role/none"}, "cannot be assumed by Lambda"),
        ({"Role": "arn:aws:iam::333333333333:role/runner"}, "Cross-account pass role"),
    ],
)
def test_unsupported_settings_are_named(lambdas: Any, parameters: Any, told: str) -> None:
    with pytest.raises(ClientError, match=told):
        lambdas.create("refused", "", **parameters)
    assert lambdas.client.list_functions()["Functions"] == []
