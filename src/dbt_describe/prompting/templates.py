"""Prompt templates: which file of which directory is used, and what it becomes with all that it extends.

The directories are layers: a file in the first of them that has one wins over those of the same name below it, and the
shipped ones are the last. A directory may have folders named as the project's: what is in `models/marts/` of it is for
nodes that are defined there or below, and wins over what is further up in the same directory.

A file needs to hold only what it changes: the rest is taken from what it `extends`, which is the next file of the same
name where it doesn't say. `extends: null` is the end. Data never becomes a template: what comes from SQL, YAML and
manifests is only ever passed as the value of a variable.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Set
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from dbt_describe.errors import PromptError
from dbt_describe.prompting.template_files import (
    BODIES,
    Body,
    Output,
    Parameters,
    read_template_file,
    write_template,
)

if TYPE_CHECKING:
    from dbt_describe.prompting.rendering import Renderer

_NAME = re.compile(r"[\w-]+")
MOST_EXTENSIONS = 32
MOST_FILES = 10_000
DIGEST_CHARACTERS = 8
REPAIR = "repair"
"""The template of the wish for a better answer."""
REVIEW = "review"
"""The template of the question whether drafts hold."""
_PACKAGE = Path(__file__).resolve().parent.parent
_MERGED = ("parameters", "output", "words")


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
    style: Body = Body("", Path(), 1)
    """How descriptions are written: a part of `system`."""
    description: str = ""
    """What it is for; for people."""
    files: tuple[Path, ...] = ()
    """What it is made of, the file that wins first."""
    folder: str = ""
    """Of the project; empty: it is for nodes of any folder."""
    digest: str = ""
    """Of all that a model is told of it, where that isn't what the shipped one tells."""

    @property
    def label(self) -> str:
        """What is recorded of a text that came of it: `model 1`, or `model 1+1f2e3d4c` where it isn't as shipped."""
        return f"{self.name} {self.version}{'+' if self.digest else ''}{self.digest}"

    @property
    def text(self) -> str:
        """The template as one file that extends nothing."""
        number = int(self.version) if self.version.isdecimal() and str(int(self.version)) == self.version else None
        fields = {
            "name": self.name,
            "version": self.version if number is None else number,
            "description": self.description,
            "parameters": _told(self.parameters),
            "output": _told(self.output),
            "words": dict(self.words),
            **{name: getattr(self, name).source for name in BODIES},
        }
        return write_template(fields)


class Templates:
    """The templates by name: those of the user's directories, the first one's over the others', then the shipped ones.

    Files are read once each.
    """

    def __init__(self, directories: tuple[Path, ...], shipped: Path | None = None) -> None:
        self.directories = directories
        self._shipped = shipped
        self._originals = Templates((), shipped) if shipped and directories else None
        self._loaded: dict[tuple[str, str], Template] = {}
        self._files: dict[Path, Mapping[str, Any]] = {}
        self._is_file: dict[Path, bool] = {}

    @cached_property
    def _renderer(self) -> Renderer:
        from dbt_describe.prompting.rendering import Renderer  # noqa: PLC0415 - Jinja only where something is rendered

        return Renderer()

    def get(self, name: str, folder: str = "") -> Template:
        """The template of that name for nodes that are defined in a folder of the project.

        Raises:
            PromptError: there is none, or its file can't be used; the message names file and line.
        """
        key = name, folder
        if key not in self._loaded:
            self._loaded[key] = self._assembled(name, folder)
        return self._loaded[key]

    def has(self, name: str, folder: str = "") -> bool:
        """Whether there is a template of that name."""
        return any(True for _ in self._found(name, folder))

    def original(self, name: str) -> Template | None:
        """The shipped template of that name, if there is one."""
        originals = self._originals or self
        return originals.get(name) if self._shipped and originals.has(name) else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the shipped templates; there is no use for others, except to extend them."""
        return tuple(sorted(path.stem for path in self._shipped.glob("*.yml"))) if self._shipped else ()

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """All files of templates in the user's directories."""
        found = (path for directory in self.directories for path in directory.rglob("*.yml") if path.is_file())
        return tuple(sorted(itertools.islice(found, MOST_FILES)))

    @property
    def special(self) -> tuple[tuple[str, str], ...]:
        """Name and folder of each template that isn't the same for nodes of some folder."""
        places = {
            (directory, path) for path in self.files for directory in self.directories if directory in path.parents
        }
        named = {(path.stem, path.parent.relative_to(directory).as_posix()) for directory, path in places}
        names = set(self.names)
        return tuple(sorted((name, folder) for name, folder in named if folder != "." and name in names))

    def check(self, body: Body, known: Mapping[str, Set[str] | None]) -> None:
        """Look for mistakes that don't depend on a node: bad Jinja, variables that aren't among the known ones.

        The known ones are given with what stands below each; None: it is a text or a number.

        Raises:
            PromptError: there is one; the message names file and line.
        """
        self._renderer.check(body, known)

    def render(self, body: Body, variables: Mapping[str, object]) -> str:
        """The body with the variables filled in.

        Raises:
            PromptError: a syntax error, an unknown variable, or something the sandbox forbids.
        """
        return self._renderer.render(body, variables)

    def render_system(self, template: Template, variables: Mapping[str, object]) -> str:
        """What comes first: `system`, with `style` where it says `style_section`.

        Raises:
            PromptError: see `render`.
        """
        style = self.render(template.style, variables).strip()
        return self.render(template.system, {**variables, "style_section": style})

    def _read(self, path: Path) -> Mapping[str, Any]:
        if path not in self._files:
            self._files[path] = read_template_file(path)
        return self._files[path]

    def _found(self, name: str, folder: str) -> Iterator[Path]:
        """The files of that name, the one that wins first. No name leads to another place."""
        if not _NAME.fullmatch(name):
            return
        places = [directory / below for directory in self.directories for below in _upwards(folder)]
        for place in (*places, *([self._shipped] if self._shipped else [])):
            path = place / f"{name}.yml"
            if path not in self._is_file:
                self._is_file[path] = path.is_file()
            if self._is_file[path]:
                yield path

    def _assembled(self, name: str, folder: str) -> Template:
        fields, files = self._fields(name, folder, ())
        path = files[0]
        needed = ("version", "user") if name == REPAIR else ("version", "system", "user")
        missing = [key for key in needed if key not in fields]
        if missing:
            raise PromptError(f"{path}:1: {', '.join(missing)} missing, and no template is extended that has it.")
        template = Template(
            name=name,
            version=str(fields["version"]),
            system=fields.get("system", Body("", path, 1)),
            user=fields["user"],
            parameters=msgspec.convert(fields.get("parameters", {}), Parameters),
            output=msgspec.convert(fields.get("output", {}), Output),
            words=fields.get("words", {}),
            style=fields.get("style", Body("", path, 1)),
            description=fields.get("description", ""),
            files=files,
            folder=folder,
        )
        if not self.directories or not self._shipped:
            return template
        original = self.original(name)
        digest = _digest(template)
        is_own = original is None or digest != _digest(original)
        return msgspec.structs.replace(template, digest=digest) if is_own else template

    def _fields(self, name: str, folder: str, seen: tuple[Path, ...]) -> tuple[dict[str, Any], tuple[Path, ...]]:
        """The fields of the file that wins, with what it extends below them, and the files that they come from."""
        path, below = self._find(name, folder, seen)
        own = dict(self._read(path))
        parent = own.pop("extends", None) if "extends" in own else name if below else None
        if not parent:
            return own, (path,)
        inherited, files = self._fields(str(parent), folder, (*seen, path))
        for key in _MERGED:
            if key in own and key in inherited:
                own[key] = {**inherited[key], **own[key]}
        return {**inherited, **own}, (path, *files)

    def _find(self, name: str, folder: str, seen: tuple[Path, ...]) -> tuple[Path, bool]:
        """The first file of that name that isn't being read, and whether there is another one below it."""
        found = list(self._found(name, folder))
        unread = [path for path in found if path not in seen]
        if found and (not unread or len(seen) > MOST_EXTENSIONS):
            names = " → ".join([*(path.stem for path in seen), name])
            raise PromptError(f"{found[0]}: templates extend each other in a circle: {names}.")
        if not found:
            places = ", ".join(map(str, (*self.directories, *([self._shipped] if self._shipped else []))))
            asked = f"{seen[-1]} extends {name}, but there" if seen else "There"
            raise PromptError(f"{asked} is no prompt template {name}.yml in {places}.")
        return unread[0], len(unread) > 1


def open_templates(*directories: Path | None) -> Templates:
    """The shipped templates, with those of the directories over them, the first one's over the others'.

    Raises:
        PromptError: a directory doesn't exist.
    """
    given = tuple(directory for directory in directories if directory is not None)
    for directory in given:
        if not directory.is_dir():
            raise PromptError(f"The prompts directory {directory} doesn't exist.")
    return Templates(given, shipped_directory())


def shipped_directory(package: Path = _PACKAGE) -> Path:
    """Where the shipped templates are: inside an installed package, or at the top of an editable checkout.

    Raises:
        PromptError: neither exists: the installation is broken.
    """
    for directory in (package / "prompts", package.parent.parent / "prompts"):
        if directory.is_dir():
            return directory
    raise PromptError(f"The shipped prompts are missing beside {package}; install dbt-describe again.")


def folder_of(path: str) -> str:
    """The folder that templates are looked for in, for a node that a file of the project defines."""
    folder = PurePosixPath(path).parent
    is_inside = not folder.is_absolute() and ".." not in folder.parts
    return folder.as_posix() if is_inside and folder.parts else ""


def _upwards(folder: str) -> Iterator[str]:
    """The folder, those that it is in, and the whole project."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def _told(record: Parameters | Output) -> dict[str, object]:
    return {key: value for key, value in msgspec.structs.asdict(record).items() if value is not None}


def _digest(template: Template) -> str:
    """A hash of all that decides what a model is told, not of where it stands."""
    bodies = [getattr(template, name).source for name in BODIES]
    told = msgspec.json.encode([bodies, template.parameters, template.output, template.words], order="sorted")
    return hashlib.sha256(told).hexdigest()[:DIGEST_CHARACTERS]
