"""Resources that moto makes, under the journal, and a few that it lacks, by its own API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.resources import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.resources import ResourceRequest

_ATTRIBUTES = (
    "Arn", "RoleId", "DomainName", "RegionalDomainName", "DualStackDomainName", "WebsiteURL",
    "TopicName", "TopicArn", "QueueName", "QueueUrl", "KeyId", "Type", "Value", "StreamArn", "Id",
    "RepositoryUri", "PolicyId",
)  # fmt: skip
KIND = "cloudformation"


class MotoProvider:
    """Makes the resources of a type by moto's own CloudFormation model of it.

    moto's objects are kept here by physical id for updates and deletions; the journal's replay
    fills the table again.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._objects: dict[str, Any] = {}
        cloud.journal.register(KIND, self._perform)

    @staticmethod
    def makes(type_name: str) -> bool:
        """Whether moto has a model of the type."""
        from moto.cloudformation.parsing import resource_class_from_type  # noqa: PLC0415  # slow

        return resource_class_from_type(type_name) is not None

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new name is a new resource."""
        name = self._class(request.type).cloudformation_name_type()
        return bool(name) and request.properties.get(name, "") != current.properties.get(name, "")

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._run("create", request)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._run("update", request, current)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._run("delete", request, current)

    def _run(
        self, operation: str, request: ResourceRequest, current: Resource | None = None
    ) -> Resource:
        document = {
            "operation": operation,
            "type": request.type,
            "logical_id": request.logical_id,
            "stack_id": request.stack_id,
            "name": current.physical_id if current else self._name(request),
            "properties": current.properties
            if current and operation == "delete"
            else request.properties,
            "account": request.account,
            "region": request.region,
        }
        try:
            result = self._cloud.journal.perform(KIND, document) or {}
        except Exception as error:  # moto raises what its API would answer, of any class
            raise ProvisioningError(
                f"{getattr(error, 'message', None) or getattr(error, 'description', None) or error}"
                f" (Service: {request.type.split('::')[1]})"
            ) from error
        attributes = result.get("attributes", {})
        return Resource(result.get("physical_id", document["name"]), attributes, request.properties)

    def _name(self, request: ResourceRequest) -> str:
        named = self._class(request.type).cloudformation_name_type()
        if named and request.properties.get(named):
            return str(request.properties[named])
        name = request.generated_name(63)
        return name.lower() if request.type == "AWS::S3::Bucket" else name

    @staticmethod
    def _class(type_name: str) -> Any:
        from moto.cloudformation.parsing import resource_class_from_type  # noqa: PLC0415  # slow

        return resource_class_from_type(type_name)

    def _perform(self, document: dict[str, Any]) -> dict[str, Any] | None:
        model = self._class(document["type"])
        account, region, name = document["account"], document["region"], document["name"]
        properties = dict(document["properties"])
        if document["type"] == "AWS::KMS::Key" and "Tags" in properties:
            # moto hands CloudFormation's tags to a part that reads the KMS API's.
            properties["Tags"] = [
                {"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties["Tags"]
            ]
        definition = {"Type": document["type"], "Properties": properties}
        key = f"{account}/{region}/{document['type']}/{name}"
        if document["operation"] == "delete":
            self._delete(model, key, definition, document)
            return None
        if document["operation"] == "create":
            made = model.create_from_cloudformation_json(
                name,
                definition,
                account,
                region,
                LogicalId=document["logical_id"],
                StackId=document["stack_id"],
                ResourceType=document["type"],
            )
        else:
            made = self._update(model, key, definition, document)
        physical_id = str(made.physical_resource_id)
        self._objects[f"{account}/{region}/{document['type']}/{physical_id}"] = made
        attributes = {
            attribute: made.get_cfn_attribute(attribute)
            for attribute in _ATTRIBUTES
            if hasattr(made, "get_cfn_attribute") and made.has_cfn_attr(attribute)
        }
        return {"physical_id": physical_id, "attributes": attributes}

    def _update(
        self, model: Any, key: str, definition: dict[str, Any], document: dict[str, Any]
    ) -> Any:
        known = self._objects[key]
        account, region = document["account"], document["region"]
        properties = definition["Properties"]
        if document["type"] == "AWS::KMS::Key":
            known.policy = json.dumps(properties["KeyPolicy"])
            known.description = properties.get("Description", "")
            known.key_rotation_status = bool(properties.get("EnableKeyRotation"))
            return known
        if document["type"] == "AWS::IAM::ManagedPolicy":
            from moto.iam.models import iam_backends  # noqa: PLC0415  # as above

            backend = iam_backends[account]["aws"]
            backend.create_policy_version(
                known.arn, json.dumps(properties["PolicyDocument"]), set_as_default="true"
            )
            return known
        if hasattr(model.update_from_cloudformation_json, "__isabstractmethod__"):
            raise ProvisioningError(
                f"{document['type']} cannot be updated in the local cloud; give it a new name"
            )
        return model.update_from_cloudformation_json(
            known, document["name"], definition, account, region
        )

    def _delete(
        self, model: Any, key: str, definition: dict[str, Any], document: dict[str, Any]
    ) -> None:
        known = self._objects.pop(key, None)
        account, region = document["account"], document["region"]
        if document["type"] == "AWS::KMS::Key":
            if known is not None:
                known.enabled = False
            return
        if not hasattr(model.delete_from_cloudformation_json, "__isabstractmethod__"):
            model.delete_from_cloudformation_json(document["name"], definition, account, region)
        elif known is not None and hasattr(known, "delete"):
            known.delete(account, region)


class BucketPolicyProvider:
    """`AWS::S3::BucketPolicy`, which moto has no model of: set by the S3 API."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Another bucket, another policy."""
        return bool(request.properties["Bucket"] != current.physical_id)

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        bucket = str(request.properties["Bucket"])
        self._cloud.client("s3", request.account, request.region).put_bucket_policy(
            Bucket=bucket, Policy=json.dumps(request.properties["PolicyDocument"])
        )
        return Resource(bucket, {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:  # noqa: ARG002
        """See `Provider.update`."""
        return self.create(request)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        client = self._cloud.client("s3", request.account, request.region)
        try:
            client.delete_bucket_policy(Bucket=current.physical_id)
        except client.exceptions.NoSuchBucket:
            return
