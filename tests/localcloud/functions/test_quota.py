"""Concurrency of accounts with a small quota."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.quotas import NEW_ACCOUNT, Quotas

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
