"""The comment on a pull request, byte for byte, and with names and texts that try to break out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dbt_describe.cli.formats.comment import LONGEST_COMMENT, MARKER, render_comment
from dbt_describe.cli.formats.plain import one_line, writable
from dbt_describe.cli.main import main
from dbt_describe.cli.summary import diff_lines
from dbt_describe.planning import Abstention, Draft
from dbt_describe.report import Failure, FileResult, Report

GOLDEN = Path(__file__).parent / "golden/comment.md"
FILES = (
    FileResult("models/orders.yml", "models:\n- name: a\n", 'models:\n- name: a\n  description: "`a` | b"\n', 1, False),
    FileResult("models/_new.yml", "", "models:\n- name: new\n  description: '@octocat ```'\n", 1, created=True),
)
REPORT = Report(
    writer="openai/gpt-6-luna",
    nodes=7,
    described_before=3,
    missing=5,
    drafts=(
        Draft("model.shop.orders", "total", "What was paid.", "inherited"),
        Draft("model.shop.new", "", "@octocat ``", "openai/gpt-6-luna"),
        Draft("model.shop.orders", "", "`a` | b", "openai/gpt-6-luna"),
    ),
    abstentions=(Abstention("model.shop.orders", "x", "no idea"),),
    failures=(Failure("model.shop.broken", "The server\nanswered <b>500</b>."),),
    warnings=("Fixes #1.",),
    files=FILES,
    dry_run=True,
)
BREAKERS = ("```", "~~~~", "</details>", "<!--", "-->", "\n", "\r", "    ", "[a](b)")
TEXTS = st.one_of(
    st.text(st.characters()),
    st.text(st.sampled_from("a`~|<>\"'[]()!*_#@\\&-+=:\r\n\t \x00\x85\u2028\ud800🎉"), max_size=40),
    st.lists(st.sampled_from([*BREAKERS, "@a", "#1", "<b>", "---", "|", " "])).map("".join),
)
DRAFTS = st.builds(Draft, TEXTS, TEXTS, TEXTS, st.one_of(st.just("inherited"), TEXTS))
REPORTS = st.builds(
    Report,
    writer=TEXTS,
    nodes=st.integers(0, 9),
    described_before=st.just(0),
    missing=st.integers(0, 9),
    drafts=st.lists(st.builds(Draft, TEXTS, TEXTS, TEXTS, st.one_of(st.just("inherited"), TEXTS)), max_size=6).map(
        tuple
    ),
    failures=st.lists(st.builds(Failure, TEXTS, TEXTS), max_size=3).map(tuple),
    warnings=st.lists(TEXTS, max_size=12).map(tuple),
    files=st.lists(
        st.builds(FileResult, TEXTS, TEXTS, TEXTS, st.just(1), st.booleans()),
        max_size=3,
    ).map(tuple),
    stopped_by=TEXTS,
    not_begun=st.integers(0, 3),
)


def _leaves(tokens: list[Token]) -> list[Token]:
    return [leaf for token in tokens for leaf in (token.children or [token])]


def test_a_comment_is_written_as_the_golden_file_has_it() -> None:
    assert render_comment(REPORT, "dbt/shop") == GOLDEN.read_text(encoding="utf-8")


@given(REPORTS)
@example(REPORT)
@example(Report("w", 1, 0, drafts=(Draft("`", "``", "", "`x` `"),)))
def test_names_and_texts_stand_in_code_and_nothing_breaks_out(report: Report) -> None:
    comment = render_comment(report, "")
    assert comment.startswith(f"{MARKER}\n")
    assert len(comment) <= LONGEST_COMMENT
    tokens = MarkdownIt("commonmark").enable("table").parse(comment)
    diff = [writable(line).rstrip("\r") for file in report.files for line in diff_lines(file)]
    html = [token.content.split("\n")[0] for token in tokens if token.type == "html_block"]
    assert html == [MARKER, *(["<details>", "</details>"] if diff else [])]
    fences = [token.content.removesuffix("\n") for token in tokens if token.type == "fence"]
    # CommonMark ends lines at a lone carriage return, and has no NUL.
    assert fences == (["\n".join(diff).replace("\r\n", "\n").replace("\r", "\n")] if diff else [])
    leaves = _leaves(tokens)
    allowed = {"text", "strong_open", "strong_close", "code_inline", "softbreak", "html_block", "fence"}
    blocks = {f"{name}_{end}" for name in ("paragraph", "bullet_list", "list_item") for end in ("open", "close")}
    assert {leaf.type for leaf in leaves} <= allowed | blocks
    codes = [leaf.content for leaf in leaves if leaf.type == "code_inline"]
    for draft in report.drafts:
        for text in (draft.unique_id, draft.column, draft.text):
            line = one_line(text)
            assert (line if len(line) <= 300 else f"{line[:299]}…") in codes or not line


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"line {number}" for number in range(12_000)),
        "\n".join("`" * number for number in range(900)),
        "`" * 40_000,
        "x" * 70_000,
        "🎉" * 65_000,
    ],
    ids=["lines", "ever longer fences", "backticks", "one line", "astral"],
)
def test_what_doesnt_fit_is_cut_and_told(text: str) -> None:
    drafts = tuple(Draft(f"model.shop.m{number}", "c", text, "rules") for number in range(400))
    report = Report("rules", 400, 0, 400, drafts, files=(FileResult("a.yml", "", text, 400, created=True),))
    comment = render_comment(report, "")
    assert len(comment) <= LONGEST_COMMENT
    fence = [token for token in MarkdownIt("commonmark").parse(comment) if token.type == "fence"]
    assert len(fence) == 1
    shown = fence[0].content.count("\n") if fence[0].content else 0
    left = text.count("\n") + 4 - shown
    assert f"The diff is cut: {left:,} line{'' if left == 1 else 's'} more." in comment
    assert "- and " in comment


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Report("rules", 3, 9), "has nothing to propose: all descriptions of 3 nodes are there."),
        (
            Report("rules", 3, 9, 1, abstentions=(Abstention("model.shop.orders", "x", "no idea"),)),
            "**dbt-describe has nothing to propose**; 1 description can't be known from here.",
        ),
        (
            Report("openai/x", 3, 9, 2, not_asked=2, cached_only=True),
            "**dbt-describe has nothing to propose**; 2 descriptions would be asked of `openai/x`.",
        ),
    ],
)
def test_a_comment_that_proposes_nothing_says_why(report: Report, said: str) -> None:
    comment = render_comment(report, "")
    assert comment.startswith(MARKER)
    assert said in comment
    assert comment.count("\n") == 3


def test_only_a_dry_run_is_shown_as_a_comment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["document", "--format", "github"])
    assert exit_.value.code == 2
    assert "--dry-run" in capsys.readouterr().err
