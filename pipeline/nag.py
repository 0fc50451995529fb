"""cdk-nag over the whole app, and the findings that were reviewed, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cdk_nag import AwsSolutionsChecks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_cdk import App


@dataclass(frozen=True)
class Review:
    """A finding that stays, and why: the rule with its detail, and the construct's path.

    Both are shell patterns in which `[` stands for itself.
    """

    rule: str
    construct: str
    reason: str

    def covers(self, rule: str, construct: str) -> bool:
        """Whether it speaks of this finding."""
        return fnmatchcase(rule, self.rule.replace("[", "[[]")) and fnmatchcase(
            construct, self.construct
        )


REVIEWS = (
    Review(
        "AwsSolutions-S1",
        "Pithead/*/files/Files/*",
        "Every access goes through the API, whose access log names it.",
    ),
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
        "AwsSolutions-IAM5[Resource::<Files*.Arn>/*]",
        "Pithead/*/files/Role/*",
        "A file may have any name: the grant ends at the service's own bucket.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::*]",
        "Pithead/*/files/Role/*",
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
        "Pithead/*/files/Release/*",
        "AWS's narrowest policy for CodeDeploy on Lambda.",
    ),
    Review(
        "AwsSolutions-IAM4[Policy::*AmazonAPIGatewayPushToCloudWatchLogs]",
        "Pithead/*/files/Api/CloudWatchRole/*",
        "API Gateway takes its log role for a whole account, and AWS keeps the policy for it.",
    ),
    Review(
        "AwsSolutions-L1",
        "Pithead/*/files/Function/*",
        "The runtime is the one that the locked bundle was built for.",
    ),
    Review(
        "AwsSolutions-APIG2",
        "Pithead/*/files/Api/*",
        "FastAPI validates each request against its own models.",
    ),
    Review(
        "AwsSolutions-APIG3",
        "Pithead/*/files/Api/*",
        "The throttle bounds the cost; who needs a web application firewall adds one.",
    ),
    Review(
        "AwsSolutions-APIG4",
        "Pithead/*/files/Api/*",
        "The API is public; an authorizer is the team's own choice.",
    ),
    Review(
        "AwsSolutions-COG4",
        "Pithead/*/files/Api/*",
        "The API is public; an authorizer is the team's own choice.",
    ),
)


@dataclass(frozen=True)
class Judgement:
    """What cdk-nag found that nobody reviewed, a line each, and reviews that speak of nothing."""

    unreviewed: tuple[str, ...]
    unused: tuple[Review, ...]


def judge(app: App, reviews: Iterable[Review] = REVIEWS) -> Judgement:
    """Hold the whole app against cdk-nag's AwsSolutions rules, and the findings against reviews."""
    kept = tuple(reviews)
    report = AwsSolutionsChecks(app).validate_scope(app)
    found = [
        (violation.rule_name, str(resource.construct_path), violation.description)
        for violation in report.violations
        for resource in violation.violating_resources
    ]
    return Judgement(
        unreviewed=tuple(
            sorted(
                f"{rule} at {construct}: {description}"
                for rule, construct, description in found
                if not any(review.covers(rule, construct) for review in kept)
            )
        ),
        unused=tuple(
            review
            for review in kept
            if not any(review.covers(rule, construct) for rule, construct, _ in found)
        ),
    )
