"""Reviewed findings of cdk-nag, each with its reason.

Reviews of the service's own resources are in `service/delivery/reviews.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pipeline.names import SERVICE
from pipeline.service import part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.schema import Environment, Home

_SERVICE = f"Pithead/*/{SERVICE}"
"""Path of the service's stack in each environment."""


@dataclass(frozen=True)
class Review:
    """An accepted finding: the rule with its detail, the construct's path, the reason.

    Both are shell patterns in which `[` is literal. A `*` that is the rule's whole detail is
    literal, too: the finding is about that wildcard, and not about any resource.
    """

    rule: str
    construct: str
    reason: str

    def covers(self, rule: str, construct: str) -> bool:
        """Return whether the review covers a finding."""
        pattern = self.rule.replace("[", "[[]").replace("::*]", "::[*]]")
        return fnmatchcase(rule, pattern) and fnmatchcase(construct, self.construct)


REVIEWS = (
    Review(
        "AwsSolutions-S1",
        "Pithead/Artifacts/*",
        "Only the pipeline's own roles read it, and CloudTrail names them.",
    ),
    Review(
        "AwsSolutions-IAM5[Action::s3:*]",
        "Pithead/Pipeline/*",
        "CDK's own grants to read or write the artifact bucket end their actions in a wildcard.",
    ),
    Review(
        "AwsSolutions-IAM5[Action::kms:*]",
        "Pithead/Pipeline/*",
        "CDK's own grants on the artifact bucket's key end their actions in a wildcard.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::*]",
        f"{_SERVICE}/Role/*",
        "X-Ray's PutTraceSegments and PutTelemetryRecords know no resource to name.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<Artifacts*.Arn>/*]",
        "Pithead/Pipeline/*",
        "An artifact's key is made anew for each execution: the grant ends at the bucket.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:*]",
        "Pithead/Pipeline/*",
        "CodeBuild names a log stream anew for each build: the grant ends at the projects' groups.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:codebuild:*:report-group/*]",
        "Pithead/Pipeline/*",
        "CodeBuild makes a project's report groups by the project's own prefix.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::arn:*:iam::*:role/*]",
        "Pithead/Pipeline/*",
        "CDK Pipelines lets self-mutation assume the bootstrap roles of its account, by their tag.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::*]",
        "Pithead/Pipeline/*",
        "CDK Pipelines reads stacks and starts its asset project before it can know their names.",
    ),
    Review(
        "AwsSolutions-IAM4[Policy::*AWSCodeDeployRoleForLambdaLimited]",
        f"{_SERVICE}/Release/*",
        "AWS's narrowest policy for CodeDeploy on Lambda.",
    ),
    Review(
        "AwsSolutions-IAM4[Policy::*AmazonAPIGatewayPushToCloudWatchLogs]",
        f"{_SERVICE}/Api/CloudWatchRole/*",
        "API Gateway takes its log role for a whole account, and AWS keeps the policy for it.",
    ),
    Review(
        "AwsSolutions-S1",
        f"{_SERVICE}/Release/Judge/Decisions/*",
        "Only the judge writes it, each record names its release, and CloudTrail names who reads.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::*]",
        f"{_SERVICE}/Release/Judge/Role/*",
        "The metrics' calls know no resource, and DescribeAlarms reads; a namespace bounds what is "
        "written.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/decisions/*.json]",
        f"{_SERVICE}/Release/Judge/Role/*",
        "A record is named by its deployment: the grant ends at the judge's own folder.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/bakes/*.json]",
        f"{_SERVICE}/Release/Judge/Role/*",
        "A bake is named by its deployment: the grant ends at the judge's own folder.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/condemned/*.json]",
        f"{_SERVICE}/Release/Judge/Role/*",
        "A condemnation is named by a version's digest: the grant ends at the judge's own folder.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/permitted/*.json]",
        f"{_SERVICE}/Release/Judge/*",
        "A permission is named by a version's digest; the judge reads them, and a role that can do "
        "nothing else writes them.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<Function*.Arn>:*]",
        f"{_SERVICE}/Release/Judge/Role/*",
        "The judge reads the configuration of whichever version is released.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeFunction*.Arn>:*]",
        f"{_SERVICE}/Release/DeploymentGroup/*",
        "CDK's grant to invoke a hook spans the function's versions: it ends at the judge.",
    ),
    Review(
        "AwsSolutions-L1",
        f"{_SERVICE}/Release/Judge/*",
        "The runtime is the one that the locked bundle was built for.",
    ),
    Review(
        "AwsSolutions-L1",
        f"{_SERVICE}/Journeys/*",
        "The runtime is the one that the locked bundle was built for.",
    ),
    Review(
        "AwsSolutions-L1",
        f"{_SERVICE}/Function/*",
        "The runtime is the one that the locked bundle was built for.",
    ),
    Review(
        "AwsSolutions-APIG2",
        f"{_SERVICE}/*Api/*",
        "FastAPI validates each request against its own models.",
    ),
    Review(
        "AwsSolutions-APIG3",
        f"{_SERVICE}/*Api/*",
        "The throttle bounds the cost; who needs a web application firewall adds one.",
    ),
    Review(
        "AwsSolutions-APIG4",
        f"{_SERVICE}/*Api/*",
        "The API is public; an authorizer is the team's own choice.",
    ),
    Review(
        "AwsSolutions-COG4",
        f"{_SERVICE}/*Api/*",
        "The API is public; an authorizer is the team's own choice.",
    ),
)

OTHER_REGION = (
    Review(
        "AwsSolutions-S1",
        "cross-region-stack-*/Default/CrossRegionCodePipelineReplicationBucket/*",
        "Only the pipeline's own roles use its artifacts, and CloudTrail names them.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::pithead-support-*/*]",
        "Pithead/Pipeline/*",
        "An artifact's key is made anew for each execution: the grant ends at the bucket.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::arn:aws:cloudformation:*:stack/Pithead-support-*/*]",
        "Pithead/Pipeline/*",
        "A stack's ARN ends in an id that is made with it: the grant ends at its name.",
    ),
)
"""Additional findings if an environment is in another region than the pipeline."""

OWN_ACCOUNT = (
    Review(
        f"AwsSolutions-IAM5[Resource::arn:aws:cloudformation:*:stack/*-{SERVICE}/*]",
        "Pithead/Pipeline/*",
        "A stack's ARN ends in an id that is made with it: the grant ends at its name.",
    ),
)
"""Additional findings if an environment is in the pipeline's account."""

CODE_SIGNING = (
    Review(
        "AwsSolutions-IAM5[Resource::arn:aws:signer:*:/signing-jobs/*]",
        "Pithead/Pipeline/Pipeline/Build/Synth/*",
        "Signer makes a job's id anew for each: the grant ends at the account's jobs.",
    ),
)
"""Additional findings if the Build signs bundles."""


def applicable(
    home: Home, environments: Mapping[str, Environment], *, signed: bool
) -> tuple[Review, ...]:
    """Return the reviews that apply to these environments, including the service's."""
    own = any(each.account == home.account for each in environments.values())
    away = any(each.region != home.region for each in environments.values())
    service = part("reviews")
    return (
        *REVIEWS,
        *(service.REVIEWS if service else ()),
        *(OWN_ACCOUNT if own else ()),
        *(OTHER_REGION if away else ()),
        *(CODE_SIGNING if signed else ()),
    )
