"""From facts and drafts to what a reviewer is asked, and back to facts with what it objected to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from dbt_describe.errors import PromptTooLargeError
from dbt_describe.planning import Draft
from dbt_describe.prompting.facts import ColumnFacts, NodeFacts
from dbt_describe.prompting.fragments import Fragment, fenced, fit
from dbt_describe.prompting.lines import fragments_of
from dbt_describe.prompting.names import shortened
from dbt_describe.prompting.prompts import variables_of
from dbt_describe.prompting.redaction import sendable
from dbt_describe.prompting.templates import REVIEW, Template, Templates, folder_of
from dbt_describe.prompting.tokens import estimate_tokens
from dbt_describe.prompting.window import Window

# Room in the answer: a verdict with its reason takes about 50 tokens.
OUTPUT_TOKENS_PER_VERDICT = 80
OUTPUT_TOKENS_FIXED = 200
# Of the answer's schema, which is the same for all.
SCHEMA_TOKENS = 150


class ReviewPrompt(msgspec.Struct, frozen=True):
    """One question to a reviewer. Its drafts are numbered from 1, in their order."""

    system: str
    user: str
    drafts: tuple[Draft, ...]
    template: Template
    max_output_tokens: int
    fragments: Mapping[str, int]
    """What it is made of → about how many tokens each part is."""

    @property
    def input_tokens(self) -> int:
        """About how many tokens it is."""
        return sum(self.fragments.values())


def build_reviews(
    facts: NodeFacts, drafts: Sequence[Draft], templates: Templates, window: Window
) -> tuple[ReviewPrompt, ...]:
    """As few prompts as fit the window, each with some of the drafts and the facts that bear on them.

    Raises:
        PromptTooLargeError: not even one draft fits.
        PromptError: the template is broken.
    """
    if not drafts:
        return ()
    prompt = _build(only_drafted(facts, drafts), tuple(drafts), templates, window)
    if prompt is not None:
        return (prompt,)
    if len(drafts) < 2:
        raise PromptTooLargeError(
            f"{facts.unique_id}: the review doesn't fit a window of {window.tokens} tokens, even of one description. "
            "Let a model with a larger window review."
        )
    middle = len(drafts) // 2
    halves = (drafts[:middle], drafts[middle:])
    return tuple(prompt for half in halves for prompt in build_reviews(facts, half, templates, window))


def only_drafted(facts: NodeFacts, drafts: Sequence[Draft]) -> NodeFacts:
    """The facts of what the drafts are about, without what was said of it before."""
    names = {draft.column for draft in drafts}
    columns = tuple(
        msgspec.structs.replace(column, previous="", refused="") for column in facts.columns if column.name in names
    )
    return msgspec.structs.replace(facts, columns=columns, describe_node="" in names, previous="", refused="")


def refusing(facts: NodeFacts, objections: Sequence[tuple[Draft, str]]) -> NodeFacts:
    """The facts for writing anew what a reviewer objected to, with each draft and the reason."""
    said = {draft.column: f"{shortened(draft.text)} ({shortened(reason)})" for draft, reason in objections}

    def with_refused(column: ColumnFacts) -> ColumnFacts:
        return msgspec.structs.replace(column, refused=said[column.name])

    columns = tuple(with_refused(column) for column in facts.columns if column.name in said)
    return msgspec.structs.replace(facts, columns=columns, describe_node="" in said, refused=said.get("", ""))


def _build(facts: NodeFacts, drafts: tuple[Draft, ...], templates: Templates, window: Window) -> ReviewPrompt | None:
    """The prompt for all drafts, or None where it doesn't fit."""
    output_tokens = OUTPUT_TOKENS_FIXED + OUTPUT_TOKENS_PER_VERDICT * len(drafts)
    if output_tokens > min(window.output_tokens, window.tokens // 2) and len(drafts) > 1:
        return None
    template = templates.get(REVIEW, folder_of(facts.path))
    constants = variables_of(facts, templates) | {"draft_count": len(drafts), "profile": window.profile.name}
    system = templates.render_system(template, constants)
    # Examples show how to write, which isn't asked here.
    fragments = tuple(fragment for fragment in fragments_of(facts) if fragment.name != "examples")
    fragments += (sendable(Fragment("drafts", _lines(drafts), required=True)),)
    constants["examples"] = ""
    empty = templates.render(template.user, constants | {fragment.name: "" for fragment in fragments})
    count = window.profile.count
    usable = window.usable_tokens - count(system) - SCHEMA_TOKENS
    fitted = fit(fragments, usable - output_tokens - count(empty))
    if fitted is None:
        return None
    data = {fragment.name: fenced(fragment.name, fragment.text) for fragment in fitted}
    user = templates.render(template.user, constants | data)
    sizes = {fragment.name: fragment.tokens for fragment in fitted if fragment.text}
    room = min(output_tokens + window.profile.room_to_think_tokens, window.output_tokens, usable - count(user))
    return ReviewPrompt(
        system=system,
        user=user,
        drafts=drafts,
        template=template,
        max_output_tokens=max(output_tokens, room),
        fragments={"system": estimate_tokens(system), "user": estimate_tokens(empty)} | sizes,
    )


def _lines(drafts: Sequence[Draft]) -> str:
    """The drafts, numbered, each with what it is said to rest on."""
    lines = []
    for number, draft in enumerate(drafts, 1):
        evidence = f"\n    said to rest on: {_line(draft.evidence)}" if draft.evidence else ""
        lines.append(f"{number}. {_line(draft.column) or '(the node itself)'}: {_line(draft.text)}{evidence}")
    return "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text.split())
