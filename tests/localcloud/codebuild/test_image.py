"""The image that the local clouds of several checkouts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uv

from localcloud.codebuild import image

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_installation_has_its_own_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shared = image.prepare()
    (mine, *_) = image.tools(shared)
    before = (mine / "uv").read_text()
    monkeypatch.setattr(uv, "find_uv_bin", lambda: "/another/checkout/bin/uv")
    assert image.prepare() == shared
    (theirs, *_) = image.tools(shared)
    assert "/another/checkout/bin/uv" in (theirs / "uv").read_text()
    assert (mine / "uv").read_text() == before
