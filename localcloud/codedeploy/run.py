"""Run a deployment: its hooks, its shifts, and the alarms that stop it.

The lifecycle events are BeforeAllowTraffic, AllowTraffic, AfterAllowTraffic, in this order ("List
of lifecycle event hooks for an AWS Lambda deployment" in the CodeDeploy user guide). Alarms are
checked before the first shift and until the deployment ends ("Monitoring deployments with
CloudWatch alarms").
"""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localcloud.codedeploy.model import Deployment, Ending, LifecycleEvent
from localcloud.codedeploy.permissions import RolePermissions, RolePermissionsError
from localcloud.codedeploy.shift import plan
from localcloud.core.ports import InvocationError
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.codedeploy.deployments import Deployments
    from localcloud.core.clock import Clock
    from localcloud.core.function_ports import AliasRouter
    from localcloud.core.ports import AlarmStates
    from localcloud.iam.access import Access

_POLL_INTERVAL_SECONDS = 10.0  # cloud seconds; alarm events trigger earlier checks
_HOOK_TIMEOUT_SECONDS = 3600.0  # cloud seconds; AWS's timeout of a hook
_APPSPEC_INVALID = (
    "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment "
    "configuration is missing or has an invalid configuration."
)
_NOT_CURRENT = (
    f"{_APPSPEC_INVALID} The Lambda function alias version does not match the current version in "
    "AppSpec file."
)


class _EndedError(Exception):
    """The deployment ends."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.message)
        self.ending = ending


class _AbandonedError(Exception):
    """The local cloud stops; the next start ends the deployment."""


class DeploymentRun:
    """Runs one deployment with its rollback, in its own thread."""

    def __init__(
        self,
        clock: Clock,
        access: Access,
        functions: AliasRouter,
        alarms: AlarmStates,
        deployments: Deployments,
        deployment: Deployment,
    ) -> None:
        self.deployment = deployment
        self.done = threading.Event()
        self._clock = clock
        self._functions = functions
        self._alarms = alarms
        self._permissions = RolePermissions(access, deployment)
        self._deployments = deployments
        self._wake = threading.Event()
        self._stop: Ending | None = None
        self._answers: dict[str, tuple[str, str]] = {}
        self._abandoned = False
        self._thread = threading.Thread(
            target=self._run, name=f"deployment-{deployment.id}", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, message: str, *, roll_back: bool | None) -> None:
        """Stop the deployment; the message of the first call is kept."""
        self._stop = self._stop or Ending(
            "Stopped", "MANUAL_STOP", message, "DEPLOYMENT_STOP_ON_REQUEST", roll_back
        )
        self._wake.set()

    def wake(self) -> None:
        """Check the alarms now."""
        self._wake.set()

    def answer(self, execution_id: str, status: str, message: str) -> None:
        """Record the status (Succeeded or Failed) of a hook; later calls do nothing."""
        self._answers.setdefault(execution_id, (status, message))
        self._wake.set()

    def abandon(self) -> None:
        """Stop the thread without ending the deployment; the next start ends it."""
        self._abandoned = True
        self._wake.set()
        self._thread.join(5)

    def _run(self) -> None:
        try:
            self._deployments.begin(self.deployment)
            self._deploy()
            self._deployments.succeed(self.deployment)
        except _AbandonedError:
            pass
        except _EndedError as error:
            self._deployments.end(self.deployment, error.ending)
        except RolePermissionsError as error:
            refused = Ending("Failed", "IAM_ROLE_PERMISSIONS", str(error), "DEPLOYMENT_FAILURE")
            self._deployments.end(self.deployment, refused)
        except Exception as error:  # noqa: BLE001  # an internal error fails the deployment
            message = f"{type(error).__name__}: {error}"
            failure = Ending("Failed", "INTERNAL_ERROR", message, "DEPLOYMENT_FAILURE")
            self._deployments.end(self.deployment, failure)
        finally:
            self.done.set()

    def _deploy(self) -> None:
        spec = self.deployment.spec
        self._check_alias()
        with self._lifecycle("BeforeAllowTraffic") as event:
            self._hook(event, spec.before_hook)
        with self._lifecycle("AllowTraffic"):
            began = self._clock.timestamp()
            for step in plan(self.deployment.routing):
                self._watch(began + step.after)
                self._deployments.shift(self.deployment, step.percent)
        with self._lifecycle("AfterAllowTraffic") as event:
            self._hook(event, spec.after_hook)

    def _check_alias(self) -> None:
        deployment, spec = self.deployment, self.deployment.spec
        self._permissions.check_alias("GetAlias")
        try:
            routing = self._functions.routing(
                deployment.account, deployment.region, spec.function, spec.alias
            )
        except ApiError as error:
            raise _EndedError(
                _invalid_deployment(
                    "INVALID_LAMBDA_FUNCTION", f"The deployment failed. {error.message}"
                )
            ) from error
        if routing.version != spec.current_version or routing.weights:
            raise _EndedError(_invalid_deployment("INVALID_LAMBDA_CONFIGURATION", _NOT_CURRENT))
        # A gradual shift requires two versions: terraform-aws-lambda#82 and #85.
        gradual = deployment.routing["type"] != "AllAtOnce"
        if gradual and spec.current_version == spec.target_version:
            raise _EndedError(_invalid_deployment("INVALID_LAMBDA_CONFIGURATION", _APPSPEC_INVALID))

    @contextmanager
    def _lifecycle(self, name: str) -> Iterator[LifecycleEvent]:
        event = self.deployment.event(name)
        event.status, event.started = "InProgress", self._clock.timestamp()
        self._deployments.save(self.deployment)
        self._check_stop_conditions()
        yield event
        event.status, event.ended = "Succeeded", self._clock.timestamp()
        self._deployments.save(self.deployment)

    def _hook(self, event: LifecycleEvent, function: str) -> None:
        if not function:
            return
        self._permissions.check_hook(function)
        event.execution_id = secrets.token_urlsafe(32)
        self._deployments.save(self.deployment)
        threading.Thread(
            target=self._invoke,
            args=(event, function),
            name=f"hook-{self.deployment.id}",
            daemon=True,
        ).start()
        limit = self._clock.timestamp() + _HOOK_TIMEOUT_SECONDS
        # Check alarms while waiting: the deployment is in progress until its last event ends.
        self._watch(limit, until=lambda: event.execution_id in self._answers)
        status, message = self._answers.get(
            event.execution_id, ("Failed", "no result was reported within one hour")
        )
        if status != "Succeeded":
            raise _EndedError(
                Ending(
                    "Failed",
                    "HOOK_EXECUTION_FAILURE",
                    "The deployment failed because one or more of the lifecycle event validation "
                    f"functions failed. {event.name} ({function}): {message}.",
                    "DEPLOYMENT_FAILURE",
                )
            )

    def _invoke(self, event: LifecycleEvent, function: str) -> None:
        """Invoke a hook's function.

        Only `PutLifecycleEventHookExecutionStatus` reports the result. If a function crashes or
        times out, there is no result and CodeDeploy waits for the whole hour
        (serverless-application-model#1963, serverless-plugin-canary-deployments#32).
        """
        deployment = self.deployment
        payload = {
            "DeploymentId": deployment.id,
            "LifecycleEventHookExecutionId": event.execution_id,
        }
        try:
            self._functions.invoke(
                deployment.account,
                deployment.region,
                function,
                None,
                json.dumps(payload).encode(),
            )
        except Exception as error:  # noqa: BLE001  # any error fails the hook
            code = error.code if isinstance(error, InvocationError) else type(error).__name__
            self.answer(event.execution_id, "Failed", f"{code}: {error}")

    def _watch(self, until_time: float, until: Callable[[], bool] = lambda: False) -> None:
        """Wait until a time or condition, and check alarms and stop requests meanwhile."""
        while True:
            self._wake.clear()
            self._check_stop_conditions()
            left = until_time - self._clock.timestamp()
            if left <= 0 or until():
                return
            self._clock.wait(min(left, _POLL_INTERVAL_SECONDS), self._wake)

    def _check_stop_conditions(self) -> None:
        if self._abandoned:
            raise _AbandonedError
        if self._stop:
            raise _EndedError(self._stop)
        deployment = self.deployment
        names = deployment.watched
        if not names or not self._may_read_alarms():
            return
        states = self._alarms.alarm_states(deployment.account, deployment.region, names)
        active = [name for name in names if name in states and states[name].value == "ALARM"]
        if active:
            reasons = (f"{name}: {states[name].reason.rstrip('.')}." for name in active)
            raise _EndedError(
                _stopped_by_alarm(
                    "ALARM_ACTIVE",
                    "One or more alarms have been activated according to the Amazon CloudWatch "
                    "metrics you selected, and the affected deployments have been stopped. "
                    f"Activated alarms: <{', '.join(active)}>. {' '.join(reasons)}",
                )
            )
        missing = [name for name in names if name not in states]
        if missing and not deployment.alarms.get("ignorePollAlarmFailure"):
            raise _EndedError(
                _stopped_by_alarm(
                    "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND",
                    "The state of one or more alarms could not be retrieved from Amazon "
                    "CloudWatch, and the affected deployments have been stopped. Alarms that do "
                    f"not exist: <{', '.join(missing)}>.",
                )
            )

    def _may_read_alarms(self) -> bool:
        """Return whether the role may read alarms.

        Raises:
            RolePermissionsError: it may not, and `ignorePollAlarmFailure` is not set.
        """
        try:
            self._permissions.check_alarms()
        except RolePermissionsError:
            if not self.deployment.alarms.get("ignorePollAlarmFailure"):
                raise
            return False
        return True


def _invalid_deployment(code: str, message: str) -> Ending:
    # No rollback: the alias is not on the version to roll back to.
    return Ending("Failed", code, message, "DEPLOYMENT_FAILURE", roll_back=False)


def _stopped_by_alarm(code: str, message: str) -> Ending:
    return Ending("Stopped", code, message, "DEPLOYMENT_STOP_ON_ALARM")
