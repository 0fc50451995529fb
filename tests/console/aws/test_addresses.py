from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.aws.addresses import Address, addresses
from console.errors import ConsoleError
from environments.schema import load_all

if TYPE_CHECKING:
    from tests.console.fakes import Prod


def test_each_environment_has_an_address_or_a_reason(aws: Any, prod: Prod) -> None:
    prod.weights = {"3": 0.1}
    plain = aws.client
    described = aws.answers[("cloudformation", "describe_stacks")]

    def client(service: str, place: Any = None) -> Any:
        if place is not None and place.account.startswith("2"):
            raise ConsoleError("account 222222222222 cannot be read: AccessDenied")
        return plain(service, place)

    def stack(**asked: Any) -> Any:
        if asked["StackName"] != "staging-files":
            return described(**asked)
        return plain("cloudformation").error(
            "ValidationError", "Stack with id staging-files does not exist", "DescribeStacks"
        )

    aws.client = client
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
