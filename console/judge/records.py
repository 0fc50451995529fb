"""Where decision records come from: a file, a folder, the bucket of an environment's judge."""

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

_DEPLOYMENT = re.compile(r"d-[A-Z0-9]{9}")  # CodeDeploy's own form of its ids


def is_deployment(name: str) -> bool:
    """Whether that is a deployment's id, such as d-ABCDEF123."""
    return _DEPLOYMENT.fullmatch(name) is not None


def from_file(path: Path) -> Record:
    """The record that a file has.

    Raises:
        ConsoleError: there is no file, or no record in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
        raise ConsoleError(f"{path} cannot be read: {why}; give a decision record") from error
    return _read(text, str(path))


def from_folder(folder: Path) -> Iterator[Record | ConsoleError]:
    """The records of a folder's JSON files, by name; of one that is none, what is wrong.

    Raises:
        ConsoleError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConsoleError(
            f"{folder} is no folder; give one of decision records, or an environment"
        )
    for path in sorted(folder.glob("*.json")):
        try:
            yield from_file(path)
        except ConsoleError as error:
            yield error


def of_deployment(aws: Aws, environments: Mapping[str, Environment], deployment_id: str) -> Record:
    """The record that a judge wrote of a deployment, in whichever environment it was.

    Raises:
        ConsoleError: no environment's judge has one, or what it has is none.
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
    """All records in an environment; of one that is none, what is wrong.

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
    """Return the record of an environment's newest release that was judged.

    A judge writes a record each minute of its own release only, so the one that was written last
    is the newest release's.

    Raises:
        ConsoleError: no judge is deployed there, it has no record yet, or that is none.
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
    """The record that a judge's bucket has of a deployment; None where it has none.

    Raises:
        ConsoleError: what it has is no record.
    """
    text = _object(aws, place, bucket, decision_key(deployment_id))
    return _read(text, f"the record of {deployment_id}") if text else None


def condemnation(aws: Aws, place: Place, bucket: str, digest: str) -> Condemnation | None:
    """Return a version's condemnation in a judge's bucket; None if there is none.

    Raises:
        ConsoleError: what it has is no condemnation.
    """
    text = _object(aws, place, bucket, condemnation_key(digest))
    try:
        return read_condemnation(text) if text else None
    except RecordError as error:
        raise ConsoleError(f"{condemnation_key(digest)}: {error}") from error


def _bucket(aws: Aws, name: str, environment: Environment) -> str | None:
    """The bucket of an environment's judge; None before there is one."""
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
