"""Who a caller is: account and role by access key.

A key id of twelve digits is that account's administrator; every other key was given out by
STS for a role and is remembered, so that a session outlives the process.
"""

from __future__ import annotations

import re
import secrets
import string
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.ledger import Ledger

_KEY = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_PRESIGNED = re.compile(r"([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_KIND = "session"
_LONGEST = 12 * 3600.0
"""Wall seconds: as long as AWS lets a session last. One that is older is forgotten at a start;
while this process lives, its builds and workers keep theirs."""


@dataclass(frozen=True)
class Caller:
    """Whose request this is, and which service and region its signature names."""

    access_key: str
    account: str
    region: str
    service: str


@dataclass(frozen=True)
class Session:
    """The credentials of an assumed role."""

    access_key: str
    secret_key: str
    token: str
    account: str
    role_arn: str
    name: str
    issued: float = 0.0
    """Wall time, in seconds since the epoch."""

    @property
    def arn(self) -> str:
        """The ARN by which `GetCallerIdentity` knows the session."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{self.name}"

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    def environment(self) -> dict[str, str]:
        """The variables by which an AWS client of a process finds them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
        }


class Credentials:
    """Gives out sessions for roles and tells who calls."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._sessions: dict[str, Session] = {}
        with ledger.transaction():
            for key, document in ledger.all(_KIND):
                session = Session(**document)
                if session.issued < time.time() - _LONGEST:
                    ledger.delete(_KIND, key)
                else:
                    self._sessions[key] = session

    def assume(self, role_arn: str, name: str) -> Session:
        """New credentials of a role; the caller has checked that the role may be assumed."""
        alphabet = string.ascii_uppercase + string.digits
        session = Session(
            access_key="ASIA" + "".join(secrets.choice(alphabet) for _ in range(16)),
            secret_key=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(60),
            account=role_arn.split(":")[4],
            role_arn=role_arn,
            name=name,
            issued=time.time(),
        )
        self._ledger.put(_KIND, session.access_key, asdict(session))
        self._sessions[session.access_key] = session
        return session

    def session(self, access_key: str) -> Session | None:
        """The session that owns a key, or None for an administrator's or an unknown key."""
        return self._sessions.get(access_key)

    def account(self, access_key: str) -> str | None:
        """The account of a key, or None when nobody gave it out."""
        if re.fullmatch(r"\d{12}", access_key):
            return access_key
        session = self._sessions.get(access_key)
        return session.account if session else None

    def caller(self, authorization: str, presigned: str = "") -> Caller | None:
        """Read a SigV4 `Authorization` header, or the `X-Amz-Credential` of a presigned URL.

        None when it is no SigV4 signature; a key that nobody gave out has account "".
        """
        found = _KEY.search(authorization) or _PRESIGNED.search(presigned)
        if found is None:
            return None
        key, region, service = found.groups()
        return Caller(key, self.account(key) or "", region, service)
