from __future__ import annotations

import os
import select
from typing import Any

import pytest
from botocore.exceptions import ClientError

MOODS = """
import os, sys, time
def handler(event, context):
    if event == "exit":
        sys.exit(1)
    if event == "leave":
        os._exit(0)
    if event == "crash":
        os.kill(os.getpid(), 11)
    if event == "hang":
        print("hanging", flush=True)
        time.sleep(600)
    if event == "hoard":
        hoard = []
        while True:
            hoard.append(b"x" * 1_000_000)
    if event == "raise":
        raise KeyError("lost")
    return os.getpid()
"""


@pytest.mark.parametrize(
    ("mood", "message", "report"),
    [
        ("exit", "Runtime exited with error: exit status 1", "Error Type: Runtime.ExitError"),
        ("leave", "Runtime exited without providing a reason", "Error Type: Runtime.ExitError"),
        (
            "crash",
            "Runtime exited with error: signal: segmentation fault",
            "Error Type: Runtime.ExitError",
        ),
        ("hoard", "Runtime exited with error: signal: killed", "Error Type: Runtime.OutOfMemory"),
    ],
)
def test_a_runtime_that_ends(lambdas: Any, mood: str, message: str, report: str) -> None:
    lambdas.create("moods", MOODS)
    _, first = lambdas.invoke("moods")
    answer, payload = lambdas.invoke("moods", mood)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].startswith("RequestId: ")
    assert payload["errorMessage"].endswith(f" Error: {message}")
    lambdas.written.wait_for(f"Error: {message}")
    lambdas.written.wait_for("REPORT", "Status: error", report)
    _, second = lambdas.invoke("moods")
    assert second != first
    lambdas.metrics.wait_for(1, "Errors", FunctionName="moods")


def test_a_timeout(lambdas: Any) -> None:
    lambdas.create("moods", MOODS, Timeout=3)
    answer, payload = lambdas.invoke("moods", "hang")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorMessage"].endswith(" Task timed out after 3.00 seconds")
    lambdas.written.wait_for("hanging")
    lambdas.written.wait_for("Task timed out after 3.00 seconds")
    report = lambdas.written.wait_for("REPORT", "Status: timeout")
    assert float(report.partition("\tDuration: ")[2].partition(" ms")[0]) >= 3000
    lambdas.invoke("moods")


def test_an_exception(lambdas: Any) -> None:
    lambdas.create("moods", MOODS)
    _, before = lambdas.invoke("moods")
    answer, payload = lambdas.invoke("moods", "raise")
    assert answer["FunctionError"] == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("KeyError", "'lost'")
    assert "app.py" in payload["stackTrace"][-1]
    lambdas.written.wait_for("[ERROR] KeyError: 'lost'\nTraceback")
    _, after = lambdas.invoke("moods")
    assert after == before


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("import moto", "Runtime.ImportModuleError", "Unable to import module 'app'"),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("raise SystemExit(3)", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("x = b'x' * 300_000_000", "Runtime.ExitError", "signal: killed"),
    ],
)
def test_an_initialisation_that_fails(
    lambdas: Any, source: str, error_type: str, message: str
) -> None:
    lambdas.create("broken", source)
    for _ in range(2):
        answer, payload = lambdas.invoke("broken")
        assert answer["FunctionError"] == "Unhandled"
        assert payload["errorType"] == error_type
        assert message in payload["errorMessage"]
    lambdas.written.wait_for("INIT_REPORT Init Duration: ", "Phase: init\tStatus: error")


def test_a_role_that_is_no_arn_is_rejected(lambdas: Any) -> None:
    message = "role is 'runner'; use the ARN of an IAM role"
    source = "def handler(event, context): pass"
    with pytest.raises(ClientError, match=message):
        lambdas.create("f", source, Role="runner")
    lambdas.create("f", source)
    with pytest.raises(ClientError, match=message):
        lambdas.client.update_function_configuration(FunctionName="f", Role="runner")


def test_child_processes_of_a_worker_end_with_it(lambdas: Any, tmp_path: Any) -> None:
    lambdas.create(
        "parent",
        "import subprocess, time\n"
        "def handler(event, context):\n"
        "    open(event, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "    time.sleep(600)\n",
        Timeout=1,
    )
    child = tmp_path / "child"
    child.touch()
    while not child.read_text():  # until an attempt gets this far within its second
        lambdas.invoke("parent", str(child))
    try:
        ended = os.pidfd_open(int(child.read_text()))
    except ProcessLookupError:
        return
    assert select.select([ended], [], [], 60)[0]
    os.close(ended)
