"""The run of an action: its inputs, its record and its credentials."""

from __future__ import annotations

import io
import uuid
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud.codepipeline.model import ActionError
from localcloud.codepipeline.quotas import MAX_DEPLOYED_BYTES
from localcloud.codepipeline.roles import assume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.codepipeline.collaborators import Collaborators
    from localcloud.codepipeline.halt import Halt
    from localcloud.codepipeline.model import ActionExecution, Execution, Pipeline
    from localcloud.codepipeline.store import Store
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.iam.access import Refusal
    from localcloud.iam.actions.call import Needed


@dataclass
class ActionRun:
    """One run of an action."""

    collaborators: Collaborators
    pipeline: Pipeline
    execution: Execution
    action: dict[str, Any]
    record: ActionExecution
    halt: Halt

    @property
    def core(self) -> Core:
        """The core of the local cloud."""
        return self.collaborators.core

    @property
    def store(self) -> Store:
        """The store of executions."""
        return self.collaborators.store

    @property
    def configuration(self) -> dict[str, str]:
        """The action's configuration with its variables resolved."""
        return self.record.configuration

    @property
    def region(self) -> str:
        """The region in which the action runs."""
        return str(self.action.get("region") or self.pipeline.region)

    def update_record(self, **fields: Any) -> None:
        """Update the action's record; it is durable when this returns."""
        with self.store.changing(self.execution):
            for name, value in fields.items():
                setattr(self.record, name, value)

    def place(self, artifact: str) -> tuple[str, str]:
        """Return bucket and key for a new output artifact."""
        bucket = self.pipeline.bucket(self.region)
        return bucket, f"{self.pipeline.name[:20]}/{artifact[:10]}/{uuid.uuid4().hex[:7]}"

    def add_artifacts(self, artifacts: dict[str, tuple[str, str]]) -> None:
        """Add output artifacts that exist to the execution and the action's record."""
        with self.store.changing(self.execution):
            self.execution.artifacts.update(artifacts)
            self.record.artifacts.update(artifacts)

    def upload(self, artifact: str, content: bytes) -> None:
        """Upload an output artifact as the action's role, owned by the bucket's owner.

        The canned ACL needs `s3:PutObjectAcl` (aws-cdk#13557).

        Raises:
            ClientError: S3 rejects the upload.
        """
        bucket, key = self.place(artifact)
        self.client("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=content,
            ACL="bucket-owner-full-control",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.pipeline.encryption_key(self.region),
        )
        self.add_artifacts({artifact: (bucket, key)})

    def file(self, reference: str) -> str:
        """Return the text of the file `Artifact::path`, read as the action's role.

        Raises:
            ActionError: the action has no such input artifact, the artifact has no such file or
                is too large, the role may not read it, or it is a reference to a repository,
                which only CodeBuild can clone.
        """
        artifact, _, path = reference.partition("::")
        if artifact not in self.record.inputs:  # cfn-lint#3125
            raise ActionError(
                f"Artifact [{artifact}] is not an input artifact of action {self.action['name']}"
            )
        bucket, key = self.record.inputs[artifact]
        try:
            stored = self.client("s3").get_object(Bucket=bucket, Key=key)
            # AWS's text, as quoted in aws-cdk#21325 and aws-cdk#10330.
            if stored["ContentLength"] > MAX_DEPLOYED_BYTES:
                raise ActionError(f"Artifact [{artifact}] exceeds max artifact size")
            content = stored["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                raise ActionError(
                    f"Unable to access the artifact with Amazon S3 object key '{key}' located in "
                    f"the Amazon S3 artifact bucket '{bucket}'. The provided role does not have "
                    f"sufficient permissions. {error.response['Error']['Message']}"
                ) from error
            raise ActionError(f"Artifact {artifact} at {bucket}/{key}: {error}") from error
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return archive.read(path).decode()
        except zipfile.BadZipFile as error:
            raise ActionError(
                f"Artifact [{artifact}] is not a zip file; only CodeBuild actions can use an "
                "artifact of format CODEBUILD_CLONE_REF"
            ) from error
        except KeyError as error:
            raise ActionError(f"File [{path}] does not exist in artifact [{artifact}]") from error

    @contextmanager
    def uploaded(self, template: str) -> Iterator[str]:
        """Upload a template to S3, yield its URL, and delete it at the end.

        CloudFormation accepts 1 MB from S3, and 51,200 bytes inline ("CloudFormation quotas").
        CodePipeline uploads the template itself: the action's role needs no permission for it.
        """
        bucket, key = self.place("templates")
        s3 = self.core.client("s3", self.pipeline.account, self.region)
        s3.put_object(Bucket=bucket, Key=key, Body=template.encode())
        try:
            yield f"{self.core.endpoint}/{bucket}/{key}"
        finally:
            s3.delete_object(Bucket=bucket, Key=key)

    def session(self) -> Session:
        """Return credentials of the action's role, or else of the pipeline's role.

        Raises:
            ActionError: the role cannot be assumed.
        """
        return assume(
            self.core,
            self.collaborators.access,
            self.pipeline,
            self.execution,
            self.action.get("roleArn"),
            self.region,
        )

    def client(self, service: str) -> Any:
        """Return a client of a service with the action's credentials."""
        session = self.session()
        return self.core.client(service, session.account, self.region, session)

    def refusal(self, *wanted: Needed) -> Refusal | None:
        """Return why IAM denies permissions to the action's role, or None."""
        return self.collaborators.access.own_call(self.session(), self.region, *wanted)
