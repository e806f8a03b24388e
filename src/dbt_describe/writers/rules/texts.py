"""Words for text functions: case, trimming, cutting, joining, hashing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.grain import SURROGATE_KEY_NULL
from dbt_describe.writers.rules.kinds import NUMBERS, kind_of
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import chain, is_null, literal_text, plus, strip_casts

_SEPARATORS = {
    " ": "a space",
    ", ": "a comma and a space",
    ",": "a comma",
    "-": "a hyphen",
    " - ": "a hyphen between spaces",
    "_": "an underscore",
    "": "nothing",
    ".": "a full stop",
    "/": "a slash",
    ":": "a colon",
    ";": "a semicolon",
}
_PLUS_JOINS = frozenset({"tsql", "fabric", "redshift"})
"""Dialects in which `+` joins texts."""
_ORDINALS = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "-1": "last"}


def _after(suffix: str) -> Callable[[exp.Expr, Teller], Phrase]:
    def say(expression: exp.Expr, teller: Teller) -> Phrase:
        inner = teller.operand(expression.this)
        if inner.compound:
            raise UnsayableError(TOO_DEEP)
        return Phrase(f"{inner.text} {suffix}", inner.definite, inner.plural)

    return say


def _of(prefix: str, *, plural: bool = False) -> Callable[[exp.Expr, Teller], Phrase]:
    def say(expression: exp.Expr, teller: Teller) -> Phrase:
        inner = teller.operand(expression.this)
        if inner.compound:
            raise UnsayableError(TOO_DEEP)
        return Phrase(f"{prefix} {inner.inside}", plural=plural)

    return say


def _trim(expression: exp.Expr, teller: Teller) -> Phrase:
    side = {"LEADING": "leading", "TRAILING": "trailing"}.get(str(expression.args.get("position") or ""), "")
    trimmed = expression.args.get("expression")
    if trimmed is None:
        what = f"{side or 'surrounding'} spaces"
    else:
        text = literal_text(trimmed)
        if text is None or len(text) != 1:
            raise UnsayableError(TOO_DEEP)
        what = f"{side or 'surrounding'} {words.quoted(text)} characters"
    return _after(f"without {what}")(expression, teller)


def _count_of(expression: exp.Expr | None) -> int:
    bare = strip_casts(expression) if expression is not None else None
    if not isinstance(bare, exp.Literal) or bare.is_string or not str(bare.this).isdigit():
        raise UnsayableError(TOO_DEEP)
    return int(str(bare.this))


def _edge(word: str, count: int) -> Callable[[exp.Expr, Teller], Phrase]:
    return _of(f"{word} character of") if count == 1 else _of(f"{word} {count} characters of", plural=True)


def _left(expression: exp.Expr, teller: Teller) -> Phrase:
    return _edge("first", _count_of(expression.expression))(expression, teller)


def _right(expression: exp.Expr, teller: Teller) -> Phrase:
    return _edge("last", _count_of(expression.expression))(expression, teller)


def _substring(expression: exp.Expr, teller: Teller) -> Phrase:
    start = _count_of(expression.args.get("start"))
    length = expression.args.get("length")
    inner = teller.operand(expression.this)
    if inner.compound:
        raise UnsayableError(TOO_DEEP)
    if length is None:
        return Phrase(f"{inner.text} from character {start} on", inner.definite, inner.plural)
    count = _count_of(length)
    if start == 1:
        return _edge("first", count)(expression, teller)
    if start < 1 or count < 1:
        raise UnsayableError(TOO_DEEP)
    if count == 1:
        return Phrase(f"character {start} of {inner.inside}", definite=False)
    return Phrase(f"characters {start} to {start + count - 1} of {inner.inside}", definite=False, plural=True)


def _split_part(expression: exp.Expr, teller: Teller) -> Phrase:
    delimiter = literal_text(expression.args["delimiter"])
    index = _ORDINALS.get(expression.args["part_index"].sql())
    if not delimiter or index is None:
        raise UnsayableError(TOO_DEEP)
    return Phrase(f"{index} part of {teller.operand(expression.this).inside} split at {words.quoted(delimiter)}")


def _replace(expression: exp.Expr, teller: Teller) -> Phrase:
    old = literal_text(expression.expression)
    new = literal_text(expression.args["replacement"]) if expression.args.get("replacement") else ""
    inner = teller.operand(expression.this)
    if not old or new is None or inner.compound or " with " in inner.text or " without " in inner.text:
        raise UnsayableError(TOO_DEEP)
    if new == "" and old == " ":
        return Phrase(f"{inner.text} without spaces", inner.definite, inner.plural)
    if new == "":
        return Phrase(f"{inner.text} without any {words.quoted(old)}", inner.definite, inner.plural)
    text = f"{inner.text} with every {words.quoted(old)} replaced by {words.quoted(new)}"
    return Phrase(text, inner.definite, inner.plural, loose=True)


def _without_text_casts(expression: exp.Expr) -> exp.Expr:
    """The expression without casts to text; others make another text of the value."""
    while isinstance(expression, exp.Paren) or (
        isinstance(expression, exp.Cast) and expression.to.is_type(*exp.DataType.TEXT_TYPES)
    ):
        expression = expression.this
    return expression


def _pieces(expression: exp.Expr) -> Iterator[exp.Expr]:
    bare = _without_text_casts(expression)
    if isinstance(bare, exp.DPipe):
        yield from _pieces(bare.this)
        yield from _pieces(bare.expression)
    elif isinstance(bare, exp.Concat):
        for piece in bare.expressions:
            yield from _pieces(piece)
    elif isinstance(bare, exp.Coalesce) and len(bare.expressions) == 1 and literal_text(bare.expressions[0]) == "":
        yield from _pieces(bare.this)
    else:
        yield bare


def _concat(expression: exp.Expr, teller: Teller) -> Phrase:
    pieces = [piece for piece in _pieces(expression) if literal_text(piece) != ""]
    literals = [literal_text(piece) for piece in pieces]
    values = [piece for piece, literal in zip(pieces, literals, strict=True) if literal is None]
    if len(values) == len(pieces):
        return _joined(values, "", teller)
    separators = set(literals[1::2])
    alternating = len(pieces) % 2 == 1 and not any(literals[::2]) and len(separators) == 1
    separator = separators.pop() if alternating else None
    if alternating and separator is not None and len(values) > 1:
        return _joined(values, separator, teller)
    if len(pieces) > 3:
        raise UnsayableError(TOO_DEEP)
    said = [teller.operand(piece).inside for piece in pieces]
    return Phrase(" followed by ".join(said), definite=False, compound=True)


def _added(expression: exp.Expr, teller: Teller) -> Phrase:
    """`a + b`, which some engines take for a concatenation where these are texts."""
    if teller.dialect not in _PLUS_JOINS:
        return plus(expression, teller)
    operands = list(chain(expression))
    kinds = {kind_of(operand, teller) for operand in operands}
    added = kinds & {*NUMBERS, "date", "interval"}
    if ("text" in kinds) == bool(added):
        raise UnsayableError("it isn't known whether `+` adds numbers or joins texts")
    if added:
        return plus(expression, teller)
    return _concat(exp.Concat(expressions=[operand.copy() for operand in operands]), teller)


def _concat_ws(expression: exp.Expr, teller: Teller) -> Phrase:
    separator, *values = expression.expressions
    literal = literal_text(separator)
    if literal is None:
        raise UnsayableError(TOO_DEEP)
    return _joined(values, literal, teller)


def _joined(values: list[exp.Expr], separator: str, teller: Teller) -> Phrase:
    said = [teller.operand(value) for value in values]
    if any(phrase.compound for phrase in said):
        raise UnsayableError(TOO_DEEP)
    if len(said) < 2:
        return said[0]
    all_definite = all(phrase.definite for phrase in said)
    texts = [said[0].text, *(phrase.text if all_definite else phrase.inside for phrase in said[1:])]
    between = _SEPARATORS.get(separator) or words.quoted(separator)
    how = "directly" if separator == "" else f"by {between}"
    return Phrase(f"{words.listed(texts)} joined {how}", said[0].definite, plural=True, compound=True)


def _hash(expression: exp.Expr, teller: Teller) -> Phrase:
    is_surrogate = SURROGATE_KEY_NULL in expression.sql()
    said: list[str] = []
    for piece in _hashed(expression.this):
        phrase = teller.operand(piece)
        if phrase.inside not in said:
            said.append(phrase.inside)
    if not said:
        raise UnsayableError("it is a hash of constants")
    text = f"hash of {words.listed(said)}"
    return Phrase(f"{text}: a surrogate key", loose=True) if is_surrogate else Phrase(text)


def _hashed(expression: exp.Expr) -> Iterator[exp.Expr]:
    """What goes into a hash, separators and replacements of null apart."""
    for piece in _pieces(expression):
        if isinstance(piece, exp.ConcatWs):
            for value in piece.expressions[1:]:
                yield from _hashed(value)
        elif isinstance(piece, exp.Coalesce) and all(_is_filler(other) for other in piece.expressions):
            yield from _hashed(piece.this)
        elif isinstance(piece, (exp.Upper, exp.Lower, exp.Trim)) and isinstance(
            strip_casts(piece.this), (exp.DPipe, exp.Concat)
        ):
            raise UnsayableError(TOO_DEEP)
        elif literal_text(piece) is None:
            yield piece


def _is_filler(expression: exp.Expr) -> bool:
    return is_null(expression) or literal_text(expression) in ("", SURROGATE_KEY_NULL)


VALUES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], Phrase]] = {
    exp.Lower: _after("in lower case"),
    exp.Upper: _after("in upper case"),
    exp.Initcap: _after("with each word capitalised"),
    exp.Length: _of("number of characters in"),
    exp.Reverse: _after("reversed"),
    exp.Trim: _trim,
    exp.Left: _left,
    exp.Right: _right,
    exp.Substring: _substring,
    exp.SplitPart: _split_part,
    exp.Replace: _replace,
    exp.Add: _added,
    exp.DPipe: _concat,
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.MD5: _hash,
    exp.MD5Digest: _hash,
    exp.SHA: _hash,
    exp.SHA2: _hash,
    exp.FarmFingerprint: _hash,
}
