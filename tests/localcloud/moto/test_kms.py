"""Asymmetric keys: signatures are verified, also after a restart."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ALIAS = "alias/attestations"
MESSAGE = b"what is signed"
_DIGEST = {
    "KeyId": ALIAS,
    "Message": hashlib.sha256(MESSAGE).digest(),
    "MessageType": "DIGEST",
    "SigningAlgorithm": "ECDSA_SHA_256",
}


def _client(server: LocalCloud, service: Literal["kms", "cloudformation"]) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.cloud.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="111111111111",
        aws_secret_access_key=server.cloud.credentials.secret_key,
    )


def _template() -> str:
    key = {
        "Type": "AWS::KMS::Key",
        "Properties": {
            "KeySpec": "ECC_NIST_P256",
            "KeyUsage": "SIGN_VERIFY",
            "KeyPolicy": {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                },
            },
        },
    }
    alias = {
        "Type": "AWS::KMS::Alias",
        "Properties": {"AliasName": ALIAS, "TargetKeyId": {"Ref": "Key"}},
    }
    return json.dumps({"Resources": {"Key": key, "Alias": alias}})


@pytest.fixture
def cloud(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    """A cloud with a stack that has a signing key."""
    server = start_cloud()
    stacks = _client(server, "cloudformation")
    stacks.create_stack(StackName="keys", TemplateBody=_template())
    stacks.get_waiter("stack_create_complete").wait(
        StackName="keys", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    return server


def test_a_stacks_key_verifies_only_its_own_signatures(cloud: LocalCloud) -> None:
    kms = _client(cloud, "kms")
    signature = kms.sign(**_DIGEST)["Signature"]
    again = _client(cloud, "kms")
    assert again.verify(**_DIGEST, Signature=signature)["SignatureValid"] is True
    other = {**_DIGEST, "Message": hashlib.sha256(b"another").digest()}
    with pytest.raises(ClientError, match="KMSInvalidSignatureException"):
        again.verify(**other, Signature=signature)


def test_a_signature_is_verified_after_a_restart(
    cloud: LocalCloud, start_cloud: Callable[..., LocalCloud]
) -> None:
    kms = _client(cloud, "kms")
    public = kms.get_public_key(KeyId=ALIAS)["PublicKey"]
    signature = kms.sign(**_DIGEST)["Signature"]
    cloud.stop()
    kms = _client(start_cloud(), "kms")
    assert kms.get_public_key(KeyId=ALIAS)["PublicKey"] == public
    assert kms.verify(**_DIGEST, Signature=signature)["SignatureValid"] is True


def test_a_digest_is_signed_without_hashing_again(cloud: LocalCloud) -> None:
    """So that anyone with the public key can verify the message ("Sign", MessageType)."""
    kms = _client(cloud, "kms")
    public = load_der_public_key(kms.get_public_key(KeyId=ALIAS)["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(kms.sign(**_DIGEST)["Signature"], MESSAGE, ec.ECDSA(SHA256()))
    raw = {**_DIGEST, "Message": MESSAGE, "MessageType": "RAW"}
    public.verify(kms.sign(**raw)["Signature"], MESSAGE, ec.ECDSA(SHA256()))


def test_a_symmetric_key_has_no_public_half(start_cloud: Callable[..., LocalCloud]) -> None:
    """Only asymmetric keys have one: "GetPublicKey" of the KMS API reference."""
    kms = _client(start_cloud(services=("logs", "sts")), "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match="UnsupportedOperationException"):
        kms.get_public_key(KeyId=key)
