"""Quotas of an account's functions."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from localcloud.core.quotas import NEW_ACCOUNT, Quotas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_WAITS = """
def handler(event, context):
    open(event + '/begun', 'w').close()
    open(event + '/end').close()
"""


def test_a_new_account_has_no_concurrency_to_reserve(start: Callable[..., Any]) -> None:
    """aws-samples/one-observability-demo#278."""
    lambdas = start(quotas=NEW_ACCOUNT)
    lambdas.create("one", "def handler(event, context): pass\n")
    with pytest.raises(
        lambdas.client.exceptions.InvalidParameterValueException,
        match=r"UnreservedConcurrentExecution below its minimum value of \[10\]",
    ):
        lambdas.client.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=1)


def test_the_functions_of_an_account_share_its_concurrency(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    lambdas = start(quotas=Quotas(concurrent_executions=1, concurrent_builds=1))
    for name in ("one", "two"):
        lambdas.create(name, _WAITS)
    for name in ("begun", "end"):
        os.mkfifo(tmp_path / name)
    first = threading.Thread(target=lambdas.invoke, args=("one", str(tmp_path)))
    first.start()
    (tmp_path / "begun").read_bytes()
    with pytest.raises(lambdas.client.exceptions.TooManyRequestsException, match="Rate Exceeded"):
        lambdas.invoke("two", str(tmp_path))
    (tmp_path / "end").write_bytes(b"")
    first.join()


_SOURCE = "def handler(event, context): pass\n"
_STORAGE_BYTES = 1000


@pytest.mark.parametrize(
    ("parameter", "least", "most"),
    [("Timeout", 1, 900), ("MemorySize", 128, 10240), ("EphemeralStorage", 512, 10240)],
)
def test_each_size_has_its_limits(lambdas: Any, parameter: str, least: int, most: int) -> None:
    """See "Lambda quotas"."""

    def change(size: int) -> None:
        value = {"Size": size} if parameter == "EphemeralStorage" else size
        lambdas.client.update_function_configuration(FunctionName="f", **{parameter: value})

    lambdas.create("f", _SOURCE)
    for size in (least, most):
        change(size)
    for size in (least - 1, most + 1):
        with pytest.raises((ClientError, ParamValidationError)):
            change(size)


def test_a_description_has_256_characters(lambdas: Any) -> None:
    lambdas.create("f", _SOURCE)
    lambdas.client.update_function_configuration(FunctionName="f", Description="x" * 256)
    with pytest.raises((ClientError, ParamValidationError), match="256"):
        lambdas.client.update_function_configuration(FunctionName="f", Description="x" * 257)


@pytest.mark.parametrize("operation", ["create", "update", "publish"])
def test_each_version_takes_its_share_of_the_code_storage(
    start: Callable[..., Any], operation: str
) -> None:
    """See serverless/serverless#5194."""
    lambdas = start(
        quotas=Quotas(
            concurrent_executions=1000, concurrent_builds=1, code_storage_bytes=_STORAGE_BYTES
        )
    )
    lambdas.create("f", _SOURCE)
    size = lambdas.client.get_function(FunctionName="f")["Configuration"]["CodeSize"]
    for number in range(_STORAGE_BYTES // size):
        lambdas.client.update_function_configuration(FunctionName="f", Description=str(number))
        if number:
            lambdas.client.publish_version(FunctionName="f")
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: lambdas.create("g", _SOURCE),
        "update": lambda: lambdas.client.update_function_code(
            FunctionName="f", ZipFile=lambdas.zipped(_SOURCE + "#" * _STORAGE_BYTES)
        ),
        "publish": lambda: (
            lambdas.client.update_function_configuration(FunctionName="f", Description="more"),
            lambdas.client.publish_version(FunctionName="f"),
        ),
    }
    with pytest.raises(ClientError, match=r"Code storage limit exceeded\.") as refused:
        calls[operation]()
    assert refused.value.response["Error"]["Code"] == "CodeStorageExceededException"
