from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.release_again import Again, AgainError, parameter_name, read

AGAIN = Again("c0ffee", "a dependency was down", "arn:aws:iam::1:user/me", datetime.now(UTC))


def test_what_is_written_is_read() -> None:
    assert read(AGAIN.text()) == AGAIN
    assert parameter_name("c0ffee") == "/pithead/release/again/c0ffee"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        AGAIN.text().replace("dependency", "").replace("a  was down", " "),
        AGAIN.text().replace("+00:00", ""),
        AGAIN.text().replace('"at": "', '"at": "x'),
    ],
)
def test_what_is_no_permission_is_refused(text: str) -> None:
    with pytest.raises(AgainError, match="expected"):
        read(text)
