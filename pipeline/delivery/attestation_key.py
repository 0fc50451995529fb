"""The KMS key that vouches for releases, and who may use it for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from pipeline.names import ATTESTATION_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable


class AttestationKey(Construct):
    """A key that one role signs with; the key's own policy denies it to every other.

    KMS keeps the private half, and nobody can export it. The key stays when the stack goes: what
    it has signed can still be verified.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        signer: iam.IRole,
        verifiers: Iterable[iam.IRole],
    ) -> None:
        super().__init__(scope, construct_id)
        key = kms.Key(
            self,
            "Key",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            alias=ATTESTATION_KEY,
            description="Vouches for the bundles that passed every gate before prod",
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="NobodyElseSigns",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["kms:Sign"],
                resources=["*"],
                conditions={"ArnNotEquals": {"aws:PrincipalArn": signer.role_arn}},
            )
        )
        signer.add_to_principal_policy(_may("kms:Sign", key))
        for verifier in verifiers:
            verifier.add_to_principal_policy(_may("kms:Verify", key))


def _may(action: str, key: kms.Key) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=[action], resources=[key.key_arn])
