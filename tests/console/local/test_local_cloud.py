"""The console with a real process of the local cloud."""

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

    from console.local.local_cloud import LocalCloud


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, LocalCloud]]:
    state = tmp_path_factory.mktemp("shared") / "state"
    process, cloud = local_cloud.start(state, port=0, gateway_port=0, speed=30)
    yield state, cloud
    process.terminate()
    process.wait()


@pytest.fixture
def served(shared: tuple[Path, LocalCloud], folder: Path) -> LocalCloud:
    """The local cloud in the state folder of the checkout."""
    state, cloud = shared
    (folder / ".pithead").mkdir()
    (folder / ".pithead" / "endpoint.json").write_text((state / "endpoint.json").read_text())
    return cloud


@pytest.fixture
def pithead(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["pithead", *arguments])
        return cli.main()

    return run


def test_the_local_clouds_variables_direct_any_aws_client(shared: tuple[Path, LocalCloud]) -> None:
    state, cloud = shared
    assert local_cloud.find(state) == cloud
    variables = {"PATH": os.environ["PATH"], **cloud.variables("1" * 12, "eu-west-1")}
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1" * 12


def test_a_second_start_names_the_first(shared: tuple[Path, LocalCloud]) -> None:
    state, cloud = shared
    with pytest.raises(ConsoleError) as refused:
        local_cloud.start(state, port=0, gateway_port=0, speed=1)
    assert cloud.endpoint in str(refused.value)
    assert "pithead down" in str(refused.value)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConsoleError, match=f"port {port} is in use"):
            local_cloud.start(tmp_path / "state", port=port, gateway_port=0, speed=1)


def test_an_unusable_state_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConsoleError, match="found file exists; a state folder must be writable"):
        local_cloud.start(tmp_path / "file", port=0, gateway_port=0, speed=1)
    (tmp_path / "old/blobs").mkdir(parents=True)
    (tmp_path / "old/blobs/digest").write_text("what an earlier cloud stored")
    with pytest.raises(ConsoleError, match="found an empty ledger beside 1 entries in blobs"):
        local_cloud.start(tmp_path / "old", port=0, gateway_port=0, speed=1)


def test_a_later_start_keeps_the_gateway_port_and_rejects_another(tmp_path: Path) -> None:
    state = tmp_path / "state"
    gateways = set()
    for gateway_port in (0, 0, None):
        process, cloud = local_cloud.start(state, port=0, gateway_port=gateway_port, speed=1)
        gateways.add(cloud.gateway)
        local_cloud.stop(cloud)
        process.wait()
    (kept,) = gateways
    # Port 1 is never the chosen one, and nothing listens there.
    with pytest.raises(ConsoleError, match=f"found port {kept.rsplit(':', 1)[1]} .*; leave the"):
        local_cloud.start(state, port=0, gateway_port=1, speed=1)
    assert local_cloud.find(state) is None


def test_the_files_of_a_killed_process_are_not_a_local_cloud(tmp_path: Path) -> None:
    state = tmp_path / "state"
    process, cloud = local_cloud.start(state, port=0, gateway_port=0, speed=1)
    os.kill(cloud.pid, signal.SIGKILL)
    process.wait()
    assert (state / "endpoint.json").exists()
    assert local_cloud.find(state) is None
    # Another process may have the same id by now.
    left = json.loads((state / "endpoint.json").read_text()) | {"pid": os.getpid()}
    (state / "endpoint.json").write_text(json.dumps(left))
    assert local_cloud.find(state) is None


def test_env_sets_a_shells_variables(
    served: LocalCloud, pithead: Any, capfd: pytest.CaptureFixture[str]
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


def test_the_target_is_named(
    served: LocalCloud, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this-profile")
    _, target = connect(Checkout.here())
    assert target == (
        f"using the local cloud at {served.endpoint}, at speed 30; account 111111111111, eu-west-1"
    )
    # The process has the variables now, so they name the target.
    _, target = connect(Checkout.here())
    assert target.startswith(f"using {served.endpoint} (AWS_ENDPOINT_URL)")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999999")
    with pytest.raises(ConsoleError, match="found credentials of account 999999999999"):
        connect(Checkout.here())


def test_an_account_that_was_not_bootstrapped_cannot_be_read(
    served: LocalCloud, folder: Path
) -> None:
    checkout = Checkout.here()
    aws, _ = connect(checkout)
    with pytest.raises(ConsoleError, match=r"account 444444444444 cannot be read: .*Bootstrap it"):
        aws.client("lambda", checkout.environments()["prod"])


class RecordedCdk:
    """A fake of the CDK CLI that records its arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], str]] = []

    def run(self, arguments: list[str], *, cwd: Path, variables: dict[str, str], log: Path) -> None:
        assert log.suffix == ".log"
        assert (cwd / "cdk.json").exists() == (cwd / "pyproject.toml").exists()
        self.calls.append((arguments, variables["AWS_ACCESS_KEY_ID"]))


def test_a_local_cloud_is_provisioned_once(
    served: LocalCloud,
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
    assert "found no connection pithead" in capfd.readouterr().err

    adopt(served.variables(home.account, home.region))
    ready = provisioning.make_ready(
        checkout, served, state=folder / ".pithead", cache=tmp_path, steps=Steps()
    )

    assert ready.commit == checkout.commit("HEAD") == checkout.tip(ready.remote, "main")
    bootstraps = sorted(
        (each for each in cdk.calls if each[0][0] == "bootstrap"), key=lambda each: each[1]
    )
    assert [arguments[1] for arguments, _ in bootstraps] == [
        f"aws://{account * 12}/eu-west-1" for account in "1234"
    ]
    assert [account for _, account in bootstraps] == [account * 12 for account in "1234"]
    assert "--trust" not in bootstraps[0][0]
    trust = ["--trust", "1" * 12, "--trust-for-lookup", "1" * 12]
    assert all(arguments[2:6] == trust for arguments, _ in bootstraps[1:])
    (synth,) = (arguments for arguments, _ in cdk.calls if arguments[0] == "synth")
    assert f"connection-arn={ready.connection_arn}" in synth
    assert "bundle=host" in synth
    assembly = synth[synth.index("--output") + 1]
    deploy, account = cdk.calls[-1]
    assert deploy[:2] == ["deploy", "Pithead"]
    assert deploy[-2:] == ["--app", assembly]
    assert account == "1" * 12

    # The second time nothing that exists is created again.
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
    cdk.calls.clear()
    again = provisioning.make_ready(
        checkout, served, state=folder / ".pithead", cache=tmp_path, steps=Steps()
    )
    assert again == ready
    assert sorted(arguments[:2] for arguments, _ in cdk.calls) == [
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


def test_up_reports_an_invalid_file_before_it_starts_anything(
    folder: Path, pithead: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "environments" / "dev.toml").unlink()
    assert pithead("up") == 1
    assert "dev.toml: the file is missing" in capfd.readouterr().err
    assert not (folder / ".pithead").exists()


def test_up_runs_until_interrupted_and_down_stops_a_detached_one(folder: Path) -> None:
    code = (
        "import sys\n"
        "from console import cli\n"
        "from console.commands import up\n"
        "from console.local import provisioning\n"
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
