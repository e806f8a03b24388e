"""However a query is written, what its descriptions rest on stays the same."""

from __future__ import annotations

import random
import re
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbt_describe.provenance.basis import Basis
from tests.provenance.bases import basis_of

QUERIES = (
    "select @o . amount - @p . amount as x from {orders} @o left~join {payments} @p on @p . order_id = @o . id",
    "select @o . customer_id , sum ( @o . amount ) as x from {orders} as @o where @o . status = 'Paid--not' "
    "and @o . id is not null group~by @o . customer_id having count ( * ) > 1",
    "with @a as ( select * from {orders} where amount > 0 ) , @b as ( select @a . customer_id , max ( @a . amount ) "
    "as y from @a group~by 1 ) select @c . id , coalesce ( @b . y , 0 ) as x from {customers} @c "
    "left~join @b on @b . customer_id = @c . id",
    "select @o . id , row_number ( ) over ( partition~by @o . customer_id order~by @o . ordered_at desc ) as x "
    "from {orders} @o where exists ( select 1 from {payments} @p where @p . order_id = @o . id )",
    "with @a as ( select id , amount as x from {orders} ) , @b as ( select id , amount * 2 as x from {payments} ) "
    "select * from @a union~all select * from @b where x > 10",
    "select @o . id , ( select max ( @p . amount ) from {payments} @p where @p . order_id = @o . id ) as x "
    "from {orders} @o",
    "select case when @o . amount between 1 and 10 then 'few' else 'many' end as x from {orders} @o "
    "where @o . status in ( 'a' , 'b' ) and @o . ordered_at :: date > date '2026-01-01'",
    "select select @o . amount as x from from {orders} @o where 'It''s' = x",
)
GAPS = (" ", "  ", "\n", "\t", "\n\n    ")
COMMENTS = (" -- a note, it's one\n", " /* why? */ ", "\n-- select 1 from x\n")
BARE = frozenset("(.")
"""Around these, and in `group by` and the like, sqlglot doesn't read each comment: then the words are compared."""
WORDS = re.compile(r"[a-z_~]+")
COLUMNS = ("amount", "order_id", "customer_id", "status", "ordered_at", "id")
NAMES = ("o", "orders", "t1", "final", "Some_Name", "source_data", "größe")


def spelled(query: str, choice: random.Random) -> str:
    """The query with other gaps, comments, letters, quotes and names."""
    aliases = dict(zip(sorted(set(re.findall(r"@\w", query))), choice.sample(NAMES, 3), strict=False))
    is_readable = "select select" not in query
    words = []
    for word in query.split(" "):
        if word in aliases:
            name = aliases[word] if is_readable else word[1:]
            words.append(f'"{name}"' if is_readable and choice.random() < 0.3 else name)
        elif word in COLUMNS and is_readable and choice.random() < 0.3:
            words.append(f'"{word}"')
        elif WORDS.fullmatch(word) and choice.random() < 0.5:
            words.append(choice.choice((word.upper(), word.title())))
        else:
            words.append(word)
    words = [re.sub("~", lambda _: choice.choice(GAPS), word) for word in words]
    followed = zip(words, (*words[1:], "("), strict=True)
    return "".join(word + choice.choice(GAPS if BARE & {word, after} else GAPS + COMMENTS) for word, after in followed)


@cache
def plain(query: str, column: str) -> Basis:
    """As it is written above."""
    with tempfile.TemporaryDirectory() as directory:
        return basis_of(Path(directory), query.replace("@", "").replace("~", " "), column)


@pytest.mark.parametrize("query", QUERIES)
@settings(max_examples=12, deadline=None)
@given(choice=st.randoms(use_true_random=False), column=st.sampled_from(("x", "")))
def test_another_spelling_is_no_change(query: str, choice: random.Random, column: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        found = basis_of(Path(directory), spelled(query, choice), column)
    assert found.sql
    assert found == plain(query, column)
