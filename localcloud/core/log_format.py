"""The log of the local cloud itself: one line on stderr for each record, and its traceback."""

from __future__ import annotations

import logging

from localcloud.core.request_id import request_id

_FORMAT = "%(asctime)s %(levelname)s [%(request)s] %(service)s: %(message)s"
_OWN = "localcloud."


class _Context(logging.Filter):
    """Adds the service and the request id; drops what libraries log below a warning."""

    def filter(self, record: logging.LogRecord) -> bool:
        own = record.name.startswith(_OWN)
        record.service = record.name.removeprefix(_OWN).partition(".")[0]
        record.request = request_id()
        return own or record.levelno >= logging.WARNING


def configure_log() -> None:
    """Log to stderr from now on: time, level, request id ("-" outside of one), service, text.

    The time is the wall's. The local cloud logs from level INFO on, libraries from WARNING on.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.addFilter(_Context())
    logging.getLogger().addHandler(handler)
    logging.getLogger("localcloud").setLevel(logging.INFO)
