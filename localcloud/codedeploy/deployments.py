"""The store of deployments, and their changes of state, shifts and rollbacks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.codedeploy.model import Deployment, Ending
from localcloud.codedeploy.notifications import Notifications
from localcloud.codedeploy.permissions import RolePermissions, RolePermissionsError
from localcloud.codedeploy.shift import ALL_AT_ONCE, BUILT_IN
from localcloud.core.ports import Routing

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.function_ports import AliasRouter
    from localcloud.iam.access import Access

_KIND = "codedeploy:deployment"
_INTERRUPTED = Ending(
    "Failed",
    "INTERNAL_ERROR",
    "The deployment was interrupted: the local cloud stopped during it.",
    "DEPLOYMENT_FAILURE",
)


class Deployments:
    """All deployments of the cloud; writes each change to the ledger."""

    def __init__(self, core: Core, access: Access, functions: AliasRouter) -> None:
        self._core = core
        self._access = access
        self._functions = functions
        self._notifications = Notifications(core, access)
        self._all: dict[str, Deployment] = {}

    def load(self) -> None:
        """Load all deployments and end those that were in progress.

        A deployment that had started to shift traffic is rolled back even if its group disables
        rollbacks, because its alarms were not watched.
        """
        for _, document in self._core.ledger.all(_KIND):
            deployment = Deployment.of(document)
            self._all[deployment.id] = deployment
        for deployment in list(self._all.values()):
            if deployment.in_progress and deployment.rollback_of:
                self._complete_rollback(deployment)
                self._notify_rollback(deployment)
            elif deployment.in_progress:
                # The start of AllowTraffic is in the ledger before the first shift.
                shifted = deployment.event("AllowTraffic").started is not None
                self.end(deployment, replace(_INTERRUPTED, roll_back=shifted))

    def find(self, account: str, region: str, deployment_id: str) -> Deployment | None:
        """Return a deployment by id, or None."""
        found = self._all.get(deployment_id)
        mine = found is not None and (found.account, found.region) == (account, region)
        return found if mine else None

    def group_of(self, account: str, region: str, deployment_id: str) -> tuple[str, str]:
        """The application and the group of a deployment, or empty strings."""
        found = self.find(account, region, deployment_id)
        return (found.application, found.group) if found else ("", "")

    def of(self, account: str, region: str) -> list[Deployment]:
        """Return an account's deployments in a region, newest first."""
        mine = [
            each for each in self._all.values() if (each.account, each.region) == (account, region)
        ]
        return sorted(mine, key=lambda each: -each.created)

    def add(self, deployment: Deployment) -> None:
        """Add a new deployment and write it to the ledger."""
        self.save(deployment)
        self._all[deployment.id] = deployment

    def save(self, deployment: Deployment) -> None:
        """Write a deployment to the ledger."""
        self._core.ledger.put(_KIND, deployment.id, deployment.document())

    def begin(self, deployment: Deployment) -> None:
        """Set the status to InProgress and notify."""
        deployment.status, deployment.started = "InProgress", self._core.clock.timestamp()
        self.save(deployment)
        self._notify(deployment, "START")

    def shift(self, deployment: Deployment, percent: float) -> None:
        """Send `percent` of the alias's traffic to the target version.

        Raises:
            RolePermissionsError: the service role may not update the alias.
        """
        spec = deployment.spec
        RolePermissions(self._access, deployment).check_alias("UpdateAlias")
        routing = (
            Routing(spec.target_version)
            if percent == 100  # noqa: PLR2004  # all traffic
            else Routing(spec.current_version, {spec.target_version: percent / 100})
        )
        self._functions.route(
            deployment.account, deployment.region, spec.function, spec.alias, routing
        )
        self._record(deployment, percent)
        self._notifications.shift(deployment, routing)

    def succeed(self, deployment: Deployment) -> None:
        """Set the status to Succeeded and notify."""
        deployment.status, deployment.ended = "Succeeded", self._core.clock.timestamp()
        self.save(deployment)
        self._notify(deployment, "SUCCESS")

    def end(self, deployment: Deployment, ending: Ending) -> None:
        """Set the final status, roll back if the ending requires it, and notify.

        A rollback is a separate deployment ("Redeploy and roll back a deployment with CodeDeploy").
        It shifts all traffic at once and ignores alarms. Without a rollback the alias keeps its
        last weights.
        """
        self._close(deployment, ending)
        state = "STOP" if ending.status == "Stopped" else "FAILURE"
        if not deployment.rolls_back_on(ending):
            self.save(deployment)
            self._notify(deployment, state)
            return
        rollback = self._rollback(deployment)
        deployment.rolled_back_by = rollback.id
        deployment.rollback_message = f"Deployment {rollback.id} rolls it back."
        with self._core.ledger.transaction():
            self.save(deployment)
            self.add(rollback)
        # Shift the alias first, because notifications may be slow.
        self._complete_rollback(rollback)
        self._notify(deployment, state)
        self._notify_rollback(rollback)

    def _rollback(self, deployment: Deployment) -> Deployment:
        now = self._core.clock.timestamp()
        spec = deployment.spec.back()
        return Deployment(
            account=deployment.account,
            region=deployment.region,
            application=deployment.application,
            group=deployment.group,
            group_id=deployment.group_id,
            configuration=ALL_AT_ONCE,
            routing=BUILT_IN[ALL_AT_ONCE],
            spec=spec,
            content=spec.content(),
            revision_type="AppSpecContent",
            role=deployment.role,
            creator="codeDeployRollback",
            created=now,
            description=f"Rollback of deployment {deployment.id}",
            triggers=deployment.triggers,
            status="InProgress",
            started=now,
            rollback_of=deployment.id,
        )

    def _complete_rollback(self, rollback: Deployment) -> None:
        failed = self._all[rollback.rollback_of]
        try:
            self.shift(rollback, 100)
        except Exception as error:  # noqa: BLE001  # any error fails the rollback
            message = f"{type(error).__name__}: {error}"
            failed.rollback_message = f"The rollback {rollback.id} failed: {message}"
            rollback.event("AllowTraffic").status = "InProgress"
            code = "INTERNAL_ERROR"
            if isinstance(error, RolePermissionsError):
                code, message = "IAM_ROLE_PERMISSIONS", str(error)
            self._close(rollback, Ending("Failed", code, message, "DEPLOYMENT_FAILURE"))
        else:
            if failed.shifts:
                self._record(failed, 0)
            failed.rollback_message = (
                f"Deployment {rollback.id} rolled alias {rollback.spec.alias} back to version "
                f"{rollback.spec.target_version}."
            )
            now = self._core.clock.timestamp()
            for event in rollback.events:
                event.status, event.started, event.ended = "Succeeded", rollback.started, now
            rollback.status, rollback.ended = "Succeeded", now
        with self._core.ledger.transaction():
            self.save(failed)
            self.save(rollback)

    def _close(self, deployment: Deployment, ending: Ending) -> None:
        deployment.status, deployment.ended = ending.status, self._core.clock.timestamp()
        deployment.error_code, deployment.error_message = ending.code, ending.message
        for event in deployment.events:
            if event.status == "InProgress":
                event.status, event.message = "Failed", ending.message
                event.ended = deployment.ended
            elif event.status == "Pending":
                event.status = "Skipped"

    def _record(self, deployment: Deployment, percent: float) -> None:
        deployment.weight = float(percent)
        deployment.shifts.append((self._core.clock.timestamp(), deployment.weight))
        self.save(deployment)

    def _notify_rollback(self, rollback: Deployment) -> None:
        self._notify(rollback, "START")
        self._notify(rollback, "SUCCESS" if rollback.status == "Succeeded" else "FAILURE")

    def _notify(self, deployment: Deployment, state: str) -> None:
        known = len(deployment.messages)
        self._notifications.state(deployment, state)
        if len(deployment.messages) > known:
            self.save(deployment)
