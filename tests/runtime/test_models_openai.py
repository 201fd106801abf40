"""Real calls to a real server: the wire format, the transport, and what an error means."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

from dpipe.lang.types import INT, STR, Enum, Field, Int, List, Record
from dpipe.runtime.errors import EndpointRefused, UsageError
from dpipe.runtime.models.connection import Answer
from dpipe.runtime.models.gate import GatedEmbedder, GatedModel
from dpipe.runtime.models.make import make_model
from dpipe.runtime.models.openai import OpenAIModel
from dpipe.runtime.models.packed import NotSpoken
from dpipe.runtime.models.protocol import (
    ImagePart,
    Message,
    RejectedRequest,
    Reply,
    Request,
    TextPart,
    Unavailable,
)
from dpipe.runtime.models.sdk import SdkRoad
from dpipe.runtime.models.transport import FirstRoad, Origin, Pool
from dpipe.runtime.reading import Ok, read_reply
from dpipe.runtime.secrets import Secret
from tests.runtime.openai_models import KEY, asking, model_of, over_the_sdk
from tests.server import Server, serving

T = TypeVar("T")
PAIR = Record((Field("question", STR), Field("grade", Int(1, 10))), name="Pair")


@pytest.fixture
def server(model_server: Server) -> Server:
    return model_server


def run(
    model: OpenAIModel, main: Callable[[OpenAIModel], Awaitable[T]], *, within: float = 20.0
) -> T:
    async def closing() -> T:
        try:
            with trio.fail_after(within):
                return await main(model)
        finally:
            await model.aclose()

    return trio.run(closing)


def ask(model: OpenAIModel, *requests: Request) -> list[Reply]:
    async def main(model: OpenAIModel) -> list[Reply]:
        return [await model.complete(request) for request in requests]

    return run(model, main)


# -- both roads ----------------------------------------------------------------------------------


@pytest.mark.parametrize("road", [lambda model: model, over_the_sdk], ids=["transport", "sdk"])
class TestBothRoads:
    """What holds whichever way a request takes."""

    def test_an_answer_has_the_type_that_was_asked_for(self, server: Server, road: Any) -> None:
        request = asking("What holds the roof of the old town hall in place?", List(PAIR))
        (reply,) = ask(road(model_of(server.url)), request)
        read = read_reply(reply, List(PAIR))
        assert isinstance(read, Ok)
        assert read.value
        assert reply.usage.input > 0
        assert reply.usage.output > 0

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(429, "rate"), (500, "server"), (502, "server"), (503, "server"), (408, "server")],
    )
    def test_a_status_that_passes_is_unavailable(
        self, server: Server, road: Any, status: int, kind: str
    ) -> None:
        with pytest.raises(Unavailable) as caught:
            ask(road(model_of(server.url)), asking(f"[[{status}]]"))
        assert (caught.value.kind, caught.value.status) == (kind, status)

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_a_bad_request_is_rejected_and_asked_once(
        self, server: Server, road: Any, status: int
    ) -> None:
        with pytest.raises(RejectedRequest, match="asked to fail") as caught:
            ask(road(model_of(server.url)), asking(f"[[{status}]]", PAIR))
        assert caught.value.status == status
        assert server.stats().total == 1

    @pytest.mark.parametrize("fate", ["drop", "half"])
    def test_a_connection_that_breaks_is_unavailable(
        self, server: Server, road: Any, fate: str
    ) -> None:
        with pytest.raises(Unavailable) as caught:
            ask(road(model_of(server.url)), asking(f"[[{fate}]]"))
        assert caught.value.kind == "connection"

    def test_an_endpoint_that_hangs_times_out(self, server: Server, road: Any) -> None:
        with pytest.raises(Unavailable) as caught:
            ask(road(model_of(server.url, timeout=0.2)), asking("[[hang]]"))
        assert caught.value.kind == "timeout"

    def test_nobody_at_the_address_is_unavailable(self, server: Server, road: Any) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
            with pytest.raises(Unavailable) as caught:
                ask(road(model_of(url)), asking("hello"))
        assert caught.value.kind == "connection"

    def test_a_wrong_key_stops_everything_and_is_not_shown(self, road: Any) -> None:
        with serving(key="sk-right") as server:
            model = model_of(server.url, key=Secret(KEY, "LLM_KEY"))
            with pytest.raises(EndpointRefused) as caught:
                ask(road(model), asking("hello"))
        assert "`gen`" in caught.value.message
        assert "`LLM_KEY`" in caught.value.message
        assert KEY not in f"{caught.value!r} {caught.value} {caught.value.hint}"

    def test_the_right_key_is_sent_and_no_key_is_none(
        self, road: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        with serving(key=KEY) as server:
            (reply,) = ask(road(model_of(server.url, key=Secret(KEY, "K"))), asking("Tell me."))
            assert reply.text
            with pytest.raises(EndpointRefused, match="wants a key"):
                ask(road(model_of(server.url)), asking("hello"))


# -- one request, told to the endpoint ------------------------------------------------------------


def sent(request: Request, *, structured: bool = True, **extra: Any) -> dict[str, Any]:
    import msgspec

    from dpipe.runtime.models.wire import body_of

    body = body_of("id", request, extra, structured=structured)
    return msgspec.json.decode(body, type=dict[str, Any])


def test_a_schema_goes_as_strict_structured_output() -> None:
    format = sent(asking("x", PAIR))["response_format"]
    assert format["type"] == "json_schema"
    assert format["json_schema"]["strict"] is True
    assert format["json_schema"]["schema"]["required"] == ["question", "grade"]
    assert "response_format" not in sent(asking("x", STR))


def test_without_structured_output_the_schema_is_told_in_words() -> None:
    body = sent(asking("Grade it.", PAIR), structured=False)
    assert "response_format" not in body
    (message,) = body["messages"]
    assert message["content"].startswith("Grade it.\n\n")
    assert '"grade"' in message["content"]


def test_words_go_behind_pictures_and_behind_an_assistant_turn() -> None:
    picture = Message("user", (TextPart("What is this?"), ImagePart("data:image/png;base64,AA")))
    body = sent(Request((picture,), None, PAIR, {}), structured=False)
    kinds = [part["type"] for part in body["messages"][0]["content"]]
    assert kinds == ["text", "image_url", "text"]
    turns = (Message("user", "Hi."), Message("assistant", "Hello."))
    body = sent(Request(turns, None, PAIR, {}), structured=False)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


def test_sampling_options_and_the_body_of_the_model_are_sent() -> None:
    body = sent(asking("x", temperature=0.5, stop=["\n"]), top_k=5)
    assert (body["temperature"], body["stop"], body["top_k"]) == (0.5, ["\n"], 5)


def test_a_raw_prompt_goes_to_the_completions_endpoint_as_it_is(server: Server) -> None:
    request = Request((), "<|im_start|>user\n", STR, {})
    assert sent(request)["prompt"] == "<|im_start|>user\n"
    (reply,) = ask(model_of(server.url), request)
    assert reply.text
    assert server.stats().paths == {"/v1/completions": 1}


def test_an_endpoint_that_only_chats_is_told_of_at_the_first_raw_prompt(server: Server) -> None:
    with pytest.raises(EndpointRefused, match="has no /completions") as caught:
        ask(model_of(server.url + "/chats"), Request((), "<|im_start|>user\n", STR, {}))
    assert "`user:`" in (caught.value.hint or "")


def test_declared_sampling_options_stand_in_where_the_request_has_none(server: Server) -> None:
    # the server's answer hangs on every option it is sent
    declared = ask(model_of(server.url, seed=7), asking("Say something about tea."))
    given = ask(model_of(server.url), asking("Say something about tea.", seed=7))
    other = ask(model_of(server.url, seed=7), asking("Say something about tea.", seed=8))
    assert declared == given
    assert declared != other


# -- structured output, where the endpoint has none -----------------------------------------------


def test_an_endpoint_without_structured_output_is_asked_in_words_and_remembered() -> None:
    with serving(structured=False) as server:
        requests = [asking(f"Question {number}", PAIR) for number in range(3)]
        replies = ask(model_of(server.url), *requests)
        assert len(replies) == 3
        assert server.stats().statuses == {"400": 1, "200": 3}


def test_an_endpoint_that_took_a_schema_is_not_asked_twice_for_a_bad_request(
    server: Server,
) -> None:
    model = model_of(server.url)

    async def main(model: OpenAIModel) -> None:
        await model.complete(asking("fine", PAIR))
        with pytest.raises(RejectedRequest):
            await model.complete(asking("[[400]]", PAIR))

    run(model, main)
    assert server.stats().total == 2


# -- replies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marker", "outcome"),
    [
        ("truncated", "truncated"),
        ("malformed", "malformed"),
        ("invalid", "invalid"),
        ("empty", "empty"),
        ("refused", "refused"),
        ("refusal", "refused"),
        ("filtered", "filtered"),
        ("think", "ok"),
        ("reasoning", "ok"),
    ],
)
def test_every_outcome_of_a_reply_is_told_apart(server: Server, marker: str, outcome: str) -> None:
    (reply,) = ask(model_of(server.url), asking(f"Grade the bridge. [[{marker}]]", PAIR))
    read = read_reply(reply, PAIR)
    assert ("ok" if isinstance(read, Ok) else read.outcome) == outcome
    if isinstance(read, Ok):
        assert read.reasoning == "let me see"


def test_a_page_of_a_proxy_instead_of_a_reply_is_passing_trouble(server: Server) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        ask(model_of(server.url), asking("[[html]]"))


def test_a_marker_with_a_number_holds_that_often(server: Server) -> None:
    model = model_of(server.url)

    async def main(model: OpenAIModel) -> None:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await model.complete(asking("row one [[500:2]]"))
        await model.complete(asking("row one [[500:2]]"))

    run(model, main)


# -- who must act --------------------------------------------------------------------------------


def test_an_unknown_model_is_told_with_what_to_do() -> None:
    with serving(models=["other/model"]) as server, pytest.raises(EndpointRefused) as caught:
        ask(model_of(server.url), asking("hello"))
    assert "no model `some/model`" in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.hint == "did you mean `other/model`?"


def test_a_wrong_path_is_told_with_what_to_do(server: Server) -> None:
    with pytest.raises(EndpointRefused) as caught:
        ask(model_of(server.url + "/nowhere"), asking("hello"))
    assert "/v1/nowhere" in caught.value.message
    assert "`/v1`" in (caught.value.hint or "")


def test_an_address_is_shown_without_its_password(server: Server) -> None:
    url = server.url.replace("://", f"://user:{KEY}@") + "/nowhere"
    with pytest.raises(EndpointRefused) as caught:
        ask(model_of(url), asking("hello"))
    assert KEY not in str(caught.value)


def test_a_key_that_no_header_can_hold_is_told_and_not_shown(server: Server) -> None:
    with pytest.raises(UsageError) as caught:
        model_of(server.url, key=Secret("one\ntwo", "LLM_KEY"))
    assert "`LLM_KEY`" in caught.value.message
    assert "one" not in caught.value.message


def test_retry_after_is_read_in_all_its_forms() -> None:
    from dpipe.runtime.models.statuses import retry_after

    assert retry_after({"retry-after": "3"}) == 3.0
    assert retry_after({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_a_busy_endpoint_tells_when_to_come_back() -> None:
    with serving(retry_after="2.5") as server:
        for status in (429, 503):
            with pytest.raises(Unavailable) as caught:
                ask(model_of(server.url), asking(f"[[{status}]]"))
            assert (caught.value.kind, caught.value.retry_after) == ("rate", 2.5)


@pytest.mark.parametrize(
    ("status", "error", "refused"),
    [
        (429, {"message": "You exceeded your quota", "code": "insufficient_quota"}, True),
        (402, {"message": "Insufficient Balance"}, True),
        (400, {"message": "The model `x` does not exist", "code": "model_not_found"}, True),
        (400, {"message": "maximum context length is 4096 tokens"}, False),
        (403, {"message": "Your key may not do that"}, True),
    ],
)
def test_what_no_request_can_mend_stops_the_run(
    status: int, error: dict[str, str], refused: bool
) -> None:
    import msgspec

    from dpipe.runtime.models.statuses import Who, raise_for

    answer = Answer(status, {}, msgspec.json.encode({"error": error}))
    expected = EndpointRefused if refused else RejectedRequest
    with pytest.raises(expected, match=error["message"][:12]):
        raise_for(answer, Who("gen", "x", "http://h/v1", Secret(KEY, "K")))


def test_a_filter_that_answers_with_an_error_is_a_filtered_reply() -> None:
    from dpipe.runtime.models.statuses import is_filtered

    body = b'{"error": {"message": "The response was filtered", "code": "content_filter"}}'
    assert is_filtered(Answer(400, {}, body))
    assert not is_filtered(Answer(200, {}, body))


def test_an_error_that_repeats_the_key_does_not_show_it() -> None:
    from dpipe.runtime.models.statuses import Who, raise_for

    answer = Answer(401, {}, f'{{"error": "bad key {KEY}"}}'.encode())
    with pytest.raises(EndpointRefused) as caught:
        raise_for(answer, Who("gen", "x", "http://h/v1", Secret(KEY, "K")))
    assert KEY not in str(caught.value)


# -- connections ---------------------------------------------------------------------------------


def test_a_connection_is_used_again(server: Server) -> None:
    before = server.stats().connections
    ask(model_of(server.url), *(asking(f"q{number}") for number in range(20)))
    # one for the calls, one for each look at the counts
    assert server.stats().connections - before == 2


@pytest.mark.parametrize(
    "options", [{"chunked": True}, {"close_after": 1}, {"drop_after": 1}, {"drop_after": 3}]
)
def test_answers_arrive_whole_however_they_are_sent(options: dict[str, Any]) -> None:
    with serving(**options) as server:
        requests = [asking(f"What about number {number}?", PAIR) for number in range(12)]
        replies = ask(model_of(server.url), *requests)
        assert all(isinstance(read_reply(reply, PAIR), Ok) for reply in replies)
        assert server.stats().total == 12


def test_a_hundred_at_once_and_never_more() -> None:
    with serving(latency=0.05) as server:
        gated = make_model("gen", "openai", "x", {"url": server.url, "concurrency": 100})
        assert isinstance(gated, GatedModel)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(600):
                    nursery.start_soon(gated.complete, asking(f"row {number}"))
            await gated.aclose()

        trio.run(main)
        stats = server.stats()
        assert stats.max_in_flight == 100
        assert stats.total == len(stats.prompts) == 600
        assert stats.connections <= 101


def test_a_call_that_timed_out_leaves_no_connection_to_a_later_one(server: Server) -> None:
    model = model_of(server.url, timeout=0.2)

    async def main(model: OpenAIModel) -> Reply:
        with pytest.raises(Unavailable):
            await model.complete(asking("[[hang]]"))
        return await model.complete(asking("What else?", PAIR))

    assert isinstance(read_reply(run(model, main), PAIR), Ok)


def test_a_cancelled_call_leaves_no_connection_to_a_later_one() -> None:
    with serving(latency=0.1) as server:
        model = model_of(server.url)

        async def main(model: OpenAIModel) -> tuple[Reply, Reply]:
            with trio.move_on_after(0.05):
                await model.complete(asking("the first question of all"))
            late = await model.complete(asking("the second question of all"))
            return late, await model.complete(asking("the second question of all"))

        late, again = run(model, main)
        assert late == again


def test_the_least_busy_of_several_urls_is_asked() -> None:
    with serving(latency=0.05) as one, serving(latency=0.05) as other:
        model = model_of([one.url, other.url])

        async def main(model: OpenAIModel) -> None:
            async with trio.open_nursery() as nursery:
                for number in range(40):
                    nursery.start_soon(model.complete, asking(f"row {number}"))

        run(model, main)
        assert one.stats().total == other.stats().total == 20


def test_a_url_that_is_dead_is_left_alone_while_another_answers() -> None:
    with socket.socket() as unused, serving(latency=0.01) as server:
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        troubles: list[str | None] = []
        gated = make_model(
            "gen",
            "openai",
            "x",
            {"url": [dead, server.url], "concurrency": 4},
            on_call=lambda call: troubles.append(call.trouble),
        )
        assert isinstance(gated, GatedModel)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(200):
                    nursery.start_soon(gated.complete, asking(f"row {number}"))
            assert gated.resting == (dead,)
            await gated.aclose()

        trio.run(main)
        assert server.stats().total == troubles.count(None) == 200
        assert troubles.count("connection") <= 12


def test_both_roads_send_the_same_headers() -> None:
    heads: list[dict[str, str]] = []

    async def handler(stream: trio.SocketStream) -> None:
        async with stream:
            head, _, _ = bytes(await stream.receive_some(65536)).decode().partition("\r\n\r\n")
            first, *lines = head.split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            heads.append({"request": first, **headers})
            await stream.send_all(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, handler, [listener])
            url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/some way/v1/"
            for road in (lambda model: model, over_the_sdk):
                model = road(model_of(url, key=Secret(KEY, "K")))
                with pytest.raises(RejectedRequest):
                    await model.complete(asking("hello"))
                await model.aclose()
            nursery.cancel_scope.cancel()

    trio.run(main)
    own, sdk = heads
    assert own["request"] == "POST /some%20way/v1/chat/completions HTTP/1.1"
    assert own["authorization"] == f"bearer {KEY}"
    only_sdk = {"connection", "x-stainless-retry-count", "x-stainless-read-timeout"}
    assert own.keys() | only_sdk == sdk.keys()
    differing = {name for name in own if own[name] != sdk[name]}
    assert differing <= {"accept-encoding"}


def test_a_kept_connection_that_closes_under_a_request_is_replaced_once() -> None:
    requests: list[int] = []

    async def handler(stream: trio.SocketStream) -> None:
        """Answer the first request of a connection; close under the second."""
        async with stream:
            for answered in (True, False):
                await stream.receive_some(65536)
                requests.append(len(requests))
                if answered:
                    await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, handler, [listener])
            pool = Pool(Origin("127.0.0.1", listener.socket.getsockname()[1], "", {}, None))
            for _ in range(3):
                assert (await pool.post("/x", b"{}")).body == b"hi"
            await pool.aclose()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert len(requests) == 5


async def answered_by(data: bytes, *, then_close: bool) -> Answer | str:
    """What the pool makes of a server that sends just these bytes."""

    async def handler(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(65536)
            await stream.send_all(data)
            if not then_close:
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handler, [listener])
        port = listener.socket.getsockname()[1]
        pool = Pool(Origin("127.0.0.1", port, "/v1", {}, None))
        try:
            with trio.fail_after(5):
                return await pool.post("/x", b"{}")
        except Unavailable as error:
            return error.message
        except NotSpoken:
            return "not spoken"
        finally:
            await pool.aclose()
            nursery.cancel_scope.cancel()
    raise AssertionError


@pytest.mark.parametrize(
    ("data", "close", "body"),
    [
        ("200 OK|content-length: 2||hi", False, b"hi"),
        ("200 OK||until the end", True, b"until the end"),
        ("100 Continue||HTTP/1.1 200 OK|Content-Length: 2||hi", False, b"hi"),
        ("200 OK|transfer-encoding: chunked||2|hi|0||", False, b"hi"),
        ("200 OK|content-length: 0||", False, b""),
        ("200 OK|content-length: 2||hiHTTP/1.1 500 X|content-length: 2||no", False, b"hi"),
    ],
)
def test_bodies_of_every_framing_are_read(data: str, close: bool, body: bytes) -> None:
    async def main() -> Answer | str:
        wire = "HTTP/1.1 " + data.replace("|", "\r\n")
        return await answered_by(wire.encode(), then_close=close)

    answer = trio.run(main)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "in the middle of its answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", "in the middle of its answer"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi", "in the middle"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx", "not spoken"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx",
            "gzip ends early",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
            "gzip cannot be read",
        ),
    ],
)
def test_what_is_no_answer_is_told(data: bytes, told: str) -> None:
    async def main() -> Answer | str:
        return await answered_by(data, then_close=True)

    answer = trio.run(main)
    assert isinstance(answer, str)
    assert told in answer


# -- which road ----------------------------------------------------------------------------------


def road_of(model: OpenAIModel) -> object:
    (endpoint,) = model._spread.endpoints
    return endpoint._road


def test_a_proxy_of_the_environment_is_left_to_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert isinstance(road_of(model_of("http://example.org/v1")), SdkRoad)
    assert isinstance(road_of(model_of("http://127.0.0.1:1/v1")), FirstRoad)
    assert isinstance(road_of(model_of("https://example.org/v1")), FirstRoad)


def test_what_the_transport_does_not_speak_goes_over_the_sdk_from_then_on() -> None:
    class Odd:
        calls = 0

        async def post(self, path: str, body: bytes) -> Answer:
            self.calls += 1
            raise NotSpoken

        async def aclose(self) -> None: ...

    class Good(Odd):
        async def post(self, path: str, body: bytes) -> Answer:
            self.calls += 1
            return Answer(200, {}, b"")

    async def main() -> tuple[int, int]:
        odd, good = Odd(), Good()
        road = FirstRoad(odd, good)
        await road.post("/x", b"")
        await road.post("/x", b"")
        return odd.calls, good.calls

    assert trio.run(main) == (1, 2)


# -- embeddings ----------------------------------------------------------------------------------


def test_vectors_come_in_the_order_of_their_texts(server: Server) -> None:
    embedder = make_model("e", "embedder", "bge", {"url": server.url})
    assert isinstance(embedder, GatedEmbedder)

    async def main() -> list[list[float]]:
        try:
            one = await embedder.embed(["tides", "vaccines", "tides"])
            assert await embedder.embed([]) == []
            return one
        finally:
            await embedder.aclose()

    first, second, third = trio.run(main)
    assert first == third != second
    assert server.stats().total == 1


def test_a_vector_too_few_is_no_answer() -> None:
    from dpipe.runtime.models.wire import BadReply, vectors_of

    body = b'{"data": [{"index": 0, "embedding": [1.0]}]}'
    with pytest.raises(BadReply, match="1 vectors for 2 texts"):
        vectors_of(body, 2)


# -- TLS -----------------------------------------------------------------------------------------


def test_tls_is_spoken_and_its_certificates_are_checked(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(certificate=str(certificate)) as server:
        url = server.url
        with pytest.raises(EndpointRefused, match="not trusted") as caught:
            ask(model_of(url), asking("hello"))
        assert "SSL_CERT_FILE" in (caught.value.hint or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        replies = ask(model_of(url), asking("Hello there."), asking("And again."))
        assert all(reply.text for reply in replies)


def test_enums_and_ints_are_answered_to_their_schema(server: Server) -> None:
    mood = Enum(("good", "bad"))
    replies = ask(model_of(server.url), asking("How is it?", mood), asking("How many?", INT))
    assert isinstance(read_reply(replies[0], mood), Ok)
    assert isinstance(read_reply(replies[1], INT), Ok)


def test_a_model_that_is_not_called_does_not_load_the_sdk() -> None:
    program = (
        "import sys; from dpipe.runtime.models.make import make_model;"
        "make_model('gen', 'openai', 'x', {'url': 'http://127.0.0.1:1/v1'});"
        "assert 'openai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
