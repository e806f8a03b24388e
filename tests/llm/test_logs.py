"""What is logged: names and sizes always, texts only where asked for, keys never."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.logs import BODIES, Logged, close_bodies, open_bodies
from dbt_describe.llm.messages import Completer, Message, Reply, Request, Usage
from dbt_describe.llm.redaction import MASK, redact
from tests.llm.fakes import FakeCompleter, gateway_of, model_of, question, reply

KEY = "plain-looking-key-4711"
REQUEST = question(
    node="model.shop.orders",
    prompt="model 1",
    attempt=2,
    messages=(Message("system", "Be brief, please."), Message("user", f"Describe secret_sauce with {KEY}.")),
    input_tokens=1234,
    fragments={"instructions": 1000, "sql": 234},
    schema={"type": "object"},
)


def ticking() -> Iterator[float]:
    moment = 0.0
    while True:
        yield moment
        moment += 1.5


def logged(inner: Completer) -> Logged:
    ticks = ticking()
    return Logged(inner, "host/v1", (KEY,), clock=lambda: next(ticks))


def ask(inner: Completer, request: Request = REQUEST) -> None:
    with contextlib.suppress(LlmError):
        asyncio.run(logged(inner).complete(request))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "dbt_describe.llm")
    return caplog


def test_an_exchange_is_told_by_names_and_sizes(lines: pytest.LogCaptureFixture) -> None:
    usage = Usage(1300, 40, 1000, 8, cache_write_tokens=200)
    ask(FakeCompleter(reply("Nice words.", usage=usage, model="tiny-2026", request_id="req_1", first_token_s=0.25)))
    assert lines.messages == [
        "model.shop.orders: asking openai/tiny at host/v1, draft, model 1; attempt 2; system 17 + user 50 characters; "
        "about 1,234 tokens (instructions 1,000, sql 234); at most 4,096 tokens out; schema answer",
        "model.shop.orders: stop after 1.50 s, the first piece after 0.25 s; 1,300 tokens in, 40 out, 1,000 cached, "
        "200 written to the cache, 8 reasoning; 11 characters; tiny-2026; request req_1",
    ]


def test_a_failure_is_told_by_its_class(lines: pytest.LogCaptureFixture) -> None:
    ask(FakeCompleter(TransientError(f"The server says: {KEY} is odd")))
    assert lines.messages[-1] == "model.shop.orders: TransientError after 1.50 s"


def test_neither_texts_nor_keys_reach_the_log(lines: pytest.LogCaptureFixture) -> None:
    for inner in (FakeCompleter(reply("Nice words.")), FakeCompleter(LlmError(f"Nice words. {KEY}"))):
        ask(inner)
    for text in ("Be brief", "secret_sauce", "Nice words", KEY):
        assert text not in lines.text


def test_nothing_is_written_at_other_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dbt_describe.llm")
    ask(FakeCompleter(reply()))
    assert caplog.messages == []


def test_texts_stay_out_of_other_loggers_handlers_even_while_they_are_written_down(tmp_path: Path) -> None:
    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    seen: list[logging.LogRecord] = []
    others = Collecting(logging.NOTSET)
    package = logging.getLogger("dbt_describe")
    handler = open_bodies(tmp_path / "bodies.jsonl")
    for logger in (logging.root, package):
        logger.addHandler(others)
    ask(FakeCompleter(reply("Nice words.")))
    for logger in (logging.root, package):
        logger.removeHandler(others)
    close_bodies(handler)
    assert (tmp_path / "bodies.jsonl").stat().st_size
    assert [record.name for record in seen if record.name.endswith("bodies")] == []


def test_bodies_are_written_where_asked_for_and_only_as_long(tmp_path: Path) -> None:
    path = tmp_path / "bodies.jsonl"
    handler = open_bodies(path, ["from-the-environment"])
    ask(FakeCompleter(reply(f"Nice words from-the-environment, sk-abcdefgh and {KEY}.", request_id="req_1")))
    ask(FakeCompleter(TransientError("odd")))
    close_bodies(handler)
    ask(FakeCompleter(reply("Never written.")))
    answered, failed = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert answered | {"at": 0} == {
        "at": 0,
        "node": "model.shop.orders",
        "purpose": "draft",
        "prompt": "model 1",
        "model": "openai/tiny",
        "endpoint": "host/v1",
        "attempt": 2,
        "messages": [
            {"role": "system", "content": "Be brief, please."},
            {"role": "user", "content": f"Describe secret_sauce with {MASK}."},
        ],
        "reply": f"Nice words {MASK}, {MASK} and {MASK}.",
        "refusal": "",
        "finish_reason": "stop",
        "error": "",
        "request_id": "req_1",
        "latency_s": 0.0,
    }
    assert (failed["reply"], failed["error"], failed["latency_s"]) == ("", "TransientError", 1.5)


def test_the_file_is_its_owners_alone_and_what_it_held_stays(tmp_path: Path) -> None:
    path = tmp_path / "bodies.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    path.chmod(0o644)
    handler = open_bodies(path)
    ask(FakeCompleter(reply()))
    close_bodies(handler)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_a_file_that_cant_be_written_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(LlmSettingsError, match=r"--log-bodies .*nowhere.* can't be written"):
        open_bodies(tmp_path / "nowhere/bodies.jsonl")
    assert not BODIES.isEnabledFor(logging.CRITICAL)


def test_a_full_disk_ends_the_writing_and_not_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: str) -> int:
        raise OSError(28, "No space left on device")

    handler = open_bodies(tmp_path / "bodies.jsonl")
    monkeypatch.setattr(handler._file, "write", full)
    for _ in range(3):
        ask(FakeCompleter(reply()))
    monkeypatch.undo()
    close_bodies(handler)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == ["Requests and answers aren't written down any more: No space left on device."]


def test_every_attempt_of_a_gateway_is_logged(lines: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    async def ask_twice() -> Reply:
        async with gateway_of(fake, model, sleep=no_wait) as gateway:
            return await gateway.complete(question(messages=(Message("user", f"With {KEY}."),)))

    async def no_wait(_: float) -> None:
        return None

    fake = FakeCompleter(TransientError("busy"), reply())
    served = model_of(fake)
    model = type(served)(served.model, served.spec, (Endpoint("https://host/v1", api_key=KEY),))
    handler = open_bodies(tmp_path / "bodies.jsonl")
    asyncio.run(ask_twice())
    close_bodies(handler)
    assert [message.split("; ")[1] for message in lines.messages if "asking" in message] == ["attempt 1", "attempt 2"]
    assert KEY not in (tmp_path / "bodies.jsonl").read_text(encoding="utf-8") + lines.text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("sk-proj-abcdef123456 and more", "*** and more"),
        ("key AIzaSyA1234567890abc.", "key ***."),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        ("ghp_16C7e42F292c6912E7 github_pat_11ABCDEFG0123", "*** ***"),
        ("Authorization: Bearer abc.def-123456789", "Authorization: ***"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "***"),
        ('"api_key": "whatever12"', '"api_key": "***"'),
        ("password=hunter22 user=me", "password=*** user=me"),
        ("postgres://me:hunter2@host/db", "postgres://me:***@host/db"),
        ("select sk_customer, pk_orders_history, asian_pacific from keys", None),
        ("The customer's key: 12.", None),
    ],
)
def test_what_looks_like_a_key_is_masked_and_columns_arent(text: str, redacted: str | None) -> None:
    assert redact(text) == (text if redacted is None else redacted)


@given(st.text(min_size=8), st.text(), st.text())
def test_a_known_secret_never_stays(secret: str, before: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret]) or secret in MASK * 3


def test_a_short_secret_is_no_secret() -> None:
    assert redact("none of the keys", ["none", ""]) == "none of the keys"
