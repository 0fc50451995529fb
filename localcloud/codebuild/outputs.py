"""Store a build's test reports and artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.codebuild import reports
from localcloud.codebuild.files import NoFilesError, pack, select
from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.codebuild.buildspec import Buildspec, Files
    from localcloud.codebuild.model import Build
    from localcloud.codebuild.store import Store
    from localcloud.core.clock import Clock
    from localcloud.core.credentials import Session
    from localcloud.core.ports import BuildRequest
    from localcloud.iam.access import Access


class OutputError(Exception):
    """A report or an artifact cannot be stored; the message is the phase's."""


@dataclass(frozen=True)
class Outputs:
    """The outputs of a build; `readable` returns whether the build may read a file."""

    store: Store
    clock: Clock
    access: Access
    request: BuildRequest
    build: Build
    session: Session
    s3: Any
    key: str
    """The KMS key that encrypts artifacts; the pipeline's does not matter (aws-cdk#4182)."""
    source: Path
    readable: Callable[[Path], bool]

    def keep(self, spec: Buildspec) -> None:
        """Store reports and artifacts, also those of a failed build.

        A report that cannot be stored fails the build: aws-cdk#7367, prowler#1182.

        Raises:
            OutputError: a report or an artifact cannot be stored.
        """
        failed = [
            f"[{key}: [{problem}]]"
            for key, wanted in spec.reports.items()
            if (problem := self._report(key, wanted))
        ]
        self._upload(spec)
        if failed:
            raise OutputError(f"Error in UPLOAD_ARTIFACTS phase: {' '.join(failed)}")

    def _report(self, key: str, wanted: Files) -> str:
        """Store a report; return the reason if it cannot be stored, else ""."""
        try:
            arn = reports.keep(
                self.store,
                self.clock.timestamp(),
                self.build,
                self.source,
                key,
                wanted,
                self.readable,
                self._refused,
            )
        except (reports.ReportError, NoFilesError) as error:
            return str(error)
        self.build.reports.append(arn)
        return ""

    def _refused(self, action: str, resource: str) -> str:
        """Return why the build's role may not perform an action, or ""."""
        refusal = self.access.own_call(self.session, self.request.region, Needed(action, resource))
        return refusal.message if refusal else ""

    def _upload(self, spec: Buildspec) -> None:
        outputs = self.request.outputs
        for name, (bucket, key) in outputs.items():
            # As CodeBuild does for CodePipeline: a single output is the primary artifact, several
            # are the secondary artifacts of their names.
            artifacts = spec.secondary.get(name) or (spec.artifacts if len(outputs) == 1 else None)
            if artifacts is None:
                raise OutputError(f"the buildspec declares no artifacts for {name}")
            try:
                content = pack(select(self.source, artifacts, self.readable))
            except NoFilesError as error:
                raise OutputError(str(error)) from error
            try:
                self.s3.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=content,
                    ServerSideEncryption="aws:kms",
                    SSEKMSKeyId=self.key,
                )
            except (BotoCoreError, ClientError) as error:
                raise OutputError(f"{name} to {bucket}/{key}: {error}") from error
