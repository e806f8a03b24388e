"""What can be set of prompts: the shape of its part of `dbt-describe.yml`. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Words = Annotated[int, msgspec.Meta(ge=3, le=1000)]
Language = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z() -]{0,39}$|^$")]


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How new descriptions are written. What isn't set is as in the project's own descriptions, or in the templates."""

    language: Language = ""
    """As `language` outside of `style`, which is the same setting."""
    tone: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """In a few words, e.g. `plain and factual`."""
    tense: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """E.g. `present tense`."""
    column_words: Words | None = None
    """Words that the description of a column has at most; the prompt template's number if not set."""
    node_words: Words | None = None
    """Words that the description of a model, source, seed and so on has at most."""
    full_stop: bool | None = None
    """Whether a single sentence ends with a full stop."""
    forbidden: tuple[str, ...] = ()
    """Words and phrases that no new description may have, whatever their case; an answer with one is asked again."""
    rules: Annotated[str, msgspec.Meta(max_length=8000)] = ""
    """House rules in your own words; models are told them as they are."""
    examples: Annotated[int, msgspec.Meta(ge=0, le=20)] = 4
    """How many descriptions by people are shown to models, of the same layer and kind."""


class PromptingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    style: Style = Style()
    """How new descriptions are written."""
    knowledge: tuple[str, ...] = ()
    """Globs of Markdown and glossary files, from the file's directory, whose passages are shown where they bear on
    what is asked, e.g. `docs/**/*.md`."""
    abbreviations: Mapping[str, str] = {}
    """What short forms in names stand for, e.g. `arr: annual recurring revenue`."""
    embeddings: str = ""
    """A model that finds passages by what they mean, too: `provider/NAME`, e.g. `openai/text-embedding-3-small`. The
    passages of `knowledge`, docs blocks and names are sent to it; empty: passages are found by words alone."""
    profile: Literal["auto", "small", "normal"] = "auto"
    """How much a model is told and asked for at once; `auto` is `small` for windows of up to 8,192 tokens, and for
    models whose names say that they have at most 3 billion parameters."""
    profile_values: bool = False
    """Whether models are shown what columns hold (share of nulls, distinct, frequent values), asked of the warehouse
    through your own dbt and redacted; not in CI, unless `--profile-values` says so."""
    redact: bool = False
    """Whether personal data is left out of what models are shown: in SQL, comments, tests and texts. Credentials
    always are."""
    review: str = ""
    """A second model that checks each draft against the facts: `provider/NAME`, or `model` for that of
    `routes.review`, which is the one that drafts where no other is named; `none`, or empty: none."""
