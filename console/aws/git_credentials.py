"""Git credentials for CodeConnections, signed as AWS's credential helper signs.

They have the form of `aws codecommit credential-helper`: the user name is the caller's access
key, followed by `%` and the session token if there is one. The password is a timestamp and a SigV4
signature of the repository's path, valid for 15 minutes.
So no secret key is ever in a URL, a command line or git's configuration.

`python -m console.aws.git_credentials get` is a credential helper (gitcredentials(7)) for the AWS
credentials in its environment variables.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from console.errors import ConsoleError

if TYPE_CHECKING:
    from botocore.credentials import Credentials


def sign(url: str, credentials: Credentials) -> tuple[str, str]:
    """Return user name and password for a URL of `console.aws.connections.remote`."""
    address = urlsplit(url)
    region = address.path.split("/")[3]  # /git-http/ACCOUNT/REGION/…
    frozen = credentials.get_frozen_credentials()
    request = AWSRequest(method="GIT", url=url)
    timestamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    request.context["timestamp"] = timestamp
    signer = SigV4Auth(frozen, "codecommit", region)
    canonical = f"GIT\n{address.path}\n\nhost:{address.hostname}\n\nhost\n"
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    user = f"{frozen.access_key}%{frozen.token}" if frozen.token else frozen.access_key
    return str(user), f"{timestamp}Z{signature}"


def is_signed(url: str) -> bool:
    """Return whether a URL is of CodeConnections, which requires a signature."""
    return urlsplit(url).path.startswith("/git-http/")


def signed_url(url: str) -> str:
    """Return a repository's URL with a user name and password in it.

    Raises:
        ConsoleError: the environment variables hold no AWS credentials.
    """
    user, password = sign(url, _credentials())
    address = urlsplit(url)
    return address._replace(netloc=f"{quote(user, safe='')}:{password}@{address.netloc}").geturl()


def _credentials() -> Credentials:
    found = botocore.session.get_session().get_credentials()
    if found is None:
        raise ConsoleError(
            "git credentials: found no AWS credentials; those of the pipeline's account are "
            'allowed. Set them, or run eval "$(pithead env)" for a local cloud'
        )
    return found


def main() -> int:
    """Print credentials for the URL that git writes to stdin; returns the exit code."""
    if sys.argv[1:] != ["get"]:
        return 0  # git's operations `store` and `erase`: nothing is stored
    request = dict(line.rstrip("\n").partition("=")[::2] for line in sys.stdin if "=" in line)
    url = f"{request['protocol']}://{request['host']}/{request['path']}"
    user, password = sign(url, _credentials())
    sys.stdout.write(f"username={user}\npassword={password}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
