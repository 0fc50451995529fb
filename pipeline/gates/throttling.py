"""Report throttled requests of a gate as "could not measure" instead of blaming the release.

API Gateway answers 500 both for a throttled function and for one that it may not invoke ("Handling
Lambda errors with an API Gateway API" of the Lambda guide), so a client cannot distinguish them.
Lambda's metric `Throttles` does.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from pipeline.gates.lambda_throttles import UnknownThrottlesError
from pipeline.gates.report.catalogue import THROTTLED
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from environments.schema import Environment
    from pipeline.gates.lambda_throttles import Watch


def could_not_measure(
    throttled: str, reasons: Iterable[str], steps: Iterable[str], besides: Sequence[str] = ()
) -> CouldNotRunError:
    """Return the error of a gate whose requests were throttled.

    `throttled` is the number of requests as a phrase, `reasons` the limits that they exceeded,
    `steps` the commands that raise the limits, and `besides` the other findings.
    """
    rest = f". Besides: {'; '.join(besides)}" if besides else ""
    return CouldNotRunError(
        f"could not measure: AWS throttled {throttled}, which says nothing about the release: "
        f"{'; '.join(reasons)}{rest}",
        next_step=f"{'; '.join(steps)}; then run `pithead release` again",
        rule=THROTTLED,
    )


def require_unthrottled(
    status: int, sentence: str, *, name: str, environment: Environment, watch: Watch
) -> None:
    """Check that a status with which API Gateway itself answered is not due to throttling.

    `sentence` names the failure with that status.

    Raises:
        CouldNotRunError: the request was throttled.
        UnknownThrottlesError: Lambda's throttles cannot be read.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        reason, step = rate_limit(name, environment)
        throttled, reason = "a request", f"API Gateway answered 429, because {reason}"
    elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
        try:
            found = watch.throttles(1)
        except UnknownThrottlesError as error:
            raise UnknownThrottlesError(f"{sentence}; {error}") from error
        if not found.total:
            return
        throttled, step = f"{found.total} requests since the gate began", found.next_step
        reason = f"Lambda rejected them, because {found.limit}"
    else:
        return
    raise could_not_measure(throttled, [reason], [step], [sentence])


def require_unthrottled_if_known(
    sentence: str, *, name: str, environment: Environment, watch: Watch
) -> None:
    """Check that a failure with status 500 is not due to throttling.

    If Lambda's throttles cannot be read, the failure stands.

    Raises:
        CouldNotRunError: Lambda throttled requests.
    """
    with suppress(UnknownThrottlesError):
        require_unthrottled(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            sentence,
            name=name,
            environment=environment,
            watch=watch,
        )


def rate_limit(name: str, environment: Environment) -> tuple[str, str]:
    """Return the rate limit of an environment's stage, and how to raise it."""
    api, file = environment.api, f"[api] of environments/{name}.toml"
    return (
        f"{file} admits {api.requests_per_second} requests a second and bursts of {api.burst}, "
        "or the account fewer",
        f"raise requests_per_second or burst in {file}, or the account's throttle that "
        f"`aws apigateway get-account --region {environment.region}` shows",
    )
