"""Lists in pages, as every `List…` operation gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.codedeploy.registry import Registry
    from localcloud.codedeploy.service import CodeDeploy
    from localcloud.core.ports import Document

_PAGE = 100


class PagedApi(ServiceApi):
    """What the parts of the CodeDeploy API share."""

    model: ClassVar[str] = "codedeploy"
    service: CodeDeploy

    @property
    def _registry(self) -> Registry:
        return self.service.registry(self.account, self.region)

    def _page(self, key: str, items: list[str]) -> Document:
        token = self.params.get("nextToken") or "0"
        if not token.isdecimal():
            raise ApiError("InvalidNextTokenException", f"Next token {token} was never given out")
        first = int(token)
        answer: Document = {key: items[first : first + _PAGE]}
        if first + _PAGE < len(items):
            answer["nextToken"] = str(first + _PAGE)
        return answer
