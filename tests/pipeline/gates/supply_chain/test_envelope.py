"""The DSSE envelope, signed with a fake KMS and verified by another implementation."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from pipeline.gates.supply_chain.envelope import (
    PAYLOAD_TYPE,
    ForgedError,
    open_,
    seal,
    signed_bytes,
)

KEY = "arn:aws:kms:eu-west-1:111111111111:key/1"
_STATEMENT = {"_type": "a statement", "of": ["things", 1, None]}


class Kms:
    """A fake of KMS (`Sign`, `Verify`): a DIGEST is signed without hashing again."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    def sign(self, **asked: Any) -> dict[str, Any]:
        assert asked["MessageType"] == "DIGEST"
        signature = self.private.sign(asked["Message"], ec.ECDSA(Prehashed(SHA256())))
        return {"KeyId": KEY, "Signature": signature}

    def verify(self, **asked: Any) -> dict[str, Any]:
        algorithm = ec.ECDSA(Prehashed(SHA256()))
        try:
            self.private.public_key().verify(asked["Signature"], asked["Message"], algorithm)
        except InvalidSignature as error:
            raise ClientError(
                {"Error": {"Code": "KMSInvalidSignatureException", "Message": ""}}, "Verify"
            ) from error
        return {"KeyId": KEY, "SignatureValid": True}


def test_an_envelope_is_verified_only_with_its_own_key() -> None:
    kms = Kms()
    sealed = seal(_STATEMENT, kms, KEY)
    assert open_(sealed, kms, KEY) == _STATEMENT
    with pytest.raises(ForgedError):
        open_(sealed, Kms(), KEY)


def test_another_implementation_of_dsse_verifies_it_by_the_public_key() -> None:
    kms = Kms()
    envelope = Envelope.from_dict(json.loads(seal(_STATEMENT, kms, KEY)))
    assert envelope.pae() == signed_bytes(envelope.payload)
    public = SSlibKey.from_crypto(kms.private.public_key(), keyid=KEY)
    assert set(envelope.verify([public], threshold=1)) == {KEY}
    another = SSlibKey.from_crypto(Kms().private.public_key(), keyid=KEY)
    with pytest.raises(VerificationError):
        envelope.verify([another], threshold=1)


def test_an_envelope_made_by_another_implementation_is_verified() -> None:
    kms = Kms()
    payload = json.dumps(_STATEMENT).encode()
    pae = Envelope(payload, PAYLOAD_TYPE, {}).pae()
    signature = kms.private.sign(pae, ec.ECDSA(SHA256()))
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": "", "sig": base64.b64encode(signature).decode()}],
    }
    assert open_(json.dumps(envelope), kms, KEY) == _STATEMENT


_KMS = Kms()
_SEALED = seal(_STATEMENT, _KMS, KEY)


@given(st.integers(0, len(_SEALED) - 1), st.characters(codec="ascii"))
def test_an_envelope_with_a_changed_character_is_equal_or_rejected(at: int, character: str) -> None:
    with contextlib.suppress(ForgedError):
        assert open_(_SEALED[:at] + character + _SEALED[at + 1 :], _KMS, KEY) == _STATEMENT


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_other_text_is_rejected_as_forged(text: str) -> None:
    with pytest.raises(ForgedError):
        open_(text, _KMS, KEY)


_KEYS = st.sampled_from(["payload", "payloadType", "signatures", "sig", "x"])
_DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner),
)


@given(_DOCUMENTS)
def test_any_other_document_is_rejected_as_forged(document: Any) -> None:
    with pytest.raises(ForgedError):
        open_(json.dumps(document), _KMS, KEY)
