from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.aws.addresses import Address, addresses
from environments.schema import load_all

if TYPE_CHECKING:
    from tests.console.fakes import FakeAws
    from tests.console.production import Prod


def test_each_environment_has_an_address_or_a_reason(aws: FakeAws, prod: Prod) -> None:
    prod.weights = {"3": 0.1}

    described = aws.answers[("cloudformation", "describe_stacks")]

    def stack(**asked: Any) -> Any:
        if asked["StackName"] != "staging-files":
            return described(**asked)
        return aws.client("cloudformation").error(
            "ValidationError", "Stack with id staging-files does not exist", "DescribeStacks"
        )

    aws.unreadable.add("222222222222")
    aws.answers[("cloudformation", "describe_stacks")] = stack
    assert list(addresses(aws, load_all())) == [
        Address("dev", "", "account 222222222222 cannot be read: AccessDenied"),
        Address("staging", "", "nothing is deployed yet"),
        Address(
            "prod",
            "http://127.0.0.1/prod/",
            "version 2 of commit 0000000 (90%) and version 3 of commit c0ffee0 (10%)",
        ),
    ]
