"""Ollama's native API, with a transport in place of the network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import msgspec
import pytest

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError
from dbt_describe.llm.config import EndpointConfig, LlmConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Probed, Reply, Request, Usage
from dbt_describe.llm.providers.ollama import OllamaConfig, normal_url
from dbt_describe.llm.providers.ollama_bodies import OllamaForm, Shown, shown_of, window_for
from dbt_describe.llm.providers.ollama_chat import OllamaChat
from dbt_describe.llm.providers.ollama_replies import reply_of
from dbt_describe.llm.routes import find_model
from tests.llm.fakes import RecordedSleep, gateway_of, question

URL = "http://localhost:11434"
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
Refuse = Callable[[dict[str, Any]], tuple[int, Any] | None]


def answer_body(text: str = "Because.", **fields: Any) -> dict[str, Any]:
    return {
        "model": "tiny:latest",
        "created_at": "2026-11-20T10:00:00Z",
        "message": {"role": "assistant", "content": text, "thinking": "Hm."},
        "done": True,
        "done_reason": "stop",
        "total_duration": 3_000_000_000,
        "load_duration": 1_500_000_000,
        "prompt_eval_count": 11,
        "eval_count": 7,
    } | fields


def show_body(window: int = 131_072, *capabilities: str, **fields: Any) -> dict[str, Any]:
    info = {"general.architecture": "llama", "llama.context_length": window, "llama.embedding_length": 4096}
    return {
        "model_info": info,
        "capabilities": ["completion", *capabilities],
        "parameters": 'stop    "<|eot|>"',
    } | fields


class Server:
    """Has one model; refuses what `refuse` returns a response for; remembers all paths and bodies of chats."""

    def __init__(
        self,
        refuse: Refuse = lambda _: None,
        show: tuple[int, Any] | None = None,
        answer: Any = None,
        installed: tuple[str, ...] = ("tiny:latest",),
    ) -> None:
        self.refuse = refuse
        self.show = show or (200, show_body())
        self.answer = answer if answer is not None else answer_body()
        self.installed = installed
        self.paths: list[str] = []
        self.chats: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.paths.append(f"{request.method} {request.url.path}")
        self.headers.append(request.headers)
        if request.url.path.endswith("/api/tags"):
            return httpx2.Response(200, json={"models": [{"name": name} for name in self.installed]})
        body = json.loads(request.content)
        if request.url.path.endswith("/api/show"):
            return httpx2.Response(self.show[0], json=self.show[1])
        self.chats.append(body)
        status, content = self.refuse(body) or (200, self.answer)
        if isinstance(content, (str, bytes)):
            return httpx2.Response(status, content=content)
        return httpx2.Response(status, json=content)


def ask(
    server: Callable[[httpx2.Request], httpx2.Response],
    *requests: Request,
    gateway: bool = False,
    learned: Forgetful | None = None,
    config: EndpointConfig | None = None,
    base_url: str = URL,
    key: str = "",
) -> Any:
    """The last answer, asked through the provider alone or through a gateway."""

    async def run() -> Reply:
        endpoint = Endpoint(base_url, key, "OLLAMA_API_KEY", name="ollama", config=config or OllamaConfig())
        inner = OllamaChat(endpoint, learned, transport=httpx2.MockTransport(server))
        completer = (
            gateway_of(inner, names=[request.model for request in requests] or ["openai/tiny"], sleep=RecordedSleep())
            if gateway
            else inner
        )
        try:
            for request in requests or (question(),):
                answer = await completer.complete(request)
        finally:
            await completer.aclose()
        return answer

    return asyncio.run(run())


def sent(config: OllamaConfig | None = None, show: Any = None, **fields: Any) -> dict[str, Any]:
    """The body of a chat."""
    server = Server(show=(200, show) if show else None)
    ask(server, question(**fields), config=config)
    return server.chats[0]


def failing(error: Exception) -> Callable[[httpx2.Request], httpx2.Response]:
    def handler(request: httpx2.Request) -> httpx2.Response:
        raise error

    return handler


def test_a_request_sets_the_window_and_forbids_to_drop_messages() -> None:
    assert sent(max_output_tokens=99) == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Why?"}],
        "stream": False,
        "truncate": False,
        "shift": False,
        "options": {"num_ctx": 32_768, "num_predict": 99},
    }


def test_settings_of_the_endpoint_and_the_temperature_are_sent() -> None:
    body = sent(OllamaConfig(num_ctx=8192, keep_alive="10m", think="low"), temperature=0.0)
    assert body["options"] == {"num_ctx": 8192, "num_predict": 4096, "temperature": 0.0}
    assert (body["keep_alive"], body["think"]) == ("10m", "low")


def test_the_schema_is_asked_for_and_said_in_words_at_the_end() -> None:
    body = sent(schema=SCHEMA, messages=(Message("system", "Rules."), Message("user", "Why?")))
    assert body["format"] == SCHEMA
    assert body["messages"][0]["content"] == "Rules."
    assert body["messages"][1]["content"].startswith("Why?\n\nAnswer with one JSON object")
    assert json.dumps(SCHEMA) in body["messages"][1]["content"]


@pytest.mark.parametrize(
    ("fields", "think"),
    [
        ({}, False),
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "minimal", "model": "ollama/gpt-oss:20b"}, "low"),
        ({"reasoning_effort": "high", "model": "ollama/gpt-oss:20b"}, "high"),
    ],
)
def test_a_thinking_model_thinks_only_where_an_effort_is_asked_for(fields: dict[str, Any], think: Any) -> None:
    assert sent(show=show_body(8192, "thinking"), **fields)["think"] == think
    assert "think" not in sent(**fields)


@pytest.mark.parametrize(
    ("needed", "shown", "loaded", "window"),
    [
        (500, Shown(), 0, 32_768),
        (500, Shown(131_072), 0, 32_768),
        (500, Shown(8192), 0, 8192),
        (500, Shown(131_072, num_ctx=4096), 0, 4096),
        (5000, Shown(131_072, num_ctx=4096), 0, 8192),
        (40_000, Shown(131_072), 0, 65_536),
        (500, Shown(131_072), 65_536, 65_536),
        (500_000, Shown(131_072), 0, 131_072),
        (500_000, Shown(40_000), 0, 40_000),
        (100_000, Shown(), 0, 131_072),
    ],
)
def test_the_window_is_as_large_as_requests_need_and_never_shrinks(
    needed: int, shown: Shown, loaded: int, window: int
) -> None:
    assert window_for(needed, shown, loaded) == window


def test_all_requests_of_a_model_get_the_same_window_until_one_needs_more() -> None:
    server = Server()
    large = question(messages=(Message("user", "x" * 120_000),))
    ask(server, question(), large, question(purpose="review"))
    assert [chat["options"]["num_ctx"] for chat in server.chats] == [32_768, 65_536, 65_536]
    assert server.paths == ["POST /api/show", *["POST /api/chat"] * 3]


def test_an_estimate_that_was_too_low_costs_one_request_a_doubling() -> None:
    refusal = (400, {"error": "the input length exceeds the context length"})
    server = Server(lambda body: refusal if body["options"]["num_ctx"] < 131_072 else None)
    assert ask(server, gateway=True).attempts == 3
    assert [chat["options"]["num_ctx"] for chat in server.chats] == [32_768, 65_536, 131_072]


@pytest.mark.parametrize(
    ("config", "show", "limit"),
    [
        (OllamaConfig(num_ctx=4096), show_body(), 4096),
        (OllamaConfig(), show_body(8192), 8192),
        (OllamaConfig(), {"capabilities": ["completion"]}, 32_768),
    ],
)
def test_an_overflow_of_the_longest_window_names_it(config: OllamaConfig, show: Any, limit: int) -> None:
    server = Server(lambda _: (400, {"error": "the input length exceeds the context length"}), (200, show))
    with pytest.raises(ContextWindowExceededError) as caught:
        ask(server, config=config, gateway=True)
    assert caught.value.limit_tokens == limit
    assert len(server.chats) == 1


def test_the_facts_of_a_model_are_read_whatever_the_server_leaves_out() -> None:
    assert shown_of({}) == Shown()
    assert shown_of({"model_info": 3, "capabilities": "thinking", "parameters": None}) == Shown()
    assert shown_of(show_body(8192, "thinking", parameters="num_ctx 4096\nstop x")) == Shown(8192, 4096, thinks=True)
    assert shown_of({"capabilities": ["embedding"], "remote_host": "https://ollama.com"}) == Shown(
        chats=False, is_remote=True
    )


def test_a_server_without_show_is_asked_all_the_same() -> None:
    server = Server(show=(405, {"error": "method not allowed"}))
    assert ask(server).text == "Because."
    assert server.chats[0]["options"]["num_ctx"] == 32_768


def test_the_reply_holds_text_without_thinking_tokens_and_the_time_to_load() -> None:
    answer = ask(Server())
    assert (answer.text, answer.finish_reason, answer.model) == ("Because.", "stop", "tiny:latest")
    assert answer.usage == Usage(11, 7)
    assert answer.first_token_s is None


def test_an_answer_cut_off_says_so() -> None:
    assert ask(Server(answer=answer_body(done_reason="length"))).finish_reason == "length"


def kinds(server: Server) -> list[str]:
    return ["json_object" if chat.get("format") == "json" else "json_schema" if "format" in chat else "prompt"
            for chat in server.chats]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "structured outputs are not supported"),
        (400, 'invalid format: expected "json" or a JSON schema'),
        (500, "failed to load model vocabulary required for format"),
        (500, "failed to parse grammar"),
    ],
)
def test_the_ladder_costs_one_request_a_step_and_is_remembered(status: int, text: str) -> None:
    server = Server(lambda body: (status, {"error": text}) if "format" in body else None)
    learned = Forgetful()
    assert ask(server, question(schema=SCHEMA), gateway=True, learned=learned).attempts == 3
    assert kinds(server) == ["json_schema", "json_object", "prompt"]
    ask(server, question(schema=SCHEMA), gateway=True, learned=learned)
    assert kinds(server)[3:] == ["prompt"]


def test_ollama_cloud_is_not_asked_for_a_schema() -> None:
    for base_url, model in (("https://ollama.com", "tiny"), (URL, "gpt-oss:120b-cloud")):
        server = Server()
        ask(server, question(schema=SCHEMA, model=f"ollama/{model}"), base_url=base_url)
        assert kinds(server) == ["prompt"]
    server = Server(show=(200, show_body(remote_host="https://ollama.com:443")))
    ask(server, question(schema=SCHEMA))
    assert kinds(server) == ["prompt"]


def test_thinking_that_is_refused_is_left_out() -> None:
    server = Server(lambda body: (400, {"error": '"tiny" does not support thinking'}) if "think" in body else None)
    ask(server, question(), question(purpose="review"), gateway=True, config=OllamaConfig(think=True))
    assert ["think" in chat for chat in server.chats] == [True, False, False]


def test_what_another_version_learned_is_forgotten() -> None:
    learned = Forgetful()
    learned.learn("form", "localhost:11434", "tiny", '{"level": 2, "limit_name": "max_tokens"}')
    server = Server()
    ask(server, question(schema=SCHEMA), learned=learned)
    assert kinds(server) == ["json_schema"]
    assert msgspec.json.decode(b'{"level": "prompt"}', type=OllamaForm).level == "prompt"


def test_a_model_that_is_not_there_is_named_with_the_nearest_one_and_the_command_that_gets_it() -> None:
    missing = (404, {"error": "model 'tinny' not found"})
    server = Server(show=missing, installed=("tiny:latest", "qwen3:8b"))
    with pytest.raises(LlmSettingsError) as caught:
        ask(server, question(model="ollama/tinny"))
    assert str(caught.value) == (
        "localhost:11434 doesn't have the model 'tinny'. Did you mean tiny? "
        "Get it with `ollama pull tinny`. It has tiny, qwen3:8b."
    )
    assert server.paths == ["POST /api/show", "GET /api/tags"]


def test_a_model_that_was_deleted_meanwhile_is_named_too() -> None:
    server = Server(lambda _: (404, {"error": 'model "tiny" not found, try pulling it first'}), installed=())
    with pytest.raises(LlmSettingsError, match="Get it with `ollama pull tiny`"):
        ask(server)


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (401, {"error": "unauthorized"}, LlmSettingsError, "Set OLLAMA_API_KEY"),
        (404, "404 page not found", LlmSettingsError, "has no /api/chat"),
        (400, {"error": '"tiny" does not support chat'}, LlmSettingsError, "writes no texts"),
        (400, {"error": "invalid character"}, LlmError, "refused the request"),
        (500, {"error": "model requires more system memory (9 GiB) than is available (2 GiB)"}, LlmSettingsError,
         "a smaller num_ctx"),
        (500, {"error": "llama runner process has terminated"}, TransientError, "HTTP 500"),
        (502, "<html>Bad gateway</html>", TransientError, "an HTML page"),
        (503, {"error": "server busy, please try again. maximum pending requests exceeded"}, TransientError, "busy"),
        (200, {"error": "an error was encountered while running the model"}, TransientError, "running the model"),
        (200, {"done": True}, TransientError, "without any message"),
        (200, "<html>Welcome</html>", LlmError, "answered HTML"),
        (200, '{"message": {"cont', TransientError, "malformed JSON"),
    ],
)  # fmt: skip
def test_each_failure_is_one_of_our_errors(status: int, body: Any, expected: type[LlmError], words: str) -> None:
    with pytest.raises(LlmError, match=words) as caught:
        ask(Server(lambda _: (status, body)))
    assert type(caught.value) is expected


def test_a_server_that_does_not_run_is_said_how_to_start() -> None:
    with pytest.raises(TransientError, match="Start it with `ollama serve`, or set OLLAMA_BASE_URL"):
        ask(failing(httpx2.ConnectError("All connection attempts failed")))
    with pytest.raises(TransientError, match="gave no answer within 120 s"):
        ask(failing(httpx2.ReadTimeout("")))


def test_a_403_after_an_answer_blames_the_request_and_not_the_key() -> None:
    server = Server(lambda _: (403, {"error": "No."}) if len(server.chats) > 1 else None)
    with pytest.raises(LlmError) as caught:
        ask(server, question(), question())
    assert type(caught.value) is LlmError


def test_a_request_that_cannot_be_written_down_fails_alone() -> None:
    with pytest.raises(LlmError, match=r"failed: .*surrogates"):
        ask(Server(), question(messages=(Message("user", "\ud800"),)))


def lines(*bodies: Any) -> bytes:
    return b"".join((body if isinstance(body, bytes) else json.dumps(body).encode()) + b"\n" for body in bodies)


def part(text: str) -> dict[str, Any]:
    return {"model": "tiny:latest", "message": {"role": "assistant", "content": text}, "done": False}


def streamed(*bodies: Any) -> tuple[Any, list[str]]:
    """The reply to a streamed request, or its error, and the pieces that were shown."""
    shown: list[str] = []
    try:
        return ask(Server(answer=lines(*bodies)), question(on_text=shown.append)), shown
    except LlmError as error:
        return error, shown


def test_a_stream_shows_each_piece_and_ends_in_the_whole_answer() -> None:
    thinking = {"message": {"content": "", "thinking": "Hm."}, "done": False}
    answer, shown = streamed(thinking, part("Be"), b"", part("cau"), part("se."), answer_body(""))
    assert shown == ["Be", "cau", "se."]
    assert (answer.text, answer.usage, answer.finish_reason) == ("Because.", Usage(11, 7), "stop")
    assert 0 <= answer.first_token_s <= answer.latency_s


def test_only_a_line_feed_ends_a_line_of_a_stream() -> None:
    line = json.dumps(part("a\u0085b\u2028c"), ensure_ascii=False).encode()
    answer, _ = streamed(line, answer_body(""))
    assert answer.text == "a\u0085b\u2028c"


def test_an_error_line_in_a_stream_may_be_asked_again_only_before_the_first_piece() -> None:
    error, shown = streamed({"error": "model runner has unexpectedly stopped"})
    assert (type(error), shown) == (TransientError, [])
    error, shown = streamed(part("Be"), {"error": "model runner has unexpectedly stopped"})
    assert (type(error), shown) == (LlmError, ["Be"])
    assert "Part of the answer had come" in str(error)


@pytest.mark.parametrize(("body", "words"), [(b"{", "streamed malformed JSON"), (b"", "broke off")])
def test_a_stream_that_does_not_end_is_an_error(body: bytes, words: str) -> None:
    error, _ = streamed(body)
    assert type(error) is TransientError
    assert words in str(error)


def probed(server: Server, config: OllamaConfig | None = None, model: str = "tiny") -> Probed | None:
    async def run() -> Probed | None:
        endpoint = Endpoint(URL, name="ollama", config=config or OllamaConfig())
        provider = OllamaChat(endpoint, transport=httpx2.MockTransport(server))
        try:
            return await provider.probe(model)
        finally:
            await provider.aclose()

    return asyncio.run(run())


def test_a_probe_tells_the_window_that_requests_can_have() -> None:
    assert probed(Server()) == Probed(131_072)
    assert probed(Server(), OllamaConfig(num_ctx=8192)) == Probed(8192)


def test_a_probe_refuses_a_model_that_is_not_there_or_does_not_write() -> None:
    with pytest.raises(LlmSettingsError, match="Did you mean tiny"):
        probed(Server(show=(404, {"error": "model 'tinny' not found"})), model="tinny")
    with pytest.raises(LlmSettingsError, match="writes no texts"):
        probed(Server(show=(200, {"capabilities": ["embedding"]})))
    with pytest.raises(TransientError, match="HTTP 503"):
        probed(Server(show=(503, {"error": "starting"})))


def test_a_key_is_sent_only_where_there_is_one() -> None:
    server = Server()
    ask(server, key="ollama-key-1", config=OllamaConfig(headers={"x-team": "data"}))
    assert {(headers["authorization"], headers["x-team"]) for headers in server.headers} == {
        ("Bearer ollama-key-1", "data")
    }
    server = Server()
    ask(server, config=EndpointConfig())
    assert "authorization" not in server.headers[0]
    with pytest.raises(LlmSettingsError, match="can't be a key"):
        ask(server, key="two words")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434"),
        ("http://gpu:11434/v1/", "http://gpu:11434"),
        ("https://ollama.com/api", "https://ollama.com"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("gpu.example.com", "http://gpu.example.com:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[::]", "http://[::1]:11434"),
        ("host:port", "host:port"),
        ("", ""),
    ],
)
def test_urls_are_read_as_dbt_osmosis_and_ollama_write_them(written: str, url: str) -> None:
    assert normal_url(written) == url


def test_the_environment_says_where_ollama_is() -> None:
    def found(**environ: str) -> str:
        return find_model("ollama/tiny", LlmConfig(), environ).endpoints[0].base_url

    assert found() == "http://localhost:11434"
    assert found(OLLAMA_HOST="0.0.0.0:8080") == "http://127.0.0.1:8080"
    assert found(OLLAMA_HOST="gpu", OLLAMA_BASE_URL="http://other:1/v1") == "http://other:1"
    with pytest.raises(LlmSettingsError, match=r"no http\(s\) URL"):
        found(OLLAMA_HOST="host:port")


def test_an_answer_without_counts_is_told_from_one_that_used_nothing() -> None:
    bare = answer_body()
    assert reply_of(bare, Endpoint(URL), "tiny").has_usage
    del bare["prompt_eval_count"], bare["eval_count"]
    assert not reply_of(bare, Endpoint(URL), "tiny").has_usage
