"""Recovery of executions after a `kill -9` of the local cloud."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

SERVICES = ("logs", "sts", "cloudformation", "codebuild", "codeconnections", "codepipeline")

_CHILD = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from world import SERVICES, World
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
server = LocalCloud(Path({state!r}), services=SERVICES, delays=NO_DELAYS)
server.start()
world = World(server, "pipeline")
world.set_up()
{play}
print(execution, flush=True)
sys.stdin.read()
"""


class Killed:
    """A local cloud that was killed, and its execution."""

    def __init__(self, state: Path, play: str) -> None:
        script = _CHILD.format(here=str(Path(__file__).parent), state=str(state), play=play)
        with subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            self.told = child.stdout.readline().split()
            child.send_signal(signal.SIGKILL)


def client(server: LocalCloud) -> Any:
    return server.cloud.client("codepipeline", "111111111111", "eu-west-1")


def executions(server: LocalCloud) -> dict[str, str]:
    listed = client(server).list_pipeline_executions(pipelineName="pipeline")
    return {
        each["pipelineExecutionId"]: each["status"] for each in listed["pipelineExecutionSummaries"]
    }


def wait(server: LocalCloud, execution: str) -> str:
    """Wait for an execution to end; return its status."""
    service = server.cloud.codepipeline
    ended = threading.Event()
    unsubscribe = server.cloud.bus.subscribe(
        lambda _: ended.set() if not service.executions[execution].running else None
    )
    if service.executions[execution].running:
        assert ended.wait(90)
    unsubscribe()
    return service.executions[execution].status


def test_running_actions_are_marked_as_failed_and_can_be_retried(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    killed = Killed(
        tmp_path / "state",
        f"execution = world.create(world.stage('Build', world.build('Test', "
        f"'test -e {flag} || exec sleep 600')))\n"
        "world.until(lambda: world.running(execution, 'Test'))",
    )
    (execution,) = killed.told
    server = start_cloud(services=SERVICES)
    assert executions(server) == {execution: "Failed"}
    (summary,) = client(server).list_pipeline_executions(pipelineName="pipeline")[
        "pipelineExecutionSummaries"
    ]
    assert summary["statusSummary"].startswith("Interrupted")
    flag.touch()
    client(server).retry_stage_execution(
        pipelineName="pipeline",
        stageName="Build",
        pipelineExecutionId=execution,
        retryMode="FAILED_ACTIONS",
    )
    assert wait(server, execution) == "Succeeded"


def test_waiting_executions_keep_waiting_after_a_kill(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    """An approval keeps its token, and its result counts even if the kill follows at once."""
    killed = Killed(
        tmp_path / "state",
        "execution = world.create(world.stage('Prod', world.approval()), "
        "world.stage('End', world.build('Last', 'true')))\n"
        "token = world.approval_token('Prod', 'Approve')\n"
        "print(execution, token, flush=True)",
    )
    execution, token = killed.told
    server = start_cloud(services=SERVICES)
    assert executions(server) == {execution: "InProgress"}
    client(server).put_approval_result(
        pipelineName="pipeline",
        stageName="Prod",
        actionName="Approve",
        result={"summary": "", "status": "Approved"},
        token=token,
    )
    assert wait(server, execution) == "Succeeded"


def test_an_acknowledged_execution_starts_after_a_kill(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    killed = Killed(
        tmp_path / "state",
        "first = world.create(world.stage('Prod', world.build('Deploy', 'true')))\n"
        "world.ended(first)\n"
        "world.service.set_transition(world.service.pipelines["
        "'111111111111/eu-west-1/pipeline'], 'Prod', 'a freeze')\n"
        "world.push('second')\n"
        "execution = world.executions()[0]['pipelineExecutionId']\n"
        "queues = world.service.runner.queues\n"
        "world.until(lambda: queues.waiting(world.place('Prod')) == [execution])",
    )
    (execution,) = killed.told
    server = start_cloud(services=SERVICES)
    assert executions(server)[execution] == "InProgress"
    (_, prod) = client(server).get_pipeline_state(name="pipeline")["stageStates"]
    assert prod["inboundExecution"]["pipelineExecutionId"] == execution
    client(server).enable_stage_transition(
        pipelineName="pipeline", stageName="Prod", transitionType="Inbound"
    )
    assert wait(server, execution) == "Succeeded"


def test_an_orderly_stop_leaves_the_same_state_as_a_kill(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    killed = Killed(
        tmp_path / "state",
        "execution = world.create(world.stage('Prod', world.approval()))\n"
        "world.approval_token('Prod', 'Approve')\n"
        "server.stop()",
    )
    (execution,) = killed.told
    server = start_cloud(services=SERVICES)
    assert executions(server) == {execution: "InProgress"}
