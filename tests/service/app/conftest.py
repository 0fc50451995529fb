from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from service.app.main import create_app
from service.app.settings import Settings
from service.app.storage import FileInfo, FileMissingError, Page, PreconditionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.app.storage import Storage


class MemoryStorage:
    """A storage in a dictionary; `test_storage.py` compares it with S3."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[FileInfo, bytes]] = {}

    def put(self, path: str, content: bytes, content_type: str, if_match: str | None = None) -> str:
        if if_match and self.info(path).etag != if_match:
            raise PreconditionError(path)
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        info = FileInfo(path, len(content), etag, content_type, datetime.now(UTC))
        self._files[path] = (info, content)
        return etag

    def info(self, path: str) -> FileInfo:
        if path not in self._files:
            raise FileMissingError(path)
        return self._files[path][0]

    def fetch(self, path: str, most: int) -> tuple[FileInfo, bytes | None]:
        info = self.info(path)
        return info, self._files[path][1] if info.size <= most else None

    def read(self, path: str, first: int, last: int, etag: str) -> bytes:
        if self.info(path).etag != etag:
            raise PreconditionError(path)
        return self._files[path][1][first : last + 1]

    def delete(self, path: str) -> None:
        self.info(path)
        del self._files[path]

    def list(self, prefix: str, cursor: str | None, limit: int) -> Page:
        paths = sorted(p for p in self._files if p.startswith(prefix) and p > (cursor or ""))
        files = tuple(self._files[path][0] for path in paths[:limit])
        return Page(files, paths[limit - 1] if len(paths) > limit else None)

    def check(self) -> None:
        pass


@pytest.fixture
def storage() -> Storage:
    return MemoryStorage()


@pytest.fixture
def settings() -> Settings:
    return Settings(
        bucket="files-of-the-tests",
        environment="test",
        commit="c0ffee",
        aws_lambda_function_version="7",
        allowed_origins=("https://app.example",),
    )


@pytest.fixture
def client(settings: Settings, storage: Storage) -> Iterator[TestClient]:
    with TestClient(create_app(settings, storage)) as client:
        yield client
