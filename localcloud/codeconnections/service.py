"""CodeConnections, as far as a pipeline and its pushers need it."""

from __future__ import annotations

import re
import threading
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.api import ApiError, ServiceApi
from localcloud.codeconnections.repositories import Repositories
from localcloud.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.cloud import Cloud
    from localcloud.codeconnections.repositories import Commit
    from localcloud.resources import Provider, ResourceRequest

    Subscriber = Callable[[str, str, str, str], None]

_KIND = "codeconnections:connection"
_PATH = re.compile(r"/git-http/(\d{12})/([\w-]+)/([\w-]+)/([\w.-]+/[\w.-]+?)\.git/(.+)")


class CodeConnectionsApi(ServiceApi):
    """Connections and repository links."""

    service: ClassVar[str] = "codeconnections"

    def create_connection(self) -> ActionResult:
        """A connection; here it is available at once, without a handshake."""
        arn = self.cloud.codeconnections.create(
            self.account,
            self.region,
            self.params["ConnectionName"],
            self.params.get("ProviderType") or "GitHub",
        )
        return ActionResult({"ConnectionArn": arn, "Tags": []})

    def get_connection(self) -> ActionResult:
        """One connection."""
        arn = self.params["ConnectionArn"]
        found = self.cloud.ledger.get(_KIND, arn)
        if found is None:
            raise ApiError("ResourceNotFoundException", f"Connection not found: {arn}")
        return ActionResult({"Connection": found})

    def list_connections(self) -> ActionResult:
        """All connections of the account's region."""
        mine = f":{self.region}:{self.account}:"
        found = [each for arn, each in self.cloud.ledger.all(_KIND) if mine in arn]
        return ActionResult({"Connections": found})

    def delete_connection(self) -> ActionResult:
        """Forget a connection; its repositories stay on disk."""
        self.cloud.ledger.delete(_KIND, self.params["ConnectionArn"])
        return EmptyResult()

    def create_repository_link(self) -> ActionResult:
        """Name a repository, so that it can be pushed to before a pipeline names it."""
        arn = self.params["ConnectionArn"]
        owner, name = self.params["OwnerId"], self.params["RepositoryName"]
        if self.cloud.ledger.get(_KIND, arn) is None:
            raise ApiError("ResourceNotFoundException", f"Connection not found: {arn}")
        self.cloud.codeconnections.recognise(arn, f"{owner}/{name}")
        link = str(uuid.uuid4())
        return ActionResult(
            {
                "RepositoryLinkInfo": {
                    "ConnectionArn": arn,
                    "OwnerId": owner,
                    "ProviderType": "GitHub",
                    "RepositoryLinkArn": arn.split(":connection/")[0] + f":repository-link/{link}",
                    "RepositoryLinkId": link,
                    "RepositoryName": name,
                }
            }
        )


class CodeStarConnectionsApi(CodeConnectionsApi):
    """The same under its old name."""

    service: ClassVar[str] = "codestar-connections"


class ConnectionProvider:
    """`AWS::CodeConnections::Connection`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Every property is given once."""
        return any(
            request.properties.get(name) != current.properties.get(name)
            for name in ("ConnectionName", "ProviderType")
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        name = request.properties["ConnectionName"]
        kind = request.properties.get("ProviderType", "GitHub")
        arn = self._cloud.codeconnections.create(request.account, request.region, name, kind)
        attributes = {"ConnectionArn": arn, "ConnectionStatus": "AVAILABLE"}
        return Resource(arn, attributes, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """Tags alone may change."""
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:  # noqa: ARG002
        """See `Provider.delete`."""
        self._cloud.ledger.delete(_KIND, current.physical_id)


class CodeConnections:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {
            "codeconnections": CodeConnectionsApi,
            "codestar-connections": CodeStarConnectionsApi,
        }
        provider = ConnectionProvider(cloud)
        self.providers: dict[str, Provider] = {
            "AWS::CodeConnections::Connection": provider,
            "AWS::CodeStarConnections::Connection": provider,
        }
        self.repositories = Repositories(cloud.ledger.folder / "git")
        self._subscribers: list[Subscriber] = []
        self._pushing = threading.Lock()

    def start(self) -> None:
        """Everything is on disk."""

    def stop(self) -> None:
        """Nothing runs."""

    def create(self, account: str, region: str, name: str, provider: str) -> str:
        """A new connection's ARN."""
        arn = f"arn:aws:codeconnections:{region}:{account}:connection/{uuid.uuid4()}"
        self.cloud.ledger.put(
            _KIND,
            arn,
            {
                "ConnectionName": name,
                "ConnectionArn": arn,
                "ProviderType": provider,
                "OwnerAccountId": account,
                "ConnectionStatus": "AVAILABLE",
            },
        )
        return arn

    def recognise(self, connection_arn: str, repository: str) -> None:
        """Make the repository, unless it is there."""
        self.repositories.create(_id(connection_arn), repository)

    def resolve(self, connection_arn: str, repository: str, branch: str) -> str | None:
        """The commit that a branch is at."""
        connection = _id(connection_arn)
        if not self.repositories.exists(connection, repository):
            return None
        return self.repositories.refs(connection, repository).get(branch)

    def commit(self, connection_arn: str, repository: str, commit: str) -> Commit:
        """What a commit says of itself."""
        return self.repositories.commit(_id(connection_arn), repository, commit)

    def archive(self, connection_arn: str, repository: str, commit: str) -> bytes:
        """The tree of a commit as a zip."""
        return self.repositories.archive(_id(connection_arn), repository, commit)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Be called with connection id, repository, branch and commit of each push."""
        self._subscribers.append(subscriber)

    def git(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The WSGI application below `/git-http/`."""
        found = _PATH.fullmatch(environ["PATH_INFO"])
        if found is None:
            return _refuse(start_response, "This is no address of a repository.")
        _account, _region, connection, repository, rest = found.groups()
        if not self.repositories.exists(connection, repository):
            return _refuse(
                start_response,
                f"Repository {repository} is unknown: no pipeline or repository link of "
                f"connection {connection} names it.",
            )
        if not rest.endswith("git-receive-pack") or environ["REQUEST_METHOD"] == "GET":
            return self.repositories.serve(connection, repository, rest, environ, start_response)
        with self._pushing:
            before = self.repositories.refs(connection, repository)
            answer = self.repositories.serve(connection, repository, rest, environ, start_response)
            after = self.repositories.refs(connection, repository)
        for branch, commit in after.items():
            if before.get(branch) != commit:
                for subscriber in self._subscribers:
                    subscriber(connection, repository, branch, commit)
        return answer


def _id(connection_arn: str) -> str:
    return connection_arn.rsplit("/", 1)[-1]


def _refuse(start_response: Any, sentence: str) -> Iterable[bytes]:
    # git shows a 404's text to its user only when it is plain text.
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [sentence.encode() + b"\n"]
