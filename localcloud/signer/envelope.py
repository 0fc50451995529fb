"""A signature inside of the zip that it signs.

AWS puts one entry into the zip and publishes no description of it. The entry's name is the one
that signed zips are seen to have; what it says is our own: a signed JSON document, by ECDSA on
P-384 with SHA-384, as the platform `AWSLambda-SHA384-ECDSA` is called.
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

ENTRY = "META_INF/aws_signer_signature_v1.0.SF"
_ALGORITHM = ec.ECDSA(hashes.SHA384())


class SigningError(Exception):
    """The code cannot be signed; the message is the job's StatusReason."""


def new_key() -> str:
    """A private key, in PEM."""
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def sign(content: bytes, signature: CodeSignature, key: str) -> bytes:
    """The zip with a signature in it, and otherwise as it was.

    Raises:
        SigningError: it is no zip, or it has a signature already.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if ENTRY in archive.namelist():
                raise SigningError("The object is signed already")
            digest = _digest(archive)
    except (zipfile.BadZipFile, zlib.error, BrokenSignatureError) as error:
        raise SigningError(f"The object is no zip that can be signed: {error}") from error
    said = json.dumps(asdict(signature) | {"digest": digest}, sort_keys=True)
    sealed = _private(key).sign(said.encode(), _ALGORITHM)
    entry = zipfile.ZipInfo(ENTRY)
    entry.external_attr = 0o644 << 16
    signed = io.BytesIO(content)
    with zipfile.ZipFile(signed, "a") as archive:
        archive.writestr(
            entry, json.dumps({"said": said, "signature": base64.b64encode(sealed).decode()})
        )
    return signed.getvalue()


@dataclass(frozen=True)
class Envelope:
    """What a zip says of its signature. Nothing of it is true before `check`."""

    signature: CodeSignature
    _said: str
    _digest: str
    _sealed: bytes

    def check(self, content: bytes, key: str) -> None:
        """Make sure that the key has signed exactly this zip.

        Raises:
            BrokenSignatureError: it has not.
        """
        try:
            _private(key).public_key().verify(self._sealed, self._said.encode(), _ALGORITHM)
        except InvalidSignature as error:
            raise BrokenSignatureError("another key has made the signature") from error
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                unchanged = _digest(archive) == self._digest
        except (zipfile.BadZipFile, zlib.error) as error:
            raise BrokenSignatureError(f"it cannot be read: {error}") from error
        if not unchanged:
            raise BrokenSignatureError("it was changed after it was signed")


def opened(content: bytes) -> Envelope | None:
    """What a zip says of its signature; None where it has none.

    Raises:
        BrokenSignatureError: that cannot be read.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if ENTRY not in archive.namelist():
            return None
        try:
            found = json.loads(archive.read(ENTRY))
            document = json.loads(found["said"])
            digest = document.pop("digest")
            sealed = base64.b64decode(found["signature"])
            return Envelope(CodeSignature(**document), found["said"], digest, sealed)
        except (ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise BrokenSignatureError(f"{ENTRY} cannot be read: {error!r}") from error


def _digest(archive: zipfile.ZipFile) -> str:
    """SHA-384 over name, mode and bytes of every entry but the signature, in their order."""
    sums = hashlib.sha384()
    twice = [name for name, count in Counter(archive.namelist()).items() if count > 1]
    if twice:
        raise BrokenSignatureError(f"it has two of {twice[0]}")
    for entry in archive.infolist():
        if entry.filename == ENTRY:
            continue
        content = archive.read(entry)
        # Framed, so that no byte of a name can pass for one of a file.
        sums.update(json.dumps([entry.filename, entry.external_attr, len(content)]).encode())
        sums.update(content)
    return sums.hexdigest()


def _private(key: str) -> ec.EllipticCurvePrivateKey:
    loaded = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)  # noqa: S101  # `new_key` made it
    return loaded
