"""Change functions, aliases and policies, for the API and CloudFormation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.configuration import configure, invalid, require_role_arn
from localcloud.awslambda.model import LATEST, Alias, Function, Version, revision
from localcloud.awslambda.policies import check_principal, check_size, statement
from localcloud.awslambda.preconditions import check_routing, require
from localcloud.core.ports import Routing
from localcloud.core.service_api import ApiError
from localcloud.iam.service_roles import RoleError, assume_service_role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.awslambda.bundles import Bundles
    from localcloud.awslambda.catalogue import Catalogue
    from localcloud.awslambda.code_signing import CodeSigning
    from localcloud.awslambda.encryption import Encryption
    from localcloud.awslambda.model import Address
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Access


class VersionExistsError(Exception):
    """Nothing changed since the last version; the message is its ARN."""


class Definitions:
    """Changes functions in the catalogue; a failed change has no effect.

    `retire` is called with the revision of each version whose workers must end. All methods raise
    `ApiError` with Lambda's codes.
    """

    def __init__(
        self,
        core: Core,
        access: Access,
        quotas: Quotas,
        catalogue: Catalogue,
        bundles: Bundles,
        code_signing: CodeSigning,
        encryption: Encryption,
        retire: Callable[[str], None],
    ) -> None:
        self._core = core
        self._access = access
        self._quotas = quotas
        self._catalogue = catalogue
        self._bundles = bundles
        self._code_signing = code_signing
        self._encryption = encryption
        self._retire = retire

    def create(
        self,
        where: Address,
        parameters: Mapping[str, Any],
        tags: dict[str, str],
        caller: Session | None = None,
    ) -> Function:
        """Create a function; read its code in S3 as the caller."""
        code = self._bundles.take(where.account, where.region, parameters["Code"], caller)
        configuration = configure(where.name, parameters, code, None)
        self._check_storage(where, configuration.code_size)
        self._check_role(where, configuration.role)
        self._encryption.check_key(configuration)
        signing = parameters.get("CodeSigningConfigArn") or ""
        if signing:
            self._code_signing.require(where, signing)
            self._code_signing.verify(where, signing, configuration.code)
        latest = Version(LATEST, configuration, self._core.clock.timestamp())
        function = Function(
            where.account, where.region, where.name, latest, tags=tags, code_signing=signing
        )
        self._catalogue.add(function)
        return function

    def change(
        self,
        where: Address,
        parameters: Mapping[str, Any],
        *,
        whole: bool = False,
        expected: str | None = None,
        caller: Session | None = None,
    ) -> Function:
        """Change configuration or code of `$LATEST`, or both.

        An omitted parameter keeps its value; with `whole` it gets its default.
        """
        code = parameters.get("Code")
        taken = self._bundles.take(where.account, where.region, code, caller) if code else None
        if parameters.get("Role"):
            self._check_role(where, parameters["Role"])
        with self._catalogue.changing(where) as function:
            before = function.latest
            require(expected, before.revision)
            kept = (before.configuration.code, before.configuration.code_size)
            base = None if whole else before.configuration
            made = configure(where.name, parameters, taken or kept, base)
            self._encryption.check_key(made, before.configuration)
            if whole:
                self._sign_by(where, function, parameters.get("CodeSigningConfigArn") or "")
            # A template always names its code; unchanged code is not deployed.
            if function.code_signing and taken and not (whole and taken == kept):
                self._code_signing.verify(where, function.code_signing, made.code)
            self._check_storage(where, made.code_size - before.configuration.code_size)
            if made != before.configuration:
                function.latest = Version(LATEST, made, self._core.clock.timestamp())
        if function.latest is not before:
            self._retire(before.revision)
        return function

    def publish(
        self,
        where: Address,
        *,
        description: str = "",
        code_sha256: str | None = None,
        expected: str | None = None,
        made_for: str = "",
    ) -> Version:
        """Publish `$LATEST`; return the last version if nothing changed.

        `made_for` is the stack's resource that publishes. A resource must have a new version.
        Source: `PublishVersion` in the API reference.

        Raises:
            VersionExistsError: `made_for` is set, and nothing changed.
        """
        with self._catalogue.changing(where) as function:
            latest = function.latest
            require(expected, latest.revision)
            if code_sha256 and code_sha256 != latest.configuration.code_sha256:
                raise invalid(
                    f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST "
                    f"({latest.configuration.code_sha256}). Please try again with the CodeSHA256 "
                    "in $LATEST."
                )
            last = function.versions.get(max(function.versions, key=int, default=""))
            if last and last.configuration == latest.configuration:
                if made_for:
                    raise VersionExistsError(where._replace(qualifier=last.number).arn)
                return last
            self._check_storage(where, latest.configuration.code_size)
            function.published += 1
            version = Version(
                str(function.published),
                latest.configuration,
                self._core.clock.timestamp(),
                description or latest.configuration.description,
                made_for,
            )
            function.versions[version.number] = version
        return version

    def delete(self, where: Address) -> None:
        """Delete a function, or the version of the qualifier."""
        if not where.qualifier:
            function = self._catalogue.remove(where)
            for version in [function.latest, *function.versions.values()]:
                self._retire(version.revision)
            return
        if where.qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")
        with self._catalogue.changing(where) as function:
            version = function.version(where.qualifier)
            using = sorted(
                alias.name
                for alias in function.aliases.values()
                if version.number in {alias.routing.version, *alias.routing.weights}
            )
            if using:
                raise ApiError(
                    "ResourceConflictException",
                    "Unable to delete version because the following aliases reference it: "
                    f"[{', '.join(using)}]",
                )
            del function.versions[version.number]
            function.policies.pop(version.number, None)
        self._retire(version.revision)

    def create_alias(self, where: Address, routing: Routing, description: str) -> Alias:
        """Create an alias; its name is the qualifier."""
        if not re.fullmatch(r"(?!\d+$)[a-zA-Z0-9_-]{1,128}", where.qualifier):
            raise invalid(
                f"{where.qualifier!r} is not a valid alias name; use letters, digits, - and _, and "
                "not only digits"
            )
        with self._catalogue.changing(where) as function:
            if where.qualifier in function.aliases:
                raise ApiError("ResourceConflictException", f"Alias already exists: {where.arn}")
            check_routing(function, routing)
            alias = Alias(where.qualifier, routing, description)
            function.aliases[alias.name] = alias
        return alias

    def change_alias(
        self,
        where: Address,
        *,
        version: str | None = None,
        weights: dict[str, float] | None = None,
        description: str | None = None,
        expected: str | None = None,
    ) -> Alias:
        """Change an alias; None keeps a value."""
        with self._catalogue.changing(where) as function:
            before = function.alias(where.qualifier)
            require(expected, before.revision)
            routing = Routing(
                before.routing.version if version is None else version,
                before.routing.weights if weights is None else weights,
            )
            check_routing(function, routing)
            alias = replace(
                before,
                routing=routing,
                description=before.description if description is None else description,
                revision=revision(),
            )
            function.aliases[alias.name] = alias
        return alias

    def delete_alias(self, where: Address) -> None:
        """Delete an alias with its policy; do nothing if it does not exist."""
        with self._catalogue.changing(where) as function:
            function.aliases.pop(where.qualifier, None)
            function.policies.pop(where.qualifier, None)
            function.event_invoke.pop(where.qualifier, None)

    def permit(
        self, where: Address, identifier: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Add a statement to the policy of the function or of its qualifier."""
        with self._catalogue.changing(where) as function:
            require(parameters.get("RevisionId"), function.policy_revision)
            if where.qualifier == LATEST:
                raise invalid("We currently do not support adding policies for $LATEST.")
            if where.qualifier not in function.aliases:
                function.version(where.qualifier)
            statements = function.policies.setdefault(where.qualifier, [])
            if any(each["Sid"] == identifier for each in statements):
                raise ApiError(
                    "ResourceConflictException",
                    f"The statement id ({identifier}) provided already exists. Please provide a "
                    "new statement id, or remove the existing statement.",
                )
            check_principal(parameters["Principal"], self._access.stored.has_role)
            made = statement(where.arn, identifier, parameters)
            check_size([*statements, made])
            statements.append(made)
            function.policy_revision = revision()
        return made

    def forbid(self, where: Address, identifier: str) -> None:
        """Remove a statement from a policy."""
        with self._catalogue.changing(where) as function:
            statements = function.policies.get(where.qualifier, [])
            kept = [each for each in statements if each["Sid"] != identifier]
            if len(kept) == len(statements):
                raise ApiError(
                    "ResourceNotFoundException",
                    f"Statement {identifier} is not found in resource policy.",
                )
            function.policies[where.qualifier] = kept
            function.policy_revision = revision()

    def tag(self, where: Address, tags: dict[str, str]) -> None:
        """Replace the function's tags."""
        with self._catalogue.changing(where) as function:
            function.tags = tags

    def tagged(self, where: Address, tags: dict[str, str]) -> bool:
        """Return whether the function exists and has all of these tags."""
        try:
            return tags.items() <= self._catalogue.get(where).tags.items()
        except ApiError:
            return False

    def reserve(self, where: Address, concurrency: int | None) -> None:
        """Reserve concurrency for the function; None removes the reservation."""
        with self._catalogue.changing(where) as function:
            reserved = self._catalogue.reserved(where.account, where.region)
            others = reserved - (function.reserved or 0)
            quotas = self._quotas
            left = quotas.concurrent_executions - others - (concurrency or 0)
            if left < quotas.unreserved_executions:
                raise invalid(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of "
                    f"[{quotas.unreserved_executions}]."
                )
            function.reserved = concurrency

    def require_signatures(self, where: Address, config: str) -> None:
        """Set the code signing configuration for new code; "" removes it."""
        with self._catalogue.changing(where) as function:
            self._sign_by(where, function, config)

    def configure_events(self, where: Address, parameters: Mapping[str, Any]) -> dict[str, int]:
        """Configure retries and maximum age of asynchronous invocations."""
        if any((parameters.get("DestinationConfig") or {}).values()):
            raise invalid(
                f"{where.arn}: destinations are not part of the local cloud; a dropped event is "
                "logged in the function's log group"
            )
        limits = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21600)}
        made = {}
        for name, (least, most) in limits.items():
            if parameters.get(name) is None:
                continue
            made[name] = int(parameters[name])
            if not least <= made[name] <= most:
                raise invalid(f"{name} is {made[name]}; it must be between {least} and {most}")
        with self._catalogue.changing(where) as function:
            function.event_invoke[where.qualifier] = made
        return made

    def _sign_by(self, where: Address, function: Function, config: str) -> None:
        if config:
            self._code_signing.require(where, config)
        function.code_signing = config

    def _check_storage(self, where: Address, more: int) -> None:
        """Check that `more` bytes of code can be stored.

        The error is from serverless/serverless#5194 and serverless-nextjs/serverless-next.js#1801.
        """
        stored = self._catalogue.code_size(where.account, where.region)
        if more > 0 and stored + more > self._quotas.code_storage_bytes:
            raise ApiError("CodeStorageExceededException", "Code storage limit exceeded.")

    def _check_role(self, where: Address, role: str) -> None:
        require_role_arn(where.name, role)
        if role.split(":")[4] != where.account:
            raise ApiError("AccessDeniedException", "Cross-account pass role is not allowed.")
        try:
            function = where._replace(qualifier="").arn
            assume_service_role(self._access, role, "lambda.amazonaws.com", where.name, function)
        except RoleError as error:
            raise invalid(
                f"The role defined for the function cannot be assumed by Lambda. ({error})"
            ) from error
