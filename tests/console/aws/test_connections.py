"""The git URL that commits are pushed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from console.aws.connections import repository_url
from console.checkout import Checkout
from console.errors import ConsoleError
from tests.console.test_checkout import git

if TYPE_CHECKING:
    from pathlib import Path

    from console.aws.account import Place


class RealAws:
    """`Aws` with real boto3 clients; the tests call no operation of them."""

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        """See `console.aws.account.Aws`."""
        assert (service, place, role) == ("codeconnections", None, None)
        return boto3.client(
            "codeconnections",
            region_name="eu-west-1",
            aws_access_key_id="1",
            aws_secret_access_key="1",  # not a secret
        )


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_on_aws_commits_are_pushed_to_the_users_own_remote(folder: Path) -> None:
    """CodeConnections is not documented to accept pushes."""
    checkout = Checkout.here(folder)
    url = f"git@github.com:{checkout.home().repository}.git"
    git(folder, "remote", "add", "origin", url)
    assert repository_url(RealAws(), checkout, checkout.home().repository) == url


def test_on_aws_a_checkout_without_the_remote_is_told_how_to_add_it(folder: Path) -> None:
    checkout = Checkout.here(folder)
    git(folder, "remote", "add", "origin", "git@github.com:someone/else.git")
    repository = checkout.home().repository
    with pytest.raises(
        ConsoleError,
        match=f"found no git remote of {repository} .* git remote add origin git@github.com:",
    ):
        repository_url(RealAws(), checkout, repository)
