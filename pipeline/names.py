"""The names by which the platform's parts find one another; nothing here needs the CDK."""

from __future__ import annotations

from service.delivery.name import NAME

STACK = "Pithead"
"""The stack of the pipeline."""
PIPELINE = "pithead"
COMPARISON = "Changes"
"""The action that compares a release with what is deployed, before the pipeline changes itself."""
SERVICE = NAME
"""The service that is delivered."""
ALIAS = "live"
"""The alias of the service's function that takes all traffic."""
PROMOTED = "promoted"
"""Its alias, in an environment with a load gate, that serves the release promoted last."""
NAMESPACE = "Pithead/Service"
"""Of the metrics that the service counts itself."""
JUDGE_NAMESPACE = "Pithead/Judge"
"""Of the metrics by which the canary judge speaks."""
SYNTHETIC_NAMESPACE = "Pithead/Synthetic"
"""Of the metrics by which customers' journeys are counted."""
RAILS = ("failures", "slow-requests", "function-errors")
"""The guard rails of a release: limits that the new version alone is held against."""
VERDICTS = ("evidence", "testimony", "undecided", "incident")
"""The judge's words that stop a release."""
HEARTBEAT = "heartbeat"
"""What stops it when it is missing."""
BLIND = "blind"
"""What stops it when the judge runs, and the metrics that it needs do not arrive."""
SYNTHETIC = "synthetic"
"""What has to do with customers' journeys: their alarms, and the folder of the files they write."""
GUARDS = (*RAILS, *VERDICTS, HEARTBEAT, BLIND, SYNTHETIC)
"""The alarms on a new version that roll it back, from its first request to the end of its bake."""
OVERRIDE_PARAMETER = "/pithead/gates/supply-chain/override"
"""SSM parameter that lets an audit which could not run go by, until a date."""
ATTESTATION_KEY = "alias/pithead/attestations"
"""The KMS key that vouches for a release."""
PARALLEL_BUILDS = 3
"""The most builds that the pipeline runs at once: those of the gates in stage Verify."""
ASSEMBLY = "assembly"
"""Folder, beside a gate's sources, of the cloud assembly that is released."""
EVIDENCE = "evidence"
"""Folder with the reports of the gates that a release has passed, one below it for each."""
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
"""Of its package, hexadecimal: `dist.integrity` of `npm view aws-cdk@VERSION`, from base64."""

BOOTSTRAP_STACK = "CDKToolkit"
"""The stack of `cdk bootstrap`."""
_BOOTSTRAP = "cdk-hnb659fds"
"""What `cdk bootstrap` names its roles and buckets by."""


def service_stack(environment: str) -> str:
    """The name of the service's stack in an environment."""
    return f"{environment}-{SERVICE}"


def support_stack(region: str) -> str:
    """Return the name of the stack with the pipeline's artifacts in another region than its own.

    CDK makes it in the pipeline's account, and names it.
    """
    return f"{STACK}-support-{region}"


def lookup_role(account: str, region: str) -> str:
    """The ARN of the role by which the pipeline's account may read another one.

    `cdk bootstrap --trust-for-lookup` makes it.
    """
    return f"arn:aws:iam::{account}:role/{_BOOTSTRAP}-lookup-role-{account}-{region}"


def deploy_role(account: str, region: str) -> str:
    """The name of the role by which the pipeline's account may update another one's stacks."""
    return f"{_BOOTSTRAP}-deploy-role-{account}-{region}"


def publishing_role(account: str, region: str) -> str:
    """The name of the role by which the pipeline's account may upload files for a stack."""
    return f"{_BOOTSTRAP}-file-publishing-role-{account}-{region}"


def staging_bucket(account: str, region: str) -> str:
    """The name of the bucket that takes files for a stack."""
    return f"{_BOOTSTRAP}-assets-{account}-{region}"


def promoted_role(environment: str) -> str:
    """The name of the role that may point the alias `promoted`, and that the load gate takes."""
    return f"{SERVICE}-{environment}-{PROMOTED}"


def alarms_prefix(environment: str) -> str:
    """What the names of all alarms of an environment begin with."""
    return f"{SERVICE}-{environment}-"


def version_alarm_name(environment: str, version: str, rail: str) -> str:
    """The name of an alarm that guards a release, which is the version's own."""
    return f"{SERVICE}-{environment}-version-{version}-{rail}"


def synthetic_alarm_name(environment: str) -> str:
    """The name of the alarm by which an environment's journeys call operations."""
    return f"{SERVICE}-{environment}-{SYNTHETIC}"


def again_role(environment: str) -> str:
    """The name of the role that may permit a condemned version to be released again."""
    return f"{SERVICE}-{environment}-release-again"


def api_name(environment: str) -> str:
    """The name of the service's REST API; its stage has the environment's."""
    return f"{SERVICE}-{environment}"


def bake_key(deployment_id: str) -> str:
    """Where the judge's bucket has the bake of a deployment."""
    return f"bakes/{deployment_id}.json"


def decision_key(deployment_id: str) -> str:
    """Where the judge's bucket has the decision record of a deployment."""
    return f"decisions/{deployment_id}.json"
