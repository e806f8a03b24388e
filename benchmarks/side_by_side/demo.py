"""dbt-osmosis's own demo project, out of its source distribution, with all descriptions taken out."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.5.0"
_ROOT = f"dbt_osmosis-{VERSION}/demo_duckdb/"
_DESCRIPTION = re.compile(r"( *)description:")


def fetch_demo(directory: Path, downloads: Path, python: Path | str = sys.executable) -> None:
    """Write the project's files, as they are, into a directory that isn't there yet.

    Args:
        directory: where to.
        downloads: where the source distribution is kept.
        python: one that has pip, which fetches it from the package index.
    """
    archive = downloads / f"dbt_osmosis-{VERSION}.tar.gz"
    if not archive.exists():
        words = [str(python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words += ["--no-binary", "dbt-osmosis", "--dest", str(downloads), f"dbt-osmosis=={VERSION}"]
        subprocess.run(words, check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory(dir=downloads) as scratch, tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
        (Path(scratch) / _ROOT).rename(directory)


def without_descriptions(text: str) -> str:
    """A schema file's text without its descriptions; all other lines stay."""
    kept: list[str] = []
    depth: int | None = None
    for line in text.splitlines(keepends=True):
        if depth is not None and (not line.strip() or _depth(line) > depth):
            continue
        found = _DESCRIPTION.match(line)
        depth = len(found[1]) if found else None
        if found is None:
            kept.append(line)
    return "".join(kept)


def strip_descriptions(project: Path) -> None:
    """Take all descriptions out of a project's schema files."""
    for folder in ("models", "seeds"):
        for path in (project / folder).rglob("*.yml"):
            path.write_text(without_descriptions(path.read_text(encoding="utf-8")), encoding="utf-8")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


# Columns that the demo's SQL hands on under their name, as they are. Renames aren't held against anyone here.
FAMILIES = tuple(
    tuple((node, column) for node in nodes)
    for column, nodes in {
        "first_name": ("raw_customers", "stg_customers.v1", "stg_customers.v2", "customers"),
        "last_name": ("raw_customers", "stg_customers.v1", "stg_customers.v2"),
        "id": ("raw_customers", "stg_customers.v2"),
        "customer_id": ("stg_orders", "orders"),
        "order_date": ("raw_orders", "stg_orders", "orders"),
        "status": ("raw_orders", "stg_orders", "orders"),
        "order_id": ("stg_orders", "orders"),
        "payment_method": ("raw_payments", "stg_payments"),
    }.items()
)
# What it computes under the name of what it computes it from: cents become dollars, and are summed.
COMPUTED = (
    (("raw_payments", "amount"), ("stg_payments", "amount")),
    (("stg_payments", "amount"), ("orders", "amount")),
)
NODES = 10
