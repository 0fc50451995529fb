"""Pages of the `List…` operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.codedeploy.registry import Registry
    from localcloud.codedeploy.service import CodeDeploy
    from localcloud.core.ports import Document

_PAGE_SIZE = 100


class PagedApi(ServiceApi):
    """Common base of the classes of the CodeDeploy API."""

    model: ClassVar[str] = "codedeploy"
    service: CodeDeploy

    @property
    def _registry(self) -> Registry:
        return self.service.registry(self.account, self.region)

    def _page(self, key: str, items: list[str]) -> Document:
        token = self.params.get("nextToken") or "0"
        if not token.isdecimal():
            raise ApiError("InvalidNextTokenException", f"Next token {token} is unknown")
        first = int(token)
        answer: Document = {key: items[first : first + _PAGE_SIZE]}
        if first + _PAGE_SIZE < len(items):
            answer["nextToken"] = str(first + _PAGE_SIZE)
        return answer
