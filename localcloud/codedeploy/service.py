"""CodeDeploy: deployments of Lambda aliases."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from localcloud.codedeploy.appspec import AppSpec
from localcloud.codedeploy.deployments import Deployments
from localcloud.codedeploy.model import Deployment
from localcloud.codedeploy.providers import providers
from localcloud.codedeploy.registry import Registry
from localcloud.codedeploy.run import DeploymentRun
from localcloud.core.ports import DeploymentFailedError
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.bus import Event
    from localcloud.core.core import Core
    from localcloud.core.function_ports import AliasRouter
    from localcloud.core.ports import AlarmStates, AliasDeployment, Document
    from localcloud.core.providers import Provider
    from localcloud.iam.access import Access

_CANCEL_POLL_INTERVAL_SECONDS = 0.1  # wall seconds between checks for a cancellation


class CodeDeploy:
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self, core: Core, access: Access, *, functions: AliasRouter, alarms: AlarmStates
    ) -> None:
        self.core = core
        self._access = access
        self._functions = functions
        self._alarms = alarms
        self.providers: dict[str, Provider] = providers(self.registry)
        self.deployments = Deployments(core, access, functions)
        self._runs: dict[str, DeploymentRun] = {}
        self._lock = threading.Lock()
        self._unsubscribe: Callable[[], None] | None = None
        access.tags.register("codedeploy", self._tags)
        access.facts.deployment_group = self.deployments.group_of

    def start(self) -> None:
        """Load all deployments; roll back those that were in progress."""
        self.deployments.load()
        self._unsubscribe = self.core.bus.subscribe(self._on_event)

    def stop(self) -> None:
        """Stop running deployments; the next start rolls them back."""
        if self._unsubscribe:
            self._unsubscribe()
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.abandon()

    def registry(self, account: str, region: str) -> Registry:
        """Return the applications and groups of an account and region."""
        return Registry(self.core, self._access, account, region)

    def _tags(self, account: str, region: str, resource: str) -> dict[str, str]:
        """Return the tags of `application:NAME` or `deploymentgroup:APPLICATION/NAME`."""
        try:
            return self.registry(account, region).tags(
                f"arn:aws:codedeploy:{region}:{account}:{resource}"
            )
        except ApiError:
            return {}

    def run(self, deployment_id: str) -> DeploymentRun | None:
        """Return the run of a deployment in progress, or None."""
        return self._runs.get(deployment_id)

    def deploy(self, request: AliasDeployment, cancel: threading.Event) -> None:
        """Shift an alias to its target version; return when all traffic is shifted.

        A cancelled deployment is stopped and rolled back.

        Raises:
            DeploymentFailedError: it failed or was stopped; the message says by whom and why.
        """
        spec = AppSpec(
            request.function,
            request.alias,
            request.current_version,
            request.target_version,
            request.before_hook,
            request.after_hook,
        )
        try:
            group = self.registry(request.account, request.region).group(
                request.application, request.deployment_group
            )
            run = self.begin(request.account, request.region, group, spec, creator=request.creator)
        except ApiError as error:
            raise DeploymentFailedError(error.message) from error
        while not run.done.wait(_CANCEL_POLL_INTERVAL_SECONDS):
            if cancel.is_set():
                run.stop(
                    f"The deployment was stopped: {request.creator} cancelled it.", roll_back=True
                )
        deployment = run.deployment
        if deployment.in_progress:
            raise DeploymentFailedError(
                f"CodeDeploy deployment {deployment.id} was interrupted: the local cloud stopped. "
                "The next start rolls the alias back."
            )
        if deployment.status != "Succeeded":
            raise DeploymentFailedError(
                f"CodeDeploy deployment {deployment.id} {deployment.status.lower()}. "
                f"{deployment.error_message} {deployment.rollback_message}".rstrip()
            )

    def begin(
        self,
        account: str,
        region: str,
        group: Document,
        spec: AppSpec,
        *,
        creator: str,
        content: str = "",
        revision_type: str = "AppSpecContent",
        settings: Document | None = None,
    ) -> DeploymentRun:
        """Start a deployment to a group; it is in the ledger before this returns.

        `settings` are parameters of `CreateDeployment` that override those of the group:
        deploymentConfigName, autoRollbackConfiguration, overrideAlarmConfiguration, description.

        Raises:
            ApiError: the deployment cannot start, for example because the group has an active one.
        """
        settings = settings or {}
        registry = self.registry(account, region)
        registry.check_role(group["serviceRoleArn"])
        configuration = registry.configurations.get(
            settings.get("deploymentConfigName") or group["deploymentConfigName"]
        )
        override = settings.get("overrideAlarmConfiguration")
        deployment = Deployment(
            account=account,
            region=region,
            application=group["applicationName"],
            group=group["deploymentGroupName"],
            group_id=group["deploymentGroupId"],
            configuration=configuration["deploymentConfigName"],
            routing=configuration["trafficRoutingConfig"],
            spec=spec,
            content=content or spec.content(),
            revision_type=revision_type,
            role=group["serviceRoleArn"],
            creator=creator,
            created=self.core.clock.timestamp(),
            description=settings.get("description") or "",
            alarms=override or group.get("alarmConfiguration") or {},
            overrides_alarms=bool(override),
            auto_rollback=settings.get("autoRollbackConfiguration")
            or group.get("autoRollbackConfiguration")
            or {},
            triggers=group.get("triggerConfigurations") or [],
        )
        run = DeploymentRun(
            self.core.clock,
            self._access,
            self._functions,
            self._alarms,
            self.deployments,
            deployment,
        )
        with self._lock:
            self._runs = {key: each for key, each in self._runs.items() if not each.done.is_set()}
            for each in self._runs.values():
                if each.deployment.group_id == deployment.group_id:
                    raise ApiError(
                        "DeploymentLimitExceededException",
                        f"The Deployment Group '{deployment.group}' already has an active "
                        f"Deployment '{each.deployment.id}'",
                    )
            self.deployments.add(deployment)
            self._runs[deployment.id] = run
        run.start()
        return run

    def _on_event(self, event: Event) -> None:
        """Check alarms immediately when the state of one changes."""
        if event.detail_type != "CloudWatch Alarm State Change":
            return
        for run in list(self._runs.values()):
            mine = (run.deployment.account, run.deployment.region) == (event.account, event.region)
            if mine and event.detail.get("alarmName") in run.deployment.watched:
                run.wake()
