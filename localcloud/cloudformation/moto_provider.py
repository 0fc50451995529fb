"""The provider of resources that moto's CloudFormation models create."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from moto.core.common_models import CloudFormationModel

from localcloud.cloudformation import schemas
from localcloud.cloudformation.keys_and_policies import (
    KEY_TYPE,
    POLICY_TYPE,
    check_key,
    delete_policy,
    key_properties,
    update_key,
    update_policy,
)
from localcloud.core.providers import ProvisioningError, Resource
from localcloud.moto.signing_keys import shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.core.providers import ResourceRequest
    from localcloud.iam.access import Access
    from localcloud.moto.journal import Journal

KIND = "cloudformation"
_EXCLUDED_PREFIXES = ("AWS::CloudFormation::", "Custom::")
_MOTO_PACKAGES = {
    "ElasticLoadBalancing": "elb",
    "ElasticLoadBalancingV2": "elbv2",
    "Lambda": "awslambda",
}
"""moto's package by CloudFormation's service name, where the two differ."""


class MotoProvider:
    """Creates resources by moto's CloudFormation models, under the journal.

    The provider keeps moto's objects by physical id for updates and deletions; a replay of the
    journal restores them.
    """

    def __init__(self, access: Access, journal: Journal) -> None:
        self._propagation = access.propagation
        self._journal = journal
        self._objects: dict[str, Any] = {}
        self._latest: dict[tuple[str, str], str] = {}
        journal.register(KIND, self._perform)

    @staticmethod
    def makes(type_name: str) -> bool:
        """Whether moto has a model of the type, other than CloudFormation's own types."""
        return not type_name.startswith(_EXCLUDED_PREFIXES) and _model(type_name) is not None

    def unclaimed(self, stack_id: str, logical_id: str) -> str:
        """See `Claimant.unclaimed`."""
        return self._latest.get((stack_id, logical_id), "")

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the resource if its name or a create-only property changes."""
        name = _model(request.type).cloudformation_name_type()
        if name and request.properties.get(name, "") != current.properties.get(name, ""):
            return True
        return schemas.changes_create_only_property(
            request.region, request.type, request.properties, current.properties
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        schemas.require(request)
        named = _model(request.type).cloudformation_name_type()
        name = request.properties.get(named) if named else None
        return self._run("create", request, str(name or request.generated_name(63)))

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        schemas.require(request)
        if not _has(_model(request.type).update_from_cloudformation_json, request.type):
            if request.rollback:  # the failed update did not change it
                return replace(current, properties=request.properties)
            raise ProvisioningError(
                f"{request.type} cannot be updated in the local cloud; give it a new name"
            )
        return self._run("update", request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._run("delete", request, current.physical_id)

    def _run(self, operation: str, request: ResourceRequest, name: str) -> Resource:
        document = {
            "operation": operation,
            "type": request.type,
            "logical_id": request.logical_id,
            "stack_id": request.stack_id,
            "name": name,
            "properties": request.properties,
            "account": request.account,
            "region": request.region,
        }
        try:
            result = self._journal.perform(KIND, document)
        except ProvisioningError:
            raise
        except Exception as error:  # moto raises API errors of any class
            said = getattr(error, "message", None) or getattr(error, "description", None) or error
            raise ProvisioningError(f"{said} (Service: {request.type.split('::')[1]})") from error
        physical_id = result["physical_id"] if result else ""
        if request.type.startswith("AWS::IAM::"):
            created = physical_id if operation == "create" else ""
            self._propagation.changed(request.account, request.operation, created)
        if result is None:
            return Resource(name, {}, request.properties)
        attributes = self._attributes(request, self._objects[_key(document, physical_id)])
        return Resource(physical_id, attributes, request.properties)

    @staticmethod
    def _attributes(request: ResourceRequest, made: Any) -> dict[str, Any]:
        found = {}
        for attribute in schemas.attributes(request.region, request.type):
            try:
                found[attribute] = made.get_cfn_attribute(attribute)
            except Exception:  # noqa: BLE001, S112  # moto does not list its attributes
                continue
        return found

    def _perform(self, document: dict[str, Any]) -> dict[str, Any] | None:
        definition = {"Type": document["type"], "Properties": _moto_properties(document)}
        owner = (document["stack_id"], document["logical_id"])
        if document["operation"] == "delete":
            self._delete(definition, document)
            if self._latest.get(owner) == document["name"]:
                del self._latest[owner]
            return None
        if document["type"] == KEY_TYPE:
            check_key(document["account"], document["properties"])
        if document["operation"] == "create":
            made = _model(document["type"]).create_from_cloudformation_json(
                document["name"],
                definition,
                document["account"],
                document["region"],
                LogicalId=document["logical_id"],
                StackId=document["stack_id"],
                ResourceType=document["type"],
            )
            if document["type"] == KEY_TYPE:
                shape(made, document["properties"])
        else:
            made = self._update(definition, document)
        physical_id = str(made.physical_resource_id)
        self._objects[_key(document, physical_id)] = made
        self._latest[owner] = physical_id
        return {"physical_id": physical_id}

    def _update(self, definition: dict[str, Any], document: dict[str, Any]) -> Any:
        model = _model(document["type"])
        known = self._objects.get(_key(document, document["name"]))
        if known is None:
            raise ProvisioningError(f"{document['type']} {document['name']} does not exist")
        account, region = document["account"], document["region"]
        properties = definition["Properties"]
        if document["type"] == KEY_TYPE:
            update_key(known, properties)
            return known
        if document["type"] == POLICY_TYPE:
            update_policy(known, properties["PolicyDocument"])
            return known
        return model.update_from_cloudformation_json(
            known, document["name"], definition, account, region
        )

    def _delete(self, definition: dict[str, Any], document: dict[str, Any]) -> None:
        model = _model(document["type"])
        key = _key(document, document["name"])
        known = self._objects.get(key)
        if known is None:
            return
        account, region = document["account"], document["region"]
        if document["type"] == KEY_TYPE:
            known.enabled = False
        elif document["type"] == POLICY_TYPE:
            delete_policy(known, definition["Properties"].get("Roles") or [])
        elif _has(model.delete_from_cloudformation_json):
            try:
                model.delete_from_cloudformation_json(document["name"], definition, account, region)
            except Exception as error:
                if not _is_not_found(error):
                    raise
        elif hasattr(known, "delete"):
            known.delete(account, region)
        else:
            raise ProvisioningError(f"{document['type']} cannot be removed in the local cloud")
        del self._objects[key]


@cache
def _model(type_name: str) -> Any:
    """Return moto's model of a type, or None; imports only that service, for speed."""
    service = type_name.split("::")[1] if type_name.count("::") > 1 else "none"
    package = f"moto.{_MOTO_PACKAGES.get(service, service.lower())}.models"
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        return None
    return next(
        (
            model
            for model in _models(CloudFormationModel)
            if model.__module__.startswith(package) and model.cloudformation_type() == type_name
        ),
        None,
    )


def _models(base: Any) -> Iterator[Any]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _has(method: Any, type_name: str = "") -> bool:
    """Whether moto implements the method, or this package does."""
    own = type_name in {KEY_TYPE, POLICY_TYPE}
    return own or not getattr(method, "__isabstractmethod__", False)


def _key(document: dict[str, Any], physical_id: str) -> str:
    return f"{document['account']}/{document['region']}/{document['type']}/{physical_id}"


def _moto_properties(document: dict[str, Any]) -> dict[str, Any]:
    if document["type"] == KEY_TYPE:
        return key_properties(document["properties"])
    return dict(document["properties"])


def _is_not_found(error: Exception) -> bool:
    named = f"{type(error).__name__} {getattr(error, 'code', '')}"
    return any(word in named for word in ("NotFound", "NoSuch", "DoesNotExist", "NonExistent"))
