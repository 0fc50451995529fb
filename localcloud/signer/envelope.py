"""Signatures embedded in the zip files that they sign.

AWS adds one entry to the zip and does not document its format. The entry's name is that of zips
which AWS signed. Its content is the local cloud's own: a JSON document signed by ECDSA on P-384
with SHA-384, after the platform's name, `AWSLambda-SHA384-ECDSA`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
import zlib
from collections import Counter
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localcloud.core.ports import BrokenSignatureError, CodeSignature

SIGNATURE_ENTRY = "META_INF/aws_signer_signature_v1.0.SF"
_ALGORITHM = ec.ECDSA(hashes.SHA384())


class SigningError(Exception):
    """The code cannot be signed; the message becomes the job's `statusReason`."""


def new_key() -> str:
    """Generate a private key, in PEM."""
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def sign(content: bytes, signature: CodeSignature, key: str) -> bytes:
    """Add a signature to a zip; its other bytes do not change.

    Raises:
        SigningError: the content is not a zip file, or is already signed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if SIGNATURE_ENTRY in archive.namelist():
                raise SigningError("The object is signed already")
            digest = _digest(archive)
    except (zipfile.BadZipFile, zlib.error, BrokenSignatureError) as error:
        raise SigningError(f"The object is not a zip file that can be signed: {error}") from error
    said = json.dumps(asdict(signature) | {"digest": digest}, sort_keys=True)
    sealed = _private(key).sign(said.encode(), _ALGORITHM)
    entry = zipfile.ZipInfo(SIGNATURE_ENTRY)
    entry.external_attr = 0o644 << 16
    signed = io.BytesIO(content)
    with zipfile.ZipFile(signed, "a") as archive:
        archive.writestr(
            entry, json.dumps({"said": said, "signature": base64.b64encode(sealed).decode()})
        )
    return signed.getvalue()


@dataclass(frozen=True)
class Envelope:
    """The signature in a zip; do not trust its content before `check`."""

    signature: CodeSignature
    _document: str
    _digest: str
    _signature_bytes: bytes

    def check(self, content: bytes, key: str) -> None:
        """Verify that the key has signed exactly this zip.

        Raises:
            BrokenSignatureError: another key signed it, or it was changed since.
        """
        try:
            _private(key).public_key().verify(
                self._signature_bytes, self._document.encode(), _ALGORITHM
            )
        except InvalidSignature as error:
            raise BrokenSignatureError("it was signed with another key") from error
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                unchanged = _digest(archive) == self._digest
        except (zipfile.BadZipFile, zlib.error) as error:
            raise BrokenSignatureError(f"it cannot be read: {error}") from error
        if not unchanged:
            raise BrokenSignatureError("it was changed after it was signed")


def read_envelope(content: bytes) -> Envelope | None:
    """Read the signature of a zip; None if it has none.

    Raises:
        BrokenSignatureError: the signature entry cannot be read.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if SIGNATURE_ENTRY not in archive.namelist():
            return None
        try:
            found = json.loads(archive.read(SIGNATURE_ENTRY))
            document = json.loads(found["said"])
            digest = document.pop("digest")
            sealed = base64.b64decode(found["signature"])
            return Envelope(CodeSignature(**document), found["said"], digest, sealed)
        except (ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise BrokenSignatureError(f"{SIGNATURE_ENTRY} cannot be read: {error!r}") from error


def _digest(archive: zipfile.ZipFile) -> str:
    """Return the SHA-384 of all other entries in order: name, mode and bytes."""
    sums = hashlib.sha384()
    twice = [name for name, count in Counter(archive.namelist()).items() if count > 1]
    if twice:
        raise BrokenSignatureError(f"it has more than one entry {twice[0]}")
    for entry in archive.infolist():
        if entry.filename == SIGNATURE_ENTRY:
            continue
        content = archive.read(entry)
        # Length-prefixed, so that bytes of a name cannot be read as bytes of a file.
        sums.update(json.dumps([entry.filename, entry.external_attr, len(content)]).encode())
        sums.update(content)
    return sums.hexdigest()


def _private(key: str) -> ec.EllipticCurvePrivateKey:
    loaded = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)  # noqa: S101  # `new_key` made it
    return loaded
