from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from console.errors import ConsoleError
from console.judge.records import (
    from_file,
    from_folder,
    is_deployment,
    newest_of_environment,
    of_deployment,
    of_environment,
)
from environments.schema import load_all
from tests.console.fakes import START

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.judge.statistics.record import Record
    from tests.console.fakes import FakeAws

ENVIRONMENTS = load_all()
PROD = ENVIRONMENTS["prod"]


@pytest.fixture
def bucket(aws: FakeAws) -> dict[str, str]:
    """Prod's judge bucket, by key."""
    objects: dict[str, str] = {}
    s3 = aws.client("s3")

    def get(**asked: str) -> Any:
        assert asked["Bucket"] == "decisions-bucket"
        if asked["Key"] not in objects:
            return s3.error("NoSuchKey", "The specified key does not exist.", "GetObject")
        return {"Body": BytesIO(objects[asked["Key"]].encode())}

    def listed(**asked: str) -> Any:
        assert asked["Prefix"] == "decisions/"
        keys = sorted(objects)
        begin = int(asked.get("ContinuationToken", 0))
        more = {"NextContinuationToken": str(begin + 2)} if begin + 2 < len(keys) else {}
        written = {key: START + timedelta(minutes=at) for at, key in enumerate(objects)}
        shown = [{"Key": key, "LastModified": written[key]} for key in keys[begin : begin + 2]]
        return {"Contents": shown} | more

    aws.answers |= {
        ("s3", "get_object"): get,
        ("s3", "list_objects_v2"): listed,
        ("cloudformation", "describe_stacks"): lambda **_: {
            "Stacks": [
                {
                    "StackName": "prod-files",
                    "CreationTime": aws.now,
                    "StackStatus": "UPDATE_COMPLETE",
                    "Outputs": [{"OutputKey": "Decisions", "OutputValue": "decisions-bucket"}],
                }
            ]
        },
    }
    return objects


def test_a_file_is_read_back_the_same(bad: Record, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(bad.text(), encoding="utf-8")
    assert from_file(path) == bad


def _without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.pop(key)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda each: each.update(schema=2), "schema: found 2"),
        (_without("parameters"), "parameters: nothing found"),
        (_without("periods"), "periods: nothing found"),
        (
            lambda each: each["periods"][0]["counts"]["failures"].update(canary=[3, 4]),
            "at most as many as requests, 3, can be bad",
        ),
        (
            lambda each: each["periods"][0]["counts"]["failures"].update(canary=[-3, 0]),
            "periods.0.counts.failures.canary.0: found -3",
        ),
        (lambda each: each.update(began="2026-01-01T12:00:00"), "input should have timezone info"),
        (lambda each: each["parameters"].update(surprise=1), "surprise"),
    ],
)
def test_an_invalid_record_is_an_error_with_its_location(
    spoil: Callable[[dict[str, Any]], object], told: str, bad: Record, tmp_path: Path
) -> None:
    document = json.loads(bad.text())
    spoil(document)
    path = tmp_path / "spoilt.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ConsoleError) as error:
        from_file(path)
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no JSON"),
        (b"[]", r"found \[\]; input should be an object"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "cannot be read: the file is not UTF-8"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_missing_file_is_an_error(content: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConsoleError, match=told):
        from_file(path)


def test_a_folder_returns_all_its_records(bad: Record, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(bad.text())
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("not a record")
    wrong, right = from_folder(tmp_path)
    assert isinstance(wrong, ConsoleError)
    assert "a.json: schema: nothing found; the key is required" in str(wrong)
    assert right == bad
    with pytest.raises(ConsoleError, match="is not a folder"):
        next(iter(from_folder(tmp_path / "elsewhere")))


def test_a_deployments_record_is_found_in_the_environment_that_judged_it(
    aws: FakeAws, bucket: dict[str, str], bad: Record
) -> None:
    bucket["decisions/d-ABCDEF123.json"] = bad.text()
    assert of_deployment(aws, ENVIRONMENTS, "d-ABCDEF123") == bad
    assert {account for *_, account, _ in aws.asked} == {PROD.account}
    with pytest.raises(
        ConsoleError, match=r"no judge has a record of d-ABCDEF124 \(asked in prod\)"
    ):
        of_deployment(aws, ENVIRONMENTS, "d-ABCDEF124")


def test_an_environment_returns_all_its_records(
    aws: FakeAws, bucket: dict[str, str], bad: Record
) -> None:
    for number in range(5):
        bucket[f"decisions/d-ABCDEF12{number}.json"] = bad.text()
    bucket["decisions/d-ABCDEF122.json"] = "{}"
    found = list(of_environment(aws, "prod", PROD))
    assert [isinstance(each, ConsoleError) for each in found] == [False, False, True, False, False]
    assert str(found[2]).startswith("decisions/d-ABCDEF122.json in prod: schema: ")


def test_the_newest_record_is_the_last_written(
    aws: FakeAws, bucket: dict[str, str], bad: Record, good: Record
) -> None:
    with pytest.raises(ConsoleError, match=r"has no record yet: .*; run pithead release$"):
        newest_of_environment(aws, "prod", PROD)
    for number in (3, 1, 4):
        bucket[f"decisions/d-ABCDEF12{number}.json"] = bad.text()
    bucket["decisions/d-ABCDEF122.json"] = good.text()
    assert newest_of_environment(aws, "prod", PROD) == good


def test_an_environment_without_a_judge_has_no_records(aws: FakeAws) -> None:
    missing = aws.client("cloudformation").error(
        "ValidationError", "Stack with id prod-files does not exist", "DescribeStacks"
    )
    aws.answers[("cloudformation", "describe_stacks")] = missing
    with pytest.raises(ConsoleError, match="no judge is deployed in prod"):
        list(of_environment(aws, "prod", PROD))
    with pytest.raises(ConsoleError, match="no judge is deployed in prod"):
        newest_of_environment(aws, "prod", PROD)
    with pytest.raises(ConsoleError, match="no judge has a record"):
        of_deployment(aws, ENVIRONMENTS, "d-ABCDEF123")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("d-ABCDEF123", True), ("d-abcdef123", False), ("d-ABCDEF123.json", False), ("prod", False)],
)
def test_a_deployment_id_is_recognised(name: str, is_one: bool) -> None:
    assert is_deployment(name) is is_one


@pytest.mark.parametrize("key", ["periods.0.seconds", "parameters.harmful", "percent", "incident"])
@pytest.mark.parametrize("wrong", [None, -1, "x", [], {}, float("nan"), 10**30])
def test_a_value_of_another_type_is_an_error_with_its_key(
    key: str, wrong: object, bad: Record, tmp_path: Path
) -> None:
    document: Any = json.loads(bad.text())
    *way, last = key.split(".")
    inner = document
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]
    inner[last] = wrong
    path = tmp_path / "spoilt.json"
    path.write_text(json.dumps(document))
    if (key, wrong) == ("parameters.harmful", 10**30):
        assert from_file(path).parameters.harmful == wrong  # rejected by the judge's code
        return
    with pytest.raises(ConsoleError) as error:
        from_file(path)
    assert str(error.value).startswith(f"{path}: {key}: found ")
