"""How each provider's batch protocol puts a batch, and one of its results; see `batch_server.py`."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integration_tests.openai_server import completion

Answer = Callable[[dict[str, Any]], str]
Asked = list[tuple[str, dict[str, Any]]]
Result = tuple[str, str, dict[str, Any]]
_STATUSES = {"busy": 429, "bad": 400}


class Protocol:
    """OpenAI's, which Azure and Groq speak, too."""

    prefix = "batch_"
    missing: Mapping[str, Any] = {"error": {"message": "No batch found", "type": "invalid_request_error"}}

    def text_of(self, body: dict[str, Any]) -> str:
        """What a request says."""
        return "\n".join(str(message["content"]) for message in self.as_chat(body)["messages"])

    def as_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request as the body of a chat completion."""
        return body

    def reply(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        """An answer to a request."""
        return completion(body, text)

    def created(self, body: dict[str, Any], files: Mapping[str, bytes]) -> tuple[str, str, Asked]:
        """Name, file and requests of a new batch."""
        assert body["completion_window"] == "24h"
        file_id = body["input_file_id"]
        lines = [json.loads(line) for line in files.get(file_id, b"").splitlines()]
        assert all(line["method"] == "POST" and line["url"] == body["endpoint"] for line in lines)
        assert len({line["body"]["model"] for line in lines}) <= 1
        return body["metadata"]["dbt_describe_batch"], file_id, [(line["custom_id"], line["body"]) for line in lines]

    def shown(self, batch: Any, state: str, results: Sequence[Result], _: Answer | None = None) -> dict[str, Any]:
        """A batch as it is told."""
        is_final = state not in {"validating", "in_progress"}
        errors = [{"code": "invalid_line", "message": "Bad line", "line": 1}] if state == "failed" else []
        failed = sum(bool(fate) for _, fate, _ in results)
        has_files = is_final and state != "failed"
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": {"object": "list", "data": errors} if errors else None,
            "input_file_id": batch.file_id,
            "completion_window": "24h",
            "status": state,
            "output_file_id": f"file-out-{batch.id}" if has_files and failed < len(results) else None,
            "error_file_id": f"file-err-{batch.id}" if has_files and failed else None,
            "created_at": int(datetime.datetime.now(datetime.UTC).timestamp()),
            "request_counts": {"total": len(batch.asked), "completed": len(results) - failed, "failed": failed},
            "metadata": {"dbt_describe_batch": batch.name},
        }

    def listed(self, batches: list[dict[str, Any]]) -> dict[str, Any]:
        """A list of batches."""
        return {"object": "list", "data": batches, "has_more": False}

    def line(self, custom_id: str, fate: str, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """One result."""
        if fate in {"expired", "cancelled"}:
            error = {"code": f"batch_{fate}", "message": "This request could not be executed."}
            return {"id": "batch_req_1", "custom_id": custom_id, "response": None, "error": error}
        reply: dict[str, Any] = {"error": {"message": f"It is {fate}", "type": "error", "param": None, "code": None}}
        if not fate:
            reply = self.reply(body, answer(self.as_chat(body)))
        response = {"status_code": _STATUSES.get(fate, 200), "request_id": "req_1", "body": reply}
        return {"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": None}


class _Anthropic(Protocol):
    prefix = "msgbatch_"
    missing: Mapping[str, Any] = {"type": "error", "error": {"type": "not_found_error", "message": "No such batch"}}

    def as_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        system = body.get("system") or []
        texts = [block["text"] for block in system]
        turns = [{"role": "system", "content": text} for text in texts]
        for message in body["messages"]:
            content = message["content"]
            text = content if isinstance(content, str) else "".join(block["text"] for block in content)
            turns.append({"role": message["role"], "content": text})
        schema = body.get("output_config", {}).get("format", {}).get("schema")
        return {"model": body["model"], "messages": turns} | (_asking(schema) if schema else {})

    def reply(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        asked = "".join(message["content"] for message in self.as_chat(body)["messages"])
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": len(asked) // 4, "output_tokens": len(text) // 4, "service_tier": "batch"},
        }

    def created(self, body: dict[str, Any], files: Mapping[str, bytes]) -> tuple[str, str, Asked]:
        asked = [(one["custom_id"], one["params"]) for one in body["requests"]]
        assert all(params["max_tokens"] > 0 and "stream" not in params for _, params in asked)
        assert len({custom_id for custom_id, _ in asked}) == len(asked)
        return "", "", asked

    def shown(self, batch: Any, state: str, results: Sequence[Result], _: Answer | None = None) -> dict[str, Any]:
        is_final = state not in {"validating", "in_progress"}
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if not is_final:
            counts["processing"] = len(batch.asked)
        for _custom_id, fate, _body in results if is_final else ():
            counts[{"": "succeeded", "expired": "expired", "cancelled": "canceled"}.get(fate, "errored")] += 1
        if is_final and not results:
            counts["succeeded"] = len(batch.asked)
        now = datetime.datetime.now(datetime.UTC).isoformat()
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if is_final else "in_progress",
            "request_counts": counts,
            "created_at": now,
            "expires_at": now,
            "ended_at": now if is_final else None,
            "cancel_initiated_at": now if batch.cancelled else None,
            "archived_at": None,
            "results_url": f"https://elsewhere.example/{batch.id}" if is_final else None,
        }

    def listed(self, batches: list[dict[str, Any]]) -> dict[str, Any]:
        return {"data": batches, "has_more": False, "first_id": None, "last_id": batches[-1]["id"] if batches else None}

    def line(self, custom_id: str, fate: str, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        result: dict[str, Any] = {"type": {"expired": "expired", "cancelled": "canceled"}.get(fate, "errored")}
        if not fate:
            result = {"type": "succeeded", "message": self.reply(body, answer(self.as_chat(body)))}
        elif result["type"] == "errored":
            kind = "rate_limit_error" if fate == "busy" else "invalid_request_error"
            result["error"] = {"type": "error", "error": {"type": kind, "message": f"It is {fate}"}}
        return {"custom_id": custom_id, "result": result}


class _Gemini(Protocol):
    prefix = "batches/b"
    missing: Mapping[str, Any] = {"error": {"code": 404, "message": "No such batch", "status": "NOT_FOUND"}}

    def as_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        if "messages" in body:
            return body
        system = body.get("systemInstruction", {}).get("parts", [])
        turns = [{"role": "system", "content": part["text"]} for part in system]
        turns += [
            {"role": turn["role"].replace("model", "assistant"), "content": part["text"]}
            for turn in body["contents"]
            for part in turn["parts"]
        ]
        schema = body["generationConfig"].get("responseJsonSchema")
        return {"model": body["model"], "messages": turns} | (_asking(schema) if schema else {})

    def reply(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        if "messages" in body:
            return completion(body, text)
        thought = {"text": "Let me think.", "thought": True}
        return {
            "candidates": [{"content": {"role": "model", "parts": [thought, {"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": len(self.text_of(body)) // 4,
                "candidatesTokenCount": len(text) // 4,
                "thoughtsTokenCount": 3,
            },
            "modelVersion": body["model"].removeprefix("models/"),
        }

    def created(self, body: dict[str, Any], files: Mapping[str, bytes]) -> tuple[str, str, Asked]:
        batch = body["batch"]
        requests = batch["inputConfig"]["requests"]["requests"]
        return batch["displayName"], "", [(one["metadata"]["key"], one["request"]) for one in requests]

    def shown(self, batch: Any, state: str, results: Sequence[Result], answer: Answer | None = None) -> dict[str, Any]:
        words = {"validating": "PENDING", "in_progress": "RUNNING", "completed": "SUCCEEDED"}
        is_final = state not in words or state == "completed"
        metadata: dict[str, Any] = {
            "displayName": batch.name,
            "state": f"BATCH_STATE_{words.get(state, state.upper())}",
            "batchStats": {"requestCount": str(len(batch.asked))},
        }
        if is_final and answer is not None and state != "failed":
            responses = [self.line(*result, answer) for result in results]
            metadata["output"] = {"inlinedResponses": {"inlinedResponses": responses}}
        failure = {"error": {"code": 3, "message": "Bad line"}} if state == "failed" else {}
        return {"name": batch.id, "metadata": metadata, "done": is_final} | failure

    def listed(self, batches: list[dict[str, Any]]) -> dict[str, Any]:
        return {"operations": batches}

    def line(self, custom_id: str, fate: str, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        if fate:
            code = {"busy": 8, "bad": 3, "expired": 4, "cancelled": 1}[fate]
            return {"error": {"code": code, "message": f"It is {fate}"}, "metadata": {"key": custom_id}}
        return {"response": self.reply(body, answer(self.as_chat(body))), "metadata": {"key": custom_id}}


def _asking(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}


OPENAI, ANTHROPIC, GEMINI = Protocol(), _Anthropic(), _Gemini()
