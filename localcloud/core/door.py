"""WSGI middleware that rejects requests which a foreign web page sends to a port.

A browser sends a page's requests also to loopback. Three headers distinguish them from those of
other clients: after DNS rebinding `Host` names the page's own domain, and `Origin` and
`Sec-Fetch-Site` name the page. No script can change them (Fetch standard, "forbidden
request-header"; W3C Fetch Metadata).
"""

from __future__ import annotations

import io
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.core.http import Wsgi

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_FOREIGN_SITES = {"cross-site", "same-site"}


class Door:
    """WSGI middleware in front of one application.

    Args:
        application: answers the requests that are accepted.
        cors: accept a foreign page's request if the application's own answer to its CORS
            preflight allows it; without it, reject every foreign page.
    """

    def __init__(self, application: Wsgi, *, cors: bool) -> None:
        self._application = application
        self._cors = cors

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        hosts = [f"{name}:{environ['SERVER_PORT']}" for name in _NAMES]
        headers = [(name.lower(), value) for name, value in environ["localcloud.headers"]]
        reason = _foreign_host(headers, environ["RAW_URI"], hosts)
        if not reason:
            reason = self._foreign_page(environ, headers, [f"http://{each}" for each in hosts])
        if not reason:
            return self._application(environ, start_response)
        status = HTTPStatus.FORBIDDEN
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain")])
        return [f"localcloud: {reason}\n".encode()]

    def _foreign_page(
        self, environ: dict[str, Any], headers: list[tuple[str, str]], origins: list[str]
    ) -> str:
        """Reason to reject the request as a foreign page's, or ""."""
        origin = next((value for name, value in headers if name == "origin"), None)
        site = next((value for name, value in headers if name == "sec-fetch-site"), "")
        if (origin is None or origin in origins) and site not in _FOREIGN_SITES:
            return ""
        page = f"Origin {origin}" if origin is not None else f"Sec-Fetch-Site: {site}"
        if not self._cors:
            return f"{page}: no web page may call this port; use an AWS client or git"
        if environ["REQUEST_METHOD"] == "OPTIONS" or _is_navigation(
            environ["REQUEST_METHOD"], headers
        ):
            return ""
        if origin is not None and self._allows(environ, origin):
            return ""
        return (
            f"{page}: this API's CORS does not allow the page to call it; enable CORS for its "
            "origin, or call the API from no web page"
        )

    def _allows(self, environ: dict[str, Any], origin: str) -> bool:
        """Whether the application's CORS preflight permits the page's request."""
        asked = {
            "Host": environ["HTTP_HOST"],
            "Origin": origin,
            "Access-Control-Request-Method": environ["REQUEST_METHOD"],
        }
        preflight = {name: value for name, value in environ.items() if not name.startswith("HTTP_")}
        preflight |= {f"HTTP_{name.upper().replace('-', '_')}": asked[name] for name in asked}
        preflight |= {
            "REQUEST_METHOD": "OPTIONS",
            "CONTENT_LENGTH": "0",
            "wsgi.input": io.BytesIO(),
            "localcloud.headers": list(asked.items()),
        }
        allowed: list[str] = []

        def start_response(_status: str, head: list[tuple[str, str]], *_rest: Any) -> None:
            allowed.extend(
                value for name, value in head if name.lower() == "access-control-allow-origin"
            )

        b"".join(self._application(preflight, start_response))
        return allowed in ([origin], ["*"])


def _foreign_host(headers: list[tuple[str, str]], target: str, hosts: list[str]) -> str:
    """Reason to reject the request's host, or ""."""
    named = [value for name, value in headers if name == "host"]
    if not target.startswith("/"):
        named.append(target.partition("://")[2].partition("/")[0])
    if named and all(each.lower() in hosts for each in named):
        return ""
    found = ", ".join(named) or "no Host"
    return f"Host: found {found}; only {', '.join(hosts)} are served here"


def _is_navigation(method: str, headers: list[tuple[str, str]]) -> bool:
    """Whether a user followed a link: the answer is a document that the page cannot read."""
    given = dict(headers)
    return (
        method in {"GET", "HEAD"}
        and given.get("sec-fetch-mode") == "navigate"
        and given.get("sec-fetch-dest") == "document"
        and "origin" not in given
    )
