"""Projects, builds, report groups and reports, in the API's own shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.codebuild.model import Build

if TYPE_CHECKING:
    from localcloud.core.ledger import Ledger

_PROJECT, _BUILD = "codebuild:project", "codebuild:build"
_GROUP, _REPORT_KEYS, _CASES = (
    "codebuild:report-group",
    "codebuild:report",
    "codebuild:report-cases",
)


class Store:
    """What CodeBuild keeps in the ledger; a change is durable when its method returns."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def project(self, account: str, region: str, name: str) -> dict[str, Any] | None:
        """Return a project, or None."""
        return self._ledger.get(_PROJECT, f"{account}/{region}/{name}")

    def projects(self, account: str, region: str) -> list[dict[str, Any]]:
        """Return the projects of an account's region."""
        return [each for _, each in self._ledger.all(_PROJECT, f"{account}/{region}/")]

    def put_project(self, account: str, region: str, project: dict[str, Any]) -> None:
        """Create or change a project."""
        self._ledger.put(_PROJECT, f"{account}/{region}/{project['name']}", project)

    def remove_project(self, account: str, region: str, name: str) -> None:
        """Remove a project; its builds stay."""
        self._ledger.delete(_PROJECT, f"{account}/{region}/{name}")

    def builds(self) -> list[Build]:
        """Return every build."""
        return [Build.of(document) for _, document in self._ledger.all(_BUILD)]

    def save_build(self, build: Build, status: str = "") -> None:
        """Keep a build as it is, or with the status that it is about to have."""
        document = build.document()
        self._ledger.put(_BUILD, build.id, document | ({"status": status} if status else {}))

    def group(self, arn: str) -> dict[str, Any] | None:
        """Return a report group, or None."""
        return self._ledger.get(_GROUP, arn)

    def groups(self, account: str, region: str) -> list[dict[str, Any]]:
        """Return the report groups of an account's region."""
        return self._mine(_GROUP, account, region)

    def put_group(self, group: dict[str, Any]) -> None:
        """Create a report group."""
        self._ledger.put(_GROUP, group["arn"], group)

    def remove_group(self, arn: str) -> None:
        """Remove a report group; its reports stay."""
        self._ledger.delete(_GROUP, arn)

    def report(self, arn: str) -> dict[str, Any] | None:
        """Return a report, or None."""
        return self._ledger.get(_REPORT_KEYS, arn)

    def reports(self, account: str, region: str) -> list[dict[str, Any]]:
        """Return the reports of an account's region."""
        return self._mine(_REPORT_KEYS, account, region)

    def cases(self, arn: str) -> list[dict[str, Any]] | None:
        """Return the test cases of a report, or None if the report does not exist."""
        found = self._ledger.get(_CASES, arn)
        return None if found is None else found["cases"]

    def put_report(self, report: dict[str, Any], cases: list[dict[str, Any]]) -> None:
        """Keep a report with its test cases."""
        with self._ledger.transaction():
            self._ledger.put(_REPORT_KEYS, report["arn"], report)
            self._ledger.put(_CASES, report["arn"], {"cases": cases})

    def _mine(self, kind: str, account: str, region: str) -> list[dict[str, Any]]:
        return [
            each for _, each in self._ledger.all(kind, f"arn:aws:codebuild:{region}:{account}:")
        ]
