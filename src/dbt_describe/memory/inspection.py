"""What is remembered of a project, for people to look at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dbt_describe.memory.gathering import all_sources, opened
from dbt_describe.memory.index import Found, Index, Listed, any_of
from dbt_describe.memory.people import read_authors
from dbt_describe.memory.words import abbreviations_of, named
from dbt_describe.preparing import study
from dbt_describe.progress import Progress, Silent
from dbt_describe.settings import Settings


class Memory(msgspec.Struct, frozen=True):
    """What is remembered. `path` is None where it can't be kept."""

    path: Path | None
    sources: tuple[Listed, ...]


def search(settings: Settings, text: str, limit: int, progress: Progress | None = None) -> list[Found]:
    """The passages that have a word of the text, or what it may stand for, the best first. What changed is read anew.

    Raises:
        ProjectError: no project, or no usable manifest.
        StoreError: the memory can't be read or written.
    """
    name = named(text, abbreviations_of(settings.llm.prompting.abbreviations))
    words = sorted(name.vocabulary)
    with _renewed(settings, progress or Silent()) as index:
        return index.find(any_of(words), limit, everywhere=True) if words else []


def remembered(settings: Settings, progress: Progress | None = None) -> Memory:
    """All sources, with how many passages each has. What changed is read anew.

    Raises:
        ProjectError: no project, or no usable manifest.
        StoreError: the memory can't be read or written.
    """
    with _renewed(settings, progress or Silent()) as index:
        return Memory(index.path, tuple(index.sources()))


def forget(settings: Settings, progress: Progress | None = None) -> int:
    """Forget what is remembered of the project; returns how many passages that were.

    Raises:
        StoreError: the memory can't be written.
    """
    with opened(settings.llm.store_dir, settings.dbt.project_dir, progress or Silent()) as index:
        return index.clear()


@contextlib.contextmanager
def _renewed(settings: Settings, progress: Progress) -> Iterator[Index]:
    studied = study(settings, progress)
    authors = read_authors(studied.project, studied.standings)
    with opened(settings.llm.store_dir, studied.project.root, progress) as index:
        index.renew(all_sources(studied.project, authors, settings.llm.prompting, progress))
        yield index
