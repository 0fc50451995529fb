"""Calls to the Parameter Store, to Secrets Manager and to KMS.

A value under a customer's KMS key also needs that key, through the service that keeps it. Sources:
"How AWS Systems Manager Parameter Store uses AWS KMS", "Secret encryption and decryption in AWS
Secrets Manager". A key of AWS's own lets all roles of its account use it, and of no other.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from localcloud.iam.actions.call import Call, Needed

if TYPE_CHECKING:
    from localcloud.iam.actions.call import Facts

_SECRET_READS = {"GetSecretValue", "BatchGetSecretValue"}
_SECRET_WRITES = {"CreateSecret", "PutSecretValue", "UpdateSecret"}


def ssm(call: Call, facts: Facts) -> list[Needed]:
    """Parameters by name or path, and the keys of SecureStrings that are read or written."""
    names = call.texts("Name", "Names", "Path", "ResourceId")
    if "Parameter" not in call.operation or not names or call.operation == "DescribeParameters":
        return [Needed(f"ssm:{call.operation}")]
    found = [
        Needed(
            f"ssm:{call.operation}", call.arn("ssm", each if each[:4] == "arn:" else _path(each))
        )
        for each in names
    ]
    if str(call.parameters.get("WithDecryption")).lower() == "true":
        for each in names:
            found += _decrypted(call, each, facts)
    if call.operation == "PutParameter" and call.text("Type") == "SecureString":
        name = call.text("KeyId")
        key = facts.key(call.account, call.region, name) if name else ""
        found += [_of_parameter("kms:Encrypt", key, call, names[0])] if key else []
    return found


def secretsmanager(call: Call, facts: Facts) -> list[Needed]:
    """A secret by its full ARN, and the key of its values.

    A secret that does not exist has an unknown suffix.
    """
    name = call.text("SecretId", "Name")
    action = f"secretsmanager:{call.operation}"
    if not name or call.operation in {"ListSecrets", "GetRandomPassword"}:
        return [Needed(action)]
    stored = facts.secret(call.account, call.region, name)
    arn = stored or call.arn("secretsmanager", f"secret:{name}-??????")
    return [Needed(action, arn), *_of_secret(call, arn, facts)]


def kms(call: Call, facts: Facts) -> list[Needed]:
    """A key by its ARN, with the encryption context; `Decrypt` finds it in the ciphertext."""
    name = call.text("KeyId", "TargetKeyId", "DestinationKeyId")
    arn = facts.key(call.account, call.region, name) if name else ""
    if not arn and "CiphertextBlob" in call.parameters:
        ciphertext = _bytes(call.parameters["CiphertextBlob"])
        arn = facts.ciphertext_key(call.account, call.region, ciphertext)
    encrypted: dict[str, str] = call.parameters.get("EncryptionContext") or {}
    context = {f"kms:encryptioncontext:{key}".lower(): [each] for key, each in encrypted.items()}
    if encrypted:
        context["kms:encryptioncontextkeys"] = list(encrypted)
    if name.startswith(("alias/", "arn:")) and "alias/" in name:
        context["kms:requestalias"] = [name[name.index("alias/") :]]
    return [Needed(f"kms:{call.operation}", arn or "*", context=context)]


def _decrypted(call: Call, name: str, facts: Facts) -> list[Needed]:
    """What it needs to decrypt a parameter, or all below a path."""
    path = name.partition(":parameter")[2] if name.startswith("arn:") else name.partition(":")[0]
    if call.text("Path"):
        path = f"{path.rstrip('/')}/"
    keys = facts.parameter_keys(call.account, call.region, path)
    return [_of_parameter("kms:Decrypt", key, call, each) for each, key in sorted(keys.items())]


def _of_parameter(action: str, key: str, call: Call, name: str) -> Needed:
    return _through(
        "ssm", action, key, call.region, {"PARAMETER_ARN": call.arn("ssm", _path(name))}
    )


def _of_secret(call: Call, arn: str, facts: Facts) -> list[Needed]:
    if call.operation in _SECRET_READS:
        operations = ["kms:Decrypt"]
    elif call.operation in _SECRET_WRITES:
        operations = ["kms:GenerateDataKey", "kms:Decrypt"]
    else:
        return []
    given = call.text("KmsKeyId")
    key = facts.key(call.account, call.region, given) if given else facts.secret_key(arn)
    region, account = arn.split(":")[3:5]
    if not key and account == call.account:
        return []
    # No other account may use the key of AWS's own.
    key = key or f"arn:aws:kms:{region}:{account}:alias/aws/secretsmanager"
    return [
        _through("secretsmanager", each, key, region, {"SecretARN": arn}) for each in operations
    ]


def _through(service: str, action: str, key: str, region: str, encrypted: dict[str, str]) -> Needed:
    """A use of a KMS key by a service for its caller."""
    context = {f"kms:encryptioncontext:{name}".lower(): [each] for name, each in encrypted.items()}
    context |= {
        "kms:viaservice": [f"{service}.{region}.amazonaws.com"],
        "kms:encryptioncontextkeys": list(encrypted),
        "aws:viaawsservice": ["true"],
    }
    return Needed(action, key, context=context)


def _path(name: str) -> str:
    """The resource of a parameter; a version or a label after a colon is no part of it."""
    return f"parameter/{name.lstrip('/').partition(':')[0]}"


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError):
        return b""
