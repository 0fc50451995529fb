"""The CodeBuild API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult

from localcloud.codebuild.quotas import outside, too_long
from localcloud.core.ports import BuildNotStartedError, BuildRequest
from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.codebuild.model import Build
    from localcloud.codebuild.service import CodeBuild

_PAGE_SIZE = 100
_OVERRIDES = {
    "projectName", "environmentVariablesOverride", "buildspecOverride", "sourceVersion",
    "timeoutInMinutesOverride", "idempotencyToken",
}  # fmt: skip


class CodeBuildApi(ServiceApi):
    """Operations on builds and reports; projects are read-only."""

    model: ClassVar[str] = "codebuild"
    service: CodeBuild

    def start_build(self) -> ActionResult:
        """Start a build outside of a pipeline."""
        other = sorted(name for name, value in self.params.items() if value is not None)
        other = [name for name in other if name not in _OVERRIDES]
        if other:
            raise ApiError(
                "InvalidInputException", f"{', '.join(other)} is not part of the local cloud"
            )
        minutes = self.params.get("timeoutInMinutesOverride")
        variables = list(self.params.get("environmentVariablesOverride") or [])
        for message in (*outside("timeoutInMinutes", minutes), *too_long(variables)):
            raise ApiError("InvalidInputException", message)
        request = BuildRequest(
            account=self.account,
            region=self.region,
            project=self.params["projectName"],
            environment=variables,
            buildspec=self.params.get("buildspecOverride"),
            source_version=self.params.get("sourceVersion"),
        )
        try:
            build = self.service.start_build(request, minutes)
        except BuildNotStartedError as error:
            raise ApiError(error.code, str(error)) from error
        return ActionResult({"build": self._build(build)})

    def stop_build(self) -> ActionResult:
        """Stop a build and all its processes."""
        build = self._found(self.params["id"])
        build.interrupt("STOPPED")
        return ActionResult({"build": self._build(build)})

    def batch_get_builds(self) -> ActionResult:
        """Return builds by id or ARN."""
        found, missing = [], []
        for each in self.params["ids"]:
            build = self.service.builds.get(each.split(":build/")[-1])
            if build and (build.account, build.region) == (self.account, self.region):
                found.append(self._build(build))
            else:
                missing.append(each)
        return ActionResult({"builds": found, "buildsNotFound": missing})

    def list_builds_for_project(self) -> ActionResult:
        """Return the ids of a project's builds, newest first."""
        name = self.params["projectName"]
        self._project(name)
        mine = self.service.of_project(self.account, self.region, name)
        return self._page("ids", self._ordered([each.id for each in mine]))

    def list_builds(self) -> ActionResult:
        """Return the ids of all builds, newest first."""
        mine = [
            each
            for each in self.service.builds.values()
            if (each.account, each.region) == (self.account, self.region)
        ]
        ids = [each.id for each in sorted(mine, key=lambda each: each.started)]
        return self._page("ids", self._ordered(ids))

    def batch_get_projects(self) -> ActionResult:
        """Return projects by name."""
        found, missing = [], []
        for name in self.params["names"]:
            project = self.service.store.project(self.account, self.region, name)
            if project:
                times = {key: _time(project[key]) for key in ("created", "lastModified")}
                found.append(project | times)
            else:
                missing.append(name)
        return ActionResult({"projects": found, "projectsNotFound": missing})

    def list_projects(self) -> ActionResult:
        """Return the names of all projects."""
        mine = self.service.store.projects(self.account, self.region)
        return self._page("projects", [each["name"] for each in mine])

    def list_report_groups(self) -> ActionResult:
        """Return the ARNs of all report groups."""
        return self._page("reportGroups", [each["arn"] for each in self._groups])

    def batch_get_report_groups(self) -> ActionResult:
        """Return report groups by ARN."""
        found, missing = self._batch(self.service.store.group, self.params["reportGroupArns"])
        for group in found:
            group["lastModified"] = _time(group["lastModified"])
        return ActionResult({"reportGroups": found, "reportGroupsNotFound": missing})

    def list_reports_for_report_group(self) -> ActionResult:
        """Return the ARNs of a group's reports, newest first."""
        group = self.params["reportGroupArn"]
        if self.service.store.group(group) is None:
            raise ApiError("ResourceNotFoundException", f"{group} cannot be found")
        mine = self.service.store.reports(self.account, self.region)
        return self._reports([each for each in mine if each["reportGroupArn"] == group])

    def list_reports(self) -> ActionResult:
        """Return the ARNs of all reports, newest first."""
        return self._reports(self.service.store.reports(self.account, self.region))

    def batch_get_reports(self) -> ActionResult:
        """Return reports by ARN."""
        found, missing = self._batch(self.service.store.report, self.params["reportArns"])
        return ActionResult({"reports": found, "reportsNotFound": missing})

    def describe_test_cases(self) -> ActionResult:
        """Return the test cases of a report."""
        arn = self.params["reportArn"]
        kept = self.service.store.cases(arn)
        if kept is None:
            raise ApiError("ResourceNotFoundException", f"{arn} cannot be found")
        wanted = self.params.get("filter") or {}
        cases = [
            each
            for each in kept
            if wanted.get("status") in {None, each["status"]}
            and (wanted.get("keyword") or "") in each["name"]
        ]
        return self._page("testCases", cases)

    def _reports(self, reports: list[dict[str, Any]]) -> ActionResult:
        status = (self.params.get("filter") or {}).get("status")
        wanted = [each for each in reports if status in {None, each["status"]}]
        arns = [each["arn"] for each in sorted(wanted, key=lambda each: each["created"])]
        return self._page("reports", self._ordered(arns))

    @property
    def _groups(self) -> list[dict[str, Any]]:
        return self.service.store.groups(self.account, self.region)

    def _batch(
        self, find: Callable[[str], dict[str, Any] | None], arns: list[str]
    ) -> tuple[list[dict[str, Any]], list[str]]:
        found, missing = [], []
        for arn in arns:
            each = find(arn)
            if each is None:
                missing.append(arn)
            else:
                found.append(each | {"created": _time(each["created"])})
        return found, missing

    def _ordered(self, oldest_first: list[str]) -> list[str]:
        ascending = self.params.get("sortOrder") == "ASCENDING"
        return oldest_first if ascending else oldest_first[::-1]

    def _page(self, name: str, entries: Sequence[Any]) -> ActionResult:
        token = self.params.get("nextToken") or "0"
        if not token.isdecimal():
            raise ApiError("InvalidInputException", f"{token} is not a nextToken of this service")
        begin, most = int(token), int(self.params.get("maxResults") or _PAGE_SIZE)
        page: dict[str, Any] = {name: list(entries[begin : begin + most])}
        if begin + most < len(entries):
            page["nextToken"] = str(begin + most)
        return ActionResult(page)

    def _project(self, name: str) -> dict[str, Any]:
        try:
            return self.service.project(self.account, self.region, name)
        except BuildNotStartedError as error:
            raise ApiError(error.code, str(error)) from error

    def _found(self, build_id: str) -> Build:
        build = self.service.builds.get(build_id.rsplit(":build/", maxsplit=1)[-1])
        if build is None or build.account != self.account:
            raise ApiError("ResourceNotFoundException", f"Build {build_id} cannot be found")
        return build

    def _build(self, build: Build) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": build.id,
            "arn": build.arn,
            "buildNumber": build.number,
            "projectName": build.project,
            "buildStatus": build.status,
            "buildComplete": build.complete,
            "startTime": _time(build.started),
            "initiator": build.initiator,
            "sourceVersion": build.source_version,
            "resolvedSourceVersion": build.source_version,
            "currentPhase": build.phases[-1].name if build.phases else "SUBMITTED",
            "timeoutInMinutes": int(build.timeout),
            "exportedEnvironmentVariables": [
                {"name": name, "value": value} for name, value in build.exported.items()
            ],
            "reportArns": build.reports,
            "phases": [_phase(phase) for phase in list(build.phases)],
        }
        if build.ended:
            shown["endTime"] = _time(build.ended)
        if build.group:
            group = f"arn:aws:logs:{build.region}:{build.account}:log-group:{build.group}"
            shown["logs"] = {
                "groupName": build.group,
                "streamName": build.stream,
                "cloudWatchLogsArn": f"{group}:log-stream:{build.stream}",
            }
        return shown


def _phase(phase: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"phaseType": phase.name, "startTime": _time(phase.started)}
    if phase.ended is not None:
        shown |= {
            "phaseStatus": phase.status,
            "endTime": _time(phase.ended),
            "durationInSeconds": int(phase.ended - phase.started),
        }
    if phase.code:
        shown["contexts"] = [{"statusCode": phase.code, "message": phase.message}]
    return shown


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
