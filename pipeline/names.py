"""Names that the platform's parts share; nothing here imports the CDK."""

from __future__ import annotations

from service.delivery.name import NAME

STACK = "Pithead"
"""The stack of the pipeline."""
PIPELINE = "pithead"
COMPARISON = "Changes"
"""The action that compares a release with what is deployed, before self-mutation."""
SERVICE = NAME
"""The service that is delivered."""
ALIAS = "live"
"""The alias of the service's function that takes all traffic."""
PROMOTED = "promoted"
"""The alias of the last promoted release, in an environment with a load gate."""
NAMESPACE = "Pithead/Service"
"""Namespace of the service's own metrics."""
JUDGE_NAMESPACE = "Pithead/Judge"
"""Namespace of the canary judge's metrics."""
SYNTHETIC_NAMESPACE = "Pithead/Synthetic"
"""Namespace of the journeys' metrics."""
RAILS = ("failures", "slow-requests", "function-errors")
"""The guard rails of a release: limits that the new version alone is held against."""
VERDICTS = ("evidence", "testimony", "undecided", "incident")
"""The judge's verdicts that stop a release."""
HEARTBEAT = "heartbeat"
"""The alarm on a missing heartbeat of the judge."""
BLIND = "blind"
"""The alarm on a judge that runs but lacks the metrics that it needs."""
SYNTHETIC = "synthetic"
"""The journeys: part of their alarms' names, and the folder of their files."""
GUARDS = (*RAILS, *VERDICTS, HEARTBEAT, BLIND, SYNTHETIC)
"""The alarms on a new version that roll it back, until the end of its bake."""
OVERRIDE_PARAMETER = "/pithead/gates/supply-chain/override"
"""SSM parameter of the override: until its date, an audit that cannot run passes."""
ATTESTATION_KEY = "alias/pithead/attestations"
"""The KMS key that signs attestations of releases."""
PARALLEL_BUILDS = 3
"""Maximum of concurrent builds of the pipeline: the gates of stage Verify."""
ASSEMBLY = "assembly"
"""Folder, beside a gate's sources, of the cloud assembly of the release."""
EVIDENCE = "evidence"
"""Folder of the reports of earlier gates of the release, with one subfolder each."""
ATTESTATION = "attestation"
"""Folder with the attestation of a release."""
ATTEST = "Attest"
"""The pipeline's action that signs attestations."""
# npm's `latest` of the CLI reads only the assemblies of its own major version: never float it.
CDK_CLI = "2.1148.1"
CDK_CLI_SHA512 = (
    "2b7774d8bd7b230980ba205636e5f50f3621294b3d1ab29823b6d99c625f2756"
    "cacfdca65c5c5fb9d04e2f7ad46fc240bac0cd4942e2414d9fb091fb9326365c"
)
"""SHA-512 of its package in hex: `dist.integrity` of `npm view aws-cdk@VERSION`."""

BOOTSTRAP_STACK = "CDKToolkit"
"""The stack of `cdk bootstrap`."""
_BOOTSTRAP = "cdk-hnb659fds"
"""Prefix of the roles and buckets that `cdk bootstrap` creates."""


def service_stack(environment: str) -> str:
    """Return the name of the service's stack in an environment."""
    return f"{environment}-{SERVICE}"


def support_stack(region: str) -> str:
    """Return the name of the pipeline's artifact stack in another region.

    CDK creates and names it, in the pipeline's account.
    """
    return f"{STACK}-support-{region}"


def lookup_role(account: str, region: str) -> str:
    """Return the ARN of the role with which the pipeline's account reads another one.

    `cdk bootstrap --trust-for-lookup` creates it.
    """
    return f"arn:aws:iam::{account}:role/{_BOOTSTRAP}-lookup-role-{account}-{region}"


def deploy_role(account: str, region: str) -> str:
    """Return the name of the role with which the pipeline's account updates stacks."""
    return f"{_BOOTSTRAP}-deploy-role-{account}-{region}"


def publishing_role(account: str, region: str) -> str:
    """Return the name of the role with which the pipeline's account uploads assets."""
    return f"{_BOOTSTRAP}-file-publishing-role-{account}-{region}"


def staging_bucket(account: str, region: str) -> str:
    """Return the name of the bucket for the assets of stacks."""
    return f"{_BOOTSTRAP}-assets-{account}-{region}"


def promoted_role(environment: str) -> str:
    """Return the name of the load gate's role, which may set the alias `promoted`."""
    return f"{SERVICE}-{environment}-{PROMOTED}"


def alarms_prefix(environment: str) -> str:
    """Return the common prefix of all alarm names of an environment."""
    return f"{SERVICE}-{environment}-"


def version_alarm_name(environment: str, version: str, rail: str) -> str:
    """Return the name of an alarm on one version, which guards its release."""
    return f"{SERVICE}-{environment}-version-{version}-{rail}"


def synthetic_alarm_name(environment: str) -> str:
    """Return the name of the alarm on an environment's journeys, for operations."""
    return f"{SERVICE}-{environment}-{SYNTHETIC}"


def again_role(environment: str) -> str:
    """Return the name of the role that may permit the release of a condemned version."""
    return f"{SERVICE}-{environment}-release-again"


def api_name(environment: str) -> str:
    """Return the name of the service's REST API; its stage is the environment's name."""
    return f"{SERVICE}-{environment}"


def bake_key(deployment_id: str) -> str:
    """Return the key of a deployment's bake in the judge's bucket."""
    return f"bakes/{deployment_id}.json"


def decision_key(deployment_id: str) -> str:
    """Return the key of a deployment's decision record in the judge's bucket."""
    return f"decisions/{deployment_id}.json"
