"""Lambda's operations on aliases, permissions, concurrency, retries and tags."""

from __future__ import annotations

import json

from moto.core.responses import ActionResult, EmptyResult

from localcloud.awslambda import description
from localcloud.awslambda.model import LATEST, address
from localcloud.awslambda.operations import Operations
from localcloud.awslambda.policies import document
from localcloud.core.ports import Routing
from localcloud.core.service_api import ApiError


class AliasOperations(Operations):
    """Operations on aliases, policies, concurrency and tags of functions."""

    def create_alias(self) -> ActionResult:
        """Create an alias."""
        where = self.where(self.params["Name"])
        alias = self.service.definitions.create_alias(
            where,
            Routing(self.params["FunctionVersion"], self._weights() or {}),
            self.params.get("Description") or "",
        )
        return ActionResult(description.alias(self.service.catalogue.get(where), alias))

    def get_alias(self) -> ActionResult:
        """Return an alias."""
        function = self.service.catalogue.get(self.where())
        return ActionResult(description.alias(function, function.alias(self.params["Name"])))

    def update_alias(self) -> ActionResult:
        """Change the version, the weights or the description of an alias."""
        where = self.where(self.params["Name"])
        alias = self.service.definitions.change_alias(
            where,
            version=self.params.get("FunctionVersion"),
            weights=self._weights(),
            description=self.params.get("Description"),
            expected=self.params.get("RevisionId"),
        )
        return ActionResult(description.alias(self.service.catalogue.get(where), alias))

    def list_aliases(self) -> ActionResult:
        """Return all aliases, or those that route traffic to `FunctionVersion`."""
        function = self.service.catalogue.get(self.where())
        wanted = self.params.get("FunctionVersion")
        found = [
            description.alias(function, each)
            for _, each in sorted(function.aliases.items())
            if wanted is None or wanted in {each.routing.version, *each.routing.weights}
        ]
        return self.page("Aliases", found)

    def delete_alias(self) -> ActionResult:
        """Delete an alias."""
        self.service.definitions.delete_alias(self.where(self.params["Name"]))
        return EmptyResult()

    def add_permission(self) -> ActionResult:
        """Add a statement to a resource policy."""
        statement = self.service.definitions.permit(
            self.where(self.params.get("Qualifier")), self.params["StatementId"], self.params
        )
        return ActionResult({"Statement": json.dumps(statement)})

    def get_policy(self) -> ActionResult:
        """Return the resource policy of a function, a version or an alias."""
        where = self.where(self.params.get("Qualifier"))
        function = self.service.catalogue.get(where)
        statements = function.policies.get(where.qualifier)
        if not statements:
            raise ApiError(
                "ResourceNotFoundException", "The resource you requested does not exist."
            )
        return ActionResult(
            {"Policy": document(statements), "RevisionId": function.policy_revision}
        )

    def remove_permission(self) -> ActionResult:
        """Remove a statement from a resource policy."""
        self.service.definitions.forbid(
            self.where(self.params.get("Qualifier")), self.params["StatementId"]
        )
        return EmptyResult()

    def put_function_concurrency(self) -> ActionResult:
        """Reserve concurrency; 0 throttles every invocation."""
        reserved = int(self.params["ReservedConcurrentExecutions"])
        where = self.where()
        self.service.updates.require_no_update(where)
        self.service.definitions.reserve(where, reserved)
        return ActionResult({"ReservedConcurrentExecutions": reserved})

    def get_function_concurrency(self) -> ActionResult:
        """Return the reserved concurrency, if any."""
        function = self.service.catalogue.get(self.where())
        if function.reserved is None:
            return ActionResult({})
        return ActionResult({"ReservedConcurrentExecutions": function.reserved})

    def delete_function_concurrency(self) -> ActionResult:
        """Remove the reserved concurrency."""
        self.service.definitions.reserve(self.where(), None)
        return EmptyResult()

    def put_function_event_invoke_config(self) -> ActionResult:
        """Configure retries and maximum age of asynchronous invocations."""
        where = self.where(self.params.get("Qualifier") or LATEST)
        made = self.service.definitions.configure_events(where, self.params)
        return ActionResult({"FunctionArn": where.arn, **made})

    def list_tags(self) -> ActionResult:
        """Return a function's tags."""
        where = self.own(address(self.account, self.region, self.params["Resource"]))
        return ActionResult({"Tags": self.service.catalogue.get(where).tags})

    def tag_resource(self) -> ActionResult:
        """Add tags."""
        where = self.own(address(self.account, self.region, self.params["Resource"]))
        with self.service.catalogue.changing(where) as function:
            function.tags |= self.params["Tags"]
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        """Remove tags."""
        where = self.own(address(self.account, self.region, self.params["Resource"]))
        with self.service.catalogue.changing(where) as function:
            for key in self.params["TagKeys"]:
                function.tags.pop(key, None)
        return EmptyResult()

    def _weights(self) -> dict[str, float] | None:
        routing = self.params.get("RoutingConfig")
        if routing is None:
            return None
        weights = routing.get("AdditionalVersionWeights") or {}
        return {version: float(weight) for version, weight in weights.items()}
