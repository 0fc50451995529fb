from __future__ import annotations

import base64
import json
import os
import select
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.ports import InvocationError

ACCOUNT, REGION = "222222222222", "eu-west-1"
HELLO = """
import logging
print("loaded")
def handler(event, context):
    print("saw", event)
    logging.getLogger().warning("one\\ntwo")
    return {
        "event": event,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "custom": context.client_context.custom if context.client_context else None,
    }
"""
BIG = """
def handler(event, context):
    return "x" * event
"""
MEETING = """
import os, time
def handler(event, context):
    open(f"{event}/{os.getpid()}", "w").close()
    while len(os.listdir(event)) < 2:
        time.sleep(0.005)
    return os.getpid()
"""


def test_an_answer_with_its_log(lambdas: Any) -> None:
    lambdas.create("hello", HELLO, MemorySize=256)
    answer, payload = lambdas.invoke("hello", {"a": 1}, LogType="Tail")
    assert payload["event"] == {"a": 1}
    assert payload["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hello"
    assert 25_000 < payload["left"] <= 30_000
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[0] == "loaded"
    assert lines[1].startswith("START RequestId: ")
    assert lines[1].endswith(" Version: $LATEST")
    assert lines[2] == "saw {'a': 1}"
    assert lines[3].startswith("[WARNING]\t")
    assert lines[-2].startswith("END RequestId: ")
    assert "Memory Size: 256 MB\tMax Memory Used: " in lines[-1]
    assert "Init Duration: " in lines[-1]
    lambdas.written.wait_for("/aws/lambda/hello $LATEST]", "saw {'a': 1}")

    again, _ = lambdas.invoke("hello", LogType="Tail")
    assert "Init Duration" not in base64.b64decode(again["LogResult"]).decode()


def test_client_context_and_names(lambdas: Any) -> None:
    lambdas.create("hello", HELLO)
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    for name in (f"{ACCOUNT}:function:hello", "function:hello", "hello:$LATEST"):
        _, payload = lambdas.invoke(name, ClientContext=context)
        assert payload["custom"] == {"k": "v"}


def test_log_lines_are_json_if_configured(lambdas: Any) -> None:
    lambdas.create("hello", HELLO, LoggingConfig={"LogFormat": "JSON", "LogGroup": "mine"})
    lambdas.invoke("hello")
    report = lambdas.written.wait_for("mine ", '"platform.report"')
    metrics = json.loads(report[report.index("{") :])["record"]["metrics"]
    assert metrics["memorySizeMB"] == 128
    assert metrics["initDurationMs"] > 0
    assert lambdas.written.wait_for('"level": "WARNING"', "one\\ntwo")


def test_a_dry_run_runs_nothing(lambdas: Any) -> None:
    lambdas.create("hello", "raise SystemExit")
    answer, _ = lambdas.invoke("hello", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    with pytest.raises(ClientError, match=r"Function not found: arn:aws:lambda:.*:function:nobody"):
        lambdas.invoke("nobody", InvocationType="DryRun")


def test_payload_limits(lambdas: Any) -> None:
    lambdas.create("big", BIG)
    _, payload = lambdas.invoke("big", 6_291_554)
    assert len(payload) == 6_291_554
    answer, payload = lambdas.invoke("big", 6_291_555)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"
    _, payload = lambdas.invoke("big", 3)
    assert payload == "xxx"
    with pytest.raises(ClientError) as refused:
        lambdas.invoke("big", "x" * 6_291_456)
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    with pytest.raises(ClientError, match="Could not parse request body into json"):
        lambdas.client.invoke(FunctionName="big", Payload=b"{")


def test_concurrent_invocations_get_their_own_process_and_later_ones_reuse_it(
    lambdas: Any, tmp_path: Any
) -> None:
    lambdas.create("meeting", MEETING)
    place = tmp_path / "meeting"
    place.mkdir()
    invoke = lambdas.server.cloud.functions.invoke
    with ThreadPoolExecutor(2) as threads:
        meeting = json.dumps(str(place)).encode()
        running = [
            threads.submit(invoke, ACCOUNT, REGION, "meeting", "", meeting) for _ in range(2)
        ]
        pids = {answer.result().payload for answer in running}
    assert len(pids) == 2
    assert invoke(ACCOUNT, REGION, "meeting", None, meeting).payload in pids


def test_new_code_runs_at_once_and_old_workers_end(lambdas: Any) -> None:
    pid = "import os\ndef handler(event, context): return [{}, os.getpid()]"
    lambdas.create("moving", pid.format(1))
    _, first = lambdas.invoke("moving")
    lambdas.client.update_function_code(
        FunctionName="moving", ZipFile=lambdas.zipped(pid.format(2))
    )
    with pytest.raises(ProcessLookupError):
        os.kill(first[1], 0)
    _, second = lambdas.invoke("moving")
    assert (first[0], second[0]) == (1, 2)


def test_idle_workers_end(start: Any) -> None:
    lambdas = start(speed=6000)
    lambdas.create("idle", "import os\ndef handler(event, context): return os.getpid()")
    _, pid = lambdas.invoke("idle")
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([ended], [], [], 60)[0]
    os.close(ended)


def test_metrics_have_the_dimensions_of_lambda(lambdas: Any) -> None:
    lambdas.create("counted", "def handler(event, context): return 1 / event")
    lambdas.client.publish_version(FunctionName="counted")
    lambdas.client.create_alias(FunctionName="counted", Name="live", FunctionVersion="1")
    lambdas.invoke("counted:live", 1)
    lambdas.invoke("counted:live", 0)
    lambdas.invoke("counted", 1)
    lambdas.metrics.wait_for(3, "Invocations", FunctionName="counted")
    alias = {"FunctionName": "counted", "Resource": "counted:live"}
    assert lambdas.metrics.total("Invocations", **alias) == 2
    assert lambdas.metrics.total("Errors", **alias, ExecutedVersion="1") == 1
    assert lambdas.metrics.total("Duration", **alias) > 0
    function = {"FunctionName": "counted", "Resource": "counted"}
    assert lambdas.metrics.total("Invocations", **function) == 1
    assert lambdas.metrics.total("Errors", **function) == 0
    assert {datum.unit for datum in lambdas.metrics.data} == {"Count", "Milliseconds"}


def test_the_port_raises_lambdas_error_codes(lambdas: Any) -> None:
    with pytest.raises(InvocationError) as missing:
        lambdas.server.cloud.functions.invoke(ACCOUNT, REGION, "nobody", "live", b"")
    assert missing.value.code == "ResourceNotFoundException"
