"""The CodeBuild API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult

from localcloud.api import ApiError, ServiceApi
from localcloud.ports import BuildRequest

if TYPE_CHECKING:
    from localcloud.codebuild.model import Build
    from localcloud.codebuild.service import CodeBuild


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class CodeBuildApi(ServiceApi):
    """Builds, and a look at projects."""

    service: ClassVar[str] = "codebuild"

    @property
    def _service(self) -> CodeBuild:
        return self.cloud.codebuild

    def start_build(self) -> ActionResult:
        """Start a build by hand."""
        from localcloud.codebuild.service import ProjectMissingError  # noqa: PLC0415  # a circle

        request = BuildRequest(
            account=self.account,
            region=self.region,
            project=self.params["projectName"],
            environment=list(self.params.get("environmentVariablesOverride") or []),
            buildspec=self.params.get("buildspecOverride"),
            source_version=self.params.get("sourceVersion"),
        )
        try:
            build = self._service.start_build(request)
        except ProjectMissingError as error:
            raise ApiError("ResourceNotFoundException", str(error)) from error
        return ActionResult({"build": _build(build)})

    def stop_build(self) -> ActionResult:
        """Stop a build and all its processes."""
        build = self._found(self.params["id"])
        build.stop.set()
        return ActionResult({"build": _build(build)})

    def batch_get_builds(self) -> ActionResult:
        """Builds by id or ARN."""
        wanted = [each.split(":build/")[-1] for each in self.params["ids"]]
        mine = [
            self._service.builds[each]
            for each in wanted
            if each in self._service.builds and self._service.builds[each].account == self.account
        ]
        missing = [each for each in wanted if each not in {build.id for build in mine}]
        return ActionResult(
            {"builds": [_build(build) for build in mine], "buildsNotFound": missing}
        )

    def list_builds_for_project(self) -> ActionResult:
        """Ids of a project's builds, newest first."""
        mine = [
            build
            for build in self._service.builds.values()
            if (build.account, build.region, build.project)
            == (self.account, self.region, self.params["projectName"])
        ]
        return ActionResult({"ids": [each.id for each in sorted(mine, key=lambda b: -b.started)]})

    def batch_get_projects(self) -> ActionResult:
        """Projects by name."""
        found = []
        for name in self.params["names"]:
            project = self.cloud.ledger.get(
                "codebuild:project", f"{self.account}/{self.region}/{name}"
            )
            if project:
                found.append(project)
        names = {each["name"] for each in found}
        return ActionResult(
            {
                "projects": found,
                "projectsNotFound": [each for each in self.params["names"] if each not in names],
            }
        )

    def list_projects(self) -> ActionResult:
        """Names of all projects."""
        mine = self.cloud.ledger.all("codebuild:project", f"{self.account}/{self.region}/")
        return ActionResult({"projects": [each["name"] for _, each in mine]})

    def _found(self, build_id: str) -> Build:
        build = self._service.builds.get(build_id.rsplit(":build/", maxsplit=1)[-1])
        if build is None or build.account != self.account:
            raise ApiError("ResourceNotFoundException", f"Build {build_id} cannot be found")
        return build


def _build(build: Build) -> dict[str, Any]:
    done: dict[str, Any] = {"endTime": _time(build.ended)} if build.ended else {}
    return done | {
        "id": build.id,
        "arn": build.arn,
        "buildNumber": build.number,
        "projectName": build.project,
        "buildStatus": build.status,
        "buildComplete": build.done.is_set(),
        "startTime": _time(build.started),
        "initiator": build.initiator,
        "resolvedSourceVersion": build.source_version,
        "currentPhase": build.phases[-1].name if build.phases else "SUBMITTED",
        "exportedEnvironmentVariables": [
            {"name": name, "value": value} for name, value in build.exported.items()
        ],
        "logs": {"groupName": build.group, "streamName": build.stream},
        "phases": [
            {
                "phaseType": phase.name,
                "phaseStatus": phase.status,
                "startTime": _time(phase.started),
                "durationInSeconds": int((phase.ended or phase.started) - phase.started),
                "contexts": [{"message": phase.message}] if phase.message else [],
            }
            for phase in build.phases
        ],
    }
