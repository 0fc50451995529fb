"""The operations of the CodeConnections API that pipelines and their users need."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.codeconnections.repositories import RepositoryError
from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.codeconnections.service import CodeConnections

_LINK = "codeconnections:repository-link"
_DEFAULT_PAGE_ITEMS = 100


class CodeConnectionsApi(ServiceApi):
    """Connections and repository links."""

    model: ClassVar[str] = "codeconnections"
    service: CodeConnections

    def create_connection(self) -> ActionResult:
        """Create a connection; it is available at once, without a handshake."""
        if self.params.get("HostArn"):
            raise ApiError("ResourceUnavailableException", "HostArn is not part of the local cloud")
        tags = {each["Key"]: each["Value"] for each in self.params.get("Tags") or []}
        arn = self.service.create(
            self.account,
            self.region,
            self.params["ConnectionName"],
            self.params.get("ProviderType") or "GitHub",
            tags,
        )
        return ActionResult({"ConnectionArn": arn, "Tags": self.params.get("Tags") or []})

    def get_connection(self) -> ActionResult:
        """Return one connection."""
        return ActionResult({"Connection": self._connection(self.params["ConnectionArn"])})

    def list_connections(self) -> ActionResult:
        """List the connections of the account in the region."""
        wanted = self.params.get("ProviderTypeFilter")
        found = [
            each
            for each in self.service.connections(self.account, self.region)
            if wanted in {None, each["ProviderType"]}
        ]
        return self._page("Connections", found)

    def delete_connection(self) -> ActionResult:
        """Delete a connection; its repositories stay on disk."""
        self._connection(self.params["ConnectionArn"])
        self.service.delete(self.params["ConnectionArn"])
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        """List a connection's tags."""
        found = self.service.find(self.params["ResourceArn"])
        tags = (found or {}).get("tags") or {}
        return ActionResult({"Tags": [{"Key": k, "Value": v} for k, v in tags.items()]})

    def create_repository_link(self) -> ActionResult:
        """Create a repository, so that it accepts pushes before a pipeline exists."""
        connection = self._connection(self.params["ConnectionArn"])
        owner, name = self.params["OwnerId"], self.params["RepositoryName"]
        arn = connection["ConnectionArn"]
        for link in self._links():
            if (link["ConnectionArn"], link["OwnerId"], link["RepositoryName"]) == (
                arn,
                owner,
                name,
            ):
                raise ApiError(
                    "ResourceAlreadyExistsException", f"A link to {owner}/{name} already exists"
                )
        try:
            self.service.ensure_repository(arn, f"{owner}/{name}")
        except RepositoryError as error:
            raise ApiError("InvalidInputException", str(error)) from error
        link_id = str(uuid.uuid4())
        link = {
            "ConnectionArn": arn,
            "OwnerId": owner,
            "ProviderType": connection["ProviderType"],
            "RepositoryLinkArn": arn.split(":connection/")[0] + f":repository-link/{link_id}",
            "RepositoryLinkId": link_id,
            "RepositoryName": name,
        }
        self.service.core.ledger.put(_LINK, link_id, link)
        return ActionResult({"RepositoryLinkInfo": link})

    def get_repository_link(self) -> ActionResult:
        """Return one repository link."""
        return ActionResult({"RepositoryLinkInfo": self._link(self.params["RepositoryLinkId"])})

    def list_repository_links(self) -> ActionResult:
        """List the repository links of the account in the region."""
        return self._page("RepositoryLinks", self._links())

    def delete_repository_link(self) -> ActionResult:
        """Delete a repository link; its repository stays on disk."""
        link = self._link(self.params["RepositoryLinkId"])
        self.service.core.ledger.delete(_LINK, link["RepositoryLinkId"])
        return EmptyResult()

    def _connection(self, arn: str) -> dict[str, Any]:
        found = self.service.find(arn)
        if found is None:
            raise ApiError("ResourceNotFoundException", f"Connection not found: {arn}")
        return {name: value for name, value in found.items() if name != "tags"}

    def _links(self) -> list[dict[str, Any]]:
        mine = f":{self.region}:{self.account}:"
        return [
            each for _, each in self.service.core.ledger.all(_LINK) if mine in each["ConnectionArn"]
        ]

    def _link(self, link_id: str) -> dict[str, Any]:
        found = self.service.core.ledger.get(_LINK, link_id)
        if found is None:
            raise ApiError("ResourceNotFoundException", f"Repository link not found: {link_id}")
        return found

    def _page(self, name: str, entries: Sequence[Any]) -> ActionResult:
        token = self.params.get("NextToken") or "0"
        if not token.isdecimal():
            raise ApiError("InvalidInputException", f"NextToken {token} is not valid")
        begin, most = int(token), int(self.params.get("MaxResults") or _DEFAULT_PAGE_ITEMS)
        answer: dict[str, Any] = {name: list(entries[begin : begin + most])}
        if begin + most < len(entries):
            answer["NextToken"] = str(begin + most)
        return ActionResult(answer)


class CodeStarConnectionsApi(CodeConnectionsApi):
    """The same operations under the service's former name."""

    model: ClassVar[str] = "codestar-connections"
