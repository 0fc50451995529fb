"""KMS keys that sign with elliptic curves, where moto differs from AWS.

moto generates private keys from a source that cannot be seeded: after a restart no earlier
signature would verify. It hashes a message that already is a digest ("Sign", MessageType): nobody
could verify the signature with the public key. It returns that a signature is invalid where AWS
raises an error. It makes each key of a template symmetric, and gives a symmetric key a public key.
"""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import moto.kms.models
import moto.kms.utils
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms.responses import KmsResponse
from moto.kms.utils import AbstractPrivateKey, ECDSAPrivateKey, generate_private_key
from moto.moto_api._internal import mock_random

if TYPE_CHECKING:
    from collections.abc import Callable

_HASHING = "_ECDSAPrivateKey__hash_algorithm"
_hashed = getattr(ECDSAPrivateKey, _HASHING)
_signed, _verified = KmsResponse.sign, KmsResponse.verify
_call = threading.local()


def sign_as_aws_does() -> None:
    """Patch moto to use seeded keys, to sign digests and to reject invalid signatures."""
    drawing = SimpleNamespace(**vars(ec) | {"generate_private_key": _drawn})
    setattr(moto.kms.utils, "ec", drawing)  # noqa: B010  # which moto does not export
    setattr(moto.kms.models, "generate_private_key", _private_key)  # noqa: B010  # as above
    setattr(ECDSAPrivateKey, _HASHING, _hash_algorithm)
    setattr(KmsResponse, "sign", _sign)  # noqa: B010  # moto has no port for it, nor for the next
    setattr(KmsResponse, "verify", _verify)  # noqa: B010  # as above


def shape(key: Any, properties: dict[str, Any]) -> None:
    """Change a key that moto created from a template to the key spec of its properties."""
    key.key_spec = properties.get("KeySpec", "SYMMETRIC_DEFAULT")
    key.key_usage = properties.get("KeyUsage", "ENCRYPT_DECRYPT")
    if key.key_spec != "SYMMETRIC_DEFAULT":
        key.private_key = generate_private_key(key.key_spec)


class _NoPrivateKey(AbstractPrivateKey):
    """The private key of a symmetric key; moto would generate an RSA key in 0.1 s."""

    def sign(self, message: bytes, signing_algorithm: str) -> bytes:
        raise self._unsupported(message, signing_algorithm)

    def verify(self, message: bytes, signature: bytes, signing_algorithm: str) -> bool:
        raise self._unsupported(message, signature, signing_algorithm)

    def public_key(self) -> bytes:
        raise self._unsupported()

    @staticmethod
    def _unsupported(*_: object) -> JsonRESTError:
        return JsonRESTError("UnsupportedOperationException", "")  # AWS says no more


def _private_key(spec: str) -> AbstractPrivateKey:
    symmetric = spec == "SYMMETRIC_DEFAULT" or spec.startswith("HMAC_")
    return _NoPrivateKey() if symmetric else generate_private_key(spec)


def _drawn(curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    # More bits than the order has, so that the modulo has no noticeable bias.
    number = mock_random.getrandbits(curve.key_size + 64)
    return ec.derive_private_key(number % (curve.group_order - 1) + 1, curve)


def _hash_algorithm(self: ECDSAPrivateKey, signing_algorithm: str) -> Any:
    algorithm = _hashed(self, signing_algorithm)
    return Prehashed(algorithm) if getattr(_call, "digest", False) else algorithm


def _sign(self: KmsResponse) -> str:
    return _knowing_the_type(self, _signed)


def _verify(self: KmsResponse) -> str:
    answer = _knowing_the_type(self, _verified)
    if not json.loads(answer)["SignatureValid"]:
        raise JsonRESTError("KMSInvalidSignatureException", "")  # AWS says no more
    return answer


def _knowing_the_type(response: KmsResponse, operation: Callable[[KmsResponse], str]) -> str:
    """Run an operation with the message type of its request."""
    _call.digest = response._get_param("MessageType") == "DIGEST"  # noqa: SLF001  # as it does
    try:
        return operation(response)
    finally:
        _call.digest = False
