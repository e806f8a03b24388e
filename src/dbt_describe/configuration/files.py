"""The settings of one `dbt-describe.yml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from dbt_describe.checking.thresholds import CheckSettings
from dbt_describe.configuration.conversion import Conversion, Fault
from dbt_describe.configuration.documents import Document, Keys, read_document
from dbt_describe.errors import LlmSettingsError, SchemaFileError, SettingsError
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.config import EndpointConfig, LlmConfig, Positive
from dbt_describe.llm.registry import find_spec
from dbt_describe.prompting.config import Language, PromptingConfig
from dbt_describe.schema_files import check_template

FILE_NAME = "dbt-describe.yml"
MOST_FAULTS_SHOWN = 10
NO_SETTINGS = frozenset({"plans_only", "cached_only"})
"""Fields of LlmConfig that nobody sets in a file."""
SchemaSection = Literal["models", "seeds", "snapshots", "analyses", "macros", "data_tests"]
"""dbt's names of the sections in which nodes can be added. A source is only where it is declared."""


class BatchesConfig(BatchSettings, frozen=True, forbid_unknown_fields=True):
    """How batches are sent and waited for, and which requests go together."""

    threshold: Positive = 100
    """The requests from which on `batch: auto` sends a batch."""
    waves: Literal["one", "by-level"] = "one"
    """What is sent together: all at once, or what nodes are made of first, which takes a batch for each level."""


class Own(msgspec.Struct, frozen=True):
    """The settings beside the gateway's and those of prompts."""

    prompts: str = ""
    """A directory with prompt templates of your own, from the file's directory; those of `--prompts` and
    DBT_DESCRIBE_PROMPTS win over them."""
    cache: bool = True
    """Whether answers that were given before are used again; `--no-cache` is `false` for one run."""
    store: str = ""
    """Where answers, usage and limits are kept: a directory, from the file's, or a PostgreSQL that several machines
    share, `postgresql://${STORE_USER}:${STORE_PASSWORD}@host/database`. The variable DBT_DESCRIBE_STORE wins over it.
    """
    require_store: bool = False
    """Whether nothing is asked where that PostgreSQL can't be reached; as `--require-store`."""
    schema_path: str | Mapping[SchemaSection, str] = ""
    """Where descriptions go of nodes that no schema file near them describes: a path like
    `{dir}/_{dir_name}__models.yml`, one for all, or one each for `models`, `seeds`, `snapshots`, `analyses`, `macros`
    and `data_tests`.
    """
    doc_blocks: bool = False
    """Whether columns of the same values share a docs block where they are described alike; as `--doc-blocks`."""
    verify: bool = False
    """Whether dbt must accept what was written, which is taken back else; as `--verify`."""
    language: Language = ""
    """What models write in, by its English name, e.g. `German`; the one that most descriptions are in if not set."""
    ignore: tuple[str, ...] = ()
    """What to leave alone: globs of nodes (`stg_legacy*`), columns (`*._fivetran_*`) or files (`models/legacy/`)."""
    manifest: str = ""
    """A manifest in place of the project's own: a path, from the file's directory, a URL, or dbt-cloud://ACCOUNT/JOB."""
    catalog: str = ""
    """A catalog in place of the project's own, named as `manifest` is."""
    batch: bool | Literal["auto", "on", "off"] = False
    """Whether models are asked in batches, at half the price, for answers within a day: `on`, `off`, or `auto` for runs
    of many requests; as `--batch`."""
    batches: BatchesConfig = BatchesConfig()
    """How batches are sent and waited for."""
    check: CheckSettings = CheckSettings()
    """What `dbt-describe check` looks for, and how much must be described."""

    def __repr__(self) -> str:
        # The store's URL may hold a password.
        return "Own(…)"


class Configuration(msgspec.Struct, frozen=True):
    """What the file says."""

    llm: LlmConfig = LlmConfig()
    prompts_dir: Path | None = None
    cache: bool = True
    store: str = ""
    """A path from the file's directory, or a URL, which may hold a password."""
    require_store: bool = False
    schema_path: Mapping[str, str] = {}
    """Templates by section."""
    doc_blocks: bool = False
    verify: bool = False
    language: str = ""
    ignore: tuple[str, ...] = ()
    """Globs of what is left alone."""
    manifest: str = ""
    """A URL, or an absolute path; as `catalog`."""
    catalog: str = ""
    batch: bool | Literal["auto", "on", "off"] = False
    batches: BatchesConfig = BatchesConfig()
    check: CheckSettings = CheckSettings()
    prompting: PromptingConfig = PromptingConfig()
    """Globs in it are absolute."""
    unresolved: Mapping[str, str] = {}
    """Endpoints that aren't in `llm.endpoints` because a variable of theirs isn't set → what to do about it."""

    def __repr__(self) -> str:
        return f"Configuration(model={self.llm.model!r})"


def find_configuration(project_dir: Path) -> Path | None:
    """The project's file, if it has one.

    Raises:
        SettingsError: there is only one with another ending, which would not be read.
    """
    path = project_dir / FILE_NAME
    if path.is_file():
        return path
    other = path.with_suffix(".yaml")
    if other.is_file():
        raise SettingsError(f"{other.name} isn't read; rename it to {FILE_NAME}.")
    return None


def load_configuration(path: Path, environ: Mapping[str, str]) -> Configuration:
    """The file's settings, in the providers' own types where they are endpoints.

    Raises:
        SettingsError: the file, a key or a value can't be used, or a variable isn't set that is needed in any case.
    """
    document = read_document(path, path.name)
    conversion = Conversion(document, environ)
    _refuse_unknown(conversion, document)
    known = _values_of(LlmConfig, document)
    given = conversion.fields(LlmConfig, known | {"endpoints": None}, (), leave_out=NO_SETTINGS)
    endpoints = _endpoints(conversion, known.get("endpoints"))
    chosen = Own(**conversion.fields(Own, _values_of(Own, document), ()))
    prompting = PromptingConfig(**conversion.fields(PromptingConfig, _values_of(PromptingConfig, document), ()))
    prompts_dir = _directory(conversion, chosen.prompts, path.parent)
    schema_path = _schema_path(conversion, chosen.schema_path)
    _check_globs(conversion, chosen.ignore)
    _check_prompting(conversion, chosen.language, prompting)
    unresolved = {fault.keys[1]: fault.message for fault in conversion.faults if _is_of_an_endpoint(fault)}
    faults = sorted(conversion.faults, key=lambda fault: document.line(fault.keys))
    _raise([fault.message for fault in faults if not _is_of_an_endpoint(fault)])
    usable = {name: endpoint for name, endpoint in endpoints.items() if name not in unresolved}
    llm = LlmConfig(**given, endpoints=usable)
    return Configuration(
        llm,
        prompts_dir,
        chosen.cache,
        _located(chosen.store, path.parent),
        chosen.require_store,
        schema_path,
        chosen.doc_blocks,
        chosen.verify,
        chosen.language or prompting.style.language,
        tuple(map(str.strip, chosen.ignore)),
        _located(chosen.manifest, path.parent),
        _located(chosen.catalog, path.parent),
        chosen.batch,
        chosen.batches,
        chosen.check,
        _with_located(prompting, path.parent),
        unresolved,
    )


def _values_of(kind: type[msgspec.Struct], document: Document) -> dict[str, object]:
    return {name: value for name, value in document.values.items() if name in kind.__struct_fields__}


def _refuse_unknown(conversion: Conversion, document: Document) -> None:
    known = [name for kind in (LlmConfig, Own, PromptingConfig) for name in kind.__struct_fields__]
    conversion.refuse_unknown(document.values, [name for name in known if name not in NO_SETTINGS], ())


def _endpoints(conversion: Conversion, value: object) -> dict[str, EndpointConfig]:
    """Each entry in its provider's own type; the provider is the entry's name where it says nothing else."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        conversion.complain(("endpoints",), "must be a mapping from names of your own to endpoints")
        return {}
    endpoints: dict[str, EndpointConfig] = {}
    for name, entry in value.items():
        keys = ("endpoints", name)
        if not isinstance(entry, Mapping | None):
            conversion.complain(keys, "must be a mapping, `key: value` lines")
            continue
        given = (entry or {}).get("provider")
        provider = name if given is None else conversion.convert(str, given, (*keys, "provider"))
        kind = _kind(conversion, provider, keys) if provider is not msgspec.UNSET else None
        endpoint: Any = conversion.struct(kind, entry or {}, keys) if kind else msgspec.UNSET
        if endpoint is not msgspec.UNSET:
            endpoints[name] = endpoint
    return endpoints


def _kind(conversion: Conversion, provider: str, keys: tuple[str, str]) -> type[EndpointConfig] | None:
    try:
        return find_spec(provider).config
    except LlmSettingsError as error:
        advice = f" Name one as endpoints.{keys[1]}.provider." if provider == keys[1] else ""
        conversion.complain(keys, f"can't be used: {error}{advice}")
        return None


def _directory(conversion: Conversion, prompts: str, base: Path) -> Path | None:
    if not prompts:
        return None
    directory = base / Path(prompts).expanduser()
    if not directory.is_dir():
        conversion.complain(("prompts",), f"names the directory {directory}, which doesn't exist")
    return directory


def _located(location: str, base: Path) -> str:
    """The location; a path as one from `base`."""
    is_path = location and "://" not in location
    return str(base / Path(location).expanduser()) if is_path else location


def _with_located(prompting: PromptingConfig, base: Path) -> PromptingConfig:
    globs = tuple(_located(glob, base) for glob in prompting.knowledge)
    return msgspec.structs.replace(prompting, knowledge=globs)


def _schema_path(conversion: Conversion, given: str | Mapping[SchemaSection, str]) -> dict[str, str]:
    """The templates by section; a single one is that of all."""
    if isinstance(given, str):
        if given:
            _check_template(conversion, ("schema_path",), given)
        return {section: given for section in get_args(SchemaSection) if given}
    for section, template in given.items():
        _check_template(conversion, ("schema_path", section), template)
    return {str(section): template for section, template in given.items()}


def _check_template(conversion: Conversion, keys: Keys, template: str) -> None:
    try:
        check_template(template)
    except SchemaFileError as error:
        conversion.complain(keys, f"is `{template}`; it {error}")


def _check_globs(conversion: Conversion, globs: Sequence[str]) -> None:
    for index, glob in enumerate(globs):
        keys = ("ignore", str(index))
        if not glob.strip(" /\\"):
            conversion.complain(keys, f"is `{glob}`; it names nothing. Write a node's name, a column's or a path")
        elif glob.strip().startswith("!"):
            kept = "`dbt-describe: describe` in the meta of a node or column is an exception"
            conversion.complain(keys, f"is `{glob}`; there is no `!` here: {kept}")


def _check_prompting(conversion: Conversion, language: str, prompting: PromptingConfig) -> None:
    inner = prompting.style.language
    if language and inner and language != inner:
        conversion.complain(("style", "language"), f"is {inner}, but language is {language}: one of them is enough")
    for index, phrase in enumerate(prompting.style.forbidden):
        if not phrase.strip():
            conversion.complain(("style", "forbidden", str(index)), "is empty; every text would have it")
    for index, glob in enumerate(prompting.knowledge):
        if not glob.strip():
            conversion.complain(("knowledge", str(index)), "names nothing. Write a path or a glob like `docs/**/*.md`")


def _is_of_an_endpoint(fault: Fault) -> bool:
    """Whether it is a missing variable that matters only to those who ask this endpoint."""
    return bool(fault.variable) and fault.keys[0] == "endpoints"


def _raise(messages: list[str]) -> None:
    if not messages:
        return
    more = len(messages) - MOST_FAULTS_SHOWN
    shown = [*messages[:MOST_FAULTS_SHOWN], *([f"… and {more} more."] if more > 0 else [])]
    raise SettingsError("\n".join(shown))
