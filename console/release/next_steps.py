"""Next commands after a release that was not promoted, with their purposes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.aws.connections import source_of
from console.release.failed_deployments import after_failed_deployment, failed_deployment
from console.release.next_step import NextStep
from console.release.promotion import failed_actions, failed_stage
from pipeline.gates.report.catalogue import GATES, THROTTLED
from pipeline.names import CDK_CLI, PARALLEL_BUILDS, PIPELINE, STACK
from pipeline.planning.quotas import SMALL_BUILDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.aws.account import Aws, Place
    from console.release.canary import Canary
    from console.release.executions import Action
    from console.release.promotion import Outcome

_BUNDLE_CONTEXT = re.compile(r"\bbundle=([a-z0-9-]+)")
_PREFLIGHT = NextStep(
    "pithead preflight", "compares each account's quotas with what a release needs"
)
_LOCAL_GATES = frozenset(each.name for each in GATES if not each.needs)


def next_steps(
    aws: Aws, home: Place, environments: Mapping[str, Place], outcome: Outcome
) -> tuple[NextStep, ...]:
    """Return the next commands after a release; none after a promotion.

    `home` is the pipeline's account and region.
    """
    if outcome.ending == "promoted":
        return ()
    logs = tuple(_log(outcome, each) for each in _failed_builds(outcome))
    if outcome.ending == "rolled_back":
        return (*_after_rollback(outcome), *logs)
    if outcome.ending == "refused":
        over_quota = any(each.exceeded_quota for each in _failed(outcome))
        return (*logs, *(_build_quota_steps(home) if over_quota else ()), *_after_refusal(outcome))
    return _after_error(aws, home, environments, outcome, logs)


def _after_error(
    aws: Aws,
    home: Place,
    environments: Mapping[str, Place],
    outcome: Outcome,
    logs: tuple[NextStep, ...],
) -> tuple[NextStep, ...]:
    failed = _failed(outcome)
    if failed and all(each.exceeded_quota for each in failed):
        return _after_too_many_builds(outcome, home)
    if _build_could_not_run(outcome):
        deploy = _deployment(aws, _failed_builds(outcome)[0])
        return (*logs, *_after_broken_build(deploy))
    last = outcome.executions[-1]
    environment = failed_deployment(last)
    if environment is not None and environment in environments:
        place = environments[environment]
        return (*logs, *after_failed_deployment(aws, last, environment, place))
    return (*logs, NextStep("pithead release", "starts a new execution of this commit"))


def _after_rollback(outcome: Outcome) -> tuple[NextStep, ...]:
    short, canary = outcome.commit[:7], outcome.canary
    environment = canary.environment if canary else "prod"
    steps = []
    if canary and canary.throttles:
        steps.append(_PREFLIGHT)
    if not (canary and canary.refused):
        steps.append(
            NextStep(f"pithead logs {environment} --since 1d", "prints the service's log lines")
        )
    deployment_id = _shift_with_evidence(canary) if canary else None
    if deployment_id:
        steps.append(
            NextStep(
                f"pithead judge replay {deployment_id}", "shows the judge's evidence by the minute"
            )
        )
    return (
        *steps,
        NextStep(f"git revert --no-edit {short} && pithead release", "reverts the commit"),
        NextStep(
            'pithead release --again --reason "…"',
            "releases it again, if the commit was not the cause",
        ),
    )


def _shift_with_evidence(canary: Canary) -> str | None:
    """Return the id of the shift that has the judge's evidence.

    If the judge refused the version, it is the earlier shift in which it condemned the version.
    """
    if canary.refused:
        return canary.condemned.deployment_id if canary.condemned else None
    return canary.deployment_id if canary.record else None


def _after_too_many_builds(outcome: Outcome, home: Place) -> tuple[NextStep, ...]:
    """Return the steps after CodeBuild rejected builds, which no new commit can fix."""
    last = outcome.executions[-1]
    stage = failed_stage(last)
    name = stage.name if stage else ""
    return (
        *_build_quota_steps(home),
        NextStep(
            f"aws codepipeline retry-stage-execution --pipeline-name {PIPELINE} --stage-name "
            f"{name} --pipeline-execution-id {last.id} --retry-mode FAILED_ACTIONS",
            "until then: retries these builds, of which one can run; repeat it for each",
        ),
        NextStep("pithead release", "follows the release"),
    )


def _build_quota_steps(home: Place) -> tuple[NextStep, ...]:
    return (
        _PREFLIGHT,
        NextStep(
            SMALL_BUILDS.increase_command(PARALLEL_BUILDS, home.region),
            f"requests a higher quota, with credentials of account {home.account}",
        ),
    )


def _after_refusal(outcome: Outcome) -> tuple[NextStep, ...]:
    refused = [each for each in outcome.reports if each.status == "refused"]
    if all(each.rules == (THROTTLED,) for each in refused):
        return (
            _PREFLIGHT,
            NextStep("pithead release", "after the limit that the gate names is raised"),
        )
    gates = [each.gate for each in refused]
    names = " ".join(each for each in gates if each in _LOCAL_GATES)
    tries = (NextStep(f"pithead gates {names}", "runs it on your checkout"),) if names else ()
    return (*tries, NextStep("pithead release", "after a commit that fixes it"))


def _build_could_not_run(outcome: Outcome) -> bool:
    """Return whether the pipeline's first build failed before any gate had a result."""
    build_stages = [
        stage.name
        for stage in outcome.stages
        if any(each.provider == "CodeBuild" for each in stage.actions)
    ]
    return bool(_failed_builds(outcome)) and len(build_stages) == 1 and not outcome.reports


def _after_broken_build(deploy: str) -> tuple[NextStep, ...]:
    """Return the steps if the commands of the deployed Build cannot run.

    Build runs before the pipeline updates itself, with the buildspec of the deployed pipeline. A
    commit that fixes a command of Build does not reach the pipeline by itself, and retrying the
    stage runs the same buildspec. The fix must be on the branch before it is deployed: deploying
    starts the pipeline, which would otherwise update itself back.
    """
    return (
        NextStep("pithead release", "after a commit that fixes it, such as a revert"),
        NextStep(
            deploy,
            "if that fails too: Build runs the commands of the deployed pipeline, and this deploys "
            'those of your checkout (for a local cloud, after eval "$(pithead env)")',
        ),
        NextStep("pithead release", "releases the fix"),
    )


def _deployment(aws: Aws, build: Action) -> str:
    """Return the command that deploys the pipeline's stack, with its Build's context."""
    codebuild = aws.client("codebuild")
    builds = codebuild.batch_get_builds(ids=[build.external_id])["builds"]
    names = [each["projectName"] for each in builds]
    projects = codebuild.batch_get_projects(names=names)["projects"] if names else []
    buildspecs = " ".join(each["source"].get("buildspec", "") for each in projects)
    bundle = _BUNDLE_CONTEXT.search(buildspecs)
    source = source_of(aws)
    context = [f"connection-arn={source.connection}"] if source else []
    context += [bundle[0]] if bundle else []
    keys = " ".join(f"-c {each}" for each in context)
    return f"npx --yes aws-cdk@{CDK_CLI} deploy {STACK} {keys}"


def _failed_builds(outcome: Outcome) -> list[Action]:
    """Return the failed builds of the execution that decided."""
    return [each for each in _failed(outcome) if each.provider == "CodeBuild" and each.external_id]


def _failed(outcome: Outcome) -> list[Action]:
    return failed_actions(outcome.executions[-1])


def _log(outcome: Outcome, action: Action) -> NextStep:
    execution = outcome.executions[-1].id[:8]
    return NextStep(
        f"pithead logs build --execution {execution} --action {action.name}",
        "prints the whole log",
    )
