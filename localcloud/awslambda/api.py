"""Lambda's operations on functions and versions, and Invoke."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.awslambda import description
from localcloud.awslambda.alias_operations import AliasOperations
from localcloud.awslambda.code_signing_operations import CodeSigningOperations
from localcloud.awslambda.model import LATEST, address
from localcloud.core import strict_json
from localcloud.core.ports import InvocationError
from localcloud.core.service_api import ApiError
from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from moto.core.request import Request

    from localcloud.awslambda.model import Address, Function, Version
    from localcloud.core.credentials import Session

_EXTRA_STATUS = {"AccessDeniedException": 403, "RequestEntityTooLargeException": 413}
_STATUS = {"RequestResponse": 200, "Event": 202, "DryRun": 204}


class LambdaApi(AliasOperations, CodeSigningOperations):
    """Lambda's REST API."""

    use_raw_body = True  # the payload of an invocation may be any bytes

    _status: int | None = None

    def answer(self, request: Request) -> tuple[int, dict[str, Any], Any]:
        """See `ServiceApi.answer`; sets the status that botocore's model leaves open."""
        status, headers, body = super().answer(request)
        return self._status or status, headers, body

    def serialized(self, action_result: ActionResult) -> Any:
        """Serialize as moto does; set the status of errors that botocore's model lacks."""
        error = action_result.result
        if isinstance(error, ApiError) and error.code in _EXTRA_STATUS:
            body = json.dumps({"Type": "User", "message": error.message})
            return _EXTRA_STATUS[error.code], {"x-amzn-errortype": error.code}, body
        return super().serialized(action_result)

    def create_function(self) -> ActionResult:
        """Create a function; publish it if `Publish` is set."""
        where = address(self.account, self.region, self.params["FunctionName"])
        tags = self.params.get("Tags") or {}
        function = self.service.definitions.create(where, self.params, dict(tags), self._session)
        version = function.latest
        if self.params.get("Publish"):
            version = self.service.definitions.publish(where)
        self.service.updates.begin(where, "creation")
        return ActionResult(self._described(function, version))

    def get_function(self) -> ActionResult:
        """Return a function's configuration and tags, without its code."""
        function, version, qualifier = self._version()
        document: dict[str, Any] = {
            "Configuration": self._described(function, version, qualifier),
            "Code": {"RepositoryType": "S3"},
        }
        if function.tags:
            document["Tags"] = function.tags
        if function.reserved is not None:
            document["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return ActionResult(document)

    def get_function_configuration(self) -> ActionResult:
        """Return a function's configuration."""
        return ActionResult(self._described(*self._version()))

    def list_functions(self) -> ActionResult:
        """Return all functions; with `FunctionVersion` ALL, also their versions."""
        every = self.params.get("FunctionVersion") == "ALL"
        found = [
            self._described(function, version)
            for function in self.service.catalogue.all(self.account, self.region)
            for version in [function.latest, *(function.versions.values() if every else [])]
        ]
        return self.page("Functions", found)

    def update_function_code(self) -> ActionResult:
        """Change the code of `$LATEST`."""
        if self.params.get("DryRun"):
            raise ApiError(
                "InvalidParameterValueException", "DryRun is not part of the local cloud"
            )
        where = self.where()
        self.service.updates.require_no_update(where)
        code = {
            name: self.params.get(name)
            for name in ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri")
        }
        function = self.service.definitions.change(
            where,
            {"Code": code, "Architectures": self.params.get("Architectures")},
            expected=self.params.get("RevisionId"),
            caller=self._session,
        )
        version = function.latest
        if self.params.get("Publish"):
            version = self.service.definitions.publish(where)
        self.service.updates.begin(where)
        return ActionResult(self._described(function, version))

    def update_function_configuration(self) -> ActionResult:
        """Change the configuration of `$LATEST`."""
        where = self.where()
        self.service.updates.require_no_update(where)
        function = self.service.definitions.change(
            where, self.params, expected=self.params.get("RevisionId")
        )
        self.service.updates.begin(where)
        return ActionResult(self._described(function, function.latest))

    def delete_function(self) -> ActionResult:
        """Delete a function or a version."""
        self.service.definitions.delete(self.where(self.params.get("Qualifier")))
        self._status = 204
        return EmptyResult()

    def publish_version(self) -> ActionResult:
        """Publish `$LATEST`."""
        where = self.where()
        self.service.updates.require_no_update(where)
        version = self.service.definitions.publish(
            where,
            description=self.params.get("Description") or "",
            code_sha256=self.params.get("CodeSha256"),
            expected=self.params.get("RevisionId"),
        )
        function = self.service.catalogue.get(where)
        return ActionResult(self._described(function, version))

    def get_account_settings(self) -> ActionResult:
        """Return the account's concurrency, and the unreserved part of it."""
        quota = self.service.quotas.concurrent_executions
        reserved = self.service.catalogue.reserved(self.account, self.region)
        limit = {
            "ConcurrentExecutions": quota,
            "UnreservedConcurrentExecutions": quota - reserved,
        }
        return ActionResult({"AccountLimit": limit})

    def list_versions_by_function(self) -> ActionResult:
        """Return `$LATEST` and all versions."""
        function = self.service.catalogue.get(self.where())
        versions = [function.latest, *function.versions.values()]
        return self.page("Versions", [self._described(function, each) for each in versions])

    def invoke(self) -> ActionResult:
        """Run a function, queue an event for it, or check that it can run."""
        where = self._invocable()
        payload = self.params.get("Payload") or b""
        if payload:
            try:
                strict_json.parse(payload)
            except ValueError as error:
                raise ApiError(
                    "InvalidRequestContentException",
                    f"Could not parse request body into json: {error}",
                ) from error
        kind = self.params.get("InvocationType") or "RequestResponse"
        if kind not in _STATUS:
            raise ApiError(
                "InvalidParameterValueException",
                f"InvocationType is {kind!r}; it must be one of {', '.join(_STATUS)}",
            )
        context = base64.b64decode(self.params.get("ClientContext") or "").decode()
        try:
            answer = self.service.invoke(
                *where,
                payload,
                trace=self.headers.get("X-Amzn-Trace-Id", ""),
                invocation_type=kind,
                client_context=context,
            )
        except InvocationError as error:
            raise ApiError(error.code, str(error)) from error
        self._status = _STATUS[kind]
        document: dict[str, Any] = {"Payload": answer.payload}
        if kind == "RequestResponse":
            document["ExecutedVersion"] = answer.version
            if answer.error:
                document["FunctionError"] = answer.error
            if self.params.get("LogType") == "Tail":
                document["LogResult"] = base64.b64encode(answer.log).decode()
        return ActionResult(document)

    @property
    def _session(self) -> Session | None:
        return self.service.core.credentials.session(self.caller.access_key)

    def _described(
        self, function: Function, version: Version, qualifier: str = ""
    ) -> dict[str, Any]:
        """Return `FunctionConfiguration` with the state of `$LATEST` (see `updates`)."""
        document = description.configuration(function, version, qualifier)
        unreadable = self.service.encryption.unreadable(self._session, function, version)
        if unreadable is not None:
            document["Environment"] = {"Error": unreadable}
        if version.number == LATEST:
            document |= self.service.updates.states(function.at())
        return document

    def _invocable(self) -> Address:
        """Return the function to invoke; a policy may allow one of another account."""
        where = address(
            self.account,
            self.region,
            self.params["FunctionName"],
            self.params.get("Qualifier"),
        )
        wanted = Needed("lambda:InvokeFunction", where.arn)
        if where.account == self.account or not self.service.access.denied(self.caller, wanted):
            return where
        return self.own(where)

    def _version(self) -> tuple[Function, Version, str]:
        """Return the function, the version of the qualifier, and the qualifier."""
        where = self.where(self.params.get("Qualifier"))
        function = self.service.catalogue.get(where)
        alias = function.aliases.get(where.qualifier)
        number = alias.routing.version if alias else where.qualifier
        return function, function.version(number), where.qualifier
