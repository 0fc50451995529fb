"""The CodeDeploy API."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from moto.core.responses import ActionResult

from localcloud.codedeploy.appspec import AppSpec, AppSpecError
from localcloud.codedeploy.group import check_alarms, check_auto_rollback
from localcloud.codedeploy.registry_api import RegistryApi
from localcloud.codedeploy.shapes import (
    deployment_info,
    deployment_target,
    digest,
    target_id,
    target_status,
)
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.codedeploy.model import Deployment
    from localcloud.codedeploy.run import DeploymentRun
    from localcloud.core.ports import Document

_MAX_ITEMS = 25  # ids in one Batch… call


class CodeDeployApi(RegistryApi):
    """Operations on deployments."""

    def create_deployment(self) -> ActionResult:
        """Start a deployment."""
        application, name = self.params["applicationName"], self.params.get("deploymentGroupName")
        if not name:
            raise ApiError(
                "DeploymentGroupNameRequiredException", "The deployment group name was not given"
            )
        group = self._registry.group(application, name)
        for parameter in ("targetInstances", "deploymentMode", "ec2DeploymentOptions"):
            if self.params.get(parameter) not in (None, "STANDARD"):
                raise ApiError(
                    "InvalidInputException",
                    f"{parameter} is not a parameter of the Lambda compute platform",
                )
        check_alarms(self.params.get("overrideAlarmConfiguration") or {})
        check_auto_rollback(self.params.get("autoRollbackConfiguration") or {})
        kind, content = self._content()
        try:
            spec = AppSpec.parse(content)
        except AppSpecError as error:
            raise ApiError("InvalidRevisionException", str(error)) from error
        run = self.service.begin(
            self.account,
            self.region,
            group,
            spec,
            creator="user",
            content=content,
            revision_type=kind,
            settings=self.params,
        )
        return ActionResult({"deploymentId": run.deployment.id})

    def get_deployment(self) -> ActionResult:
        """Return a deployment."""
        return ActionResult({"deploymentInfo": deployment_info(self._deployment())})

    def batch_get_deployments(self) -> ActionResult:
        """Return deployments by id; unknown ids are skipped."""
        ids = self._limited(self.params["deploymentIds"])
        known = (self.service.deployments.find(self.account, self.region, each) for each in ids)
        return ActionResult({"deploymentsInfo": [deployment_info(each) for each in known if each]})

    def list_deployments(self) -> ActionResult:
        """Return the ids of deployments, newest first."""
        application, group = (
            self.params.get("applicationName"),
            self.params.get("deploymentGroupName"),
        )
        if self.params.get("externalId"):
            raise ApiError("InvalidExternalIdException", "Deployments have no external id here")
        if application:
            self._registry.application(application)
        if group and not application:
            raise ApiError(
                "ApplicationNameRequiredException", "deploymentGroupName requires applicationName"
            )
        if application and group:
            self._registry.group(application, group)
        statuses = self.params.get("includeOnlyStatuses")
        created = self.params.get("createTimeRange") or {}
        found = [
            each
            for each in self.service.deployments.of(self.account, self.region)
            if application in {None, each.application}
            and group in {None, each.group}
            and (not statuses or each.status in statuses)
            and _within(each, created)
        ]
        return ActionResult(self._page("deployments", [each.id for each in found]))

    def stop_deployment(self) -> ActionResult:
        """Stop a running deployment."""
        deployment = self._deployment()
        run = self._running(deployment)
        session = self.service.core.credentials.session(self.caller.access_key)
        who = session.arn if session else f"arn:aws:iam::{self.account}:root"
        run.stop(
            f"The deployment was stopped by {who}.",
            roll_back=self.params.get("autoRollbackEnabled"),
        )
        return ActionResult(
            {"status": "Pending", "statusMessage": "No more traffic will be shifted"}
        )

    def continue_deployment(self) -> ActionResult:
        """Raise: no deployment of the Lambda compute platform waits for this."""
        deployment = self._deployment()
        self._running(deployment)
        raise ApiError(
            "DeploymentIsNotInReadyStateException",
            f"Deployment {deployment.id} is {deployment.status}, not Ready",
        )

    def put_lifecycle_event_hook_execution_status(self) -> ActionResult:
        """Record the result of a hook's validation function."""
        deployment = self._deployment()
        status = self.params.get("status")
        if status not in {"Succeeded", "Failed"}:
            raise ApiError(
                "InvalidLifecycleEventHookExecutionStatusException",
                f"Status {status} is neither Succeeded nor Failed",
            )
        given = self.params.get("lifecycleEventHookExecutionId")
        event = next((each for each in deployment.events if each.execution_id == given), None)
        if not given or event is None:
            raise ApiError(
                "InvalidLifecycleEventHookExecutionIdException",
                f"Lifecycle event hook execution {given} is unknown to deployment {deployment.id}",
            )
        run = self.service.run(deployment.id)
        if run is None or event.status != "InProgress":
            raise ApiError(
                "LifecycleEventAlreadyCompletedException",
                f"{event.name} of deployment {deployment.id} is {event.status}",
            )
        run.answer(given, status, "the validation function reported Failed")
        return ActionResult({"lifecycleEventHookExecutionId": given})

    def list_deployment_targets(self) -> ActionResult:
        """Return the single target of a Lambda deployment."""
        deployment = self._deployment()
        filters = self.params.get("targetFilters") or {}
        if set(filters) - {"TargetStatus"}:
            raise ApiError(
                "InvalidTargetFilterNameException",
                "TargetStatus is the only filter on the Lambda compute platform",
            )
        wanted = filters.get("TargetStatus") or [target_status(deployment)]
        ids = [target_id(deployment)] if target_status(deployment) in wanted else []
        return ActionResult(self._page("targetIds", ids))

    def get_deployment_target(self) -> ActionResult:
        """Return a target with its lifecycle events and its current weight."""
        return ActionResult({"deploymentTarget": self._target(self.params["targetId"])})

    def batch_get_deployment_targets(self) -> ActionResult:
        """Return targets by id."""
        ids = self._limited(self.params["targetIds"])
        return ActionResult({"deploymentTargets": [self._target(each) for each in ids]})

    def _content(self) -> tuple[str, str]:
        given = self.params.get("revision")
        if not given:
            raise ApiError("RevisionRequiredException", "The revision was not given")
        kind = given.get("revisionType")
        if kind not in {"String", "AppSpecContent"}:
            raise ApiError(
                "InvalidRevisionException",
                f"Revision type {kind} is not part of the local cloud; use AppSpecContent or "
                "String",
            )
        named = given.get("string" if kind == "String" else "appSpecContent") or {}
        content = named.get("content") or ""
        if named.get("sha256") not in {None, digest(content)}:
            raise ApiError(
                "InvalidRevisionException", "The revision's content does not match its SHA-256"
            )
        return kind, content

    def _deployment(self) -> Deployment:
        wanted = self.params.get("deploymentId")
        if not wanted:
            raise ApiError("DeploymentIdRequiredException", "The deployment ID was not given")
        found = self.service.deployments.find(self.account, self.region, wanted)
        if found is None:
            raise ApiError(
                "DeploymentDoesNotExistException", f"The deployment {wanted} could not be found"
            )
        return found

    def _running(self, deployment: Deployment) -> DeploymentRun:
        run = self.service.run(deployment.id)
        if run is None or not deployment.in_progress:
            raise ApiError(
                "DeploymentAlreadyCompletedException",
                f"The deployment {deployment.id} is already completed: {deployment.status}",
            )
        return run

    def _target(self, wanted: str) -> Document:
        deployment = self._deployment()
        if wanted != target_id(deployment):
            raise ApiError(
                "DeploymentTargetDoesNotExistException",
                f"Deployment {deployment.id} has no target {wanted}; "
                f"its target is {target_id(deployment)}",
            )
        return deployment_target(deployment)

    def _limited(self, ids: list[str]) -> list[str]:
        if len(ids) > _MAX_ITEMS:
            raise ApiError(
                "BatchLimitExceededException", f"{len(ids)} ids; the limit is {_MAX_ITEMS}"
            )
        return ids


def _within(deployment: Deployment, created: Document) -> bool:
    # moto parses timestamps as UTC without a time zone.
    start, end = (
        at.replace(tzinfo=UTC).timestamp() if at else None
        for at in (created.get("start"), created.get("end"))
    )
    begun = start is None or start <= deployment.created
    return begun and (end is None or deployment.created <= end)
