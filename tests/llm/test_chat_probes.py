"""What lists of models tell."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Probed
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.quirks import Quirks
from tests.llm.transports import KEY, Handler, answering, error, http

BASE = "http://llm.example.com/v1"


def probe(handler: Handler, model: str = "tiny", quirks: Quirks | None = None) -> Probed | None:
    async def run() -> Probed | None:
        http_client = http.AsyncClient(transport=http.MockTransport(handler))
        client = openai.AsyncOpenAI(api_key=KEY, base_url=BASE, max_retries=0, http_client=http_client)
        provider = ChatCompletions(Endpoint(BASE, KEY, "OPENAI_API_KEY"), quirks=quirks, client=client)
        try:
            return await provider.probe(model)
        finally:
            await provider.aclose()

    return asyncio.run(run())


def listing(*entries: dict[str, Any]) -> Handler:
    return answering(200, {"object": "list", "data": entries})


@pytest.mark.parametrize(
    ("entry", "probed"),
    [
        ({"shutdown_date": "2026-12-11"}, Probed(retires_on="2026-12-11")),
        ({"shutdown_date": None, "created": 1}, Probed()),
        ({"max_model_len": 32768, "owned_by": "vllm"}, Probed(32768)),
        ({"meta": {"n_ctx": 1024, "n_ctx_train": 131072}, "owned_by": "llamacpp"}, Probed(1024)),
        ({"max_input_tokens": 128000, "max_output_tokens": 16384}, Probed(128000, 16384)),
        (
            {
                "context_length": 262144,
                "top_provider": {"context_length": 131072, "max_completion_tokens": 8192},
                "expiration_date": "2027-01-31T00:00:00Z",
            },
            Probed(131072, 8192, "2027-01-31"),
        ),
        ({"context_window": 131072, "max_completion_tokens": 65536}, Probed(131072, 65536)),
        ({"max_context_length": 131072, "state": "loaded", "loaded_context_length": 4096}, Probed(4096)),
        ({"max_context_length": 131072, "state": "not-loaded"}, Probed()),
        ({"max_context_length": 131072, "loaded_instances": [{"config": {"context_length": 8192}}]}, Probed(8192)),
        ({"max_context_length": 131072, "loaded_instances": []}, Probed()),
        ({"max_model_len": "many", "meta": 3, "max_output_tokens": True}, Probed()),
    ],
)
def test_each_servers_words_are_understood(entry: dict[str, Any], probed: Probed) -> None:
    assert probe(listing({"id": "other"}, {"id": "tiny"} | entry)) == probed


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("models/gemini-3.5-flash", "gemini-3.5-flash"),
        ("tiny:latest", "tiny"),
        ("vendor/tiny", "vendor/tiny:nitro"),
        ("openai/*", "openai/gpt-6-luna"),
    ],
)
def test_models_are_known_by_their_other_spellings(listed: str, asked: str) -> None:
    assert probe(listing({"id": listed}), asked) == Probed()


def test_lm_studios_own_list_names_models_by_key() -> None:
    entry = {"key": "tiny", "max_context_length": 9, "loaded_instances": [{"config": {"context_length": 5}}]}
    assert probe(answering(200, {"models": [entry]})) == Probed(5)


def test_llama_server_answers_for_the_model_it_has() -> None:
    assert probe(listing({"id": "/models/x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 512}}), "any") == Probed(
        512
    )


def test_an_unknown_model_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(LlmSettingsError, match=r"doesn't know the model 'gpt-6-lana'. It has 2, e.g. gpt-6-luna"):
        probe(listing({"id": "gpt-6-luna"}, {"id": "whisper"}), "gpt-6-lana")
    with pytest.raises(LlmSettingsError, match="lists none"):
        probe(listing())


def test_deployments_need_not_be_listed() -> None:
    assert probe(listing({"id": "gpt-6-luna"}), "ours", Quirks(lists_all=False)) == Probed()


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_where_there_is_no_list_nothing_is_known(status: int) -> None:
    assert probe(answering(status, error("no"))) is None


def test_lists_are_tried_in_their_order_and_what_isnt_one_is_skipped() -> None:
    paths: list[str] = []

    def handler(request: Any) -> Any:
        paths.append(str(request.url))
        if len(paths) == 1:
            return http.Response(200, json={"error": "Unexpected endpoint or method. (GET /api/v1/models)"})
        if len(paths) == 2:
            return http.Response(404, json=error("no"))
        return http.Response(200, json={"data": [{"id": "tiny"}]})

    lists = ("http://llm.example.com/api/v1/models", "http://llm.example.com/api/v0/models", "/models")
    assert probe(handler, quirks=Quirks(lists=lists)) == Probed()
    assert paths == [*lists[:2], f"{BASE}/models"]


def test_a_refused_key_and_an_unreachable_server_are_named() -> None:
    with pytest.raises(LlmSettingsError, match="Set OPENAI_API_KEY to a valid key"):
        probe(answering(401, error(f"Incorrect API key provided: {KEY}")))
    with pytest.raises(TransientError, match="HTTP 503"):
        probe(answering(503, error("loading")))

    def refuse(request: Any) -> Any:
        raise http.ConnectError("Connection refused")

    with pytest.raises(TransientError, match="can't be reached"):
        probe(refuse)
    with pytest.raises(LlmError, match="malformed"):
        probe(answering(200, "{oops"))
