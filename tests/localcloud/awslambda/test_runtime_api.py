from __future__ import annotations

import select
import socket

from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.awslambda.runtime_api import Call, RuntimeApi

_CALLS = st.one_of(
    st.just((b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n", Call(
        "/invocation/next", b"", ""
    ))),
    st.tuples(st.sampled_from(["response", "error"]), st.binary(max_size=300)).map(
        lambda each: (
            (
                f"POST /2018-06-01/runtime/invocation/1-2/{each[0]} HTTP/1.1\r\n"
                f"content-length: {len(each[1])}\r\n"
                "lambda-runtime-function-error-type: A.B\r\n\r\n"
            ).encode()
            + each[1],
            Call(f"/invocation/1-2/{each[0]}", each[1], "A.B"),
        )
    ),
)  # fmt: skip


@settings(max_examples=50)
@given(st.lists(_CALLS, min_size=1, max_size=4), st.data())
def test_requests_are_parsed_in_any_chunks(
    calls: list[tuple[bytes, Call]], data: st.DataObject
) -> None:
    sent = b"".join(each for each, _ in calls)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=5).map(sorted))
    api, poll = RuntimeApi(), select.poll()
    api.watch(poll)
    host, port = api.address.split(":")
    with socket.create_connection((host, int(port))) as worker:
        worker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            worker.sendall(sent[begin:end])
        found: list[Call] = []
        while len(found) < len(calls):
            if (call := api.call()) is not None:
                found.append(call)
                continue
            for descriptor, _ in poll.poll(10_000):
                assert api.receive(descriptor, poll)
        assert found == [each for _, each in calls]
    api.close()
