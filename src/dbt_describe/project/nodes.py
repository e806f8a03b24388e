"""What dbt knows of a project, reduced to what describing it needs.

dbt's words keep dbt's meaning: `unique_id`, `resource_type`, `relation_name`, `patch_path`
(https://docs.getdbt.com/reference/artifacts/manifest-json).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from dbt_describe.project.privacy import Privacy

RELATION_RESOURCE_TYPES = ("model", "seed", "snapshot", "source")
"""What is a table or view, or SQL in the place of one."""
INCREMENTAL = frozenset({"incremental", "microbatch"})
"""Materializations whose tables also hold what earlier runs returned."""
DESCRIBED_RESOURCE_TYPES = RELATION_RESOURCE_TYPES
"""What is described unless other resource types are asked for."""
DESCRIBABLE_RESOURCE_TYPES = (
    *RELATION_RESOURCE_TYPES,
    "analysis",
    "exposure",
    "metric",
    "semantic_model",
    "saved_query",
    "macro",
    "function",
    "test",
    "unit_test",
    "group",
)
"""By dbt's names; a `test` is a data test, singular or generic."""

_QUOTES = {'"': '"', "`": "`", "[": "]"}


def unquoted(name: str) -> str:
    """A column's name without the quotes of its SQL dialect, which some schema files write into it."""
    is_quoted = len(name) > 2 and _QUOTES.get(name[0]) == name[-1]
    return name[1:-1] if is_quoted else name


class DataTest(msgspec.Struct, frozen=True):
    """A generic data test attached to a column, or to the node when `column` is empty.

    `name` is the test's own (`unique`, `not_null`, `accepted_values`, `relationships`, or a package's, with its
    namespace: `dbt_utils.unique_combination_of_columns`). A test with `where`, or with a severity below error,
    proves nothing about all rows: `conditional` is true for it.
    """

    name: str
    column: str = ""
    accepted_values: tuple[str, ...] = ()
    to: str = ""
    """unique_id of the node that a relationships test refers to."""
    field: str = ""
    combination: tuple[str, ...] = ()
    """Columns of a unique_combination_of_columns test."""
    conditional: bool = False


class Constraint(msgspec.Struct, frozen=True):
    """What a schema file declares of a column or a node for the warehouse to hold."""

    kind: str
    """`not_null`, `unique`, `primary_key`, `foreign_key`, `check` or `custom`."""
    columns: tuple[str, ...] = ()
    """Of a node's."""
    to: str = ""
    """The relation that a foreign key refers to."""
    to_columns: tuple[str, ...] = ()
    expression: str = ""
    """SQL of a check, or of what stands behind a foreign key."""


class Column(msgspec.Struct, frozen=True):
    """A column, spelled as the schema file spells it where it is declared, else as the catalog or the SQL does.

    So is what else is described inside of a node: a macro's or function's argument, what a function returns, and a
    semantic model's entity, dimension or measure.
    """

    name: str
    description: str = ""
    data_type: str = ""
    declared: bool = False
    """The schema file lists it."""
    tests: tuple[DataTest, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    children: str = ""
    """The list that a semantic model has it in: `entities`, `dimensions` or `measures`; of a function, `returns`."""
    definition: str = ""
    """What a semantic model's entity, dimension or measure is, in a line: `sum of product_price`; of an argument its
    default.
    """
    expression: str = ""
    """SQL over the model's columns that a semantic model's entity, dimension or measure is made of."""
    wish: str = ""
    """What its `meta` says to us; see `wishes.wish_in`."""
    privacy: Privacy = ""
    """What its `meta` and tags say of personal data."""


class Node(msgspec.Struct, frozen=True):
    """A node of dbt's graph, or a macro or group: one of DESCRIBABLE_RESOURCE_TYPES.

    A source's `name` is the table's, `source_name` the source's.
    """

    unique_id: str
    resource_type: str
    name: str
    package_name: str
    description: str = ""
    columns: tuple[Column, ...] = ()
    is_built: bool = False
    """The catalog, or a seed's own file, has it: `columns` are all that there are."""
    tests: tuple[DataTest, ...] = ()
    """Node-level tests, e.g. a unique combination of columns."""
    constraints: tuple[Constraint, ...] = ()
    """Of several columns, or declared at the node."""
    relation_name: str = ""
    original_file_path: str = ""
    """Relative to its package's root. It is the schema file of what is defined there, as sources are."""
    patch_path: str = ""
    """`package://relative/path.yml`, or empty where no schema file names the node."""
    raw_code: str = ""
    compiled_code: str = ""
    language: str = "sql"
    database: str = ""
    schema: str = ""
    alias: str = ""
    materialized: str = ""
    fqn: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    """unique_ids of the nodes it reads."""
    macros: tuple[str, ...] = ()
    """unique_ids of the project's own macros that it calls; of a data test also others."""
    members: tuple[str, ...] = ()
    """Of a group, unique_ids of the nodes in it."""
    same_table_as: str = ""
    """For a seed or source that another one declares too: the unique_id of the one that is described more."""
    source_name: str = ""
    source_description: str = ""
    version: str = ""
    """Model version as dbt writes it (`2`), or empty."""
    unique_key: tuple[str, ...] = ()
    """`config.unique_key` of a snapshot or incremental model."""
    config: Mapping[str, object] = {}
    group: str = ""
    access: str = ""
    latest_version: str = ""
    label: str = ""
    attached_node: str = ""
    """unique_id of the node that a generic data test or a unit test is of."""
    test: DataTest | None = None
    """Of a generic data test, what it tests."""
    properties: Mapping[str, object] = {}
    """What else the manifest tells of what is no table, by its own keys: an exposure's `type` and `owner`, a metric's
    `type_params`, a saved query's `query_params`, a unit test's `given` and `expect`, a function's `returns`; a generic
    test's `arguments`.
    """
    wish: str = ""
    """What its `meta` says to us; see `wishes.wish_in`."""
    privacy: Privacy = ""
    """What its `meta` and tags say of personal data."""

    def column(self, name: str) -> Column | None:
        """The column of that name, compared without case."""
        wanted = name.lower()
        return next((column for column in self.columns if column.name.lower() == wanted), None)


class DocBlock(msgspec.Struct, frozen=True):
    """A docs block, of the project's own or of a package."""

    name: str
    package_name: str
    text: str
    """As it renders."""
    path: str
    """The file that holds it, relative to its package's root."""


class Conventions(msgspec.Struct, frozen=True):
    """How descriptions are written in a project."""

    language: str = "English"
    """By its English name."""
    full_stop: bool = True
    """A single sentence ends with one, too."""
    tone: str = ""
    tense: str = ""
    column_words: int = 0
    """Words that a column's description has at most; 0: as many as the prompt template says."""
    node_words: int = 0
    forbidden: tuple[str, ...] = ()
    """Phrases that no description may have, whatever their case."""
    rules: str = ""
    """House rules in a person's own words."""


class Project(msgspec.Struct, frozen=True):
    """All nodes by unique_id, packages' included (they are context; only `name`'s own nodes are ever written)."""

    root: Path
    name: str
    adapter_type: str
    dbt_version: str
    nodes: Mapping[str, Node]
    warnings: tuple[str, ...] = ()
    """What a person should know about the artifacts, one sentence each."""
    schema_paths: tuple[str, ...] = ()
    """Directories, relative to the root, below which dbt reads schema files; empty where that isn't known."""
    model_path: str = "models"
    """The first directory of the models."""
    vars: Mapping[str, object] = {}
    """The project's variables, as they are written."""
    doc_blocks: tuple[DocBlock, ...] = ()
    docs_dir: str = "models"
    """The first directory in which dbt looks for docs blocks, relative to `root`; empty where that isn't known."""
    closed_dirs: tuple[str, ...] = ("dbt_packages", "target")
    """Where dbt puts packages and artifacts, relative to `root`: nothing in them is the project's own."""
    ignore_patterns: tuple[str, ...] = ()
    """The lines of `.dbtignore`."""
    manifest_path: Path | None = None
    """The manifest that all this was read from."""
    conventions: Conventions = Conventions()
    has_files: bool = True
    """Whether any of its own nodes' files is here. Without them, only the manifest is: nothing can be written."""
    generated: frozenset[tuple[str, str]] = frozenset()
    """unique_id and lower-case column (empty: the node) of the descriptions that stand as we wrote them."""
    unread: Mapping[str, frozenset[str]] = {}
    """Schema files that are newer than the manifest, which dbt can't make anew → the nodes that may be described there.

    What these nodes are like now isn't known: their texts and tests are left out, and they aren't written.
    """
    unread_reason: str = ""
    """What dbt said of them."""

    def is_own(self, node: Node) -> bool:
        """Whether the node belongs to the project itself, not to an installed package."""
        return node.package_name == self.name
