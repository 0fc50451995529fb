"""Function code: checked, stored by SHA-256, and unzipped once for all workers."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
import threading
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud.awslambda.configuration import invalid
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.iam.access import Access

_MAX_UNZIPPED_BYTES = 262_144_000  # bytes, "Lambda quotas"
_MAX_UPLOAD_BYTES = 52_428_800  # 50 MB, "Lambda quotas"; in base64 in the request
_MAX_REQUEST_BYTES = 70_167_211
_MAX_UNUSED_FOLDERS = 4
_INLINE_DATE = (1980, 1, 1, 0, 0, 0)


class Bundles:
    """The zips of all functions: in the ledger, and unzipped in the state folder."""

    def __init__(self, core: Core, access: Access) -> None:
        self._core = core
        self._access = access
        self._folder = core.ledger.folder / "functions" / "code"
        self._users: Counter[str] = Counter()
        """The number of workers that use a folder, by digest."""
        self._lock = threading.Lock()

    def take(
        self, account: str, region: str, code: Mapping[str, Any], caller: Session | None = None
    ) -> tuple[str, int]:
        """Store the code of a request; return its SHA-256 (hex) and its size (bytes).

        `ZipFile` is a zip (in the API) or Python source for `index.py` (in a template). S3 is read
        as the caller, or without a caller as the account's administrator.

        Raises:
            ApiError: the code cannot be read, or is of a kind that the local cloud does not run.
        """
        content = self._content(account, region, code, caller)
        _check(content)
        return self._core.ledger.store(content), len(content)

    def open(self, digest: str) -> Path:
        """Return the folder of the code, in use until `close`; unzip it if needed.

        Deletes folders that have not been used for the longest time.
        """
        folder = self._folder / digest
        with self._lock:
            if not folder.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                partial = tempfile.mkdtemp(dir=self._folder, prefix="unzipping-")
                _unzip(self._core.ledger.path(digest), partial)
                os.rename(partial, folder)  # noqa: PTH104  # Path.rename, on the str of mkdtemp
            self._users[digest] += 1
            folder.touch()
            self._remove_unused()
        return folder

    def close(self, folder: Path) -> None:
        """Release a folder from `open`."""
        with self._lock:
            self._users[folder.name] -= 1

    def clear(self) -> None:
        """Delete folders that a killed process left half unzipped, and old folders.

        Call it before any worker runs. A deleted folder is unzipped again when it is needed.
        """
        for partial in self._folder.glob("unzipping-*"):
            shutil.rmtree(partial)
        with self._lock:
            self._remove_unused()

    def _remove_unused(self) -> None:
        """Remove unused folders, except for the most recently used ones."""
        unzipped = [each for each in self._folder.glob("*") if each.is_dir()]
        unused = [each for each in unzipped if not self._users[each.name]]
        unused.sort(key=lambda each: each.stat().st_mtime, reverse=True)
        for each in unused[_MAX_UNUSED_FOLDERS:]:
            shutil.rmtree(each)

    def _content(
        self, account: str, region: str, code: Mapping[str, Any], caller: Session | None
    ) -> bytes:
        if code.get("ImageUri"):
            raise invalid("Container images are not part of the local cloud; give a zip")
        inline = code.get("ZipFile")
        if isinstance(inline, bytes):
            if len(inline) > _MAX_UPLOAD_BYTES:
                raise ApiError(
                    "RequestEntityTooLargeException",
                    f"Request must be smaller than {_MAX_REQUEST_BYTES} bytes for the "
                    "UpdateFunctionCode operation",
                )
            return inline
        if isinstance(inline, str):
            return _inline(inline)
        if not (code.get("S3Bucket") and code.get("S3Key")):
            raise invalid("Please provide a source for function code.")
        version = {"VersionId": code["S3ObjectVersion"]} if code.get("S3ObjectVersion") else {}
        s3 = self._core.client("s3", account, region, caller)
        try:
            answer = s3.get_object(Bucket=code["S3Bucket"], Key=code["S3Key"], **version)
            content: bytes = answer["Body"].read()
        except ClientError as error:
            reason = error.response["Error"]
            if reason["Code"] == "AccessDenied":
                # AWS's text, as quoted in aws-cdk#5183 and aws-cdk#3765.
                raise ApiError(
                    "AccessDeniedException",
                    "Your access has been denied by S3, please make sure your request credentials "
                    f"have permission to GetObject for {code['S3Bucket']}/{code['S3Key']}. S3 "
                    f"Error Code: {reason['Code']}. S3 Error Message: {reason['Message']}",
                ) from error
            raise invalid(
                f"Error occurred while GetObject. S3 Error Code: {reason['Code']}. "
                f"S3 Error Message: {reason['Message']}"
            ) from error
        bucket = self._access.stored.bucket(code["S3Bucket"])
        if bucket is not None and bucket.region != region:
            raise invalid(
                "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error "
                f"Message: The bucket is in this region: {bucket.region}. Please use this region "
                "to retry the request"
            )
        return content


def _inline(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        # A constant date, so that equal source has an equal SHA-256.
        entry = zipfile.ZipInfo("index.py", _INLINE_DATE)
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, source)
    return content.getvalue()


def _check(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
    if not entries:
        raise invalid("Uploaded file must be a non-empty zip")
    if sum(entry.file_size for entry in entries) > _MAX_UNZIPPED_BYTES:
        raise invalid(f"Unzipped size must be smaller than {_MAX_UNZIPPED_BYTES} bytes")
    for entry in entries:
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ApiError(
                "InvalidParameterValueException",
                f"{entry.filename} is a symbolic link, which the local cloud does not unzip. "
                "Put the file itself into the zip",
            )


def _unzip(path: Path, folder: str) -> None:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            target = archive.extract(entry, folder)
            mode = (entry.external_attr >> 16) & 0o777
            if mode and not entry.is_dir():
                os.chmod(target, mode | 0o400)  # noqa: PTH101  # the zip's execute bits
