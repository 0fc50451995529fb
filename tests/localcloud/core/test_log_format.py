"""The local cloud's log: the fields of each line, and the request's id."""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.log_format import configure_log
from localcloud.core.request_id import NO_REQUEST, new_request, request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "222222222222", "eu-west-1"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Return the output of `configure_log` on stderr."""
    root, own, stream = logging.getLogger(), logging.getLogger("localcloud"), io.StringIO()
    before, level = list(root.handlers), own.level
    monkeypatch.setattr("sys.stderr", stream)
    configure_log()
    yield stream
    root.handlers[:] = before
    own.setLevel(level)


def test_a_line_has_time_level_request_and_service(log: io.StringIO) -> None:
    logger = logging.getLogger("localcloud.codebuild.service")
    logger.warning("Build %s", 1)
    with new_request() as request:
        logger.info("Build %s", 2)
    first, second = log.getvalue().splitlines()
    assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING \[-\] codebuild: Build 1", first)
    assert second.endswith(f" INFO [{request}] codebuild: Build 2")


def test_libraries_log_warnings_only(log: io.StringIO) -> None:
    library = logging.getLogger("werkzeug")
    library.setLevel(logging.INFO)
    library.info("127.0.0.1 GET /")
    library.warning("a warning")
    (line,) = log.getvalue().splitlines()
    assert line.endswith("] werkzeug: a warning")


def test_outside_of_a_request_there_is_no_id() -> None:
    with new_request() as request:
        assert request_id() == request
    assert request_id() == NO_REQUEST


def test_the_answer_and_the_log_have_the_same_request_id(
    start_cloud: Callable[..., LocalCloud],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = start_cloud(services=("logs",))
    client = server.cloud.client("logs", ACCOUNT, REGION)
    seen: list[str] = []

    class Ids(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(request_id())

    def fail(*_arguments: Any) -> None:
        raise ZeroDivisionError

    answered = client.describe_log_groups()["ResponseMetadata"]["RequestId"]
    assert re.fullmatch(r"[0-9a-f-]{36}", answered)
    handler, logger = Ids(), logging.getLogger("localcloud.api")
    logger.addHandler(handler)
    monkeypatch.setattr(server.cloud.logs.events, "create_group", fail)
    with pytest.raises(ClientError) as refused:
        client.create_log_group(logGroupName="group")
    logger.removeHandler(handler)
    assert refused.value.response["ResponseMetadata"]["RequestId"] == seen[0]
    assert "ZeroDivisionError" in caplog.text
