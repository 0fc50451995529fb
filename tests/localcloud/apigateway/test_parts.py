from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.apigateway.access_log import AccessLogFormat
from localcloud.apigateway.mock import MockTemplate
from localcloud.apigateway.throttle import TokenBucket


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_a_token_bucket_admits_its_burst_and_its_rate(
    rate: float, burst: int, pauses: list[float]
) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now, taken = 0.0, []
    for pause in pauses:
        now += pause
        taken.append((now, bucket.take(now)))
    times = [at for at, let in taken if let]
    for first in range(len(times)):
        for last in range(first, len(times)):
            span = times[last] - times[first]
            assert last - first + 1 <= burst + rate * span + 1e-6
    # A client below the rate limit is never throttled.
    steady = TokenBucket(rate, burst, 0.0)
    assert all(steady.take(index / rate + 1e-6 * index) for index in range(1, 50))


def test_a_negative_rate_is_no_limit() -> None:
    bucket = TokenBucket(-1, -1, 0.0)
    assert all(bucket.take(0.0) for _ in range(1000))


def test_an_access_log_line_fills_in_known_variables() -> None:
    line = AccessLogFormat("$context.status $context.identity.sourceIp, $context.nope. $other")
    assert line.line({"status": 200, "identity.sourceIp": "1.2.3.4"}) == ("200 1.2.3.4, -. $other")


@pytest.mark.parametrize("template", ["#foreach($x in $y)", "$input.body", "#set($a = 1)"])
def test_an_invalid_mapping_template_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match="is not part of the local cloud"):
        MockTemplate(template)


def test_a_template_may_compare_by_pattern() -> None:
    template = MockTemplate(
        '#set($o = $input.params().header.get("Origin"))\n'
        '#if($o.matches("https://.*[.]example"))\n'
        "#set($context.responseOverride.header.Allow = $o)\n"
        "#end"
    )
    assert template.overrides({"Origin": "https://a.example"}) == {"Allow": "https://a.example"}
    assert template.overrides({"Origin": "https://a.other"}) == {}
