"""Handlers of IAM, KMS, S3, SNS, EventBridge, CloudWatch and the Parameter Store."""

from __future__ import annotations

from localcloud.cloudformation.handlers.handler import Handler, Operation, calls

_ROLE = {"RoleName": "{name}", "Path": "Path"}
_ROLE_BOUNDARY = _ROLE | {"PermissionsBoundary": "PermissionsBoundary"}
_OF_ROLE = {"RoleName": "{item}"}
_MANAGED = {"PolicyName": "{name}", "Path": "Path"}
_POLICY_OF_ROLE = _ROLE | {"PolicyArn": "{item}"}
_ATTACHED = _ROLE_BOUNDARY | _POLICY_OF_ROLE
_MADE_POLICY_OF = {"RoleName": "{item}", "PolicyArn": "{id}"}
_NEW_POLICY_OF = {
    "RoleName": "{item}",
    "PolicyArn": "arn:aws:iam::{account}:policy{path}{name}",
}
_MADE_POLICY = {"PolicyArn": "{id}"}
_ALARM = {"AlarmName": "{name}"}
_ALARM_ARN = {"ResourceARN": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"}
_TOPIC = {"TopicArn": "{id}"}
_NEW_TOPIC = {"TopicArn": "arn:aws:sns:{region}:{account}:{name}"}
_RULE = {"Name": "{name}", "EventBusName": "EventBusName"}
_RULE_ROLE = _RULE | {"RoleArn": "RoleArn"}
_RULE_TARGETS = _RULE | {"Targets": "Targets"}
_RULE_ARN = {"ResourceARN": "arn:aws:events:{region}:{account}:rule/{name}"}
_BUCKET = {"Bucket": "{name}"}
_BUCKET_PARTS = {
    "PutEncryptionConfiguration": "BucketEncryption",
    "PutBucketVersioning": "VersioningConfiguration",
    "PutBucketPublicAccessBlock": "PublicAccessBlockConfiguration",
    "PutLifecycleConfiguration": "LifecycleConfiguration",
    "PutBucketLogging": "LoggingConfiguration",
    "PutBucketCORS": "CorsConfiguration",
    "PutBucketNotification": "NotificationConfiguration",
    "PutBucketOwnershipControls": "OwnershipControls",
    "PutBucketWebsite": "WebsiteConfiguration",
    "PutReplicationConfiguration": "ReplicationConfiguration",
    "PutBucketObjectLockConfiguration": "ObjectLockConfiguration",
    "PutAccelerateConfiguration": "AccelerateConfiguration",
    "PutBucketTagging": "Tags",
}
_PARTS = tuple(Operation(name, (part,)) for name, part in _BUCKET_PARTS.items())


def _alarm(put: str) -> Handler:
    return Handler(
        "monitoring",
        _ALARM,
        create=calls(put, "DescribeAlarms", Operation("TagResource", ("Tags",), _ALARM_ARN)),
        update=calls(
            put,
            "DescribeAlarms",
            Operation("TagResource", ("Tags",), _ALARM_ARN),
            Operation("UntagResource", ("Tags",), _ALARM_ARN),
        ),
        delete=calls("DescribeAlarms", "DeleteAlarms"),
        name="AlarmName",
    )


HANDLERS = {
    "AWS::IAM::Role": Handler(
        "iam",
        _ROLE,
        create=calls(
            Operation("CreateRole", (), _ROLE_BOUNDARY),
            "GetRole",
            Operation("PutRolePolicy", ("Policies",), _ROLE_BOUNDARY),
            Operation("AttachRolePolicy", (), _ATTACHED, each="ManagedPolicyArns"),
            Operation("TagRole", ("Tags",)),
        ),
        update=calls(
            Operation("UpdateRole", ("Description", "MaxSessionDuration")),
            Operation("UpdateAssumeRolePolicy", ("AssumeRolePolicyDocument",)),
            Operation("PutRolePolicy", ("Policies",)),
            Operation("DeleteRolePolicy", ("Policies",)),
            Operation("AttachRolePolicy", (), _POLICY_OF_ROLE, each="ManagedPolicyArns"),
            Operation(
                "DetachRolePolicy", (), _POLICY_OF_ROLE, each="ManagedPolicyArns", removes=True
            ),
            Operation("PutRolePermissionsBoundary", ("PermissionsBoundary",), _ROLE_BOUNDARY),
            Operation("DeleteRolePermissionsBoundary", ("PermissionsBoundary",)),
            Operation("TagRole", ("Tags",)),
            Operation("UntagRole", ("Tags",)),
        ),
        delete=calls(
            "GetRole",
            "ListAttachedRolePolicies",
            "ListRolePolicies",
            Operation(
                "DetachRolePolicy", (), _POLICY_OF_ROLE, each="ManagedPolicyArns", removes=True
            ),
            Operation("DeleteRolePolicy", ("Policies",)),
            "DeleteRole",
        ),
        name="RoleName",
    ),
    "AWS::IAM::Policy": Handler(
        "iam",
        _OF_ROLE,
        create=calls("PutRolePolicy", "GetRolePolicy"),
        update=calls("PutRolePolicy", Operation("DeleteRolePolicy", ("Roles", "PolicyName"))),
        delete=calls("DeleteRolePolicy"),
        each="Roles",
    ),
    "AWS::IAM::ManagedPolicy": Handler(
        "iam",
        _MADE_POLICY,
        create=calls(
            Operation("CreatePolicy", (), _MANAGED),
            Operation("AttachRolePolicy", (), _NEW_POLICY_OF, each="Roles"),
        ),
        update=calls(
            "GetPolicy",
            "ListPolicyVersions",
            "CreatePolicyVersion",
            "DeletePolicyVersion",
            Operation("AttachRolePolicy", (), _MADE_POLICY_OF, each="Roles"),
            Operation("DetachRolePolicy", (), _MADE_POLICY_OF, each="Roles", removes=True),
        ),
        delete=calls(
            "GetPolicy",
            "ListPolicyVersions",
            "ListEntitiesForPolicy",
            Operation("DetachRolePolicy", (), _MADE_POLICY_OF, each="Roles", removes=True),
            "DeletePolicyVersion",
            "DeletePolicy",
        ),
        name="ManagedPolicyName",
    ),
    "AWS::KMS::Key": Handler(
        "kms",
        {"KeyId": "{id}"},
        create=calls(
            Operation("CreateKey", (), {}),
            Operation("PutKeyPolicy", (), {}),
            Operation("EnableKeyRotation", ("EnableKeyRotation",), {}),
            Operation("TagResource", ("Tags",), {}),
        ),
        update=calls(
            "DescribeKey",
            Operation("PutKeyPolicy", ("KeyPolicy",)),
            Operation("EnableKeyRotation", ("EnableKeyRotation",)),
            Operation("DisableKeyRotation", ("EnableKeyRotation",)),
            Operation("EnableKey", ("Enabled",)),
            Operation("DisableKey", ("Enabled",)),
            Operation("UpdateKeyDescription", ("Description",)),
            Operation("TagResource", ("Tags",)),
            Operation("UntagResource", ("Tags",)),
        ),
        delete=calls("DescribeKey", "ScheduleKeyDeletion"),
    ),
    "AWS::KMS::Alias": Handler(
        "kms",
        {"KeyId": "TargetKeyId"},
        create=calls("CreateAlias"),
        update=calls("UpdateAlias"),
        delete=calls("DeleteAlias"),
    ),
    "AWS::S3::Bucket": Handler(
        "s3",
        _BUCKET,
        create=calls("CreateBucket", *_PARTS),
        update=calls(*_PARTS),
        delete=calls("DeleteBucket"),
        name="BucketName",
    ),
    "AWS::S3::BucketPolicy": Handler(
        "s3",
        {"Bucket": "Bucket"},
        create=calls("GetBucketPolicy", "PutBucketPolicy"),
        update=calls("GetBucketPolicy", "PutBucketPolicy"),
        delete=calls("GetBucketPolicy", "DeleteBucketPolicy"),
    ),
    "AWS::SNS::Topic": Handler(
        "sns",
        _TOPIC,
        create=calls(
            Operation("CreateTopic", (), _NEW_TOPIC),
            Operation("GetTopicAttributes", (), _NEW_TOPIC),
            Operation("TagResource", ("Tags",), _NEW_TOPIC),
            Operation("Subscribe", ("Subscription",), _NEW_TOPIC),
        ),
        update=calls(
            "GetTopicAttributes",
            "SetTopicAttributes",
            Operation("TagResource", ("Tags",)),
            Operation("UntagResource", ("Tags",)),
            Operation("Subscribe", ("Subscription",)),
            Operation("Unsubscribe", ("Subscription",)),
        ),
        delete=calls("GetTopicAttributes", "DeleteTopic"),
        name="TopicName",
    ),
    "AWS::Events::Rule": Handler(
        "events",
        _RULE,
        create=calls(
            "DescribeRule",
            Operation("PutRule", (), _RULE_ROLE),
            Operation("PutTargets", ("Targets",), _RULE_TARGETS),
            Operation("TagResource", ("Tags",), _RULE_ARN),
        ),
        update=calls(
            "DescribeRule",
            Operation("PutRule", (), _RULE_ROLE),
            Operation("PutTargets", ("Targets",), _RULE_TARGETS),
            Operation("RemoveTargets", ("Targets",)),
            Operation("TagResource", ("Tags",), _RULE_ARN),
            Operation("UntagResource", ("Tags",), _RULE_ARN),
        ),
        delete=calls(
            "DescribeRule",
            "ListTargetsByRule",
            Operation("RemoveTargets", ("Targets",)),
            "DeleteRule",
        ),
        name="Name",
    ),
    "AWS::CloudWatch::Alarm": _alarm("PutMetricAlarm"),
    "AWS::CloudWatch::CompositeAlarm": _alarm("PutCompositeAlarm"),
    "AWS::SSM::Parameter": Handler(
        "ssm",
        {"Name": "{name}"},
        create=calls(
            "PutParameter",
            "GetParameters",
            Operation("AddTagsToResource", ("Tags",), {"ResourceId": "{name}"}),
        ),
        update=calls(
            "PutParameter",
            "GetParameters",
            Operation("AddTagsToResource", ("Tags",), {"ResourceId": "{name}"}),
            Operation("RemoveTagsFromResource", ("Tags",), {"ResourceId": "{name}"}),
        ),
        delete=calls("DeleteParameter"),
        name="Name",
    ),
}
