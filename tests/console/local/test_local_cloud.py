"""The console against a real process of the local cloud."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from console import cli
from console.aws.account import adopt, connect
from console.checkout import Checkout
from console.errors import ConsoleError
from console.local import local_cloud, provisioning, toolchain
from console.progress import Steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.local.local_cloud import Running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Running]]:
    state = tmp_path_factory.mktemp("shared") / "state"
    process, running = local_cloud.start(state, port=0, gateway_port=0, speed=30)
    yield state, running
    process.terminate()
    process.wait()


@pytest.fixture
def served(shared: tuple[Path, Running], folder: Path) -> Running:
    """A local cloud that is this checkout's own."""
    state, running = shared
    (folder / ".pithead").mkdir()
    (folder / ".pithead" / "endpoint.json").write_text((state / "endpoint.json").read_text())
    return running


@pytest.fixture
def pithead(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["pithead", *arguments])
        return cli.main()

    return run


def test_any_client_finds_it_by_its_variables(shared: tuple[Path, Running]) -> None:
    state, running = shared
    assert local_cloud.find(state) == running
    variables = {"PATH": os.environ["PATH"], **running.variables("1" * 12, "eu-west-1")}
    asks = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    done = subprocess.run(
        [sys.executable, "-c", asks], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1" * 12


def test_a_second_one_is_told_where_the_first_is(shared: tuple[Path, Running]) -> None:
    state, running = shared
    with pytest.raises(ConsoleError) as refused:
        local_cloud.start(state, port=0, gateway_port=0, speed=1)
    assert running.endpoint in str(refused.value)
    assert "pithead down" in str(refused.value)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConsoleError, match=f"port {port} is in use"):
            local_cloud.start(tmp_path / "state", port=port, gateway_port=0, speed=1)


def test_a_state_folder_that_cannot_be_served_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConsoleError, match="found file exists; a state folder is writable"):
        local_cloud.start(tmp_path / "file", port=0, gateway_port=0, speed=1)
    (tmp_path / "old/blobs").mkdir(parents=True)
    (tmp_path / "old/blobs/digest").write_text("what an earlier cloud stored")
    with pytest.raises(ConsoleError, match="found an empty ledger beside 1 entries in blobs"):
        local_cloud.start(tmp_path / "old", port=0, gateway_port=0, speed=1)


def test_a_later_start_keeps_the_gateway_port_and_is_told_of_another(tmp_path: Path) -> None:
    state = tmp_path / "state"
    gateways = set()
    for gateway_port in (0, 0, None):
        process, running = local_cloud.start(state, port=0, gateway_port=gateway_port, speed=1)
        gateways.add(running.gateway)
        local_cloud.stop(running)
        process.wait()
    (kept,) = gateways
    # Port 1 is never the one that was chosen, and nothing tries to listen there.
    with pytest.raises(ConsoleError, match=f"found port {kept.rsplit(':', 1)[1]} .*; leave the"):
        local_cloud.start(state, port=0, gateway_port=1, speed=1)
    assert local_cloud.find(state) is None


def test_what_a_killed_one_left_behind_is_not_taken_for_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    process, running = local_cloud.start(state, port=0, gateway_port=0, speed=1)
    os.kill(running.pid, signal.SIGKILL)
    process.wait()
    assert (state / "endpoint.json").exists()
    assert local_cloud.find(state) is None
    # Its number may be another process's by now.
    left = json.loads((state / "endpoint.json").read_text()) | {"pid": os.getpid()}
    (state / "endpoint.json").write_text(json.dumps(left))
    assert local_cloud.find(state) is None


def test_env_is_what_a_shell_needs(
    served: Running, pithead: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    assert pithead("env") == 0
    script = capfd.readouterr().out
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'{script}\necho "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID ${{AWS_PROFILE-none}}"',
        ],
        env={"PATH": os.environ["PATH"], "AWS_PROFILE": "mine"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [served.endpoint, "111111111111", "none"]
    exported = dict(
        shlex.split(line)[1].split("=", 1)
        for line in script.splitlines()
        if line.startswith("export ")
    )
    assert exported == served.variables("111111111111", "eu-west-1")


def test_whom_it_speaks_to(served: Running, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this-profile")
    _, whom = connect(Checkout.here())
    assert whom == (
        f"speaking to the local cloud at {served.endpoint}, at speed 30; "
        "account 111111111111, eu-west-1"
    )
    # Adopted now: from here on it is what the environment says.
    _, whom = connect(Checkout.here())
    assert whom.startswith(f"speaking to {served.endpoint} (AWS_ENDPOINT_URL)")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999999")
    with pytest.raises(ConsoleError, match="the credentials are of account 999999999999"):
        connect(Checkout.here())


def test_an_account_that_was_not_bootstrapped_cannot_be_read(served: Running, folder: Path) -> None:
    checkout = Checkout.here()
    aws, _ = connect(checkout)
    with pytest.raises(ConsoleError, match=r"account 444444444444 cannot be read: .*bootstrap it"):
        aws.client("lambda", checkout.environments()["prod"])


class RecordedCdk:
    """In place of the CDK CLI: what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], str]] = []

    def run(self, arguments: list[str], *, cwd: Path, variables: dict[str, str], log: Path) -> None:
        assert log.suffix == ".log"
        assert (cwd / "cdk.json").exists() == (cwd / "pyproject.toml").exists()
        self.asked.append((arguments, variables["AWS_ACCESS_KEY_ID"]))


def test_what_is_made_ready(
    served: Running,
    folder: Path,
    tmp_path: Path,
    pithead: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    cdk = RecordedCdk()
    monkeypatch.setattr(toolchain, "install", lambda _cache: cdk)
    (folder / "cdk.json").write_text("{}")
    checkout = Checkout.here()
    (folder / ".pithead" / "logs").mkdir()
    home = checkout.home()

    assert pithead("remote") == 1
    assert "there is no connection pithead" in capfd.readouterr().err

    adopt(served.variables(home.account, home.region))
    ready = provisioning.make_ready(
        checkout, served, state=folder / ".pithead", cache=tmp_path, steps=Steps()
    )

    assert ready.commit == checkout.commit("HEAD") == checkout.tip(ready.remote, "main")
    bootstraps = sorted(
        (each for each in cdk.asked if each[0][0] == "bootstrap"), key=lambda each: each[1]
    )
    assert [arguments[1] for arguments, _ in bootstraps] == [
        f"aws://{account * 12}/eu-west-1" for account in "1234"
    ]
    assert [account for _, account in bootstraps] == [account * 12 for account in "1234"]
    assert "--trust" not in bootstraps[0][0]
    trust = ["--trust", "1" * 12, "--trust-for-lookup", "1" * 12]
    assert all(arguments[2:6] == trust for arguments, _ in bootstraps[1:])
    (synth,) = (arguments for arguments, _ in cdk.asked if arguments[0] == "synth")
    assert f"connection-arn={ready.connection_arn}" in synth
    assert "bundle=host" in synth
    assembly = synth[synth.index("--output") + 1]
    deploy, account = cdk.asked[-1]
    assert deploy[:2] == ["deploy", "Pithead"]
    assert deploy[-2:] == ["--app", assembly]
    assert account == "1" * 12

    # The second time everything that stands is found again.
    cloudformation = boto3.client(
        "cloudformation",
        endpoint_url=served.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="1" * 12,
        aws_secret_access_key=served.secret_key,
    )
    for stack in ("Pithead", "CDKToolkit"):
        template = {"Resources": {"Handle": {"Type": "AWS::SNS::Topic"}}}
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1}
        )
    cdk.asked.clear()
    again = provisioning.make_ready(
        checkout, served, state=folder / ".pithead", cache=tmp_path, steps=Steps()
    )
    assert again == ready
    assert sorted(arguments[:2] for arguments, _ in cdk.asked) == [
        ["bootstrap", f"aws://{account * 12}/eu-west-1"] for account in "234"
    ]

    capfd.readouterr()
    assert pithead("remote") == 0
    signed = capfd.readouterr().out.strip()
    assert re.sub("//1{12}:[0-9TZa-f]+@", "//", signed) == ready.remote
    assert served.secret_key not in signed
    plain = ["git", "-c", "credential.helper=", "push", "--quiet"]
    subprocess.run([*plain, signed, "HEAD:refs/heads/other"], check=True)
    assert pithead("remote", "acme/other") == 0
    other = ready.remote.replace("acme/pithead", "acme/other")
    assert capfd.readouterr().out.strip().endswith(other.partition("//")[2])
    with pytest.raises(ConsoleError, match="Repository acme/other is unknown"):
        checkout.push(other, ready.commit, "main")

    assert pithead("release") == 1
    assert "there is no pipeline pithead yet" in capfd.readouterr().err
    assert pithead("status") == 1


def test_up_tells_of_a_wrong_file_before_it_starts_anything(
    folder: Path, pithead: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "environments" / "dev.toml").unlink()
    assert pithead("up") == 1
    assert "dev.toml: the file is missing" in capfd.readouterr().err
    assert not (folder / ".pithead").exists()


def test_up_stays_until_it_is_interrupted_and_down_stops_a_detached_one(folder: Path) -> None:
    code = (
        "import sys\n"
        "from console import cli, provisioning\n"
        "from console.commands import up\n"
        "ready = provisioning.Ready('arn', 'http://127.0.0.1/r.git', 'main', 'c')\n"
        "up.make_ready = lambda *_, **__: ready\n"
        "sys.exit(cli.main())\n"
    )
    arguments = ["up", "--port", "0", "--gateway-port", "0"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True
    ) as up:
        assert up.stderr is not None
        for line in up.stderr:
            if "Ctrl-C" in line:
                break
        up.send_signal(signal.SIGINT)
        rest = up.stderr.read()
    assert up.returncode == 0
    assert "The local cloud has stopped" in rest
    assert local_cloud.find(folder / ".pithead") is None

    subprocess.run([sys.executable, "-c", code, *arguments, "--detach"], check=True)
    assert local_cloud.find(folder / ".pithead")
    assert subprocess.run([sys.executable, "-c", code, "down"], check=False).returncode == 0
    assert local_cloud.find(folder / ".pithead") is None
