"""Reports on Lambda's rejections, and on ends of invocations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from localcloud.core.delays import AS_ON_AWS
from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, REGION, WAIT, Bench, refused, started, zipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INVALID = "InvalidParameterValueException"
INVOKE = "lambda:InvokeFunction"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud")) as made:
        yield made


@report(
    "SeanRoy/lambda-maven-plugin#42",
    "Lambda",
    situation="Each deployment adds another permission to a function's policy.",
    outcome="PolicyLengthExceededException once the policy is above 20,480 bytes.",
)
def test_a_policy_that_grows_with_each_deployment(bench: Bench) -> None:
    bench.function("permitted")

    def permit(path: str) -> None:
        bench.lambdas.add_permission(
            FunctionName="permitted",
            StatementId=path,
            Action=INVOKE,
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abcdefghij/*/GET/{path}",
        )

    def size() -> int:
        return len(bench.lambdas.get_policy(FunctionName="permitted")["Policy"])

    permit("000" + "x" * 90)
    first = size()
    for number in range(1, 100):
        permit(f"{number:03}" + "x" * 90)
        if size() + first > 20_480:
            break
    code, message = refused(permit, path="y" * 93)
    assert code == "PolicyLengthExceededException"
    assert message.startswith("The final policy size (20")
    assert message.endswith(") is bigger than the limit (20480).")


@report(
    "aws-samples/amazon-textract-enhancer#8",
    "Lambda",
    situation="A stack's region differs from that of the bucket with its code.",
    outcome="PermanentRedirect: Lambda fetches code only from its own region.",
)
def test_code_in_a_bucket_of_another_region(bench: Bench) -> None:
    s3 = bench.client("s3", region="us-east-1")
    s3.create_bucket(Bucket="code-of-us-east-1")
    s3.put_object(Bucket="code-of-us-east-1", Key="code.zip", Body=zipped("def handler(*_): ..."))
    code = {"S3Bucket": "code-of-us-east-1", "S3Key": "code.zip"}
    assert refused(bench.function, name="abroad", Code=code) == (
        INVALID,
        "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The "
        "bucket is in this region: us-east-1. Please use this region to retry the request",
    )


@report(
    "Chinmayamission/CFF#292",
    "Lambda",
    situation="A deployment changes a function's code, and right after it the configuration.",
    outcome="ResourceConflictException: the first update is still in progress.",
)
def test_two_updates_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(tmp_path, speed=3.0) as bench:
        bench.function("api")
        monkeypatch.setattr(bench.server.cloud.functions.updates, "delays", AS_ON_AWS)
        code = zipped("def handler(*_): return 2")
        bench.lambdas.update_function_code(FunctionName="api", ZipFile=code)
        change = {"FunctionName": "api", "MemorySize": 256}
        assert refused(bench.lambdas.update_function_configuration, **change) == (
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: arn:aws:lambda:{REGION}:{ACCOUNT}:function:api",
        )
        waiter = bench.lambdas.get_waiter("function_updated_v2")
        waiter.wait(FunctionName="api", WaiterConfig=WAIT)
        bench.lambdas.update_function_configuration(**change)


@report(
    "karl-cardenas-coding/go-lambda-cleanup#45",
    "Lambda",
    situation="Old versions are pruned, and an alias points to one of them.",
    outcome="ResourceConflictException names the alias; the version stays.",
)
def test_a_version_of_an_alias_is_deleted(bench: Bench) -> None:
    bench.function("pruned")
    version = bench.lambdas.publish_version(FunctionName="pruned")["Version"]
    bench.lambdas.create_alias(FunctionName="pruned", Name="live", FunctionVersion=version)
    given = {"FunctionName": "pruned", "Qualifier": version}
    assert refused(bench.lambdas.delete_function, **given) == (
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [live]",
    )
    assert bench.lambdas.get_function_configuration(**given)["Version"] == version


@report(
    "github-aws-runners/terraform-aws-github-runner#3594",
    "Lambda",
    situation="A runner's configuration in an environment variable grows beyond 4 KB.",
    outcome="InvalidParameterValueException: the variables exceed the 4KB limit.",
)
def test_an_environment_above_four_kilobytes(bench: Bench) -> None:
    variables = {"RUNNER_CONFIG": json.dumps([{"arn": "x" * 500}] * 9)}
    code, message = refused(bench.function, name="large", Environment={"Variables": variables})
    assert code == INVALID
    assert message.startswith(
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit. String measured: {"
    )


@report(
    "aws/aws-cdk#28048",
    "Lambda",
    situation="A function's environment sets AWS_DEFAULT_REGION.",
    outcome="InvalidParameterValueException names the reserved key.",
)
def test_a_reserved_environment_variable(bench: Bench) -> None:
    code, message = refused(
        bench.function, name="region", Environment={"Variables": {"AWS_DEFAULT_REGION": REGION}}
    )
    assert code == INVALID
    assert message.endswith("Reserved keys used in this request: AWS_DEFAULT_REGION")


@report(
    "aws-cloudformation/rain#175",
    "Lambda",
    situation="An alias is created for a version that does not exist.",
    outcome="The resource fails: function not found, with the version's ARN.",
)
def test_an_alias_of_an_absent_version(bench: Bench) -> None:
    bench.function("unversioned")
    alias = {"FunctionName": "unversioned", "FunctionVersion": "1", "Name": "live"}
    template = {"Resources": {"A": {"Type": "AWS::Lambda::Alias", "Properties": alias}}}
    assert bench.create("alias", template) == "ROLLBACK_COMPLETE"
    assert bench.failures("alias")[0].startswith(
        f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:unversioned:1"
    )


@report(
    "Pocket/terraform-modules#1037",
    "Lambda",
    situation="A permission is added for the principal amazonaws.com.",
    outcome="InvalidParameterValueException: the principal is invalid.",
)
def test_a_permission_for_no_service(bench: Bench) -> None:
    bench.function("open")
    given = {"FunctionName": "open", "StatementId": "gateway", "Action": INVOKE}
    for principal in ("amazonaws.com", f"arn:aws:iam::{ACCOUNT}:role/absent"):
        assert refused(bench.lambdas.add_permission, Principal=principal, **given) == (
            INVALID,
            "The provided principal was invalid. Please check the principal and try again.",
        )


@report(
    "pdomala/LambdaCDDemo#1",
    "Lambda",
    situation="The role of a new function does not trust lambda.amazonaws.com.",
    outcome="InvalidParameterValueException: Lambda cannot assume the role.",
)
def test_a_role_that_does_not_trust_lambda(bench: Bench) -> None:
    role = bench.role("instances", "ec2.amazonaws.com")
    code, message = refused(bench.function, name="untrusted", Role=role)
    assert code == INVALID
    assert message.startswith("The role defined for the function cannot be assumed by Lambda.")


@report(
    "DavidVujic/python-polylith-example#13",
    "Lambda",
    situation="A function's handler names a module that is not in its bundle.",
    outcome="The deployment succeeds; each invocation fails with Runtime.ImportModuleError.",
)
def test_a_handler_of_an_absent_module(bench: Bench) -> None:
    bench.function("unbundled", Handler="example.core.handler")
    error, payload = bench.invoke("unbundled")
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")
    assert payload["errorMessage"].startswith("Unable to import module 'example.core': No module")


@report(
    "fujiwara/lambroll#386",
    "Lambda",
    situation="A rollback reads an alias that the function does not have.",
    outcome="ResourceNotFoundException with the alias's ARN.",
)
def test_an_absent_alias(bench: Bench) -> None:
    bench.function("aliased")
    assert refused(bench.lambdas.get_alias, FunctionName="aliased", Name="current") == (
        "ResourceNotFoundException",
        f"Cannot find alias arn: arn:aws:lambda:{REGION}:{ACCOUNT}:function:aliased:current",
    )
