"""From facts to what is sent: one prompt, or several where one doesn't fit the model's window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from dbt_describe.errors import ModelCapacityError, PromptTooLargeError
from dbt_describe.project.nodes import Conventions
from dbt_describe.prompting.facts import NodeFacts
from dbt_describe.prompting.fragments import (
    Fragment,
    cleaned,
    fenced,
    fit,
)
from dbt_describe.prompting.lines import ASKED, asked_fragment, fragments_of, one_line, true_now, without_repeated
from dbt_describe.prompting.profiles import Profile
from dbt_describe.prompting.schemas import answer_schema
from dbt_describe.prompting.sizing import bare_question, parts_of, without_uses
from dbt_describe.prompting.template_files import Output
from dbt_describe.prompting.templates import REPAIR, Template, Templates, folder_of
from dbt_describe.prompting.tokens import estimate_tokens
from dbt_describe.prompting.window import Window
from dbt_describe.redaction.marks import count_marks

# Fragments that are shown for their style alone: no answer can rest on them.
PROVE_NOTHING = frozenset({"examples"})
# Times that a prompt is made smaller by what it is too large by its profile's count.
_MOST_TRIES = 6


class Prompt(msgspec.Struct, frozen=True):
    """One question. `facts` is all data that it shows and nothing else, for checking the answer against."""

    system: str
    user: str
    columns: tuple[str, ...]
    describe_node: bool
    schema: Mapping[str, object]
    template: Template
    max_output_tokens: int
    facts: str
    fragments: Mapping[str, int]
    """What it is made of, `system` and `user` being the templates' own words → about how many tokens each is."""
    whole: Mapping[str, int] = {}
    """Of what had to be shortened or left out to fit the window → about how many tokens it would be."""
    redactions: Mapping[str, int] = {}
    """What was taken out of what it shows, by kind → how often."""
    window: Window = Window()
    """What it was made to fit."""

    @property
    def profile(self) -> Profile:
        """How much it tells and asks for at once."""
        return self.window.profile

    @property
    def temperature(self) -> float | None:
        """Of the answer; None leaves it to the provider."""
        wanted = self.template.parameters.temperature
        return self.profile.temperature if wanted is None else wanted

    @property
    def input_tokens(self) -> int:
        """About how many tokens it is."""
        return sum(self.fragments.values())


def build_prompts(facts: NodeFacts, templates: Templates, window: Window) -> tuple[Prompt, ...]:
    """As few prompts as fit the window, each asking for some of the columns; the first one asks for the node too.

    Raises:
        PromptTooLargeError: not even a single column fits.
        ModelCapacityError: nothing of any node would.
        PromptError: the template is broken.
    """
    parts = parts_of(facts, window.most_descriptions)
    return tuple(prompt for part in parts for prompt in _prompts(part, templates, window))


def _prompts(facts: NodeFacts, templates: Templates, window: Window) -> tuple[Prompt, ...]:
    prompt = _build(facts, templates, window)
    if prompt is None and any(column.uses for column in facts.columns):
        prompt = _build(without_uses(facts), templates, window)
    if prompt is not None:
        return (prompt,)
    if len(facts.columns) + facts.describe_node > 1:
        return tuple(prompt for half in split(facts) for prompt in _prompts(half, templates, window))
    if _build(bare_question(facts), templates, window) is None:
        raise ModelCapacityError(
            f"{facts.unique_id}: the instructions and one answer alone don't fit a window of {window.tokens} tokens. "
            "Use a model with a larger window, or shorter templates."
        )
    raise PromptTooLargeError(
        f"{facts.unique_id}: the prompt doesn't fit a window of {window.tokens} tokens, even cut down to one "
        "description. Use a model with a larger window."
    )


def split(facts: NodeFacts) -> tuple[NodeFacts, NodeFacts]:
    """The facts with the first and the second half of what is asked."""
    middle = len(facts.columns) // 2
    first = msgspec.structs.replace(facts, columns=facts.columns[:middle])
    return first, msgspec.structs.replace(facts, columns=facts.columns[middle:], describe_node=False)


def _build(facts: NodeFacts, templates: Templates, window: Window) -> Prompt | None:
    """The prompt for everything asked, or None where it doesn't fit."""
    template = _as_short(_template_of(facts, templates), facts.conventions)
    profile = window.profile
    asked = len(facts.columns) + facts.describe_node
    # A single description may use what there is.
    output_tokens = min(profile.answer_tokens(asked), window.tokens // 2)
    constants = _constants(facts, template) | {"profile": profile.name}
    system = templates.render_system(template, constants)
    fragments = fragments_of(facts)
    empty = templates.render(template.user, constants | {fragment.name: "" for fragment in fragments})
    columns = tuple(column.name for column in facts.columns)
    schema = answer_schema(columns, facts.describe_node, gives_evidence=profile.gives_evidence)
    usable = window.usable_tokens - profile.count(system) - profile.count(str(schema))
    fitted = fit(fragments, budget := usable - output_tokens - profile.count(empty))
    for _ in range(_MOST_TRIES):
        if fitted is None:
            return None
        data = {fragment.name: fenced(fragment.name, fragment.text) for fragment in fitted}
        user = templates.render(template.user, constants | data)
        if profile.characters_per_token is None or (excess := profile.count(user) + output_tokens - usable) <= 0:
            break
        fitted = fit(fragments, budget := budget - excess)
    else:
        return None
    if _is_whole("sql", fragments, fitted) and _is_whole(ASKED, fragments, fitted):
        asked_of = asked_fragment(without_repeated(facts))
        fragments, fitted = (
            tuple(asked_of if one.name == ASKED else one for one in parts) for parts in (fragments, fitted)
        )
        data = {fragment.name: fenced(fragment.name, fragment.text) for fragment in fitted}
        user = templates.render(template.user, constants | data)
    if profile.whole_slice_from and asked > profile.whole_slice_from and _is_without_sql(fitted):
        return None
    sizes = {fragment.name: fragment.tokens for fragment in fitted if fragment.text}
    words = {"system": estimate_tokens(system), "user": estimate_tokens(empty)}
    room = min(output_tokens + profile.room_to_think_tokens, window.output_tokens, usable - profile.count(user))
    return Prompt(
        system=system,
        user=user,
        columns=columns,
        describe_node=facts.describe_node,
        schema=schema,
        template=template,
        max_output_tokens=max(output_tokens, room),
        facts="\n".join(cleaned(true_now(one.text)) for one in fitted if one.name not in PROVE_NOTHING),
        fragments=words | sizes,
        whole={one.name: one.tokens for one, now in zip(fragments, fitted, strict=True) if now.text != one.text},
        redactions=count_marks("\n".join(data.values())),
        window=window,
    )


def _is_whole(name: str, fragments: Iterable[Fragment], fitted: Iterable[Fragment]) -> bool:
    """Whether a fragment is there, and as it was before it had to fit."""
    return any(now.name == name and now.text and now is one for one, now in zip(fragments, fitted, strict=True))


def _is_without_sql(fitted: tuple[Fragment, ...]) -> bool:
    """Whether a part of the SQL that decides the asked columns had to go."""
    return any(fragment.name == "sql" and fragment.is_cut for fragment in fitted)


def _as_short(template: Template, conventions: Conventions) -> Template:
    """The template with the lengths that the settings name, where they do."""
    output = template.output
    words = Output(conventions.column_words or output.column_words, conventions.node_words or output.node_words)
    return template if words == output else msgspec.structs.replace(template, output=words)


def _template_of(facts: NodeFacts, templates: Templates) -> Template:
    folder = folder_of(facts.path)
    return templates.get(facts.resource_type if templates.has(facts.resource_type, folder) else "base", folder)


def variables_of(facts: NodeFacts, templates: Templates) -> dict[str, object]:
    """What the template of the node's resource type calls things, and how it wants them written.

    Raises:
        PromptError: the template is broken.
    """
    return _constants(facts, _template_of(facts, templates))


def _constants(facts: NodeFacts, template: Template) -> dict[str, object]:
    return {
        "resource_type": facts.resource_type,
        "language": facts.language,
        "describe_node": facts.describe_node,
        "renews": any(column.previous for column in facts.columns) or bool(facts.describe_node and facts.previous),
        "revises": any(column.refused for column in facts.columns) or bool(facts.describe_node and facts.refused),
        "column_count": len(facts.columns),
        "output": _output(template),
        "words": template.words,
        "style": {
            "language": "British English" if facts.conventions.language == "English" else facts.conventions.language,
            "full_stop": facts.conventions.full_stop,
            "tone": facts.conventions.tone,
            "tense": facts.conventions.tense,
            "forbidden": facts.conventions.forbidden,
            "rules": facts.conventions.rules,
        },
    }


def _output(template: Template) -> dict[str, int]:
    return {"column_words": template.output.column_words, "node_words": template.output.node_words}


def render_repair(templates: Templates, prompt: Prompt, problem: str, rejected: Iterable[tuple[str, str, str]]) -> str:
    """The wish for a better answer: `problem` with all of it, or the rejected ones as (column, text, reason).

    Raises:
        PromptError: the template is broken.
    """
    lines = "\n".join(
        f"- {one_line(column) or 'node'}: {one_line(reason)}" + (f" (it was: {one_line(text)[:300]})" if text else "")
        for column, text, reason in rejected
    )
    variables = {
        "problem": problem,
        "rejected": fenced("rejected", lines),
        "output": _output(prompt.template),
        "words": prompt.template.words,
    }
    return templates.render(templates.get(REPAIR, prompt.template.folder).user, variables)
