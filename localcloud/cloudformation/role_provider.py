"""The provider of IAM roles, by the IAM API.

moto's CloudFormation model does not update their trust policy.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import schemas
from localcloud.core.providers import Resource

if TYPE_CHECKING:
    from localcloud.core.clients import ClientFactory
    from localcloud.core.providers import ResourceRequest
    from localcloud.iam.propagation import Propagation


class RoleProvider:
    """`AWS::IAM::Role`."""

    def __init__(self, client: ClientFactory, propagation: Propagation) -> None:
        self._client = client
        self._propagation = propagation

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the role if its name or path changes."""
        return any(
            request.properties.get(name) != current.properties.get(name)
            for name in ("RoleName", "Path")
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        schemas.require(request)
        wanted = request.properties
        name = wanted.get("RoleName") or request.generated_name()
        optional = {
            key: wanted[key] for key in ("Path", "Tags", "PermissionsBoundary") if key in wanted
        }
        role = self._iam(request).create_role(
            RoleName=name,
            AssumeRolePolicyDocument=_document(wanted["AssumeRolePolicyDocument"]),
            **_described(wanted),
            **optional,
        )["Role"]
        attributes = {"Arn": role["Arn"], "RoleId": role["RoleId"]}
        given: dict[str, Any] = {
            key: wanted[key] for key in ("Tags", "AssumeRolePolicyDocument") if key in wanted
        }
        try:
            made = self.update(request, Resource(name, attributes, given))
        except Exception:
            self.delete(request, Resource(name, attributes, wanted))
            raise
        # Creation completes after propagation, so later changes of this operation apply at once.
        self._propagation.changed(request.account, request.operation, role["Arn"])
        return made

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        schemas.require(request)
        iam, name = self._iam(request), current.physical_id
        before, wanted = current.properties, request.properties
        iam.update_role(RoleName=name, **_described(wanted))
        if wanted["AssumeRolePolicyDocument"] != before.get("AssumeRolePolicyDocument"):
            trust = _document(wanted["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
        if wanted.get("PermissionsBoundary"):
            boundary = wanted["PermissionsBoundary"]
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
        elif before.get("PermissionsBoundary"):
            iam.delete_role_permissions_boundary(RoleName=name)
        for policy in wanted.get("Policies", []):
            iam.put_role_policy(
                RoleName=name,
                PolicyName=policy["PolicyName"],
                PolicyDocument=_document(policy["PolicyDocument"]),
            )
        for arn in wanted.get("ManagedPolicyArns", []):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        self._remove_policies(request, name, before, wanted)
        if wanted.get("Tags", []) != before.get("Tags", []):
            gone = _keys(before) - _keys(wanted)
            iam.untag_role(RoleName=name, TagKeys=sorted(gone))
            iam.tag_role(RoleName=name, Tags=wanted.get("Tags", []))
        return Resource(name, current.attributes, wanted)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`; fails if others attached policies to it, as on AWS."""
        iam = self._iam(request)
        try:
            self._remove_policies(request, current.physical_id, current.properties, {})
            iam.delete_role(RoleName=current.physical_id)
        except iam.exceptions.NoSuchEntityException:
            return

    def _remove_policies(
        self, request: ResourceRequest, name: str, before: dict[str, Any], wanted: dict[str, Any]
    ) -> None:
        iam = self._iam(request)
        given = _given(iam, name)
        stays = {policy["PolicyName"] for policy in wanted.get("Policies", [])}
        for policy in before.get("Policies", []):
            if policy["PolicyName"] in given - stays:
                iam.delete_role_policy(RoleName=name, PolicyName=policy["PolicyName"])
        for arn in before.get("ManagedPolicyArns", []):
            if arn in given and arn not in wanted.get("ManagedPolicyArns", []):
                iam.detach_role_policy(RoleName=name, PolicyArn=arn)

    def _iam(self, request: ResourceRequest) -> Any:
        return self._client("iam", request.account, request.region)


def _given(iam: Any, name: str) -> set[str]:
    """Return the names of the role's inline policies, and the ARNs of attached ones."""
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    own = set(iam.list_role_policies(RoleName=name)["PolicyNames"])
    return own | {each["PolicyArn"] for each in attached}


def _document(policy: dict[str, Any]) -> str:
    # AWS accepts a document without a version; moto accepts only the latest version.
    return json.dumps({"Version": "2012-10-17"} | policy)


def _described(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "Description": properties.get("Description", ""),
        "MaxSessionDuration": int(properties.get("MaxSessionDuration", 3600)),
    }


def _keys(properties: dict[str, Any]) -> set[str]:
    return {tag["Key"] for tag in properties.get("Tags", [])}
