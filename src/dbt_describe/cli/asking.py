"""`document --interactive`: each draft is shown on the terminal, and a person says what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator

import click

from dbt_describe.cli.output import complain, printable
from dbt_describe.cli.progress import PlainProgress, outcome
from dbt_describe.deciding import Choice, rewritten
from dbt_describe.errors import SchemaFileError
from dbt_describe.planning import Draft

_QUESTION = "accept, edit, skip or quit? [a/e/s/q] "
_HELP = (
    "a  take it as it is\n"
    "e  change it in your editor ($VISUAL, $EDITOR); the text is then yours\n"
    "s  leave it out; it isn't drafted again until the SQL changes, or with --ask-again\n"
    "q  stop here: what was accepted is written, the rest is left for another run"
)
_LONGEST_LINE = 110


class Interview(PlainProgress):
    """Asks about drafts, and shows the progress of the run between two questions: nothing is printed into one."""

    def __init__(self) -> None:
        super().__init__()
        self._is_open = False
        self._held: list[str] = []
        self._shown = ""
        self._text = ""

    async def __call__(self, draft: Draft, text_now: str) -> Choice:
        """What a person says of a draft."""
        with self._question():
            if draft.unique_id != self._shown:
                self._shown = draft.unique_id
                complain(f"\n{click.style(draft.unique_id, bold=True)}  ({self._ended} of {self._nodes} nodes done)")
            complain(shown(draft, text_now))
            self._text = draft.text
            while True:
                # What was typed before the question stood there answers another one.
                _forget_typed(sys.stdin.fileno())
                click.echo(_QUESTION, nl=False, err=True)
                choice = await self._answer(draft, await read_line())
                if choice is not None:
                    return choice

    def say(self, message: str) -> None:
        """Print the sentence, after the answer where a question is open."""
        if self._is_open:
            self._held.append(message)
        else:
            complain(message)

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """Print what failed; what was written, the person knows."""
        self._ended += 1
        if failure:
            self.say(outcome(unique_id, drafts, abstentions, failure))

    @contextlib.contextmanager
    def _question(self) -> Iterator[None]:
        self._is_open = True
        try:
            yield
        except asyncio.CancelledError:
            complain("")  # what follows isn't an answer
            raise
        finally:
            self._is_open = False
            for message in self._held:
                complain(message)
            self._held.clear()

    async def _answer(self, draft: Draft, line: str | None) -> Choice | None:
        """The choice, or None where another answer is needed. Without a line, nobody is there any more."""
        match "q" if line is None else line.strip().lower():
            case "a" | "accept":
                return Choice(draft)
            case "e" | "edit":
                return await self._edit(draft)
            case "s" | "skip":
                return Choice()
            case "q" | "quit":
                return Choice(ends=True)
        complain(_HELP)
        return None

    async def _edit(self, draft: Draft) -> Choice | None:
        """As `_answer`. A text that can't be written is kept for the next time."""
        text = await _edited(self._text)
        if not text.strip():
            return None
        try:
            return Choice(rewritten(draft, text))
        except SchemaFileError as error:
            self._text = text
            complain(f"That can't be written: {error}. To go on with your text, edit it again.")
            return None


def shown(draft: Draft, text_now: str) -> str:
    """A draft with what a person needs to judge it: the text in its place now, what it rests on, who wrote it."""
    said = f"{draft.confidence} confidence, {draft.writer}"
    lines = [
        _wrapped("now:   ", text_now) if text_now else "",
        _wrapped("draft: ", draft.text),
        _wrapped("       ", f"({f'{draft.evidence}; ' if draft.evidence else ''}{said})"),
    ]
    name = click.style(_one_line(draft.column) or "(the node itself)", bold=True)
    return "\n".join([f"  {name}", *filter(None, lines)])


async def read_line() -> str | None:
    """A line from the terminal, None at its end."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    is_readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, is_readable.set)
    except NotImplementedError:  # Windows: there, Ctrl-C is heard after the next Enter
        return await asyncio.to_thread(sys.stdin.readline) or None
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(descriptor)
    # A terminal gives one line at a time, and is readable only when there is a whole one, or nobody any more.
    with contextlib.suppress(OSError):
        return os.read(descriptor, 4096).decode(errors="replace") or None
    return None


def is_terminal() -> bool:
    """Whether a person can be shown something, and answer."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


async def _edited(text: str) -> str:
    """What a person makes of the text; blank, and why is told, where that is nothing."""
    try:
        edited = await asyncio.to_thread(click.edit, text, require_save=False) or ""
    except click.ClickException as error:
        complain(error.format_message())
    except OSError as error:
        complain(f"What was edited can't be read ({error.strerror or error}); save it in the file that was opened.")
    except UnicodeError:
        complain("What was edited isn't UTF-8; set your editor to save as UTF-8.")
    except ValueError as error:
        complain(f"$VISUAL or $EDITOR isn't a command ({error}); correct it.")
    else:
        if not edited.strip():
            complain("An empty text can't be written; to leave it out, skip it.")
        return edited
    return ""


def _forget_typed(descriptor: int) -> None:
    with contextlib.suppress(ImportError, OSError):
        import termios  # noqa: PLC0415 - Windows has none

        termios.tcflush(descriptor, termios.TCIFLUSH)


def _wrapped(head: str, text: str) -> str:
    width = min(shutil.get_terminal_size().columns - 4, _LONGEST_LINE)
    indent = "    " + " " * len(head)
    return textwrap.fill(
        _one_line(text),
        max(width, 40),
        initial_indent=f"    {head}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())
