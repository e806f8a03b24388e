"""`dbt-describe prompts`.

`prompts list --json` prints:

    {"templates": [{"name": "model", "folder": "", "version": "model 1+1f2e3d4c", "is_yours": true, "description": "…",
                    "files": ["prompts/model.yml", …]}, …],
     "unused": ["prompts/modle.yml"], "nowhere": ["prompts/modls/model.yml"]}

`prompts render NODE --json` prints, for each node:

    [{"unique_id": "model.shop.orders", "path": "models/orders.sql", "model": "openai/gpt-6-luna", "reason": "",
      "after": [],
      "requests": [{"template": "model 1", "columns": ["id"], "describe_node": true, "system": "…", "user": "…",
                    "schema": {…}, "temperature": null, "input_tokens": 900, "max_output_tokens": 8712,
                    "window_tokens": 32768, "profile": "normal", "redactions": {"email": 2},
                    "parts": [{"name": "sql", "tokens": 120, "whole_tokens": 480, "state": "shortened"}, …]}]}]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbt_describe.cli.options import PROFILE_VALUES, RENDER_OPTIONS, TEMPLATE_OPTIONS, settings_of, with_options
from dbt_describe.cli.output import show as print_text
from dbt_describe.cli.tables import aligned
from dbt_describe.redaction.marks import counted

if TYPE_CHECKING:
    from dbt_describe.prompting.prompts import Prompt
    from dbt_describe.prompting.templates import Template
    from dbt_describe.showing import Rendered

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_RULE = 100


@click.group()
def prompts() -> None:
    """Show what models are told, and change it: prompt templates, and the prompts made of them."""


@prompts.command("list")
@with_options(TEMPLATE_OPTIONS)
@_JSON
def list_(as_json: bool, **given: Any) -> None:
    """List the templates in force, and where each is from. Checks them, too."""
    settings = settings_of(given)
    from dbt_describe import showing  # noqa: PLC0415 - --help must not wait for it

    found, unused = showing.templates_in_force(settings)
    nowhere = showing.without_folder(found, settings)
    as_plain = json.dumps(list_as_json(found, unused, nowhere), indent=2) if as_json else ""
    print_text(as_plain or render_list(found, unused, nowhere))


@prompts.command()
@click.argument("name")
@click.option("--folder", default="", metavar="PATH", help="As it is for nodes of a folder: models/marts.")
@with_options(TEMPLATE_OPTIONS)
@_JSON
def show(name: str, folder: str, as_json: bool, **given: Any) -> None:
    """Show a template with all that it extends filled in: what `model`, `source`, … or `repair` amounts to."""
    settings = settings_of(given)
    from dbt_describe import showing  # noqa: PLC0415 - --help must not wait for it

    template = showing.template_in_force(name, folder, settings)
    shown = {**template_as_json(template), "text": template.text}
    print_text(json.dumps(shown, indent=2) if as_json else f"{_origin(template)}\n{template.text.rstrip()}")


@prompts.command()
@click.argument("names", nargs=-1)
@click.option(
    "--to",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to. Default: the directory of your own templates, else prompts/ of the project.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@with_options(TEMPLATE_OPTIONS)
def eject(names: tuple[str, ...], directory: Path | None, force: bool, **given: Any) -> None:
    """Write whole copies of the shipped templates (all, or NAMES) into a directory of yours, to change them there.

    A copy says everything itself and no longer follows later versions; a file with only what you change does.
    """
    settings = settings_of(given)
    from dbt_describe import showing  # noqa: PLC0415 - --help must not wait for it

    written = showing.eject(names, directory, settings, force=force)
    lines = [f"Wrote {path}." for path in written]
    place = written[0].parent.resolve()
    if place not in [one.resolve() for one in settings.llm.prompts_dirs]:
        lines.append(f"They are used where --prompts, DBT_DESCRIBE_PROMPTS or `prompts:` names {place}.")
    print_text("\n".join(lines))


@prompts.command()
@click.argument("names", nargs=-1)
@with_options(TEMPLATE_OPTIONS)
@_JSON
def diff(names: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Show how the templates in force (all, or NAMES) differ from those that are shipped."""
    settings = settings_of(given)
    from dbt_describe import showing  # noqa: PLC0415 - --help must not wait for it

    found = showing.differences(names, settings)
    if as_json:
        print_text(json.dumps([{**template_as_json(one), "diff": text} for one, text in found], indent=2))
    else:
        texts = (f"{_origin(template)}\n{text.rstrip()}" for template, text in found)
        print_text("\n\n".join(texts) or "All templates are as they were shipped.")


@prompts.command()
@click.argument("node")
@with_options(RENDER_OPTIONS)
@PROFILE_VALUES
@_JSON
def render(node: str, as_json: bool, **given: Any) -> None:
    """Show what a model would be asked of NODE: exactly what would be sent, what of it was left out, and why.

    NODE is a name, a unique_id or anything that --select takes. Needs no key, asks nothing.
    """
    settings = settings_of(given)
    from dbt_describe import showing  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    rendered = showing.render(node, settings, open_progress())
    print_text(json.dumps([rendered_as_json(one) for one in rendered], indent=2) if as_json else show_all(rendered))


def render_list(templates: Sequence[Template], unused: Sequence[Path], nowhere: Sequence[Path]) -> str:
    """A line for each template, and one for each file that nothing is made of, or that is for no folder there is."""
    rows = [
        (
            f"{template.name} ({template.folder}/)" if template.folder else template.name,
            template.label.partition(" ")[2],
            _place(template),
            template.description,
        )
        for template in templates
    ]
    lines = aligned(("template", "version", "from", "for"), rows, words=frozenset({0, 1, 2, 3}), names=3)
    odd = [f"Warning: {_shown_path(path)} is used by no template; is its name one of the above?" for path in unused]
    odd += [
        f"Warning: {_shown_path(one.files[0])} is for nodes of {one.folder}/, but the project has no such folder."
        for one in templates
        if one.folder and one.files[0] in nowhere
    ]
    return "\n".join([*lines, *odd])


def list_as_json(templates: Sequence[Template], unused: Sequence[Path], nowhere: Sequence[Path]) -> dict[str, Any]:
    """The same as plain values."""
    listed = list(map(template_as_json, templates))
    return {"templates": listed, "unused": list(map(str, unused)), "nowhere": list(map(str, nowhere))}


def _place(template: Template) -> str:
    """The first file of the user's own that it is made of, if there is one."""
    from dbt_describe.prompting.templates import shipped_directory  # noqa: PLC0415 - --help must not wait for it

    shipped = shipped_directory()
    return next((_shown_path(path) for path in template.files if path.parent != shipped), "shipped")


def template_as_json(template: Template) -> dict[str, Any]:
    """What a template is and what it is made of."""
    return {
        "name": template.name,
        "folder": template.folder,
        "version": template.label,
        "is_yours": bool(template.digest),
        "description": template.description,
        "files": list(map(str, template.files)),
    }


def show_all(rendered: Sequence[Rendered]) -> str:
    """All nodes, one after the other."""
    return "\n\n".join("\n".join(_node(one)) for one in rendered) or "No node is selected."


def rendered_as_json(rendered: Rendered) -> dict[str, Any]:
    """The node's prompts as plain values."""
    return {
        "unique_id": rendered.unique_id,
        "path": rendered.path,
        "model": rendered.model,
        "reason": rendered.reason,
        "after": list(rendered.after),
        "requests": [
            {
                "template": prompt.template.label,
                "columns": list(prompt.columns),
                "describe_node": prompt.describe_node,
                "system": prompt.system,
                "user": prompt.user,
                "schema": prompt.schema,
                "temperature": prompt.temperature,
                "input_tokens": prompt.input_tokens,
                "max_output_tokens": prompt.max_output_tokens,
                "window_tokens": prompt.window.tokens,
                "profile": prompt.profile.name,
                "redactions": dict(prompt.redactions),
                "parts": list(_parts(prompt)),
            }
            for prompt in rendered.prompts
        ],
    }


def _parts(prompt: Prompt) -> Iterator[dict[str, Any]]:
    """What the prompt is made of, in its order, with what was left out of it."""
    for name, tokens in prompt.fragments.items():
        whole = prompt.whole.get(name, tokens)
        yield {
            "name": name,
            "tokens": tokens,
            "whole_tokens": whole,
            "state": "shortened" if name in prompt.whole else "whole",
        }
    for name, whole in prompt.whole.items():
        if name not in prompt.fragments:
            yield {"name": name, "tokens": 0, "whole_tokens": whole, "state": "left out"}


def _node(rendered: Rendered) -> Iterator[str]:
    yield f"{rendered.unique_id}  ({rendered.path})"
    if rendered.reason:
        yield f"  Nothing would be asked: {rendered.reason.rstrip('.')}."
    if rendered.after:
        yield f"  Asked after {', '.join(rendered.after)}: what is written of them is added to this."
    for number, prompt in enumerate(rendered.prompts, 1):
        yield from _request(rendered, prompt, f"request {number} of {len(rendered.prompts)}")


def _request(rendered: Rendered, prompt: Prompt, head: str) -> Iterator[str]:
    asked = [*(["the node itself"] if prompt.describe_node else []), *prompt.columns]
    yield f"  {head} to {rendered.model}, made from {prompt.template.label}"
    yield (
        f"  about {prompt.input_tokens:,} tokens, and {prompt.max_output_tokens:,} for the answer at most, in a window "
        f"of {prompt.window.tokens:,} (profile {prompt.profile.name})"
    )
    yield f"  asks for {', '.join(asked)}"
    if prompt.redactions:
        yield f"  redacted: {', '.join(starmap(counted, prompt.redactions.items()))}"
    rows = [
        (part["name"], f"{part['tokens']:,}", "" if part["state"] == "whole" else _cut(part)) for part in _parts(prompt)
    ]
    yield from (f"  {line}" for line in aligned(("part", "tokens", ""), rows, words=frozenset({0, 2})))
    for role, text in (("system", prompt.system), ("user", prompt.user)):
        yield f"---- {role} ".ljust(_RULE, "-")
        yield text.rstrip("\n")
    yield "-" * _RULE


def _cut(part: dict[str, Any]) -> str:
    return f"{part['state']}, {part['whole_tokens']:,} in all"


def _origin(template: Template) -> str:
    folder = f" for {template.folder}/" if template.folder else ""
    return f"# {template.label}{folder}, from {', '.join(map(_shown_path, template.files))}"


def _shown_path(path: Path) -> str:
    """As a person would write it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
