"""The attestation key: one role signs, and the key policy denies all others."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks

from pipeline.delivery.attestation_key import AttestationKey
from pipeline.names import ATTESTATION_KEY


@pytest.fixture(scope="module")
def app() -> cdk.App:
    made = cdk.App()
    stack = cdk.Stack(made, "Stack")
    builder = iam.ServicePrincipal("codebuild.amazonaws.com")
    signer, verifier, other = (
        iam.Role(stack, name, assumed_by=builder) for name in ("Signer", "Verifier", "Other")
    )
    assert other
    AttestationKey(stack, "Key", signer=signer, verifiers=[verifier])
    return made


@pytest.fixture(scope="module")
def resources(app: cdk.App) -> dict[str, Any]:
    (stack,) = app.node.children
    assert isinstance(stack, cdk.Stack)
    found: dict[str, Any] = assertions.Template.from_stack(stack).to_json()["Resources"]
    return found


def _only(resources: dict[str, Any], type_: str) -> dict[str, Any]:
    (found,) = (each for each in resources.values() if each["Type"] == type_)
    return dict(found)


def test_the_key_policy_denies_signing_to_all_but_the_signer(
    resources: dict[str, Any],
) -> None:
    key = _only(resources, "AWS::KMS::Key")
    denied = [
        each
        for each in key["Properties"]["KeyPolicy"]["Statement"]
        if each["Effect"] == "Deny" and each["Action"] == "kms:Sign"
    ]
    (signer,) = (name for name in resources if name.startswith("Signer") and "Policy" not in name)
    assert [(each["Principal"], each["Condition"]) for each in denied] == [
        (
            {"AWS": "*"},
            {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": [signer, "Arn"]}}},
        )
    ]


def test_each_role_may_use_only_this_key_for_its_task(resources: dict[str, Any]) -> None:
    (key,) = (name for name, each in resources.items() if each["Type"] == "AWS::KMS::Key")
    granted = {
        each["Properties"]["Roles"][0]["Ref"][:6]: [
            (one["Action"], one["Resource"])
            for one in each["Properties"]["PolicyDocument"]["Statement"]
        ]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy"
    }
    arn = {"Fn::GetAtt": [key, "Arn"]}
    assert granted == {"Signer": [("kms:Sign", arn)], "Verifi": [("kms:Verify", arn)]}


def test_the_key_is_retained_and_only_signs(resources: dict[str, Any]) -> None:
    key = _only(resources, "AWS::KMS::Key")
    assert (key["Properties"]["KeySpec"], key["Properties"]["KeyUsage"]) == (
        "ECC_NIST_P256",
        "SIGN_VERIFY",
    )
    assert key["DeletionPolicy"] == "RetainExceptOnCreate"
    assert _only(resources, "AWS::KMS::Alias")["Properties"]["AliasName"] == ATTESTATION_KEY


def test_cdk_nag_finds_nothing(app: cdk.App) -> None:
    assert list(AwsSolutionsChecks(app).validate_scope(app).violations) == []
