"""Sources of decision records: a file, a folder, or the bucket of a judge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from console.errors import ConsoleError
from console.judge.schema import FormError, check
from pipeline.judge.statistics.condemnation import condemnation_key, read_condemnation
from pipeline.judge.statistics.record import Record, RecordError, read
from pipeline.names import decision_key, service_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from console.aws.account import Aws, Place
    from environments.schema import Environment
    from pipeline.judge.statistics.condemnation import Condemnation

_DEPLOYMENT = re.compile(r"d-[A-Z0-9]{9}")  # CodeDeploy's format of deployment ids


def is_deployment(name: str) -> bool:
    """Return whether a name is a deployment id, such as d-ABCDEF123."""
    return _DEPLOYMENT.fullmatch(name) is not None


def from_file(path: Path) -> Record:
    """Read the record in a file.

    Raises:
        ConsoleError: the file does not exist, or is not a record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file is not UTF-8"
        raise ConsoleError(f"{path} cannot be read: {why}; give a decision record") from error
    return _read(text, str(path))


def from_folder(folder: Path) -> Iterator[Record | ConsoleError]:
    """Read a folder's JSON files, by name; yield an error for each invalid record.

    Raises:
        ConsoleError: the folder does not exist.
    """
    if not folder.is_dir():
        raise ConsoleError(
            f"{folder} is not a folder; give a folder of decision records, or an environment"
        )
    for path in sorted(folder.glob("*.json")):
        try:
            yield from_file(path)
        except ConsoleError as error:
            yield error


def of_deployment(aws: Aws, environments: Mapping[str, Environment], deployment_id: str) -> Record:
    """Return the record of a deployment, from the judge of any environment.

    Raises:
        ConsoleError: no judge has one, or it is not a record.
    """
    judged = {name: each for name, each in environments.items() if each.judge}
    for name, environment in judged.items():
        bucket = _bucket(aws, name, environment)
        text = bucket and _object(aws, environment, bucket, decision_key(deployment_id))
        if text:
            return _read(text, f"the record of {deployment_id} in {name}")
    raise ConsoleError(
        f"no judge has a record of {deployment_id} (asked in {', '.join(judged) or 'none'}); "
        "the id is in pithead release's output and in CodeDeploy"
    )


def of_environment(
    aws: Aws, name: str, environment: Environment
) -> Iterator[Record | ConsoleError]:
    """Read all records of an environment; yield an error for each that is invalid.

    Raises:
        ConsoleError: the environment has no judge yet.
    """
    bucket = _bucket(aws, name, environment)
    if bucket is None:
        raise ConsoleError(f"no judge is deployed in {name}; pithead status shows what is")
    for listed in _listed(aws.client("s3", environment), bucket):
        key = listed["Key"]
        try:
            yield _read(_object(aws, environment, bucket, key) or "", f"{key} in {name}")
        except ConsoleError as error:
            yield error


def newest_of_environment(aws: Aws, name: str, environment: Environment) -> Record:
    """Return the record of an environment's newest judged release.

    A judge writes each minute to the record of its current release only, so the last modified
    record is the newest release's.

    Raises:
        ConsoleError: no judge is deployed, it has no record yet, or the record is invalid.
    """
    bucket = _bucket(aws, name, environment)
    if bucket is None:
        raise ConsoleError(f"no judge is deployed in {name}; pithead status shows what is")
    s3 = aws.client("s3", environment)
    written = [(each["LastModified"], each["Key"]) for each in _listed(s3, bucket)]
    if not written:
        raise ConsoleError(
            f"the judge of {name} has no record yet: it writes one when a release shifts traffic; "
            "run pithead release"
        )
    _, key = max(written)
    return _read(_object(aws, environment, bucket, key) or "", f"{key} in {name}")


def kept(aws: Aws, place: Place, bucket: str, deployment_id: str) -> Record | None:
    """Return a deployment's record in a judge's bucket, or None if there is none.

    Raises:
        ConsoleError: the record is invalid.
    """
    text = _object(aws, place, bucket, decision_key(deployment_id))
    return _read(text, f"the record of {deployment_id}") if text else None


def condemnation(aws: Aws, place: Place, bucket: str, digest: str) -> Condemnation | None:
    """Return a version's condemnation in a judge's bucket; None if there is none.

    Raises:
        ConsoleError: the condemnation is invalid.
    """
    text = _object(aws, place, bucket, condemnation_key(digest))
    try:
        return read_condemnation(text) if text else None
    except RecordError as error:
        raise ConsoleError(f"{condemnation_key(digest)}: {error}") from error


def _bucket(aws: Aws, name: str, environment: Environment) -> str | None:
    """Return the bucket of an environment's judge, or None if no judge is deployed."""
    cloudformation = aws.client("cloudformation", environment)
    try:
        stack = cloudformation.describe_stacks(StackName=service_stack(name))["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    return outputs.get("Decisions")


def _listed(s3: Any, bucket: str) -> Iterator[dict[str, Any]]:
    folder = decision_key("").rsplit("/", 1)[0] + "/"
    wanted = {"Bucket": bucket, "Prefix": folder}
    answer = s3.list_objects_v2(**wanted)
    yield from answer.get("Contents", ())
    while "NextContinuationToken" in answer:
        answer = s3.list_objects_v2(**wanted, ContinuationToken=answer["NextContinuationToken"])
        yield from answer.get("Contents", ())


def _object(aws: Aws, place: Place, bucket: str, key: str) -> str | None:
    s3: Any = aws.client("s3", place)
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return body.decode(errors="replace")


def _read(text: str, where: str) -> Record:
    try:
        check(text)
        return read(text)
    except (FormError, RecordError) as error:
        raise ConsoleError(f"{where}: {error}") from error
