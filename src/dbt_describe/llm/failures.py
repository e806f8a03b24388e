"""What a failed call means, whatever the provider: which of our errors it is."""

from __future__ import annotations

import re

import msgspec

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.messages import RateLimit, Usage

# Codes and types of a 429 or 402 that no waiting cures.
# Source: openai/codex's list and Anthropic's error reference, 2026-11.
QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_error",
        "billing_hard_limit_reached",
        # Ours, for a quota of Gemini's that lasts a day.
        "daily_quota_exceeded",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_spend_limit_reached",
    }
)
# Gemini's answer to a bad key is a 400.
AUTH_CODES = frozenset({"api_key_invalid", "api_key_service_blocked"})
# Groq: the model didn't keep to the schema by itself; asked again it may. Source: console.groq.com, 2026-11.
FLAKY_CODES = frozenset({"json_validate_failed"})
# 409 is a lock conflict at OpenAI and Anthropic, 498 Groq's full flex tier, 529 Anthropic's "overloaded".
TRANSIENT_STATUSES = frozenset({408, 409, 429, 498, 500, 502, 503, 504, 529})
# 503 is what Ollama answers when its queue is full.
OVERLOAD_STATUSES = frozenset({498, 503, 529})
CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
# How OpenAI, Anthropic, llama-server, LiteLLM, Gemini, Ollama, Cerebras, vLLM, LM Studio, Groq and TGI word an
# overflow (2026-11).
_CONTEXT_WORDS = re.compile(
    r"maximum context length|context[ _]?(?:length|window|size)(?: has been)?[ _]?exceed"
    r"|exceeds? the (?:available )?context"
    r"|prompt is too long|exceeds the maximum number of tokens allowed|input length exceeds the context"
    r"|current length is \d+ while limit is \d+|contextwindowexceedederror|exceeds? (?:the )?model'?s? context"
    r"|context the overflows|context overflow|request too large|exceed context limit"
    r"|inputs`? tokens \+ `?max_new_tokens`? must be <=|inputs`? must have less than \d+ tokens",
    re.IGNORECASE,
)
# The number of tokens that the same messages name as the limit.
_CONTEXT_LIMIT = re.compile(
    r"(?:maximum context length is|limit is|limit:?|> ?|must be <= ?|must have less than "
    r"|context (?:length|window|size)(?: of| is|:)?|n_ctx\W{1,4})"
    # Anthropic's sum of prompt and answer, "limit: 190000 + 20000 > 200000", isn't the limit.
    r" ?\(?(\d{3,8})(?![\d ]*\+)",
    re.IGNORECASE,
)
# Anthropic's 400 for an empty account is of the type of any invalid request (2026-11).
_QUOTA_WORDS = re.compile(r"credit balance is too low", re.IGNORECASE)
_CONTENT_CODES = frozenset({"content_filter", "responsibleaipolicyviolation", "content_policy_violation"})
_SECRET = re.compile(
    r"\b(?:sk|gsk|key|pk|rk)[-_][\w*\-]{6,}|\bBearer\s+\S+|\bAIza[\w-]{10,}|\beyJ[\w-]{10,}\.[\w.-]+", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_QUOTED_CHARACTERS = 240
SHORTEST_SECRET = 8


class TransientError(LlmError):
    """It may work in a moment. `retry_after_s` is what the server asked for, or None.

    `rate_limits` is what the response's headers say of the limits; `is_overload`: the server has too much to do now.
    """

    def __init__(
        self,
        message: str,
        retry_after_s: float | None = None,
        *,
        is_rate_limit: bool = False,
        is_overload: bool = False,
        rate_limits: tuple[RateLimit, ...] = (),
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_rate_limit = is_rate_limit
        self.is_elsewhere_free = False
        """Whether another endpoint of the same model may be asked at once."""
        self.is_overload = is_overload
        self.rate_limits = rate_limits


class AdaptedError(LlmError):
    """The server refused a form of the request, and the provider has learned another: send it again at once."""


class BlockedError(LlmError):
    """A content filter refused the request; another model might not."""


class BrokenOffError(LlmError):
    """An answer ended after its first pieces were shown: asking again would show it twice."""


class Fault(msgspec.Struct, frozen=True):
    """A provider's error, reduced to what decides its class. `endpoint` is host and path, without credentials."""

    status: int
    message: str
    endpoint: str
    model: str
    code: str = ""
    type: str = ""
    retry_after_s: float | None = None
    key_variable: str = ""
    """The environment variable that holds the credentials."""
    rate_limits: tuple[RateLimit, ...] = ()
    limit_tokens: int = 0
    """The model's window where the body names it in a field of its own."""


def error_of(fault: Fault) -> LlmError:
    """The error that a refused request amounts to; its message says what to do."""
    said = f'"{fault.message}"' if fault.message else "no explanation"
    codes = {fault.code.lower(), fault.type.lower()}
    if fault.status == 402 or codes & QUOTA_CODES or _QUOTA_WORDS.search(fault.message):
        return QuotaError(
            f"{fault.endpoint} refuses to bill more requests: {said}. Check the account's plan and limits."
        )
    if fault.status in {401, 403} or codes & AUTH_CODES:
        return LlmSettingsError(
            f"{fault.endpoint} refused the credentials (HTTP {fault.status}): {said}. "
            f"Set {fault.key_variable or 'the key'} to a valid key for this endpoint."
        )
    if is_context_overflow(fault):
        limit = _CONTEXT_LIMIT.search(fault.message)
        limit_tokens = fault.limit_tokens or (int(limit[1]) if limit else 0)
        return ContextWindowExceededError(
            f"The request is larger than the window of {fault.model}: {said}.", limit_tokens
        )
    if codes & _CONTENT_CODES:
        return BlockedError(f"{fault.endpoint} blocked the request by its content policy: {said}.")
    if fault.status in TRANSIENT_STATUSES or fault.status >= 500 or codes & FLAKY_CODES:
        return TransientError(
            f"{fault.endpoint} answered HTTP {fault.status}: {said}.",
            fault.retry_after_s,
            is_rate_limit=fault.status == 429,
            is_overload=fault.status in OVERLOAD_STATUSES,
            rate_limits=fault.rate_limits,
        )
    if fault.status == 404:
        return _not_found(fault, said)
    return LlmError(f"{fault.endpoint} refused the request for {fault.model} (HTTP {fault.status}): {said}.")


def is_context_overflow(fault: Fault) -> bool:
    """Whether the request was refused for its length, in any provider's words."""
    if fault.status == 413:
        return True
    # A 429 is one only where no wait makes room for the request: it is larger than a whole minute's tokens.
    if fault.status == 429:
        return "request too large" in fault.message.lower()
    if fault.status not in {400, 422, 500}:
        return False
    return bool({fault.code.lower(), fault.type.lower()} & CONTEXT_CODES or _CONTEXT_WORDS.search(fault.message))


def billed(error: LlmError, usage: Usage) -> LlmError:
    """The error with what the failed request used, unless that is known already."""
    if not error.billed_input_tokens and not error.billed_output_tokens:
        error.billed_input_tokens, error.billed_output_tokens = usage.input_tokens, usage.output_tokens
    return error


def quotable(text: object, *secrets: str) -> str:
    """A server's words on one line of at most 240 characters, without control characters, `secrets` or other keys."""
    line = _CONTROL.sub(" ", str(text))
    for secret in sorted(secrets, key=len, reverse=True):
        # Local servers take any key: masking `k` or `none` would only garble the words.
        if len(secret) >= SHORTEST_SECRET:
            line = line.replace(secret, "***")
    line = " ".join(_SECRET.sub("***", line).split())
    return line if len(line) <= _QUOTED_CHARACTERS else line[: _QUOTED_CHARACTERS - 1] + "…"


def _not_found(fault: Fault, said: str) -> LlmSettingsError:
    # Azure's models are deployments.
    if re.search("model|deployment", f"{fault.message} {fault.code}", re.IGNORECASE):
        return LlmSettingsError(
            f"{fault.endpoint} doesn't know the model {fault.model!r}: {said}. "
            "Check its spelling and that this key may use it."
        )
    return LlmSettingsError(
        f"{fault.endpoint} has no chat completions there (HTTP 404): {said}. "
        f"Check the base URL (it usually ends in /v1) and the model name {fault.model!r}."
    )
