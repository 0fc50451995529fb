"""A signed statement: a DSSE envelope, signed and verified by AWS KMS.

DSSE signs `DSSEv1 <length> <type> <length> <payload>`, so that a payload of one type cannot be
taken for one of another type (github.com/secure-systems-lab/dsse, protocol.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.gates.report.result import CouldNotRunError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_ALGORITHM = "ECDSA_SHA_256"


class ForgedError(Exception):
    """The key did not sign the envelope."""


def seal(statement: dict[str, Any], kms: Any, key: str) -> str:
    """Return a statement in an envelope, signed with a KMS key (its ARN or alias), as JSON.

    Raises:
        CouldNotRunError: KMS did not sign.
    """
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    try:
        signed = kms.sign(KeyId=key, SigningAlgorithm=_ALGORITHM, **_message(payload))
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(f"KMS did not sign: {error}") from error
    signature = {"keyid": signed["KeyId"], "sig": base64.b64encode(signed["Signature"]).decode()}
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [signature],
    }
    return json.dumps(envelope, indent=1)


def open_(text: str, kms: Any, key: str) -> dict[str, Any]:
    """Return the statement in an envelope, after KMS has verified the signature.

    The key that the envelope names is ignored: the verifier chooses the key.

    Raises:
        ForgedError: it is no envelope, or the key did not sign it.
        CouldNotRunError: KMS could not verify it.
    """
    try:
        envelope = json.loads(text)
        (only,) = envelope["signatures"]
        signature = base64.b64decode(only["sig"], validate=True)
        payload = base64.b64decode(envelope["payload"], validate=True)
        type_ = envelope["payloadType"]
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise ForgedError(f"it is no envelope with one signature: {error!r}") from error
    if type_ != PAYLOAD_TYPE:
        raise ForgedError(f"its payload is {type_!r}, not {PAYLOAD_TYPE}")
    try:
        answer = kms.verify(
            KeyId=key, Signature=signature, SigningAlgorithm=_ALGORITHM, **_message(payload)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "KMSInvalidSignatureException":
            raise ForgedError(f"the key {key} has not signed it") from error
        raise CouldNotRunError(f"KMS did not verify: {error}") from error
    except BotoCoreError as error:
        raise CouldNotRunError(f"KMS did not verify: {error}") from error
    if answer["SignatureValid"] is not True:
        raise ForgedError(f"the key {key} has not signed it")
    statement: dict[str, Any] = json.loads(payload)
    return statement


def signed_bytes(payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of a payload, which is signed."""
    type_ = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(type_), type_, len(payload), payload)


def _message(payload: bytes) -> dict[str, Any]:
    """Return the message for KMS: a digest, because a message may have at most 4096 bytes."""
    return {
        "Message": hashlib.sha256(signed_bytes(payload)).digest(),
        "MessageType": "DIGEST",
    }
