"""Makes a local cloud ready: what an operator does once on AWS, by the same real tools.

Accounts bootstrapped, a connection, a repository with a branch, the pipeline's stack. Whatever
is there already is left as it is, so that it can be called at every start.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from console.aws.connections import ensure_connection, remote
from console.errors import ConsoleError
from console.local import toolchain
from pipeline.names import BOOTSTRAP_STACK, STACK

if TYPE_CHECKING:
    from pathlib import Path

    from console.checkout import Checkout
    from console.local.local_cloud import Running
    from console.progress import Steps
    from environments.schema import Environment, Home

_ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_GONE = {"ROLLBACK_COMPLETE", "DELETE_COMPLETE"}


@dataclass(frozen=True)
class Ready:
    """What stands now."""

    connection_arn: str
    remote: str
    """The git URL of the pipeline's repository."""
    branch: str
    commit: str
    """Where the branch is."""


def make_ready(
    checkout: Checkout, running: Running, *, state: Path, cache: Path, steps: Steps
) -> Ready:
    """Bring a local cloud to where a push to the checkout's branch is released.

    `state` takes logs and synthesised templates, `cache` the CDK CLI.

    Raises:
        ConsoleError: something of it did not work; the message says what.
    """
    home, environments = checkout.home(), checkout.environments()
    with steps.step("the CDK CLI"):
        cdk = toolchain.install(cache)
    accounts = _places(home, environments)
    with steps.step(f"repository {home.repository}"):
        connections = _client(running, "codeconnections", home.account, home.region)
        arn = ensure_connection(connections, home)
        url = remote(connections, arn, home.repository)
        commit = checkout.tip(url, home.branch)
        if commit is None:
            commit = checkout.commit("HEAD")
            checkout.push(url, commit, home.branch)
    deployed = _stands(running, STACK, home.account, home.region)
    assembly, variables = state / "cdk.out", running.variables(home.account, home.region)

    def synthesise() -> None:
        cdk.run(
            [
                *("synth", "--quiet", "--output", str(assembly)),
                *("-c", f"connection-arn={arn}", "-c", "bundle=host"),
            ],
            cwd=checkout.root,
            variables=variables,
            log=state / "logs" / "cdk-synth.log",
        )

    title = f"bootstrap of {len(accounts)} accounts{'' if deployed else ', and synthesis'}"
    # Node takes a core for most of each: more at once than these would be no faster.
    with steps.step(title), ThreadPoolExecutor(3) as pool:
        synthesis = None if deployed else pool.submit(synthesise)
        list(pool.map(lambda place: _bootstrap(cdk, running, home, place, state), accounts))
        if synthesis:
            synthesis.result()
    if not deployed:
        with steps.step(f"deployment of the stack {STACK}"):
            cdk.run(
                [
                    *("deploy", STACK, "--require-approval", "never", "--progress", "events"),
                    *("--app", str(assembly)),
                ],
                cwd=state,  # away from cdk.json, as above
                variables=variables,
                log=state / "logs" / "cdk-deploy.log",
            )
    return Ready(arn, url, home.branch, commit)


def _places(home: Home, environments: dict[str, Environment]) -> list[tuple[str, str]]:
    """Accounts and regions to bootstrap; the pipeline needs its own account in every region."""
    places = [(home.account, home.region)]
    for each in environments.values():
        places += [(home.account, each.region), (each.account, each.region)]
    return list(dict.fromkeys(places))


def _bootstrap(
    cdk: toolchain.Cdk, running: Running, home: Home, place: tuple[str, str], state: Path
) -> None:
    account, region = place
    if _stands(running, BOOTSTRAP_STACK, account, region):
        return
    trust = []
    if account != home.account:
        trust = ["--trust", home.account, "--trust-for-lookup", home.account]
    cdk.run(
        [
            *("bootstrap", f"aws://{account}/{region}", *trust),
            *("--cloudformation-execution-policies", _ADMINISTRATOR),
        ],
        cwd=state,  # away from cdk.json, so that no app is synthesised for it
        variables=running.variables(account, region),
        log=state / "logs" / f"cdk-bootstrap-{account}-{region}.log",
    )


def _stands(running: Running, stack: str, account: str, region: str) -> bool:
    cloudformation = _client(running, "cloudformation", account, region)
    try:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except cloudformation.exceptions.ClientError as error:
        message = error.response["Error"]["Message"]
        if "does not exist" in message:
            return False
        raise ConsoleError(f"stack {stack} of account {account}: {message}") from error
    return str(status).endswith("_COMPLETE") and status not in _GONE


def _client(running: Running, service: str, account: str, region: str) -> Any:
    # boto3's own overloads know a service by its literal name alone.
    client: Any = boto3.client
    return client(
        service,
        endpoint_url=running.endpoint,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key=running.secret_key,
    )
