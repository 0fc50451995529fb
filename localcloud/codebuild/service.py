"""CodeBuild: projects and their builds."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.codebuild import processes
from localcloud.codebuild.build_run import BuildRun
from localcloud.codebuild.model import Build
from localcloud.codebuild.provider import ProjectProvider, ReportGroupProvider
from localcloud.codebuild.store import Store
from localcloud.core.ports import BuildNotStartedError
from localcloud.core.storage import StorageError
from localcloud.iam.service_roles import RoleError, assume_service_role

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.delivery_ports import RepositoryReader
    from localcloud.core.log_ports import LogDelivery
    from localcloud.core.ports import BuildRequest
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Access

logger = logging.getLogger(__name__)
_PRINCIPAL = "codebuild.amazonaws.com"
_SHUTDOWN_TIMEOUT_SECONDS = 10.0  # wall seconds to wait for each build at a stop


class CodeBuild:
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self,
        core: Core,
        access: Access,
        quotas: Quotas,
        *,
        logs: LogDelivery,
        repositories: RepositoryReader,
    ) -> None:
        self.core = core
        self.store = Store(core.ledger)
        self._access = access
        self._quotas = quotas
        self._logs = logs
        self._repositories = repositories
        self.providers: dict[str, Provider] = {
            "AWS::CodeBuild::Project": ProjectProvider(self.store, core.clock, quotas),
            "AWS::CodeBuild::ReportGroup": ReportGroupProvider(self.store, core.clock),
        }
        self.builds: dict[str, Build] = {}
        self._lock = threading.Lock()
        self._closed = False
        access.tags.register("codebuild", self._tags)

    def start(self) -> None:
        """Load the builds; end those that were running, with all their processes."""
        for build in self.store.builds():
            self.builds[build.id] = build
            if not build.complete:
                processes.end_orphans(build.id, build.process_group)
                build.reason = "Interrupted: the local cloud stopped during this build"
                self._end(build, "FAULT")

    def stop(self) -> None:
        """Stop every build and wait for its processes; reject new builds."""
        with self._lock:
            self._closed = True
        running = [build for build in list(self.builds.values()) if not build.complete]
        for build in running:
            build.interrupt("STOPPED")
        for build in running:
            ended = threading.Event()
            build.set_when_complete(ended)
            ended.wait(_SHUTDOWN_TIMEOUT_SECONDS)

    def project(self, account: str, region: str, name: str) -> dict[str, Any]:
        """Return a project in the API's shape, by name or ARN.

        Raises:
            BuildNotStartedError: the project does not exist.
        """
        found = self.store.project(account, region, name.rsplit("/", 1)[-1])
        if found is None:
            raise BuildNotStartedError(
                "ResourceNotFoundException", f"Project cannot be found: {name}"
            )
        return found

    def _tags(self, account: str, region: str, resource: str) -> dict[str, str]:
        """Return the tags of `project/NAME`."""
        kind, _, name = resource.partition("/")
        found = self.store.project(account, region, name)
        if kind != "project" or found is None:
            return {}
        return {each["key"]: each["value"] for each in found.get("tags") or []}

    def start_build(self, request: BuildRequest, minutes: float | None = None) -> Build:
        """Start a build; it is in the ledger before this returns.

        `minutes` is its timeout in minutes of the wall clock; None is the project's timeout.

        Raises:
            BuildNotStartedError: the project does not exist, its role cannot be assumed, or a
                quota of concurrent builds is reached.
        """
        project = self.project(request.account, request.region, request.project)
        build_id = f"{project['name']}:{uuid.uuid4()}"
        source = f"arn:aws:codebuild:{request.region}:{request.account}:project/{project['name']}"
        session = self._session(project["serviceRole"], build_id, source)
        logs = (project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
        group = logs.get("groupName") or f"/aws/codebuild/{project['name']}"
        stream = build_id.rsplit(":", 1)[-1]
        with self._lock:
            if self._closed:
                raise BuildNotStartedError("ServiceUnavailable", "The local cloud is stopping")
            before = self.of_project(request.account, request.region, project["name"])
            most = project.get("concurrentBuildLimit")
            if most and sum(not each.complete for each in before) >= int(most):
                raise BuildNotStartedError(
                    "AccountLimitExceededException",
                    f"Cannot have more than {most} active builds for the project",
                )
            quota = self._quotas.concurrent_builds
            if self._active(request.account, request.region, project) >= quota:
                # The guide says that builds are queued. Accounts with a quota of one were refused:
                # awslabs/landing-zone-accelerator-on-aws#249.
                raise BuildNotStartedError(
                    "AccountLimitExceededException",
                    f"Cannot have more than {quota} builds in queue for the account",
                )
            build = Build(
                id=build_id,
                arn=f"arn:aws:codebuild:{request.region}:{request.account}:build/{build_id}",
                number=len(before) + 1,
                project=project["name"],
                account=request.account,
                region=request.region,
                status="IN_PROGRESS",
                started=self.core.clock.timestamp(),
                initiator=request.initiator,
                source_version=request.source_version,
                group="" if logs.get("status") == "DISABLED" else group,
                stream=f"{logs['streamName']}/{stream}" if logs.get("streamName") else stream,
                timeout=minutes or float(project.get("timeoutInMinutes") or 60),
            )
            self.store.save_build(build)
            self.builds[build_id] = build
        self._publish(build)
        threading.Thread(
            target=self._run,
            args=(project, request, build, session),
            name=f"build-{build_id}",
            daemon=True,
        ).start()
        return build

    def _active(self, account: str, region: str, like: dict[str, Any]) -> int:
        """Count the running builds of the same compute type as a project."""
        running = [
            each.project
            for each in list(self.builds.values())
            if not each.complete and (each.account, each.region) == (account, region)
        ]
        projects = (self.store.project(account, region, name) for name in running)
        return sum(_compute(each or {}) == _compute(like) for each in projects)

    def of_project(self, account: str, region: str, name: str) -> list[Build]:
        """Return a project's builds, oldest first."""
        mine = (account, region, name)
        found = [
            each
            for each in list(self.builds.values())
            if (each.account, each.region, each.project) == mine
        ]
        return sorted(found, key=lambda each: each.number)

    def _session(self, role: str, build_id: str, source: str) -> Session:
        try:
            return assume_service_role(
                self._access,
                role,
                _PRINCIPAL,
                f"AWSCodeBuild-{build_id.rsplit(':', 1)[-1]}",
                source,
            )
        except RoleError as error:
            raise BuildNotStartedError(
                "InvalidInputException",
                f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}: {error}",
            ) from error

    def _run(
        self, project: dict[str, Any], request: BuildRequest, build: Build, session: Session
    ) -> None:
        def save() -> None:
            self.store.save_build(build)

        try:
            status = BuildRun(
                self.core,
                self.store,
                self._access,
                self._logs,
                self._repositories,
                project,
                request,
                build,
                session,
                save,
            ).run()
        except Exception as error:  # an internal error fails the build
            logger.exception("Build %s fails", build.id)
            status, build.reason = "FAULT", f"{type(error).__name__}: {error}"
        self._end(build, status)

    def _end(self, build: Build, status: str) -> None:
        build.ended, build.process_group = self.core.clock.timestamp(), 0
        # Write to the ledger before waking those that wait for the build.
        try:
            self.store.save_build(build, status)
        except StorageError as error:  # the next start ends it with FAULT, too
            status, build.reason = "FAULT", str(error)
        build.finish(status)
        self._publish(build)

    def _publish(self, build: Build) -> None:
        self.core.bus.publish(
            build.account,
            build.region,
            "aws.codebuild",
            "CodeBuild Build State Change",
            {"build-status": build.status, "project-name": build.project, "build-id": build.arn},
            (build.arn,),
        )


def _compute(project: dict[str, Any]) -> tuple[str, str]:
    environment = project.get("environment") or {}
    return environment.get("type", ""), environment.get("computeType", "")
