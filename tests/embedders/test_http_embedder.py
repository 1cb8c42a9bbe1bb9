"""HttpEmbedder against a real server on this machine."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_server import WIDTH, Answer, OpenAIServer, vector_of, vectors_of

from pgsim.embedders import Embedder, HttpEmbedder, checked_documents, checked_query
from pgsim.errors import EmbedderError, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-a-secret-of-mine"
TEXTS = ["a game of chess", "a network scanner", "a text editor"]


@pytest.fixture(scope="module", autouse=True)
def no_proxy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def running() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture
def server(running: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    monkeypatch.delenv("PGSIM_EMBEDDER_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    running.forget()
    return running


@pytest.fixture
def embedder(server: OpenAIServer) -> Iterator[HttpEmbedder]:
    with HttpEmbedder(server.url, "tiny", api_key=KEY, max_retries=2, first_wait=0.001) as embedder:
        yield embedder


def test_vectors_come_in_the_order_of_the_texts_whatever_order_the_server_sends(
    embedder: HttpEmbedder,
) -> None:
    assert isinstance(embedder, Embedder)
    np.testing.assert_array_equal(checked_documents(embedder, TEXTS, WIDTH), vectors_of(TEXTS))
    np.testing.assert_array_equal(checked_query(embedder, "chess", WIDTH), vector_of("chess"))


def test_the_request_is_the_least_that_every_server_of_the_protocol_understands(
    embedder: HttpEmbedder, server: OpenAIServer
) -> None:
    embedder.embed_documents(TEXTS)
    (request,) = server.requests
    assert request.path == "/v1/embeddings"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.body == {"model": "tiny", "input": TEXTS}


def test_no_texts_need_no_request(embedder: HttpEmbedder, server: OpenAIServer) -> None:
    assert len(embedder.embed_documents([])) == 0
    assert server.requests == []


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(max_size=20), min_size=1, max_size=12), batch_size=st.integers(1, 13))
def test_the_batch_size_does_not_change_the_vectors(
    running: OpenAIServer, client: httpx.Client, texts: list[str], batch_size: int
) -> None:
    running.forget()
    embedder = HttpEmbedder(running.url, "tiny", api_key="", batch_size=batch_size, client=client)
    np.testing.assert_array_equal(embedder.embed_documents(texts), vectors_of(texts))
    asked = [request.body["input"] for request in running.requests]
    assert asked == [texts[start : start + batch_size] for start in range(0, len(texts), batch_size)]


def test_prefixes_are_set_before_the_texts_and_dimensions_are_asked_for(server: OpenAIServer) -> None:
    with HttpEmbedder(
        server.url, "tiny", query_prefix="query: ", document_prefix="passage: ", dimensions=4
    ) as embedder:
        documents = embedder.embed_documents(["chess"])
        query = embedder.embed_query("chess")
    np.testing.assert_array_equal(documents, vectors_of(["passage: chess"], 4))
    np.testing.assert_array_equal(query, vector_of("query: chess", 4))


@pytest.mark.parametrize("ending", ["", "/", "/embeddings", "/embeddings/", "/embeddings?version=2"])
def test_the_url_may_be_the_base_or_the_endpoint(server: OpenAIServer, ending: str) -> None:
    with HttpEmbedder(server.url + ending, "tiny") as embedder:
        embedder.embed_query("chess")
    _, question_mark, query = ending.partition("?")
    assert server.requests[0].path == f"/v1/embeddings{question_mark}{query}"


@pytest.mark.parametrize(
    "environment",
    [
        {"PGSIM_EMBEDDER_API_KEY": KEY, "OPENAI_API_KEY": "another"},
        {"PGSIM_EMBEDDER_API_KEY": "", "OPENAI_API_KEY": KEY},
        {"OPENAI_API_KEY": f"{KEY}\n"},
    ],
)
def test_the_key_comes_from_the_environment(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with HttpEmbedder(server.url, "tiny") as embedder:
        embedder.embed_query("chess")
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_an_empty_key_sends_none(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with HttpEmbedder(server.url, "tiny", api_key="") as embedder:
        embedder.embed_query("chess")
    assert "Authorization" not in server.requests[0].headers


def test_a_client_of_your_own_stays_open(server: OpenAIServer) -> None:
    with httpx.Client(headers={"X-Team": "search"}) as client:
        with HttpEmbedder(server.url, "tiny", client=client) as embedder:
            embedder.embed_query("chess")
        assert not client.is_closed
    assert server.requests[0].headers["X-Team"] == "search"


# -- faults that pass ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Answer(429, "slow down", {"Retry-After": "0"}),
        Answer(429, "slow down", {"Retry-After": format_datetime(datetime.now(UTC), usegmt=True)}),
        Answer(429, "slow down", {"Retry-After": "soon"}),
        Answer(408),
        Answer(500),
        Answer(503),
        Answer(body=None),
    ],
    ids=["429, 0 s", "429, a date", "429, unreadable", "408", "500", "503", "connection dropped"],
)
def test_a_passing_fault_is_tried_again(embedder: HttpEmbedder, server: OpenAIServer, fault: Answer) -> None:
    server.planned = [fault, fault]
    np.testing.assert_array_equal(embedder.embed_query("chess"), vector_of("chess"))
    assert len(server.requests) == 3


def test_waits_are_random_below_a_doubling_bound_unless_the_server_names_one(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    server.planned = [Answer(500), Answer(500), Answer(500), Answer(429, headers={"Retry-After": "7"})]
    with HttpEmbedder(server.url, "tiny", first_wait=2.0) as embedder:
        np.testing.assert_array_equal(embedder.embed_query("chess"), vector_of("chess"))
    *chosen, asked = waits
    assert all(0 < wait <= bound for wait, bound in zip(chosen, [2, 4, 8], strict=True))
    assert asked == 7


@pytest.mark.parametrize(
    "asked", ["3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)], ids=["seconds", "date"]
)
def test_a_server_that_asks_for_more_than_a_minute_is_not_asked_again(
    embedder: HttpEmbedder, server: OpenAIServer, asked: str
) -> None:
    server.planned = [Answer(429, "daily quota used up", {"Retry-After": asked})]
    with pytest.raises(EmbedderError, match=r"answered 429 Too Many Requests\nDETAIL: daily quota used up"):
        embedder.embed_query("chess")
    assert len(server.requests) == 1


def test_a_fault_that_stays_is_told_after_the_last_retry(embedder: HttpEmbedder, server: OpenAIServer) -> None:
    server.planned = [Answer(503, '{"error": "the model is loading"}')] * 9
    with pytest.raises(EmbedderError, match=r"answered 503 Service Unavailable\nDETAIL: the model is loading"):
        embedder.embed_query("chess")
    assert len(server.requests) == 3


def test_a_refused_connection_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    with (
        HttpEmbedder(url, "tiny", api_key="", max_retries=1, first_wait=0.001) as embedder,
        pytest.raises(EmbedderError, match=f"127.0.0.1:{port}/v1/embeddings could not be asked: ConnectError"),
    ):
        embedder.embed_query("chess")


def test_a_server_that_never_answers_is_given_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        HttpEmbedder(
            f"http://127.0.0.1:{silent.getsockname()[1]}", "tiny", api_key="", timeout=0.02, max_retries=0
        ) as embedder,
        pytest.raises(EmbedderError, match="ReadTimeout"),
    ):
        embedder.embed_query("chess")


# -- refusals, and answers that are none ---------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"message": "no such key", "type": "invalid_request_error"}}',
        '{"error": "no such key"}',
        '{"object": "error", "message": "no such key"}',
        '{"detail": "no such key"}',
        "no such key",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refusal_is_not_repeated_and_carries_the_servers_message(
    embedder: HttpEmbedder, server: OpenAIServer, status: int, body: str
) -> None:
    server.planned = [Answer(status, body)]
    with pytest.raises(EmbedderError, match=rf"/v1/embeddings answered {status} [\w ]+\nDETAIL: no such key"):
        embedder.embed_query("chess")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 401])
def test_the_key_is_in_no_message_even_when_the_server_repeats_it(
    embedder: HttpEmbedder, server: OpenAIServer, status: int
) -> None:
    server.planned = [Answer(status, f"{'x' * 480} wrong key: {KEY}")]
    with pytest.raises(EmbedderError) as raised:
        embedder.embed_query("chess")
    assert "sk-" not in f"{raised.value} {raised.value!r} {raised.value.__cause__!r} {embedder!r}"


def test_the_urls_own_secrets_are_in_no_message(server: OpenAIServer) -> None:
    url = server.url.replace("//", "//me:password@") + "?key=secret"
    server.planned = [Answer(404)]
    with (
        HttpEmbedder(url, "tiny") as embedder,
        pytest.raises(EmbedderError, match="answered 404") as raised,
    ):
        embedder.embed_query("chess")
    assert "password" not in f"{raised.value} {embedder!r}"
    assert "secret" not in f"{raised.value} {embedder!r}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<html>welcome</html>", "no list of embeddings"),
        ('{"object": "list"}', "no list of embeddings"),
        ('{"data": null}', "no list of embeddings"),
        ('{"data": [{"embedding": [1, 2]}]}', "no list of embeddings"),
        ('{"data": []}', r"gave 0 vectors, indexed \[\], for 2 texts"),
        ('{"data": [{"index": 0, "embedding": [1, 2]}]}', r"gave 1 vectors, indexed \[0\], for 2 texts"),
    ],
)
def test_an_answer_without_a_vector_for_each_text_is_refused(
    embedder: HttpEmbedder, server: OpenAIServer, body: str, message: str
) -> None:
    server.planned = [Answer(body=body)]
    with pytest.raises(EmbedderError, match=message):
        embedder.embed_documents(["one", "two"])


@pytest.mark.parametrize("indices", [(0, 0), (1, 2), (0, 1, 1)])
def test_indices_that_do_not_name_each_text_once_are_refused(
    embedder: HttpEmbedder, server: OpenAIServer, indices: tuple[int, ...]
) -> None:
    data = [{"index": index, "embedding": [1.0, 2.0]} for index in indices]
    server.planned = [Answer(body=json.dumps({"data": data}))]
    with pytest.raises(EmbedderError, match=f"gave {len(indices)} vectors, indexed"):
        embedder.embed_documents(["one", "two"])


@pytest.mark.parametrize("vectors", [([1.0, 2.0], [1.0]), (1.0, 2.0), ("AACAPw==", "AACAPw=="), (None, [1.0])])
def test_vectors_that_are_no_lists_of_numbers_of_one_width_are_refused(
    embedder: HttpEmbedder, server: OpenAIServer, vectors: tuple[object, object]
) -> None:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    server.planned = [Answer(body=json.dumps({"data": data}))]
    with pytest.raises(EmbedderError, match="/v1/embeddings gave"):
        embedder.embed_documents(["one", "two"])


def test_batches_of_different_widths_are_refused(server: OpenAIServer) -> None:
    server.planned = [Answer(body='{"data": [{"index": 0, "embedding": [1, 2]}]}')]
    with (
        HttpEmbedder(server.url, "tiny", batch_size=1) as embedder,
        pytest.raises(EmbedderError, match=r"gave vectors of \[2, 8\] dimensions"),
    ):
        embedder.embed_documents(["one", "two"])


# -- arguments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://host/v1", "http://", "http://host:port/v1"])
def test_a_url_that_is_none_of_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match="the url of the embedding server"):
        HttpEmbedder(url, "tiny")


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"max_retries": -1}, {"first_wait": -1}])
def test_a_number_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="allowed are batch_size from 1, the others from 0"):
        HttpEmbedder("http://localhost/v1", "tiny", **wrong)


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk–dash"])  # noqa: RUF001 - the dash is the fault
def test_a_key_that_no_header_may_carry_is_refused_without_telling_it(key: str) -> None:
    with pytest.raises(InvalidArgument, match="not printable ASCII") as raised:
        HttpEmbedder("http://localhost/v1", "tiny", api_key=key)
    assert "sk" not in str(raised.value)
