"""An artifact's JSON, decoded as far as it is needed, and what is wrong with one that can't be."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from dbt_describe.errors import ManifestError

_GZIP = b"\x1f\x8b"
_Artifact = TypeVar("_Artifact", bound=msgspec.Struct)


def decode_artifact(path: Path, artifact: type[_Artifact], kind: str) -> _Artifact:
    """What `artifact` has room for of a `manifest` or `catalog`, which may be gzipped.

    Raises:
        ManifestError: the file can't be read, isn't JSON, or isn't the artifact it should be.
    """
    content = b""
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
        content = content.removeprefix(codecs.BOM_UTF8)
        return msgspec.json.decode(content, type=artifact)
    except msgspec.ValidationError as error:
        said = _located(content, artifact) or str(error)
    except (msgspec.DecodeError, UnicodeDecodeError, EOFError, RecursionError, gzip.BadGzipFile, zlib.error) as error:
        said = _kind_of(content) or str(error)
    except OSError as error:
        raise ManifestError(f"Can't read {kind} {path}: {error.strerror or error}.") from error
    again = "dbt compile" if kind == "manifest" else "dbt docs generate"
    raise ManifestError(f"{path} is not a readable dbt {kind}: {said}. Make it again with `{again}`.")


def _kind_of(content: bytes) -> str:
    """What a file is that isn't JSON, where its beginning tells."""
    begin = content.lstrip()[:1]
    if not begin:
        return "it is empty"
    return "it is HTML or XML, not JSON" if begin == b"<" else ""


def _located(content: bytes, artifact: type) -> str:
    """The first value of a wrong type, with the names of all that it is in; empty where it can't be found."""
    found = next(_mistakes(msgspec.json.decode(content), artifact, ""), None)
    if found is None:
        return ""
    place, said = found
    return f"{said} at {place}" if place else said


def _mistakes(value: object, wanted: Any, place: str) -> Iterator[tuple[str, str]]:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        mistake = str(error).partition(" - at ")[0]
    else:
        return
    for inner, type_, name in _parts(value, wanted):
        yield from _mistakes(inner, type_, f"{place}{name}" if place else name.lstrip("."))
    yield place, mistake[:1].lower() + mistake[1:]


def _parts(value: object, wanted: Any) -> Iterator[tuple[object, Any, str]]:
    """What is inside of a value: each part's own value, type and name."""
    if not isinstance(value, Mapping):
        return
    for option in get_args(wanted) or (wanted,):
        if get_origin(wanted) is dict or get_origin(option) is dict:
            type_ = get_args(wanted if get_origin(wanted) is dict else option)[1]
            yield from ((inner, type_, f"[{name!r}]") for name, inner in value.items())
            return
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            fields = msgspec.structs.fields(option)
            yield from ((value[field.name], field.type, f".{field.name}") for field in fields if field.name in value)
            return
