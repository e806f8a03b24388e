"""What kind of type a column has: catalogs and schema files call the same one `int`, `INTEGER` or `bigint`."""

from __future__ import annotations

import re
from functools import cache

_NAME = re.compile(r"[a-z_ ]*[a-z]")
_WRAPPER = re.compile(r"(?:nullable|lowcardinality)\((.*)\)")
_ARRAY = re.compile(r".*\[\d*\]")
_FAMILIES = {
    # Snowflake's and Oracle's catalogs call all of these NUMBER, whatever the SQL and the schema file say.
    "number": "bigdecimal bigint bignumeric bigserial byteint dec decimal double float hugeint int integer long "
    "mediumint money number numeric real serial short smallint smallmoney smallserial tinyint ubigint uhugeint uint "
    "uinteger usmallint utinyint",
    "text": "bpchar char character clob fixedstring longtext mediumtext name nchar nclob ntext nvarchar str string "
    "text tinytext varchar",
    "boolean": "bit bool boolean",
    "timestamp": "datetime datetimeoffset smalldatetime timestamp timestamp_ltz timestamp_ntz timestamp_tz "
    "timestampltz timestampntz timestamptz",
    "bytes": "binary blob bytea bytes image longblob raw varbinary",
    "object": "hstore json jsonb map object record row struct super variant",
    "array": "array list",
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}


@cache
def type_family(data_type: str) -> str:
    """The family of a type: its own name where it is in none, and empty where there is no type."""
    text = data_type.strip().lower()
    while wrapped := _WRAPPER.fullmatch(text):
        text = wrapped[1].strip()
    if _ARRAY.fullmatch(text):
        return "array"
    found = _NAME.match(text)
    if not found:
        return text
    first = found[0].split()[0].rstrip("_")
    return _FAMILY.get(first, first)
