"""What sending a message needs: the topic's or queue's own action, and its KMS key.

Sources: "Managing Amazon SNS encryption keys", "Amazon SQS Key management". A key of AWS's own
(`alias/aws/sns`) lets the roles of its account send, and no service principal: hyp3#762.
"""

from __future__ import annotations

from localcloud.iam.actions.call import Needed

_OPERATIONS = ("kms:GenerateDataKey", "kms:Decrypt")


def publish(topic: str, key: str) -> list[Needed]:
    """`SNS:Publish` on a topic; `key` is the ARN of the KMS key that encrypts it, or ""."""
    return [Needed("SNS:Publish", topic), *use_key(key)]


def send(queue: str, key: str) -> list[Needed]:
    """`sqs:SendMessage` to a queue; `key` as above."""
    return [Needed("sqs:SendMessage", queue), *use_key(key)]


def use_key(key: str) -> list[Needed]:
    """To encrypt a message, and to decrypt its data key."""
    return [Needed(each, key) for each in _OPERATIONS] if key else []
