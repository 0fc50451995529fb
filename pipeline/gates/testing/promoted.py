"""Read the attested test counts of the last promoted release.

The pipeline's artifact bucket contains the reports of each execution's Attest action: the signed
attestation, and the summaries whose digests it contains. So the counts are those of a release that
reached prod, and no commit can change them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.gates import aws
from pipeline.gates.attest import FILE
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.supply_chain import attestation, envelope
from pipeline.gates.testing.counts import TestCounts, compared
from pipeline.gates.testing.hooks import TOOL
from pipeline.names import ATTEST, ATTESTATION_KEY, PIPELINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _NothingAttestedError(Exception):
    """The promoted release has no counts to compare with."""


def comparison(gate: str) -> Callable[[TestCounts], tuple[list[Finding], str]]:
    """Return a function that compares a gate's counts with those of the promoted release.

    It returns findings, and a clause for the gate's sentence.
    """

    def compare(counts: TestCounts) -> tuple[list[Finding], str]:
        commit = _commit()
        if commit is None:
            return [], ", the first release: nothing was promoted before"
        try:
            was = _attested(gate, commit)
        except _NothingAttestedError as error:
            return [_not_compared(commit, str(error))], ""
        return compared(counts, was, commit), f", no fewer than in {commit[:7]}, promoted last"

    return compare


def _commit() -> str | None:
    """Return the commit of the newest execution that succeeded; None before the first.

    The history of the pipeline is read instead of prod's alias: the tests are the commit's own
    code, so their build's role may not read prod's account.

    Raises:
        CouldNotRunError: it cannot be read from AWS.
    """
    try:
        pages = (
            aws.client("codepipeline")
            .get_paginator("list_pipeline_executions")
            .paginate(pipelineName=PIPELINE)
        )
        for page in pages:
            for execution in page["pipelineExecutionSummaries"]:
                # The rollback of a stage is also an execution, but has passed no gate.
                rollback = execution.get("executionType") == "ROLLBACK"
                if execution["status"] == "Succeeded" and not rollback:
                    return str(execution["sourceRevisions"][0]["revisionId"])
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(
            f"the last promoted release cannot be read from AWS: {error}"
        ) from error
    return None


def _attested(gate: str, commit: str) -> TestCounts:
    try:
        content = _artifact(commit)
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(
            f"the attestation of {commit[:7]}, promoted last, cannot be read: {error}; retry the "
            "stage"
        ) from error
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    try:
        text = files[FILE].decode()
        statement = envelope.open_(text, aws.client("kms"), ATTESTATION_KEY)
        release, results = attestation.read(statement)
    except KeyError as error:
        raise _NothingAttestedError("its reports have no attestation") from error
    except (envelope.ForgedError, attestation.StatementError, UnicodeDecodeError) as error:
        raise CouldNotRunError(
            f"the attestation of {commit[:7]}, promoted last, is forged: {error}; find out who "
            "wrote to the artifact bucket"
        ) from error
    if release.commit != commit:
        raise CouldNotRunError(
            f"the attestation of {commit[:7]}, promoted last, is of {release.commit[:7]}; find out "
            "who wrote to the artifact bucket"
        )
    digests = {each.sha256 for each in results if each.gate == gate}
    for content in files.values():
        if hashlib.sha256(content).hexdigest() in digests:
            return _counts(json.loads(content))
    raise _NothingAttestedError(f"it has no result of the gate {gate}")


def _counts(summary: dict[str, Any]) -> TestCounts:
    try:
        found = summary["details"]["counts"]
        return TestCounts(**found | {"functions": tuple(found["functions"])})
    except (KeyError, TypeError) as error:
        raise _NothingAttestedError("its result has no counts of tests") from error


def _artifact(commit: str) -> bytes:
    """Return the newest reports of the Attest action for a commit, as a zip."""
    codepipeline = aws.client("codepipeline")
    for execution in _executions(codepipeline, commit):
        pages = codepipeline.get_paginator("list_action_executions").paginate(
            pipelineName=PIPELINE, filter={"pipelineExecutionId": execution}
        )
        for page in pages:
            for action in page["actionExecutionDetails"]:
                if action["actionName"] == ATTEST and action["status"] == "Succeeded":
                    place = action["output"]["outputArtifacts"][0]["s3location"]
                    return _object(place["bucket"], place["key"])
    raise _NothingAttestedError("no execution of the pipeline attested it")


def _executions(codepipeline: Any, commit: str) -> Iterator[str]:
    pages = codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=PIPELINE)
    for page in pages:
        for each in page["pipelineExecutionSummaries"]:
            if commit in {revision["revisionId"] for revision in each.get("sourceRevisions", [])}:
                yield each["pipelineExecutionId"]


def _object(bucket: str, key: str) -> bytes:
    try:
        content: bytes = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise _NothingAttestedError("its reports have expired") from error
        raise
    return content


def _not_compared(commit: str, reason: str) -> Finding:
    return Finding(
        tool=TOOL,
        rule="not-compared",
        message=f"the number of tests cannot be compared with {commit[:7]}, promoted last: "
        f"{reason}. Compare by hand and waive it in pipeline/waivers.toml",
        subject=commit,
    )
