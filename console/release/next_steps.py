"""Next commands after a release that was not promoted, each with its purpose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.aws.connections import source_of
from console.release.failed_deployments import after_failed_deployment, failed_deployment
from console.release.promotion import failed_actions, failed_stage
from console.steps import Step
from pipeline.gates.report.catalogue import GATES, THROTTLED
from pipeline.names import CDK_CLI, PARALLEL_BUILDS, PIPELINE, STACK
from pipeline.planning.quotas import SMALL_BUILDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.aws.account import Aws, Place
    from console.release.canary import Canary
    from console.release.executions import Action
    from console.release.promotion import Outcome

_BUNDLE = re.compile(r"\bbundle=([a-z0-9-]+)")
_PREFLIGHT = Step("pithead preflight", "compares each account's quotas with what a release needs")
_LOCAL_GATES = frozenset(each.name for each in GATES if not each.needs)


def next_steps(
    aws: Aws, home: Place, environments: Mapping[str, Place], outcome: Outcome
) -> tuple[Step, ...]:
    """Return what to do after a release that was not promoted; nothing after a promotion.

    `home` is the pipeline's own place.
    """
    if outcome.ending == "promoted":
        return ()
    logs = tuple(_log(outcome, each) for each in _failed_builds(outcome))
    if outcome.ending == "rolled_back":
        return (*_after_rollback(outcome), *logs)
    if outcome.ending == "refused":
        too_few = any(each.exceeded_quota for each in _failed(outcome))
        return (*logs, *(_build_quota_steps(home) if too_few else ()), *_after_refusal(outcome))
    return _after_error(aws, home, environments, outcome, logs)


def _after_error(
    aws: Aws,
    home: Place,
    environments: Mapping[str, Place],
    outcome: Outcome,
    logs: tuple[Step, ...],
) -> tuple[Step, ...]:
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
    return (*logs, Step("pithead release", "starts a new execution of this commit"))


def _after_rollback(outcome: Outcome) -> tuple[Step, ...]:
    short, canary = outcome.commit[:7], outcome.canary
    environment = canary.environment if canary else "prod"
    steps = []
    if canary and canary.throttles:
        steps.append(_PREFLIGHT)
    if not (canary and canary.refused):
        steps.append(Step(f"pithead logs {environment} --since 1d", "what the service wrote"))
    judged = _judged(canary) if canary else None
    if judged:
        steps.append(Step(f"pithead judge replay {judged}", "the judge's evidence, by the minute"))
    return (
        *steps,
        Step(f"git revert --no-edit {short} && pithead release", "takes the commit back"),
        Step(
            'pithead release --again --reason "…"',
            "releases it again, if the cause was not the commit",
        ),
    )


def _judged(canary: Canary) -> str | None:
    """Return the shift that has the judge's evidence: of a refused one, that which condemned it."""
    if canary.refused:
        return canary.condemned.deployment_id if canary.condemned else None
    return canary.deployment_id if canary.record else None


def _after_too_many_builds(outcome: Outcome, home: Place) -> tuple[Step, ...]:
    """Return the steps after CodeBuild rejected builds, for which a new commit does not help."""
    last = outcome.executions[-1]
    stage = failed_stage(last)
    name = stage.name if stage else ""
    return (
        *_build_quota_steps(home),
        Step(
            f"aws codepipeline retry-stage-execution --pipeline-name {PIPELINE} --stage-name "
            f"{name} --pipeline-execution-id {last.id} --retry-mode FAILED_ACTIONS",
            "until then: retries these builds, of which one runs; repeat it for each",
        ),
        Step("pithead release", "follows the release"),
    )


def _build_quota_steps(home: Place) -> tuple[Step, ...]:
    return (
        _PREFLIGHT,
        Step(
            SMALL_BUILDS.increase_command(PARALLEL_BUILDS, home.region),
            f"asks AWS to raise the quota, with credentials of account {home.account}",
        ),
    )


def _after_refusal(outcome: Outcome) -> tuple[Step, ...]:
    refused = [each for each in outcome.answers if each.status == "refused"]
    if all(each.rules == (THROTTLED,) for each in refused):
        return (
            _PREFLIGHT,
            Step("pithead release", "after the limit that the gate names is raised"),
        )
    gates = [each.gate for each in refused]
    here = " ".join(each for each in gates if each in _LOCAL_GATES)
    tries = (Step(f"pithead gates {here}", "runs it here, on your checkout"),) if here else ()
    return (*tries, Step("pithead release", "after a commit that repairs it"))


def _build_could_not_run(outcome: Outcome) -> bool:
    """Whether the pipeline's first build failed before any of its gates had answered."""
    built = [
        stage.name
        for stage in outcome.stages
        if any(each.provider == "CodeBuild" for each in stage.actions)
    ]
    return bool(_failed_builds(outcome)) and len(built) == 1 and not outcome.answers


def _after_broken_build(deploy: str) -> tuple[Step, ...]:
    """The way out if the commands of the deployed Build cannot run.

    Build runs before the pipeline updates itself, by the buildspec of the pipeline that is
    deployed. A commit that repairs a command of Build never gets there by itself, and retrying
    the stage runs the same buildspec. The repair has to be on the branch before it is deployed:
    deploying starts the pipeline, which would otherwise update itself back.
    """
    return (
        Step("pithead release", "after a commit that repairs it, such as a revert"),
        Step(
            deploy,
            "if the repair fails likewise: Build runs the commands of the deployed pipeline, and "
            'this deploys yours (for a local cloud, after eval "$(pithead env)")',
        ),
        Step("pithead release", "releases the repair"),
    )


def _deployment(aws: Aws, build: Action) -> str:
    """Return the command that deploys the pipeline's stack, with the context of its Build."""
    codebuild = aws.client("codebuild")
    builds = codebuild.batch_get_builds(ids=[build.external_id])["builds"]
    names = [each["projectName"] for each in builds]
    projects = codebuild.batch_get_projects(names=names)["projects"] if names else []
    bundle = _BUNDLE.search(" ".join(each["source"].get("buildspec", "") for each in projects))
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


def _log(outcome: Outcome, action: Action) -> Step:
    execution = outcome.executions[-1].id[:8]
    return Step(
        f"pithead logs build --execution {execution} --action {action.name}", "the whole log"
    )
