"""cdk-nag over the whole app, and the findings that were reviewed, each with its reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import TYPE_CHECKING

from cdk_nag import AwsSolutionsChecks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from aws_cdk import App

    from environments.schema import Environment, Home


@dataclass(frozen=True)
class Review:
    """A finding that stays, and why: the rule with its detail, and the construct's path.

    Both are shell patterns in which `[` stands for itself. As a rule's whole detail, `*` does so,
    too: it is the wildcard that was found, and no other resource.
    """

    rule: str
    construct: str
    reason: str

    def covers(self, rule: str, construct: str) -> bool:
        """Whether it speaks of this finding."""
        pattern = self.rule.replace("[", "[[]").replace("::*]", "::[*]]")
        return fnmatchcase(rule, pattern) and fnmatchcase(construct, self.construct)


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
        "AwsSolutions-S1",
        "Pithead/*/files/Release/Judge/Decisions/*",
        "Only the judge writes it, each record names its release, and CloudTrail names who reads.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::*]",
        "Pithead/*/files/Release/Judge/Role/*",
        "The metrics' calls know no resource, and DescribeAlarms reads; a namespace bounds what is "
        "written.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/decisions/*.json]",
        "Pithead/*/files/Release/Judge/Role/*",
        "A record is named by its deployment: the grant ends at the judge's own folder.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/bakes/*.json]",
        "Pithead/*/files/Release/Judge/Role/*",
        "A bake is named by its deployment: the grant ends at the judge's own folder.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/condemned/*.json]",
        "Pithead/*/files/Release/Judge/Role/*",
        "A condemnation is named by a version's digest: the grant ends at the judge's own folder.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeDecisions*.Arn>/permitted/*.json]",
        "Pithead/*/files/Release/Judge/*",
        "A permission is named by a version's digest; the judge reads them, and a role that can do "
        "nothing else writes them.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<Function*.Arn>:*]",
        "Pithead/*/files/Release/Judge/Role/*",
        "The judge reads the configuration of whichever version is released.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<ReleaseJudgeFunction*.Arn>:*]",
        "Pithead/*/files/Release/DeploymentGroup/*",
        "CDK's grant to invoke a hook spans the function's versions: it ends at the judge.",
    ),
    Review(
        "AwsSolutions-L1",
        "Pithead/*/files/Release/Judge/*",
        "The runtime is the one that the locked bundle was built for.",
    ),
    Review(
        "AwsSolutions-L1",
        "Pithead/*/files/Journeys/*",
        "The runtime is the one that the locked bundle was built for.",
    ),
    Review(
        "AwsSolutions-L1",
        "Pithead/*/files/Function/*",
        "The runtime is the one that the locked bundle was built for.",
    ),
    Review(
        "AwsSolutions-APIG2",
        "Pithead/*/files/*Api/*",
        "FastAPI validates each request against its own models.",
    ),
    Review(
        "AwsSolutions-APIG3",
        "Pithead/*/files/*Api/*",
        "The throttle bounds the cost; who needs a web application firewall adds one.",
    ),
    Review(
        "AwsSolutions-APIG4",
        "Pithead/*/files/*Api/*",
        "The API is public; an authorizer is the team's own choice.",
    ),
    Review(
        "AwsSolutions-COG4",
        "Pithead/*/files/*Api/*",
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
"""What is found besides where an environment is in another region than the pipeline."""

OWN_ACCOUNT = (
    Review(
        "AwsSolutions-IAM5[Resource::arn:aws:cloudformation:*:stack/*-files/*]",
        "Pithead/Pipeline/*",
        "A stack's ARN ends in an id that is made with it: the grant ends at its name.",
    ),
)
"""What is found besides where an environment is in the pipeline's account."""

CODE_SIGNING = (
    Review(
        "AwsSolutions-IAM5[Resource::arn:aws:signer:*:/signing-jobs/*]",
        "Pithead/Pipeline/Pipeline/Build/Synth/*",
        "Signer makes a job's id anew for each: the grant ends at the account's jobs.",
    ),
)
"""What is found besides where Build signs."""


@dataclass(frozen=True)
class Judgement:
    """What cdk-nag found that nobody reviewed, a line each, and reviews that speak of nothing."""

    violations: tuple[tuple[str, str, str], ...]
    """Rule, construct path and description of each unreviewed finding."""
    unused: tuple[Review, ...]

    @property
    def unreviewed(self) -> tuple[str, ...]:
        """The violations, a line each."""
        return tuple(
            f"{rule} at {construct}: {description}"
            for rule, construct, description in self.violations
        )


def record(assembly: Path) -> None:
    """Leave in an assembly that all of it was judged and reviewed, as CDK does for its plugins.

    Whoever deploys the assembly may then see that nobody went past cdk-nag.
    """
    mine = {
        "pluginName": "AwsSolutions",
        "pluginVersion": version("cdk-nag"),
        "conclusion": "success",
        "violations": [],
    }
    schema = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))["version"]
    file = assembly / "validation-report.json"
    report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    others = report.get("pluginReports", [])
    report = {"version": schema, "title": "Validation Report", "pluginReports": [*others, mine]}
    file.write_text(json.dumps(report, indent=2), encoding="utf-8")


def record_unreviewed(assembly: Path, judgement: Judgement) -> None:
    """Write the unreviewed findings into an assembly that is not synthesised because of them.

    The gates read them from there (`pipeline.gates.template.validation`), to count them as
    findings.
    """
    violations = [
        {
            "ruleName": rule,
            "description": description,
            "violatingConstructs": [{"constructPath": construct}],
        }
        for rule, construct, description in judgement.violations
    ]
    report = {"pluginName": "AwsSolutions", "conclusion": "failure", "violations": violations}
    assembly.mkdir(parents=True, exist_ok=True)
    file = assembly / "validation-report.json"
    file.write_text(json.dumps({"pluginReports": [report]}, indent=2), encoding="utf-8")


def reviews(
    home: Home, environments: Mapping[str, Environment], *, signed: bool
) -> tuple[Review, ...]:
    """Return the reviews of what is found where these environments are."""
    own = any(each.account == home.account for each in environments.values())
    away = any(each.region != home.region for each in environments.values())
    return (
        *REVIEWS,
        *(OWN_ACCOUNT if own else ()),
        *(OTHER_REGION if away else ()),
        *(CODE_SIGNING if signed else ()),
    )


def check(app: App, reviews: Iterable[Review] = REVIEWS) -> Judgement:
    """Hold the whole app against cdk-nag's AwsSolutions rules, and the findings against reviews."""
    kept = tuple(reviews)
    report = AwsSolutionsChecks(app).validate_scope(app)
    found = [
        (violation.rule_name, str(resource.construct_path), violation.description)
        for violation in report.violations
        for resource in violation.violating_resources
    ]
    return Judgement(
        violations=tuple(
            sorted(
                (rule, construct, description)
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
