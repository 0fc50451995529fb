"""The pipeline's connection to its repository, and the repository's git URL."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from console.errors import ConsoleError
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from console.aws.account import Aws
    from console.checkout import Checkout
    from environments.schema import Home

_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


@dataclass(frozen=True)
class Source:
    """The branch that the deployed pipeline releases."""

    connection: str
    """The connection's ARN."""
    repository: str
    branch: str


def source_of(aws: Aws) -> Source | None:
    """Return the source of the deployed pipeline; None if it has no connection."""
    stages = aws.client("codepipeline").get_pipeline(name=PIPELINE)["pipeline"]["stages"]
    for action in stages[0]["actions"]:
        if action["actionTypeId"]["provider"] == "CodeStarSourceConnection":
            settings = action["configuration"]
            return Source(
                settings["ConnectionArn"], settings["FullRepositoryId"], settings["BranchName"]
            )
    return None


def remote(connections: Any, connection_arn: str, repository: str) -> str:
    """Return the git URL of a repository at the endpoint of a CodeConnections client.

    The CodeConnections user guide documents its form:
    `https://codeconnections.REGION.amazonaws.com/git-http/ACCOUNT/REGION/ID/OWNER/REPO.git`.
    """
    _, _, _, region, account, resource = connection_arn.split(":")
    identifier = resource.rsplit("/", 1)[-1]
    endpoint = connections.meta.endpoint_url
    return f"{endpoint}/git-http/{account}/{region}/{identifier}/{repository}.git"


def find_connection(connections: Any, name: str) -> str | None:
    """Return the ARN of the connection with a name; None if there is none."""
    page: dict[str, Any] = {}
    while True:
        answer = connections.list_connections(**page)
        for each in answer["Connections"]:
            if each["ConnectionName"] == name:
                arn: str = each["ConnectionArn"]
                return arn
        if not answer.get("NextToken"):
            return None
        page = {"NextToken": answer["NextToken"]}


def named_connection(connections: Any, home: Home) -> str:
    """Return the ARN of the connection that pyproject.toml names.

    Raises:
        ConsoleError: AWS has no connection of this name.
    """
    arn = find_connection(connections, home.connection)
    if arn is None:
        raise ConsoleError(
            f"CodeConnections: found no connection {home.connection} (tool.pithead.connection of "
            "pyproject.toml). Run pithead up for a local cloud, or follow docs/aws.md for AWS"
        )
    return arn


def repository_url(aws: Aws, checkout: Checkout, repository: str) -> str:
    """Return the git URL that commits of a repository are pushed to and fetched from.

    On AWS it is the checkout's own remote: CodeConnections serves clones to builds, and AWS does
    not document that it accepts pushes. Any other endpoint (`AWS_ENDPOINT_URL`) hosts the
    repository itself.

    Raises:
        ConsoleError: the checkout has no remote of the repository, or there is no connection.
    """
    connections = aws.client("codeconnections")
    host = urlsplit(connections.meta.endpoint_url).hostname or ""
    if not host.endswith(_AWS_DOMAINS):
        arn = named_connection(connections, checkout.home())
        return remote(connections, arn, repository)
    url = checkout.remote_of(repository)
    if url is None:
        raise ConsoleError(
            f"{checkout.root}: found no git remote of {repository} (tool.pithead.repository of "
            "pyproject.toml), which commits are pushed to. Add yours, e.g. git remote add origin "
            f"git@github.com:{repository}.git"
        )
    return url


def ensure_connection(connections: Any, home: Home) -> str:
    """Return the ARN of the pipeline's connection.

    Creates the connection and its link to the repository if they do not exist.
    """
    arn = find_connection(connections, home.connection)
    if arn is None:
        created = connections.create_connection(
            ProviderType="GitHub", ConnectionName=home.connection
        )
        arn = str(created["ConnectionArn"])
    owner, name = home.repository.split("/")
    with suppress(connections.exceptions.ResourceAlreadyExistsException):
        connections.create_repository_link(ConnectionArn=arn, OwnerId=owner, RepositoryName=name)
    return arn
