"""What a tool is that writes the project's files itself, and has us describe: dbt-osmosis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dbt_describe.filing import Destination
from dbt_describe.placing import Placement
from dbt_describe.planning import Draft


class Host(Protocol):
    """Finds the files of nodes, and takes their drafts."""

    def find_places(self, gaps: Mapping[str, Sequence[str]]) -> Placement:
        """The file of each node, and why others can't be written; asked before anything is paid for.

        `gaps` names for each node's unique_id the missing descriptions: columns, an empty one for the node itself.
        """

    def open_destination(
        self, paths: Mapping[str, Path], note: Callable[[Iterable[Draft]], None], *, dry_run: bool
    ) -> Destination:
        """Where drafts of the nodes with these `paths` go; `note` must be told of drafts before they are written."""
