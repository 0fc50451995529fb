"""Callers: account and role by access key, proven by the key's secret.

A key id of twelve digits is that account's administrator, whose secret key is the state folder's
own; every other key was issued by STS for a role and is stored, so that a session outlives the
process.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.ledger import Ledger

_ADMINISTRATOR = re.compile(r"\d{12}")
_KIND = "session"
_SECRET = ("credentials", "administrator")
_LONGEST = 12 * 3600.0
"""Wall seconds: the longest session of AWS. Older ones are deleted at start;
while this process lives, its builds and workers keep theirs."""


@dataclass(frozen=True)
class Caller:
    """The caller of a request, and the service and region that its signature names."""

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
    policies: list[str] | None = None
    """The documents of the session policies, of which one has to allow each action; None: none
    were given."""
    expires: float | None = None
    """Wall time, in seconds since the epoch; None: AWS renews the keys, as those of a build."""

    @property
    def arn(self) -> str:
        """The ARN by which `GetCallerIdentity` knows the session."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{self.name}"

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def expired(self) -> bool:
        """Whether its keys are not valid any more.

        A client compares their expiration with its own clock, so they last by the wall's time.
        """
        return self.expires is not None and self.expires <= time.time()

    def environment(self) -> dict[str, str]:
        """The variables by which an AWS client of a process finds them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
        }


class UnknownKeyError(Exception):
    """An access key that this cloud did not issue, or a session's key without its token."""


class ExpiredKeyError(UnknownKeyError):
    """A session's key after its expiration."""


class Credentials:
    """Issues sessions for roles, and returns the secret that a caller signs with.

    `secret_key` is the administrators': random, made at the state folder's first start.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.secret_key = _secret_key(ledger)
        self._sessions: dict[str, Session] = {}
        with ledger.transaction():
            for key, document in ledger.all(_KIND):
                session = Session(**document)
                if session.issued < time.time() - _LONGEST:
                    ledger.delete(_KIND, key)
                else:
                    self._sessions[key] = session

    def assume(
        self,
        role_arn: str,
        name: str,
        policies: list[str] | None = None,
        seconds: float | None = None,
    ) -> Session:
        """Issue credentials of a role, limited by session policies if any are given.

        They expire after wall `seconds`; None is for a service, which renews them. The caller has
        checked that the role may be assumed.
        """
        now = time.time()
        alphabet = string.ascii_uppercase + string.digits
        session = Session(
            access_key="ASIA" + "".join(secrets.choice(alphabet) for _ in range(16)),
            secret_key=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(60),
            account=role_arn.split(":")[4],
            role_arn=role_arn,
            name=name,
            issued=now,
            policies=policies,
            expires=None if seconds is None else now + seconds,
        )
        self._ledger.put(_KIND, session.access_key, asdict(session))
        self._sessions[session.access_key] = session
        return session

    def session(self, access_key: str) -> Session | None:
        """Return the session of a key, or None for an administrator's or an unknown key."""
        return self._sessions.get(access_key)

    def account(self, access_key: str) -> str:
        """The account of a key.

        Raises:
            UnknownKeyError: this cloud did not issue it.
        """
        if _ADMINISTRATOR.fullmatch(access_key):
            return access_key
        session = self._sessions.get(access_key)
        if session is None:
            raise UnknownKeyError(access_key)
        return session.account

    def secret(self, access_key: str, token: str) -> str:
        """The secret key that goes with an access key and, for a session, its token.

        Raises:
            UnknownKeyError: this cloud did not issue the key, or the token is not the key's.
            ExpiredKeyError: the session has expired.
        """
        session = self._sessions.get(access_key)
        if session is not None and hmac.compare_digest(session.token, token):
            if session.expired:
                raise ExpiredKeyError(access_key)
            return session.secret_key
        if session is None and not token and _ADMINISTRATOR.fullmatch(access_key):
            return self.secret_key
        raise UnknownKeyError(access_key)


def _secret_key(ledger: Ledger) -> str:
    with ledger.transaction():
        kept = ledger.get(*_SECRET)
        if kept is None:
            kept = {"secret_key": secrets.token_urlsafe(30)}
            ledger.put(*_SECRET, kept)
    return str(kept["secret_key"])
