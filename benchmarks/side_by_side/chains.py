"""A generated project: chains of models, each of which hands on 8 columns of the one before and computes 4 more.

20 chains of 10 models with 12 columns make 200 models with 2,400 columns: 8 of 12 are copies from the second model of a
chain on. Four of them come from its first model, four are what the model before computed.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.side_by_side.schema_texts import Place

NEW = 4
KEPT = 4

PROJECT = """\
name: chains
version: "1.0"
profile: chains
models:
  chains:
    +materialized: view
    +dbt-osmosis: "{model}.yml"
"""
PROFILES = """\
chains:
  target: dev
  outputs:
    dev: {type: duckdb, path: chains.duckdb, threads: 4}
"""
_SUBJECTS = ("order", "payment", "parcel", "refund", "visit", "voucher", "invoice", "delivery", "basket", "return")
_MEASURES = ("amount", "weight", "count", "delay")
_FIRST = ("id", "store", "day", "clerk")


class Chains(msgspec.Struct, frozen=True):
    """How large the project is."""

    chains: int = 20
    levels: int = 10

    @property
    def nodes(self) -> int:
        """Models."""
        return self.chains * self.levels


def model_name(chain: int, level: int) -> str:
    """A model's name."""
    return f"chain_{chain:02d}_step_{level}"


def new_columns(chain: int, level: int) -> tuple[str, ...]:
    """What a model computes."""
    return tuple(f"{_SUBJECTS[level % len(_SUBJECTS)]}_{measure}_{level}" for measure in _MEASURES)


def kept_columns(chain: int) -> tuple[str, ...]:
    """What every model of a chain has from the first one."""
    return tuple(f"chain_{chain:02d}_{name}" for name in _FIRST)


def columns_of(chain: int, level: int) -> tuple[str, ...]:
    """All columns of a model: 12."""
    before = new_columns(chain, level - 1) if level else tuple(f"base_{measure}" for measure in _MEASURES)
    return (*kept_columns(chain), *before, *new_columns(chain, level))


def sql_of(chain: int, level: int) -> str:
    """A model's code."""
    if level == 0:
        return _first_sql(chain)
    handed_on = (*kept_columns(chain), *new_columns(chain, level - 1))
    amount, weight, count, delay = new_columns(chain, level - 1)
    new = new_columns(chain, level)
    expressions = (
        f"coalesce({amount}, 0) * 1.{level} - {weight}",
        f"greatest({weight}, {count}) / {level + 2}",
        f"sum({count}) over (partition by {kept_columns(chain)[1]})",
        f"case when {delay} > {level * 10} then {delay} - {amount} else 0 end",
    )
    computed = (f"{expression} as {name}" for expression, name in zip(expressions, new, strict=True))
    selected = ",\n        ".join((*handed_on, *computed))
    return (
        f"with previous as (\n\n    select * from {{{{ ref('{model_name(chain, level - 1)}') }}}}\n\n),\n\n"
        f"final as (\n\n    select\n        {selected}\n\n    from previous\n\n)\n\nselect * from final\n"
    )


def _first_sql(chain: int) -> str:
    kept, new = kept_columns(chain), new_columns(chain, 0)
    lines = [f"number + {chain} as {kept[0]}", f"number % 7 as {kept[1]}"]
    lines += [f"date '2026-01-01' + cast(number as integer) as {kept[2]}", f"number % 11 as {kept[3]}"]
    lines += [f"number * {place + 3} as base_{measure}" for place, measure in enumerate(_MEASURES)]
    lines += [f"(number * {place + 5}) % 101 as {name}" for place, name in enumerate(new)]
    return "select\n    " + ",\n    ".join(lines) + "\nfrom range(100) as numbers(number)\n"


def write_chains(directory: Path, size: Chains) -> None:
    """Write the project, without any schema file."""
    directory.mkdir(parents=True)
    (directory / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (directory / "profiles.yml").write_text(PROFILES, encoding="utf-8")
    for chain in range(size.chains):
        folder = directory / "models" / f"chain_{chain:02d}"
        folder.mkdir(parents=True)
        for level in range(size.levels):
            (folder / f"{model_name(chain, level)}.sql").write_text(sql_of(chain, level), encoding="utf-8")


def families_of(size: Chains) -> tuple[tuple[Place, ...], ...]:
    """The columns that are copies of one another."""
    found: list[tuple[Place, ...]] = []
    for chain in range(size.chains):
        names = [model_name(chain, level) for level in range(size.levels)]
        found += (tuple((name, column) for name in names) for column in kept_columns(chain))
        for level in range(size.levels - 1):
            found += (tuple((names[at], column) for at in (level, level + 1)) for column in new_columns(chain, level))
    return tuple(found)
