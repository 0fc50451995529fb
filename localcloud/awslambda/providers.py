"""Providers of `AWS::Lambda::*`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.attachment_providers import (
    CodeSigningConfigProvider,
    EventInvokeConfigProvider,
    PermissionProvider,
    UrlProvider,
)
from localcloud.awslambda.configuration import UNSUPPORTED_PARAMETERS
from localcloud.awslambda.definitions import VersionExistsError
from localcloud.awslambda.model import address
from localcloud.awslambda.provisioning import as_provisioning_error, differs, function, only
from localcloud.core.ports import AliasDeployment, DeploymentFailedError, Routing
from localcloud.core.providers import ProvisioningError, Resource
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.awslambda.catalogue import Catalogue
    from localcloud.awslambda.code_signing import CodeSigning
    from localcloud.awslambda.definitions import Definitions
    from localcloud.awslambda.model import Address
    from localcloud.awslambda.updates import Updates
    from localcloud.core.function_ports import Deployer
    from localcloud.core.providers import Provider, ResourceRequest


def providers(
    definitions: Definitions,
    catalogue: Catalogue,
    code_signing: CodeSigning,
    updates: Updates,
    deploy: Deployer,
) -> dict[str, Provider]:
    """Return Lambda's providers by resource type."""
    return {
        "AWS::Lambda::Function": FunctionProvider(definitions, updates),
        "AWS::Lambda::Version": VersionProvider(definitions, catalogue),
        "AWS::Lambda::Alias": AliasProvider(definitions, deploy),
        "AWS::Lambda::Permission": PermissionProvider(definitions),
        "AWS::Lambda::CodeSigningConfig": CodeSigningConfigProvider(code_signing),
        "AWS::Lambda::EventInvokeConfig": EventInvokeConfigProvider(definitions, catalogue),
        "AWS::Lambda::Url": UrlProvider(),
    }


_FUNCTION = (
    "FunctionName", "Code", "CodeSigningConfigArn", "Runtime", "Handler", "Role", "Architectures",
    "Description", "Environment", "EphemeralStorage", "KmsKeyArn", "LoggingConfig", "MemorySize",
    "PackageType", "ReservedConcurrentExecutions", "Tags", "Timeout", "TracingConfig",
)  # fmt: skip
_ALIAS = ("FunctionName", "FunctionVersion", "Name", "Description", "RoutingConfig")


class FunctionProvider:
    """`AWS::Lambda::Function`; `Ref` is its name."""

    def __init__(self, definitions: Definitions, updates: Updates) -> None:
        self._definitions = definitions
        self._updates = updates

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Only a new name needs replacement."""
        return differs(request, current, "FunctionName", "PackageType", "TenancyConfig")

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`; reuses this resource's function from before a crash."""
        properties = request.properties
        name = properties.get("FunctionName") or request.generated_name(64)
        only(request, *_FUNCTION, *UNSUPPORTED_PARAMETERS)
        with as_provisioning_error():
            where = address(request.account, request.region, name)
            try:
                self._definitions.create(where, properties, _tags(request))
            except ApiError:
                if not self._definitions.tagged(where, _tags(request)):
                    raise
                self._definitions.change(where, properties, whole=True)
            try:
                self._reserve(where, properties)
            except ApiError:
                self._definitions.delete(where)
                raise
        self._updates.begin(where, "creation")
        self._updates.wait(where, request.cancel)
        return Resource(name, {"Arn": where.arn}, properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        only(request, *_FUNCTION, *UNSUPPORTED_PARAMETERS)
        with as_provisioning_error():
            where = address(request.account, request.region, current.physical_id)
            self._updates.wait(where, request.cancel)
            self._definitions.change(where, request.properties, whole=True)
            self._definitions.tag(where, _tags(request))
            self._reserve(where, request.properties)
        self._updates.begin(where)
        self._updates.wait(where, request.cancel)
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        with as_provisioning_error(gone=True):
            self._definitions.delete(address(request.account, request.region, current.physical_id))

    def _reserve(self, where: Address, properties: dict[str, Any]) -> None:
        reserved = properties.get("ReservedConcurrentExecutions")
        self._definitions.reserve(where, None if reserved is None else int(reserved))


class VersionProvider:
    """`AWS::Lambda::Version`; `Ref` is its ARN."""

    def __init__(self, definitions: Definitions, catalogue: Catalogue) -> None:
        self._definitions = definitions
        self._catalogue = catalogue

    def unclaimed(self, stack_id: str, logical_id: str) -> str:
        """See `Claimant.unclaimed`."""
        _, _, _, region, account, _ = stack_id.split(":", 5)
        return next(
            (
                function.at(version.number).arn
                for function in self._catalogue.all(account, region)
                for version in list(function.versions.values())[-1:]
                if version.made_for == f"{stack_id}/{logical_id}"
            ),
            "",
        )

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Every change needs replacement."""
        return bool(request.properties != current.properties)

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`; the error's text is from aws-cdk#35540."""
        properties = request.properties
        only(request, "FunctionName", "Description", "CodeSha256")
        try:
            with as_provisioning_error():
                where = function(request)
                version = self._definitions.publish(
                    where,
                    description=properties.get("Description", ""),
                    code_sha256=properties.get("CodeSha256"),
                    made_for=f"{request.stack_id}/{request.logical_id}",
                )
        except VersionExistsError as error:
            raise ProvisioningError(
                f'Resource handler returned message: "Version already exists: [{error}]. Please '
                "modify the function to create a new version. (Service: Lambda, Status Code: 409, "
                f'Request ID: {uuid.uuid4()})" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: '
                "AlreadyExists)"
            ) from error
        arn = where._replace(qualifier=version.number).arn
        return Resource(arn, {"FunctionArn": arn, "Version": version.number}, properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; nothing can change in place."""
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        with as_provisioning_error(gone=True):
            self._definitions.delete(address(request.account, request.region, current.physical_id))


class AliasProvider:
    """`AWS::Lambda::Alias`; `Ref` is its ARN.

    With a CodeDeploy update policy, an update is a CodeDeploy deployment.
    """

    def __init__(self, definitions: Definitions, deploy: Deployer) -> None:
        self._definitions = definitions
        self._deploy = deploy

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new name or function needs replacement."""
        return differs(request, current, "Name", "FunctionName")

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        properties = request.properties
        only(request, *_ALIAS)
        with as_provisioning_error():
            where = function(request)._replace(qualifier=properties["Name"])
            routing = Routing(properties["FunctionVersion"], _weights(properties))
            self._definitions.create_alias(where, routing, properties.get("Description", ""))
        return Resource(where.arn, {"AliasArn": where.arn}, properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; waits for the end of the deployment."""
        properties = request.properties
        only(request, *_ALIAS)
        version: str | None = properties["FunctionVersion"]
        weights: dict[str, float] | None = _weights(properties)
        with as_provisioning_error():
            where = address(request.account, request.region, current.physical_id)
            # The stack's version, not the alias's current one: no documentation says that
            # CloudFormation reads the alias. If someone moved the alias, CodeDeploy reports that
            # its version does not match the AppSpec file.
            now = current.properties["FunctionVersion"]
            shift = request.update_policy.get("CodeDeployLambdaAliasUpdate")
            if shift and version != now and not request.rollback:
                self._shift(request, where, shift, now)
                version = weights = None
            self._definitions.change_alias(
                where,
                version=version,
                weights=weights,
                description=properties.get("Description", ""),
            )
        return Resource(current.physical_id, current.attributes, properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        with as_provisioning_error(gone=True):
            self._definitions.delete_alias(
                address(request.account, request.region, current.physical_id)
            )

    def _shift(
        self, request: ResourceRequest, where: Address, shift: dict[str, Any], now: str
    ) -> None:
        deployment = AliasDeployment(
            account=request.account,
            region=request.region,
            application=shift["ApplicationName"],
            deployment_group=shift["DeploymentGroupName"],
            function=where.name,
            alias=where.qualifier,
            current_version=now,
            target_version=request.properties["FunctionVersion"],
            before_hook=shift.get("BeforeAllowTrafficHook", ""),
            after_hook=shift.get("AfterAllowTrafficHook", ""),
        )
        try:
            self._deploy(deployment, request.cancel)
        except DeploymentFailedError as error:
            raise ProvisioningError(str(error)) from error


def _weights(properties: dict[str, Any]) -> dict[str, float]:
    routing = properties.get("RoutingConfig") or {}
    return {
        each["FunctionVersion"]: float(each["FunctionWeight"])
        for each in routing.get("AdditionalVersionWeights", [])
    }


def _tags(request: ResourceRequest) -> dict[str, str]:
    own = {each["Key"]: each["Value"] for each in request.properties.get("Tags") or []}
    return (
        request.tags
        | own
        | {
            "aws:cloudformation:stack-name": request.stack_name,
            "aws:cloudformation:stack-id": request.stack_id,
            "aws:cloudformation:logical-id": request.logical_id,
        }
    )
