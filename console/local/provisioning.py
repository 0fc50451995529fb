"""The provisioning of a local cloud, with the tools that an operator uses on AWS.

Bootstraps the accounts, creates the connection and the repository, pushes a commit, and deploys
the pipeline's stack. Skips what exists, so it can run at every start.
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
    from console.local.local_cloud import LocalCloud
    from console.progress import Steps
    from environments.schema import Environment, Home

_ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
_NOT_DEPLOYED = {"ROLLBACK_COMPLETE", "DELETE_COMPLETE"}
"""Complete statuses in which a stack has no resources ("Stack status codes")."""
_MAX_PARALLEL_BOOTSTRAPS = 3
"""Each takes one core for most of its time."""


@dataclass(frozen=True)
class Ready:
    """The source of the deployed pipeline."""

    connection_arn: str
    remote: str
    """The git URL of the pipeline's repository."""
    branch: str
    commit: str
    """The newest commit of the branch."""


def make_ready(
    checkout: Checkout, cloud: LocalCloud, *, state: Path, cache: Path, steps: Steps
) -> Ready:
    """Provision a local cloud, so that it releases what is pushed to the branch.

    Writes logs and synthesised templates below `state`, and the CDK CLI below `cache`.

    Raises:
        ConsoleError: a step failed.
    """
    home, environments = checkout.home(), checkout.environments()
    with steps.step("the CDK CLI"):
        cdk = toolchain.install(cache)
    accounts = _places(home, environments)
    with steps.step(f"repository {home.repository}"):
        connections = _client(cloud, "codeconnections", home.account, home.region)
        arn = ensure_connection(connections, home)
        url = remote(connections, arn, home.repository)
        commit = checkout.tip(url, home.branch)
        if commit is None:
            commit = checkout.commit("HEAD")
            checkout.push(url, commit, home.branch)
    deployed = _is_deployed(cloud, STACK, home.account, home.region)
    assembly, variables = state / "cdk.out", cloud.variables(home.account, home.region)

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
    with steps.step(title), ThreadPoolExecutor(_MAX_PARALLEL_BOOTSTRAPS) as pool:
        synthesis = None if deployed else pool.submit(synthesise)
        list(pool.map(lambda place: _bootstrap(cdk, cloud, home, place, state), accounts))
        if synthesis:
            synthesis.result()
    if not deployed:
        with steps.step(f"deployment of the stack {STACK}"):
            cdk.run(
                [
                    *("deploy", STACK, "--require-approval", "never", "--progress", "events"),
                    *("--app", str(assembly)),
                ],
                cwd=state,  # outside of the checkout, whose cdk.json names an app to synthesise
                variables=variables,
                log=state / "logs" / "cdk-deploy.log",
            )
    return Ready(arn, url, home.branch, commit)


def _places(home: Home, environments: dict[str, Environment]) -> list[tuple[str, str]]:
    """Return the accounts and regions to bootstrap, the pipeline's in every region."""
    places = [(home.account, home.region)]
    for each in environments.values():
        places += [(home.account, each.region), (each.account, each.region)]
    return list(dict.fromkeys(places))


def _bootstrap(
    cdk: toolchain.Cdk, cloud: LocalCloud, home: Home, place: tuple[str, str], state: Path
) -> None:
    account, region = place
    if _is_deployed(cloud, BOOTSTRAP_STACK, account, region):
        return
    trust = []
    if account != home.account:
        trust = ["--trust", home.account, "--trust-for-lookup", home.account]
    cdk.run(
        [
            *("bootstrap", f"aws://{account}/{region}", *trust),
            *("--cloudformation-execution-policies", _ADMINISTRATOR_POLICY),
        ],
        cwd=state,  # outside of the checkout, whose cdk.json names an app to synthesise
        variables=cloud.variables(account, region),
        log=state / "logs" / f"cdk-bootstrap-{account}-{region}.log",
    )


def _is_deployed(cloud: LocalCloud, stack: str, account: str, region: str) -> bool:
    cloudformation = _client(cloud, "cloudformation", account, region)
    try:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except cloudformation.exceptions.ClientError as error:
        message = error.response["Error"]["Message"]
        if "does not exist" in message:
            return False
        raise ConsoleError(f"stack {stack} of account {account}: {message}") from error
    return str(status).endswith("_COMPLETE") and status not in _NOT_DEPLOYED


def _client(cloud: LocalCloud, service: str, account: str, region: str) -> Any:
    # boto3's own overloads accept only literal names of services.
    client: Any = boto3.client
    return client(
        service,
        endpoint_url=cloud.endpoint,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key=cloud.secret_key,
    )
