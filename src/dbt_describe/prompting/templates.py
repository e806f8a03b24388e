"""Prompt templates: YAML files with Jinja bodies.

    name: model                # optional; the file's own
    version: 1
    description: What it is for.   # optional; for people
    extends: base              # optional: what is left out here is taken from there
    parameters: {temperature: 0.0}
    output: {column_words: 30, node_words: 60}
    words: {part: column}      # plain text by name, as the bodies use it: what differs between resource types
    system: |                  # Jinja; the same for every node, so that providers can cache it
      …
    user: |                    # Jinja; the facts
      …

`repair` is a turn in a conversation and has no `system`. The shipped ones are in `prompts/`; a file of the same name
in the user's directory wins. Data never becomes a template: what comes from SQL, YAML and manifests is only ever passed
as the value of a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import jinja2
import jinja2.sandbox
import msgspec
import yaml

from dbt_describe.errors import PromptError

LARGEST_TEMPLATE_BYTES = 262_144
MOST_EXTENSIONS = 8
REPAIR = "repair"
"""The template of the wish for a better answer."""
REVIEW = "review"
"""The template of the question whether drafts hold."""
_PACKAGE = Path(__file__).resolve().parent.parent
_BODIES = ("system", "user")
_MAPPINGS = ("parameters", "output", "words")
_KEYS = frozenset({"name", "version", "description", "extends", *_MAPPINGS, *_BODIES})


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is asked. `temperature` None leaves it to the provider."""

    temperature: float | None = None


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the descriptions should be."""

    column_words: Annotated[int, msgspec.Meta(ge=1)] = 30
    node_words: Annotated[int, msgspec.Meta(ge=1)] = 60


class Body(msgspec.Struct, frozen=True):
    """A Jinja body and where it stands: `line` is the file's line of its first line."""

    source: str
    path: Path
    line: int


class Template(msgspec.Struct, frozen=True):
    """A template with everything that it extends filled in."""

    name: str
    version: str
    system: Body
    user: Body
    parameters: Parameters = Parameters()
    output: Output = Output()
    words: Mapping[str, str] = {}
    """What the bodies call things, by resource type: plain text, no Jinja."""


class Templates:
    """The templates by name: the user's directory first, then the shipped ones. Read once each."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        self._directories = directories
        self._loaded: dict[str, Template] = {}
        # Prompts are plain text for a model, no HTML: escaping would change the SQL.
        self._jinja = jinja2.sandbox.SandboxedEnvironment(
            undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
        )
        self._compiled: dict[Body, jinja2.Template] = {}

    def get(self, name: str) -> Template:
        """The template of that name.

        Raises:
            PromptError: there is none, or its file can't be used; the message names file and line.
        """
        if name not in self._loaded:
            self._loaded[name] = _assembled(name, self._fields(name, ()))
        return self._loaded[name]

    def has(self, name: str) -> bool:
        """Whether there is a template of that name."""
        return any((directory / f"{name}.yml").is_file() for directory in self._directories)

    def render(self, body: Body, variables: Mapping[str, object]) -> str:
        """The body with the variables filled in.

        Raises:
            PromptError: a syntax error, an unknown variable, or something the sandbox forbids.
        """
        try:
            if body not in self._compiled:
                self._compiled[body] = self._jinja.from_string(body.source)
            return self._compiled[body].render(dict(variables)).strip() + "\n"
        except jinja2.TemplateSyntaxError as error:
            raise PromptError(f"{body.path}:{body.line + error.lineno - 1}: {error.message}.") from error
        except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            known = ", ".join(sorted(variables))
            hint = f" Known variables: {known}." if isinstance(error, jinja2.UndefinedError) else ""
            raise PromptError(f"{body.path}:{body.line + _line_of(error) - 1}: {error}.{hint}") from error

    def _fields(self, name: str, seen: tuple[Path, ...]) -> dict[str, Any]:
        path = self._path(name, seen)
        own = _read(path)
        parent = own.pop("extends", None)
        inherited = self._fields(str(parent), (*seen, path)) if parent else {}
        for key in _MAPPINGS:
            if key in own and key in inherited:
                own[key] = {**inherited[key], **own[key]}
        return {**inherited, **own}

    def _path(self, name: str, seen: tuple[Path, ...]) -> Path:
        """The first file of that name that isn't being read: a user's own `model` may extend the shipped one."""
        found = [path for directory in self._directories if (path := directory / f"{name}.yml").is_file()]
        unread = [path for path in found if path not in seen]
        if found and (not unread or len(seen) > MOST_EXTENSIONS):
            names = " → ".join([*(path.stem for path in seen), name])
            raise PromptError(f"{found[0]}: templates extend each other in a circle: {names}.")
        if not found:
            places = ", ".join(str(directory) for directory in self._directories)
            raise PromptError(f"There is no prompt template {name}.yml in {places}.")
        return unread[0]


def open_templates(directory: Path | None = None) -> Templates:
    """The shipped templates, those of the directory winning over them.

    Raises:
        PromptError: the directory doesn't exist.
    """
    if directory is not None and not directory.is_dir():
        raise PromptError(f"The prompts directory {directory} doesn't exist.")
    return Templates((*([directory] if directory else []), shipped_directory()))


def shipped_directory(package: Path = _PACKAGE) -> Path:
    """Where the shipped templates are: inside an installed package, or at the top of an editable checkout.

    Raises:
        PromptError: neither exists: the installation is broken.
    """
    for directory in (package / "prompts", package.parent.parent / "prompts"):
        if directory.is_dir():
            return directory
    raise PromptError(f"The shipped prompts are missing beside {package}; install dbt-describe again.")


def _read(path: Path) -> dict[str, Any]:
    """The file's fields, bodies as Body."""
    try:
        if path.stat().st_size > LARGEST_TEMPLATE_BYTES:
            raise PromptError(f"{path} is larger than {LARGEST_TEMPLATE_BYTES:,} bytes.")
        text = path.read_text(encoding="utf-8")
        fields = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{path} can't be read: {error}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise PromptError(f"{path}:{line}: {getattr(error, 'problem', None) or 'not valid YAML'}.") from error
    if not isinstance(fields, dict) or not isinstance(root, yaml.MappingNode):
        raise PromptError(f"{path}:1: a template is a mapping with the keys {', '.join(sorted(_KEYS))}.")
    for key, value in root.value:
        line = key.start_mark.line + 1
        if problem := _problem_with(key.value, fields, path):
            raise PromptError(f"{path}:{line}: {problem}.")
        if key.value in _BODIES:
            # The text of a block scalar begins on the line after its indicator.
            start = value.start_mark.line + (2 if value.style in {"|", ">"} else 1)
            fields[key.value] = Body(fields[key.value], path, start)
    return {**fields, "path": path}


def _problem_with(key: str, fields: Mapping[str, Any], path: Path) -> str:
    """What is wrong with one of the file's keys, or an empty string."""
    if key not in _KEYS:
        return f"unknown key {key!r}; known are {', '.join(sorted(_KEYS))}"
    if key in {*_BODIES, "description"} and not isinstance(fields[key], str):
        return f"{key} must be text"
    if key in _MAPPINGS and not isinstance(fields[key], dict):
        return f"{key} must be a mapping"
    if key == "name" and fields[key] != path.stem:
        return f"the name is {fields[key]!r}, but the file's is {path.stem!r}"
    return ""


def _assembled(name: str, fields: Mapping[str, Any]) -> Template:
    path = fields["path"]
    needed = ("version", "user") if name == REPAIR else ("version", *_BODIES)
    missing = [key for key in needed if key not in fields]
    if missing:
        raise PromptError(f"{path}:1: {', '.join(missing)} missing, and no template is extended that has it.")
    try:
        parameters = msgspec.convert(fields.get("parameters", {}), Parameters)
        output = msgspec.convert(fields.get("output", {}), Output)
        words = msgspec.convert(fields.get("words", {}), dict[str, str])
    except msgspec.ValidationError as error:
        raise PromptError(f"{path}:1: {error}.") from error
    system = fields.get("system", Body("", path, 1))
    return Template(name, str(fields["version"]), system, fields["user"], parameters, output, words)


def _line_of(error: BaseException) -> int:
    """The template's line that the error comes from: Jinja puts it into the traceback."""
    line = 1
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
