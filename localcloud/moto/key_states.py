"""KMS keys that are disabled or pending deletion: moto uses them as if they were enabled.

It also changes the state of a key only by its id, not by its ARN.

Source: KMS guide, "Key states of AWS KMS keys"; terraform-provider-aws#17889.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import moto.kms.models
from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend
from moto.kms.utils import decrypt as _decrypted

from localcloud.iam.key_states import disabled, pending_deletion
from localcloud.moto.checks import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.iam.key_states import KeyProblem


def check_key_states() -> None:
    """Patch moto to reject the use of a key that is not enabled."""
    used = ("encrypt", "generate_data_key", "sign", "verify", "generate_mac", "verify_mac")
    changed = (
        "schedule_key_deletion", "enable_key", "disable_key", "put_key_policy",
        "enable_key_rotation", "disable_key_rotation", "update_key_description",
    )  # fmt: skip
    for name in ("cancel_key_deletion", "disable_key", "enable_key", "schedule_key_deletion"):
        operation = getattr(KmsBackend, name)
        if not hasattr(operation, "__wrapped__"):  # once a process
            setattr(KmsBackend, name, _by_any_id(operation))
    install((KmsBackend, name, _check_enabled) for name in used if hasattr(KmsBackend, name))
    install((KmsBackend, name, _check_kept) for name in changed if hasattr(KmsBackend, name))
    setattr(moto.kms.models, "decrypt", _decrypt)  # noqa: B010  # moto has no port for it


def _by_any_id(operation: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(operation)
    def translated(self: KmsBackend, key_id: str, *arguments: Any, **named: Any) -> Any:
        return operation(self, self.any_id_to_key_id(key_id), *arguments, **named)

    return translated


def _check_enabled(given: dict[str, Any]) -> None:
    for key in _keys(given):
        _require_enabled(key)


def _check_kept(given: dict[str, Any]) -> None:
    for key in _keys(given):
        _require_kept(key)


def _decrypt(master_keys: dict[str, Any], **given: Any) -> tuple[bytes, str]:
    plaintext, key_id = _decrypted(master_keys=master_keys, **given)
    _require_enabled(master_keys[key_id.rsplit("/", 1)[-1]])
    return plaintext, key_id


def _keys(given: dict[str, Any]) -> Iterator[Any]:
    backend = given["self"]
    name = str(given.get("key_id", ""))
    key = backend.keys.get(backend.any_id_to_key_id(name)) if name else None
    if key is not None:
        yield key


def _require_enabled(key: Any) -> None:
    _reject(disabled(key))


def _require_kept(key: Any) -> None:
    _reject(pending_deletion(key))


def _reject(problem: KeyProblem | None) -> None:
    if problem is not None:
        raise JsonRESTError(problem.code, problem.message)
