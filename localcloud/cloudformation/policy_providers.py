"""The providers of `AWS::SNS::TopicPolicy` and `AWS::SQS::QueuePolicy`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud.cloudformation import schemas
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.core.clients import ClientFactory
    from localcloud.core.providers import ResourceRequest

_OWNER_ACTIONS = (
    "AddPermission", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic", "Publish",
    "RemovePermission", "SetTopicAttributes", "Subscribe",
)  # fmt: skip
"""Actions of a topic's default policy ("Default policy" of the SNS guide)."""


class _PolicyProvider:
    """Sets one policy on several resources, and resets it when it is deleted."""

    _property = ""
    """The property that lists the resources."""

    def __init__(self, client: ClientFactory) -> None:
        self._client = client

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:  # noqa: ARG002  # the port's own signature
        """Return False: every property can be updated in place."""
        return False

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(request, request.generated_name(), [])

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; resets the policy of resources that are no longer listed."""
        return self._put(request, current.physical_id, self._named(current.properties))

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        for name in self._named(current.properties):
            try:
                self._reset(request, name)
            except ClientError as error:
                if not error.response["Error"]["Code"].endswith(("NotFound", "NonExistentQueue")):
                    raise

    def _put(self, request: ResourceRequest, physical_id: str, before: list[str]) -> Resource:
        schemas.require(request)
        wanted = self._named(request.properties)
        try:
            for name in wanted:
                self._set(request, name, json.dumps(request.properties["PolicyDocument"]))
            for name in before:
                if name not in wanted:
                    self._reset(request, name)
        except ClientError as error:
            raise ProvisioningError(error.response["Error"]["Message"]) from error
        return Resource(physical_id, {"Id": physical_id}, request.properties)

    def _named(self, properties: dict[str, Any]) -> list[str]:
        return [str(each) for each in properties.get(self._property, [])]

    def _set(self, request: ResourceRequest, name: str, policy: str) -> None:
        raise NotImplementedError

    def _reset(self, request: ResourceRequest, name: str) -> None:
        raise NotImplementedError


class TopicPolicyProvider(_PolicyProvider):
    """`AWS::SNS::TopicPolicy`."""

    _property = "Topics"

    def _set(self, request: ResourceRequest, name: str, policy: str) -> None:
        self._client("sns", request.account, request.region).set_topic_attributes(
            TopicArn=name, AttributeName="Policy", AttributeValue=policy
        )

    def _reset(self, request: ResourceRequest, name: str) -> None:
        statement = {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [f"SNS:{each}" for each in _OWNER_ACTIONS],
            "Resource": name,
            "Condition": {"StringEquals": {"AWS:SourceOwner": name.split(":")[4]}},
        }
        document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
        self._set(request, name, json.dumps(document))


class QueuePolicyProvider(_PolicyProvider):
    """`AWS::SQS::QueuePolicy`."""

    _property = "Queues"

    def _set(self, request: ResourceRequest, name: str, policy: str) -> None:
        self._client("sqs", request.account, request.region).set_queue_attributes(
            QueueUrl=name, Attributes={"Policy": policy}
        )

    def _reset(self, request: ResourceRequest, name: str) -> None:
        self._set(request, name, "")
