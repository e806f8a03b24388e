"""Questions about drafts, on a terminal of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbt_describe.cli.asking import Interview, is_terminal, shown
from dbt_describe.deciding import Choice, rewritten
from dbt_describe.planning import Draft

pty = pytest.importorskip("pty")

DRAFT = Draft("model.shop.orders", "total", "Sum of all payments.", "openai/tiny", "medium", "sum(amount) as total")
QUESTION = "[a/e/s/q] "


class Terminal:
    """The terminal that stdin is, and what stderr shows."""

    def __init__(self, descriptor: int, capfd: pytest.CaptureFixture[str]) -> None:
        self._descriptor = descriptor
        self._capfd = capfd
        self._seen = ""

    @property
    def seen(self) -> str:
        """All that was shown so far."""
        self._seen += self._capfd.readouterr().err
        return self._seen

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    async def wait_for(self, said: str, times: int = 1) -> None:
        """Until that is shown, so many times."""
        async with asyncio.timeout(20):
            while self.seen.count(said) < times:
                await asyncio.sleep(0.01)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield Terminal(master, capfd)
    os.close(master)


def answers(terminal: Terminal, *lines: str) -> Choice:
    """What comes of these lines, each typed once a question is open."""

    async def all_of_it() -> Choice:
        choosing = asyncio.ensure_future(Interview()(DRAFT, ""))
        for number, line in enumerate(lines, 1):
            await terminal.wait_for(QUESTION, number)
            terminal.type(line)
        return await asyncio.wait_for(choosing, 20)

    return asyncio.run(all_of_it())


@pytest.mark.parametrize(
    ("line", "choice"),
    [
        ("a\n", Choice(DRAFT)),
        (" Accept \n", Choice(DRAFT)),
        ("s\n", Choice()),
        ("q\n", Choice(ends=True)),
        ("\x04", Choice(ends=True)),
    ],
    ids=["a", "accept", "s", "q", "Ctrl-D"],
)
def test_a_letter_decides(line: str, choice: Choice, terminal: Terminal) -> None:
    assert answers(terminal, line) == choice


def test_any_other_answer_is_told_what_there_is(terminal: Terminal) -> None:
    assert answers(terminal, "\n", "yes\n", "s\n") == Choice()
    assert terminal.seen.count("in your editor") == 2


def test_what_was_typed_before_the_question_answers_nothing(terminal: Terminal) -> None:
    terminal.type("a\n")
    assert answers(terminal, "s\n") == Choice()


def editing(directory: Path, code: str) -> str:
    """An editor that runs this code on the lines of the file `path`."""
    path = directory / "editor.py"
    path.write_text(f"import sys\npath = sys.argv[1]\n{code}\n", encoding="utf-8")
    return f"{sys.executable} {path}"


def test_a_changed_text_is_ones_own(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "text = open(path).read()\nopen(path, 'w').write(text.replace('all', 'the'))"
    monkeypatch.setenv("VISUAL", editing(tmp_path, code))
    assert answers(terminal, "e\n") == Choice(rewritten(DRAFT, "Sum of the payments."))


def test_an_unchanged_text_is_the_draft(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", editing(tmp_path, ""))
    assert answers(terminal, "e\n") == Choice(DRAFT)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("open(path, 'w').close()", "An empty text can't be written"),
        ("sys.exit(3)", "Editing failed"),
        ("open(path, 'wb').write(b'Gr\\xfc\\xdfe.')", "isn't UTF-8; set your editor to save as UTF-8."),
        ("import os\nos.remove(path)", "What was edited can't be read (No such file or directory)"),
    ],
    ids=["empty", "exit code", "Latin-1", "removed"],
)
def test_an_edit_that_comes_to_nothing_is_asked_again(
    code: str,
    said: str,
    terminal: Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VISUAL", editing(tmp_path, code))
    assert answers(terminal, "e\n", "s\n") == Choice()
    assert said in terminal.seen


def test_an_editor_that_is_no_command_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vi 'unclosed")
    assert answers(terminal, "e\n", "s\n") == Choice()
    assert "$VISUAL or $EDITOR isn't a command" in terminal.seen


def test_a_text_that_cant_be_written_is_asked_about_again_and_edited_further(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "text = open(path).read()\n"
        "text = text.replace('{{ x }}', 'Done.') if '{{' in text else text.replace('Sum', 'My sum') + '{{ x }}'\n"
        "open(path, 'w').write(text)"
    )
    monkeypatch.setenv("VISUAL", editing(tmp_path, code))
    assert answers(terminal, "e\n", "e\n") == Choice(rewritten(DRAFT, "My sum of all payments.\nDone."))
    assert "the text holds Jinja, which dbt would run" in terminal.seen


def test_what_is_said_meanwhile_comes_after_the_answer(terminal: Terminal) -> None:
    interview = Interview()
    interview.say("Before.")
    interview.begin(3)

    async def all_of_it() -> None:
        choosing = asyncio.ensure_future(interview(DRAFT, ""))
        await terminal.wait_for(QUESTION)
        interview.say("The server asks to wait.")
        interview.end_node("model.shop.other", 2, 0, "")
        interview.end_node("model.shop.third", 0, 0, "no answer")
        terminal.type("s\n")
        await choosing

    asyncio.run(all_of_it())
    lines = terminal.seen.split("[a/e/s/q] ")
    assert "Before." in lines[0]
    assert "(0 of 3 nodes done)" in lines[0]
    assert lines[1].splitlines() == ["The server asks to wait.", "model.shop.third: no answer"]


def test_a_question_that_is_taken_back_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    async def all_of_it() -> None:
        choosing = asyncio.ensure_future(Interview()(DRAFT, ""))
        await terminal.wait_for(QUESTION)
        choosing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await choosing

    asyncio.run(all_of_it())
    assert terminal.seen.endswith("[a/e/s/q] \n")


def test_a_draft_is_shown_with_all_that_it_is_judged_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    long = Draft(DRAFT.unique_id, "", "One order of the shop with all that was paid for it by its customer.", "rules")
    assert shown(DRAFT, "What was paid.").replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() == [
        "  total",
        "    now:   What was paid.",
        "    draft: Sum of all payments.",
        "           (sum(amount) as total; medium confidence, openai/tiny)",
    ]
    assert shown(long, "").replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() == [
        "  (the node itself)",
        "    draft: One order of the shop with all that was paid for it by",
        "           its customer.",
        "           (high confidence, rules)",
    ]


def test_texts_cannot_act_on_the_terminal() -> None:
    nasty = "Old\x1b[2J\x1b]0;title\x07\r\n\u202etext"
    said = shown(Draft("model.shop.orders", "a\x1b[2Jb", "Fine.", "rules", evidence=nasty), nasty)
    assert not {"\x07", "\r", "\u202e"} & set(said)
    assert "\x1b[2J" not in said
    assert len(said.splitlines()) == 4


def test_without_a_terminal_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert not is_terminal()
