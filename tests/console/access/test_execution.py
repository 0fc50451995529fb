from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from console.access.execution import policies

_ACTIONS = st.sets(
    st.builds("{}:{}".format, st.sampled_from(["iam", "kms", "s3"]), st.text("abcXYZ", min_size=9)),
    min_size=1,
    max_size=120,
)


@given(_ACTIONS)
def test_policies_contain_each_action_once_within_the_size_limit(actions: set[str]) -> None:
    found = policies(actions)
    held = [each for policy in found for part in policy["Statement"] for each in part["Action"]]
    assert sorted(held) == sorted(actions)
    for policy in found:
        assert len(json.dumps(policy, separators=(",", ":"))) <= 6144
