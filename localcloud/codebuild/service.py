"""CodeBuild: projects and their builds."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.codebuild.api import CodeBuildApi
from localcloud.codebuild.building import Building
from localcloud.codebuild.model import Build
from localcloud.codebuild.provider import ProjectProvider
from localcloud.codebuild.shell import end_group

if TYPE_CHECKING:
    from localcloud.api import ServiceApi
    from localcloud.cloud import Cloud
    from localcloud.ports import BuildRequest
    from localcloud.resources import Provider

PROJECT = "codebuild:project"
_BUILD = "codebuild:build"


class ProjectMissingError(Exception):
    """There is no such project."""


class CodeBuild:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {"codebuild": CodeBuildApi}
        self.providers: dict[str, Provider] = {"AWS::CodeBuild::Project": ProjectProvider(cloud)}
        self.builds: dict[str, Build] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Read builds back; one that was running is ended with all its processes."""
        for _, document in self.cloud.ledger.all(_BUILD):
            build = Build.of(document)
            self.builds[build.id] = build
            if build.status == "IN_PROGRESS":
                if build.process_group:
                    end_group(build.process_group)
                build.status, build.process_group = "FAULT", 0
                build.reason = "Interrupted: the local cloud stopped during this build"
                build.ended = self.cloud.clock.timestamp()
                build.done.set()
                self._save(build)

    def stop(self) -> None:
        """Stop every build and wait for its processes to end."""
        running = [build for build in self.builds.values() if not build.done.is_set()]
        for build in running:
            build.stop.set()
        for build in running:
            build.done.wait(10)

    def project(self, account: str, region: str, name: str) -> dict[str, Any]:
        """A project in the API's shape.

        Raises:
            ProjectMissingError: there is none.
        """
        found = self.cloud.ledger.get(PROJECT, f"{account}/{region}/{name.rsplit('/', 1)[-1]}")
        if found is None:
            raise ProjectMissingError(f"Project cannot be found: {name}")
        return found

    def start_build(self, request: BuildRequest) -> Build:
        """Start a build; it is durable before this returns.

        Raises:
            ProjectMissingError: there is no such project.
        """
        project = self.project(request.account, request.region, request.project)
        with self._lock:
            number = 1 + sum(each.project == project["name"] for each in self.builds.values())
            build_id = f"{project['name']}:{uuid.uuid4()}"
            logs = (project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
            build = Build(
                id=build_id,
                arn=f"arn:aws:codebuild:{request.region}:{request.account}:build/{build_id}",
                number=number,
                project=project["name"],
                account=request.account,
                region=request.region,
                status="IN_PROGRESS",
                started=self.cloud.clock.timestamp(),
                initiator=request.initiator,
                source_version=request.source_version,
                group=logs.get("groupName") or f"/aws/codebuild/{project['name']}",
                stream=build_id.rsplit(":", 1)[-1],
            )
            self.builds[build_id] = build
        self._save(build)
        self._publish(build)
        threading.Thread(
            target=self._run, args=(project, request, build), name=f"build-{build_id}", daemon=True
        ).start()
        return build

    def _run(self, project: dict[str, Any], request: BuildRequest, build: Build) -> None:
        try:
            Building(self.cloud, project, request, build, lambda: self._save(build)).run()
        except Exception as error:  # noqa: BLE001  # a fault of ours is the build's outcome
            build.status, build.reason = "FAULT", f"{type(error).__name__}: {error}"
        build.ended = self.cloud.clock.timestamp()
        build.process_group = 0
        self._save(build)
        build.done.set()
        self._publish(build)

    def _save(self, build: Build) -> None:
        self.cloud.ledger.put(_BUILD, build.id, build.document())

    def _publish(self, build: Build) -> None:
        self.cloud.bus.publish(
            build.account,
            build.region,
            "aws.codebuild",
            "CodeBuild Build State Change",
            {"build-status": build.status, "project-name": build.project, "build-id": build.arn},
            (build.arn,),
        )
