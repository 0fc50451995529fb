"""Permissions for a message: the topic's or queue's own action, and its KMS key.

Sources: "Managing Amazon SNS encryption keys", "Amazon SQS Key management". A key of AWS's own
(`alias/aws/sns`) allows the roles of its account, and no service principal: hyp3#762.
"""

from __future__ import annotations

from localcloud.iam.actions.call import Needed


def publish(topic: str, key: str) -> list[Needed]:
    """`SNS:Publish` on a topic; `key` is the ARN of the KMS key that encrypts it, or ""."""
    return [Needed("SNS:Publish", topic), *encrypt("sns", "aws:sns:topicarn", topic, key)]


def send(queue: str, key: str) -> list[Needed]:
    """`sqs:SendMessage` to a queue; `key` as above."""
    return [Needed("sqs:SendMessage", queue), *encrypt("sqs", "aws:sqs:arn", queue, key)]


def receive(queue: str, key: str) -> list[Needed]:
    """`sqs:ReceiveMessage` of a queue; `key` as above."""
    needed = encrypt("sqs", "aws:sqs:arn", queue, key)
    return [Needed("sqs:ReceiveMessage", queue), *needed[1:]]


def encrypt(service: str, name: str, resource: str, key: str) -> list[Needed]:
    """Use of a KMS key for a message, through a service with its encryption context."""
    if not key:
        return []
    context = {
        "kms:viaservice": [f"{service}.{resource.split(':')[3]}.amazonaws.com"],
        f"kms:encryptioncontext:{name}": [resource],
        "kms:encryptioncontextkeys": [name],
        "aws:viaawsservice": ["true"],
    }
    operations = ("kms:GenerateDataKey", "kms:Decrypt")
    return [Needed(each, key, context=context) for each in operations]
