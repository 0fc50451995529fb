"""The KMS key that signs attestations of releases, and the roles that may use it."""

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
    """A signing key for one role; the key's policy denies `kms:Sign` to all others.

    KMS keeps the private key, which nobody can export. The key is retained when the stack is
    deleted, so that existing signatures can still be verified.
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
        signer.add_to_principal_policy(_grant("kms:Sign", key))
        for verifier in verifiers:
            verifier.add_to_principal_policy(_grant("kms:Verify", key))


def _grant(action: str, key: kms.Key) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=[action], resources=[key.key_arn])
