"""A schema put into words, for endpoints that can't be made to keep to it."""

from __future__ import annotations

import json

import msgspec

from dbt_describe.llm.messages import Request


def schema_size(request: Request) -> int:
    """Characters of the request's schema as JSON, 0 without one."""
    return len(msgspec.json.encode(request.schema)) if request.schema else 0


def schema_wish(request: Request) -> str:
    """What to add at the end of the last message, so that what requests have in common stays at the beginning."""
    schema = json.dumps(request.schema, ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. It must match this JSON schema:\n{schema}"
