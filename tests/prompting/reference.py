"""docs/reference/prompts.md from the shipped templates and what their bodies know.

`python -m tests.prompting.reference` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dbt_describe.prompting.sandbox import Limits, Sandbox
from dbt_describe.prompting.template_files import KEYS, LARGEST_TEMPLATE_BYTES
from dbt_describe.prompting.templates import REPAIR, REVIEW, Template, open_templates
from dbt_describe.prompting.variables import VARIABLES, WORDS

PAGE = Path(__file__).parents[2] / "docs/reference/prompts.md"
_KEYS = {
    "name": "may be left out; where it is given, it is the file's",
    "version": "a word or a number of yours; recorded with each description",
    "description": "what it is for; for people",
    "extends": "the template that the rest is taken from; left out: the next file of the same name; `null`: none",
    "parameters": "`temperature`: how freely the model chooses its words; left out: as the provider does",
    "output": "`column_words` and `node_words`: words that a description has at most; of characters, 20 for each and "
    "200 at least are accepted",
    "words": "plain text by name, which the bodies refer to, see below",
    "style": "Jinja: how descriptions are written; `system` shows it as `style_section`",
    "system": "Jinja: what is the same for every node of a kind, so that providers can keep it in their prompt caches",
    "user": "Jinja: the facts of the node and the question",
}


def render() -> str:
    """The page."""
    return "".join(_page())


def _page() -> Iterator[str]:
    templates = open_templates()
    found = [templates.get(name) for name in templates.names]
    yield (
        "# Prompt templates\n\nWhat models are told is made from these templates. How to change them: "
        "[Prompt templates of your own](../how-to/prompts.md). This page is made from the templates "
        "(`python -m tests.prompting.reference`).\n"
    )
    yield "\n## Templates\n\n| template | version | extends | for |\n|---|---|---|---|\n"
    for template in found:
        parents = " → ".join(f"`{path.stem}`" for path in template.files[1:]) or "–"
        yield f"| `{template.name}` | {template.version} | {parents} | {_cell(template.description)} |\n"
    yield "\n## Keys of a file\n\n| key | meaning |\n|---|---|\n"
    yield from (f"| `{key}` | {_KEYS[key]} |\n" for key in KEYS)
    yield "\nA file that changes something of another template needs to hold no more than what it changes.\n"
    yield "\n## Variables\n\n| variable | in | meaning |\n|---|---|---|\n"
    for one in VARIABLES:
        bodies = ", ".join(map(_place, one.bodies))
        yield f"| `{one.name}` | {bodies} | {one.meaning} |\n"
    yield (
        '\nWhat comes from the project stands between `<data name="…">` and `</data>`, which nothing inside of it can '
        "close, or is empty. It is never rendered as a template.\n"
    )
    yield "\n## Words\n\n| word | meaning | in `base` |\n|---|---|---|\n"
    base = templates.get("base")
    yield from (f"| `{name}` | {meaning} | {_cell(base.words[name])} |\n" for name, meaning in WORDS.items())
    yield "\n## What a body may do\n\n"
    yield from _limits()
    yield "\n## Bodies of `base`\n"
    yield from _bodies(base)
    for name in (REPAIR, REVIEW):
        yield f"\n## Bodies of `{name}`\n"
        yield from _bodies(templates.get(name), () if name == REPAIR else (base,))


def _limits() -> Iterator[str]:
    sandbox, limits = Sandbox(), Limits()
    yield (
        "Jinja's `if`, `for`, `set`, `macro` and `call`; no `include` or `import`. "
        f"Filters: {', '.join(f'`{name}`' for name in sorted(sandbox.filters))}. "
        f"Functions: {', '.join(f'`{name}`' for name in sorted(sandbox.globals))}. Texts are put together with `~`; "
        "`%` is for numbers. A variable that isn't known is an error, unless it is asked for with `is defined` or "
        "`default`.\n"
        "\n| limit | |\n|---|---|\n"
        f"| size of a file | {LARGEST_TEMPLATE_BYTES:,} bytes |\n"
        f"| rounds of loops and calls of macros | {limits.steps:,} |\n"
        f"| characters of one text, the prompt among them | {limits.text_characters:,} |\n"
        f"| characters of all texts made on the way | {limits.characters:,} |\n"
        f"| time of the processor | {limits.time_s:g} s |\n"
    )


def _bodies(template: Template, shown: tuple[Template, ...] = ()) -> Iterator[str]:
    """The bodies that aren't those of a template that is shown already."""
    for name in ("style", "system", "user"):
        source = getattr(template, name).source
        if source and source not in [getattr(one, name).source for one in shown]:
            yield f"\n`{name}`:\n\n```jinja\n{source.rstrip()}\n```\n"


def _place(body: str) -> str:
    template, _, part = body.rpartition(".")
    if template:
        return f"`{part}` of `{template}.yml`"
    return f"`{body}.yml`" if body in {REPAIR, REVIEW} else f"`{body}`"


def _cell(text: str) -> str:
    return text.replace("\n", "<br>").replace("|", "\\|") or "–"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
