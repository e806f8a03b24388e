"""Generated schema files and texts for the property tests.

`HYPOTHESIS_PROFILE=nightly` tries 2,000 of them, else 200.
"""

from __future__ import annotations

import os
import re
from itertools import count, cycle

from hypothesis import strategies as st

from tests.schema_files.readings import Place

EXAMPLES = 2000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 100

_CHARS = st.one_of(
    st.sampled_from("abcdefgh XYZ 0123 .,:;#-'\"\\&*!|>%@`[]{}?/=~_\n\t\r\x85\u2028\ufeffäß漢🎉"),
    st.characters(exclude_categories=["Cs"]),
)
_RAW = st.one_of(
    st.text(_CHARS, min_size=1, max_size=60),
    st.lists(st.sampled_from(["one", "row", "per", "#1", "order:", "- a", "it's", "yes"]), min_size=1, max_size=40).map(
        " ".join
    ),
    st.lists(st.sampled_from(["A line.", "", "- item", "  deeper", "and: more"]), min_size=2, max_size=5).map(
        "\n".join
    ),
    st.sampled_from(["2024", "yes", "~", "1e3", "2024-01-01", "@home", "%a", "*x", "!y", "'", '"', "ends:"]),
)
TEXTS = _RAW.filter(lambda text: bool(text.strip()) and not any(jinja in text for jinja in ("{{", "{%", "{#")))

_NAMES = {
    "col_0": ["col_0", "COL_0", '"col_0"', "'Col_0'"],
    "col_1": ["col_1", "col_1"],
    "address.street": ["address.street", "'address.street'"],
    "with space": ["with space", '"With Space"'],
    "größe": ["größe", '"größe"'],
    "no": ["'no'", '"no"'],
    "1st": ['"1st"', "'1st'"],
    "🎉": ['"🎉"', "🎉"],
}
"""Lower-case name → how the file may have it."""

COLUMNS = tuple(_NAMES)
_GAPS = [
    "", " ''", ' ""', " null", " ~", " TBD", " 'tbd'  ", " # todo", "  \t# todo", " |\n{body}TBD",
    " >-  # c\n{body}TBD", " |+\n{body}TBD\n\n", "\n{body}TBD", "   TBD   # c", " >\n{body}TBD  \n",
]  # fmt: skip
_KEPT = [
    " Plain words.",
    " 'single: quoted' # why",
    ' "double\\tquoted"',
    ' "a\ttab and 🎉"  ',
    " |\n{body}A block\n{body}\n{body}of lines.",
    " |-\n{body}A short block.",
    " |\n{body}Another short block.",
    " >\n{body}A short folded block.",
    " >-\n{body}Folded over\n{body}two lines.\n",
    " >\n{body}Folded over two lines, of which the first one is as wide as lines\n{body}are in this file.",
    " >+ # keep\n{body}kept\n\n",
    " |+\n{body}kept\n\n",
    " |1-\n{indent} By number.",
    " >2\n{indent}  By number,\n{indent}   deeper.",
    " 'over\n{body}two lines'",
    ' "over\n\n{body}two \\\n{body}lines"',
    " plain over\n{body}two lines",
    " \"{{{{ doc('orders') }}}}\"",
    " '{{{{ doc(\"orders\") }}}} and more'",
    " |\n{body}{{{{ doc('orders') }}}}",
]
_OTHER = [
    "data_tests: [unique, not_null]",
    "data_tests:\n{indent}- unique",
    "data_tests:\n{indent}  - unique # why\n{indent}  # deep",
    "data_tests:\n{indent}- in:\n{indent}    values: ['{{{{ var(\"x\") }}}}']\n{indent}    description: ''",
    "meta: {{a: 1, a: 2, description: ''}}",
    "config:\n{indent}  meta:\n{indent}     description:\n{indent}     owner: 'me'",
    "<<: *common",
    "<<: *gap",
    "<<: [*common, *told]",
    "data_type: int # type\n{indent}# below",
    "data_type: 'a\ttab'   ",
    "tags: [\"x\", 'y']",
    "note: >\n{indent}    folded\n\n{indent}    text\n",
]
_COMMENTS = [
    "",
    "",
    "",
    "",
    "{indent}# between\n",
    "\n",
    "  \n",
    "# at the margin\n",
    "{indent}  # deeper\n\n",
    "{indent}          \n",
    "{indent}      # deep\n",
]
_HEAD = (
    "anchors:\n  - &common\n    data_type: text\n  - &gap {description: '', data_type: text}\n  - &told\n"
    "    description: Told by an anchor.\n  - &text A text for several.\n"
)
_SHAPES = st.sampled_from([(0, 2), (2, 2), (2, 2), (4, 2), (2, 4), (1, 3)])


@st.composite
def schema_texts(draw: st.DrawFn) -> str:
    """A schema file with a model `orders` and more; gaps and human texts in all styles, in any line endings."""
    parts = [_HEAD, draw(st.sampled_from(["", "\n", "# next\n"])) + _section(draw, "models", ["orders", "customers"])]
    for key, names in (("sources", ["s", "other"]), ("seeds", ["seed_a"]), ("macros", ["cents"])):
        if draw(st.integers(0, 2)) == 0:
            parts.insert(draw(st.integers(1, len(parts))), _section(draw, key, names))
    start = draw(st.sampled_from(["", "", "# top\n", "---\n", "--- # one\n", "%YAML 1.1\n---\n", "version: 2\n\n"]))
    end = draw(st.sampled_from(["", "", "", "\n\n", "          \n", "# end\n", "  # end\n", "...\n", "... # over\n"]))
    numbers = count()
    text = start + re.sub("&own_text", lambda _: f"&own_{next(numbers)}", "".join(parts)) + end
    text = text if draw(st.booleans()) else text.rstrip("\n \t")
    breaks = cycle(
        draw(
            st.one_of(
                st.sampled_from([["\n"], ["\r\n"], ["\r"]]),
                st.lists(st.sampled_from(["\n", "\r\n"]), min_size=2, max_size=5),
            )
        )
    )
    return draw(st.sampled_from(["", "", "\ufeff"])) + re.sub("\n", lambda _: next(breaks), text)


def _section(draw: st.DrawFn, key: str, names: list[str]) -> str:
    offset, item = draw(_SHAPES)
    lines = f"{key}:\n" + _comment(draw, offset)
    for name in draw(st.lists(st.sampled_from(names), unique=True, min_size=1)):
        children = "tables" if key == "sources" else "arguments" if key == "macros" else "columns"
        lines += _entry(draw, [name, f'"{name}"', name.upper()], offset, item)
        lines += _children(draw, children, offset + item, f"{key}_{name}") + _comment(draw, offset)
    return lines


def _children(draw: st.DrawFn, key: str, column: int, label: str) -> str:
    """A list of children; that of `tables` with columns of their own."""
    indent = " " * column
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return ""
    if kind == 1:
        return f"{indent}{key}:{draw(st.sampled_from(['', ' []', ' null', ' ~  # none', ' [ ] # none', ' # none']))}\n"
    known = ["t", "u"] if key == "tables" else COLUMNS
    names = draw(st.lists(st.sampled_from(known), unique=True, min_size=1, max_size=4))
    if kind == 2:
        items = ", ".join(_flow_item(draw, name) for name in names)
        return f"{indent}{key}: [{items}]{draw(st.sampled_from(['', ' # all', '  ']))}\n"
    offset, item = draw(_SHAPES)
    anchor = draw(st.sampled_from(["", "", "", "", f" &{label}_{key}"]))
    lines = f"{indent}{key}:{anchor}{draw(st.sampled_from(['', ' # all']))}\n"
    for name in names:
        lines += _comment(draw, column + offset)
        spellings = _NAMES.get(name, [name, f"'{name}'"])
        if draw(st.integers(0, 6)) == 0:
            lines += f"{' ' * (column + offset)}- {_flow_item(draw, name)}\n"
        else:
            tag = f"&{label}_{COLUMNS.index(name)}" if name in _NAMES and draw(st.integers(0, 5)) == 0 else ""
            lines += _entry(draw, spellings, column + offset, item, tag)
            if tag and draw(st.booleans()):
                use = (
                    f"- *{tag[1:]}" if draw(st.booleans()) else f"- name: shares_{tag[1:]}\n{{indent}}  <<: *{tag[1:]}"
                )
                lines += f"{' ' * (column + offset)}{use}\n".replace("{indent}", " " * (column + offset))
            if key == "tables":
                lines += _children(draw, "columns", column + offset + item, f"{label}_{name}")
    if anchor and draw(st.booleans()):
        lines += f"{indent}same: *{label}_{key}\n"
    return lines


def _flow_item(draw: st.DrawFn, name: str) -> str:
    written = draw(st.sampled_from([f"'{name}'", f'"{name}"']))
    other = draw(
        st.sampled_from(["", "data_type: 'int'", "description: 'In braces.'", "description: ", "tags: [a, b]"])
    )
    key = draw(st.sampled_from(["name", "name", '"name"']))
    return f"{{{key}: {written}{', ' if other else ''}{other}}}"


def _entry(draw: st.DrawFn, spellings: list[str], dash: int, item: int, anchor: str = "") -> str:
    indent = " " * (dash + item)
    body = indent + " " * draw(st.integers(1, 4))
    keys = [f"name: {draw(st.sampled_from(spellings))}{draw(st.sampled_from(['', ' # PK', '   ']))}"]
    kept = draw(st.sampled_from([*_GAPS, *_KEPT, " *text", " &own_text ''", None, None, None, None]))
    if kept is not None:
        keys.insert(draw(st.integers(0, 1)), f"description:{kept.format(body=body, indent=indent)}")
    keys += [key.format(indent=indent) for key in draw(st.lists(st.sampled_from(_OTHER), unique=True, max_size=2))]
    for taken in ("data_tests", "<<", "data_type"):
        double = [key for key in keys if key.startswith(taken)][1:]
        keys = [key for key in keys if key not in double]
    if anchor:
        return f"{' ' * dash}- {anchor}\n" + "".join(f"{indent}{key}\n" for key in keys)
    first, *others = keys
    marker = "-".ljust(item)
    return f"{' ' * dash}{marker}{first}\n" + "".join(f"{indent}{key}\n" for key in others)


def _comment(draw: st.DrawFn, indent: int) -> str:
    return draw(st.sampled_from(_COMMENTS)).format(indent=" " * indent)


_CHILDREN = st.sampled_from(["", "", *COLUMNS, "new_a", "New b"])
_PLACES = st.one_of(
    st.builds(Place, st.just("model"), st.sampled_from(["orders", "orders", "customers", "new_model"]), _CHILDREN),
    st.builds(Place, st.just("source"), st.sampled_from(["t", "u"]), _CHILDREN, st.just("s")),
    st.builds(Place, st.just("source"), st.just(""), st.just(""), st.sampled_from(["s", "other"])),
    st.builds(Place, st.just("seed"), st.sampled_from(["seed_a", "seed_b"]), _CHILDREN),
    st.builds(Place, st.just("macro"), st.sampled_from(["cents", "dollars"]), _CHILDREN),
)


@st.composite
def wanted_texts(draw: st.DrawFn) -> dict[Place, str]:
    """What to describe → its text."""
    return {place: draw(TEXTS) for place in draw(st.lists(_PLACES, unique=True, min_size=1, max_size=8))}
