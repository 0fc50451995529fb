"""The routes of files: write, read (whole or a range), list by pages, delete."""

from __future__ import annotations

from datetime import UTC
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from service.app.paths import PATTERN, PathError, RangeError, byte_range, checked, composed, matches
from service.app.problems import ProblemError, responses
from service.app.storage import CursorError, FileMissingError, PreconditionError, UnavailableError

if TYPE_CHECKING:
    from service.app.storage import FileInfo, Storage

# Lambda accepts and returns 6 MB (6,291,456 bytes) of JSON ("Lambda quotas"). API Gateway encodes
# bytes as base64, four characters for three bytes, beside the headers of the event.
MAX_FILE_BYTES = (6 * 1024 * 1024 - 64 * 1024) // 4 * 3

router = APIRouter(prefix="/files", tags=["files"])

# For the API description only: `_path` rejects other paths, with a message.
FilePath = Annotated[
    str,
    Path(examples=["reports/2026/november.csv"], json_schema_extra={"pattern": PATTERN}),
]
_BYTES: dict[str, Any] = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}


class File(BaseModel):
    """A file in a listing."""

    path: str = Field(examples=["reports/2026/november.csv"])
    size: int = Field(examples=[52431], description="bytes")
    etag: str = Field(examples=['"9bb58f26192e4ba00f01e2e7b136bbd8"'])
    modified: str = Field(examples=["2026-11-24T08:15:00+00:00"])


class Listing(BaseModel):
    """A page of files; ask again with `cursor` for the next, null at the end."""

    files: list[File]
    cursor: str | None = Field(examples=["cmVwb3J0cy8yMDI2"])


def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


def _path(path: str) -> str:
    try:
        return checked(path)
    except PathError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{error}.") from error


def _info(request: Request, path: str) -> FileInfo:
    try:
        return _storage(request).info(path)
    except FileMissingError as error:
        raise _missing(path) from error
    except UnavailableError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.") from error


def _headers(info: FileInfo) -> dict[str, str]:
    return {
        "ETag": info.etag,
        "Last-Modified": format_datetime(info.modified.astimezone(UTC), usegmt=True),
        "Accept-Ranges": "bytes",
    }


@router.get("", responses=responses(HTTPStatus.BAD_REQUEST))
def list_files(
    request: Request,
    prefix: Annotated[str, Query(examples=["reports/"])] = "",
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Listing:
    """Files whose path begins with the prefix, in order of their paths."""
    try:
        page = _storage(request).list(composed(prefix), cursor, limit)
    except CursorError as error:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "The cursor was not given out here; begin without one."
        ) from error
    except UnavailableError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.") from error
    files = [
        File(path=file.path, size=file.size, etag=file.etag, modified=file.modified.isoformat())
        for file in page.files
    ]
    return Listing(files=files, cursor=page.cursor)


@router.put(
    "/{path:path}",
    status_code=HTTPStatus.CREATED,
    response_class=Response,
    responses=responses(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ),
    openapi_extra={"requestBody": _BYTES},  # without one, the file is empty
)
async def put_file(
    request: Request,
    path: FilePath,
    content_type: Annotated[str, Header(include_in_schema=False)] = "application/octet-stream",
    if_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Write a file whole, over what was there; with `If-Match`, only over what you know."""
    path = _path(path)
    content = await request.body()
    if len(content) > MAX_FILE_BYTES:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The file has {len(content)} bytes; at most {MAX_FILE_BYTES} pass through Lambda.",
        )
    try:
        etag = await run_in_threadpool(_storage(request).put, path, content, content_type, if_match)
    except (PreconditionError, FileMissingError) as error:
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED, f"{path} is not the file of ETag {if_match}."
        ) from error
    except UnavailableError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.") from error
    return Response(status_code=HTTPStatus.CREATED, headers={"ETag": etag})


@router.head(
    "/{path:path}",
    response_class=Response,
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
def head_file(request: Request, path: FilePath) -> Response:
    """What a GET would say of the file, without its bytes."""
    info = _info(request, _path(path))
    headers = _headers(info) | {"Content-Length": str(info.size)}
    return Response(headers=headers, media_type=info.content_type)


@router.get(
    "/{path:path}",
    response_class=Response,
    responses=responses(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    )
    | {
        200: {"description": "The file"} | _BYTES,
        206: {"description": "The range of it that was asked for"} | _BYTES,
        304: {"description": "It is the file that you have"},
    },
)
def get_file(
    request: Request,
    path: FilePath,
    wanted: Annotated[str | None, Header(alias="Range", examples=["bytes=0-1023"])] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Response:
    """The file's bytes, or the range of them that `Range` names."""
    path = _path(path)
    if wanted is None:
        return _whole(request, path, if_none_match)
    info = _info(request, path)
    headers = _headers(info)
    if matches(if_none_match, info.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    # A range of a changed file is useless to a client that has read the start of another.
    unchanged = if_range is None or if_range == info.etag
    try:
        part = byte_range(wanted if unchanged else None, info.size)
    except RangeError as error:
        raise ProblemError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"{path} has {info.size} bytes; the range {wanted} has none of them.",
            {"Content-Range": str(error)},
        ) from error
    status = HTTPStatus.OK
    if part:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {part[0]}-{part[1]}/{info.size}"
    first, last = part or (0, info.size - 1)
    if last - first + 1 > MAX_FILE_BYTES:
        raise _too_large(last - first + 1)
    return Response(
        _read(request, info, first, last), status, headers=headers, media_type=info.content_type
    )


def _whole(request: Request, path: str, if_none_match: str | None) -> Response:
    try:
        info, content = _storage(request).fetch(path, MAX_FILE_BYTES)
    except FileMissingError as error:
        raise _missing(path) from error
    except UnavailableError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.") from error
    headers = _headers(info)
    if matches(if_none_match, info.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if content is None:
        raise _too_large(info.size)
    return Response(content, headers=headers, media_type=info.content_type)


def _too_large(size: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"{size} bytes are more than the {MAX_FILE_BYTES} that pass through Lambda; ask for "
        "ranges.",
    )


def _missing(path: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, f"There is no file {path}.")


def _read(request: Request, info: FileInfo, first: int, last: int) -> bytes:
    if info.size == 0:
        return b""
    try:
        return _storage(request).read(info.path, first, last, info.etag)
    except (FileMissingError, PreconditionError) as error:
        raise ProblemError(
            HTTPStatus.CONFLICT, f"{info.path} changed while it was read; ask again."
        ) from error
    except UnavailableError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.") from error


@router.delete(
    "/{path:path}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
def delete_file(request: Request, path: FilePath) -> None:
    """Remove a file; earlier versions stay in the bucket for as long as it keeps them."""
    path = _path(path)
    try:
        _storage(request).delete(path)
    except FileMissingError as error:
        raise _missing(path) from error
    except UnavailableError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.") from error
