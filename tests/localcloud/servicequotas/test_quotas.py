"""The quotas of an established and of a new account, as clients read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.delays import NO_DELAYS
from localcloud.core.quotas import ESTABLISHED_ACCOUNT, NEW_ACCOUNT, Quotas
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ACCOUNT, REGION = "111111111111", "eu-west-1"


@pytest.fixture(params=[ESTABLISHED_ACCOUNT, NEW_ACCOUNT], ids=["established", "new"])
def quotas(request: pytest.FixtureRequest) -> Quotas:
    applied: Quotas = request.param
    return applied


@pytest.fixture
def client(tmp_path: Path, quotas: Quotas) -> Iterator[Callable[[str], Any]]:
    server = LocalCloud(
        tmp_path / "state",
        services=("logs", "sts", "servicequotas", "functions"),
        quotas=quotas,
        delays=NO_DELAYS,
    )
    server.start()
    yield lambda service: server.cloud.client(service, ACCOUNT, REGION)
    server.stop()


def test_the_applied_quotas_can_be_read(client: Callable[[str], Any], quotas: Quotas) -> None:
    service_quotas, functions = client("service-quotas"), client("lambda")
    read = service_quotas.get_service_quota(ServiceCode="codebuild", QuotaCode="L-9D07B6EF")
    assert read["Quota"]["Value"] == quotas.concurrent_builds
    (listed,) = service_quotas.list_service_quotas(ServiceCode="lambda")["Quotas"]
    limit = functions.get_account_settings()["AccountLimit"]
    assert listed["Value"] == limit["ConcurrentExecutions"] == quotas.concurrent_executions
    assert limit["UnreservedConcurrentExecutions"] == quotas.concurrent_executions


def test_a_quota_that_is_not_enforced_is_not_stated(client: Callable[[str], Any]) -> None:
    service_quotas = client("service-quotas")
    missing = service_quotas.exceptions.NoSuchResourceException
    for service, code in (("lambda", "L-2ACBD22F"), ("vpc", "L-F678F1CE")):
        with pytest.raises(missing, match="local cloud"):
            service_quotas.get_service_quota(ServiceCode=service, QuotaCode=code)


def test_an_increase_is_refused_by_name(client: Callable[[str], Any]) -> None:
    service_quotas = client("service-quotas")
    with pytest.raises(ClientError, match="not part of the"):
        service_quotas.request_service_quota_increase(
            ServiceCode="lambda", QuotaCode="L-B99A9384", DesiredValue=1000
        )
