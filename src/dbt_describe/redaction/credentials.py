"""Keys, tokens and passwords, wherever they stand: in SQL, in comments, in descriptions, in URLs.

What has a shape of its own is known by it; anything else only by the name in front of it. Hashes, UUIDs, commit ids and
numbers have no name of a secret in front, and stay.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

import msgspec

from dbt_describe.redaction.marks import mark

SHORTEST_KNOWN = 8
"""Characters of a secret of the environment that is looked for: shorter ones are ordinary words."""


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


class _Rule(msgspec.Struct, frozen=True):
    """What is taken out: `needles` are lower-case, and one of them is in every text that it can be in."""

    kind: str
    needles: tuple[str, ...]
    pattern: str


# Sources: the providers' own documentation of their keys, and the rules of gitleaks and detect-secrets (2026-11).
_KEYS = (
    ("sk-", r"\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}"),  # OpenAI, Anthropic, OpenRouter
    ("gsk_", r"\bgsk_\w{20,}"),  # Groq
    ("_live_", r"\b[spr]k_live_\w{8,}"),  # Stripe
    ("_test_", r"\b[spr]k_test_\w{8,}"),
    ("whsec_", r"\bwhsec_\w{16,}"),
    ("aiza", r"\bAIza[\w-]{30,}"),  # Google
    ("gocspx-", r"\bGOCSPX-[\w-]{20,}"),
    ("ya29.", r"\bya29\.[\w-]{20,}"),
    ("akia", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS
    ("asia", r"\bASIA[A-Z0-9]{16}\b"),
    ("gh", r"\bgh[pousr]_[A-Za-z0-9]{20,}"),  # GitHub
    ("github_pat_", r"\bgithub_pat_\w{20,}"),
    ("glpat-", r"\bglpat-[\w-]{16,}"),
    ("xox", r"\bxox[abeprs]-[\w-]{10,}"),  # Slack
    ("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/[\w/]{20,}"),
    ("hf_", r"\bhf_[A-Za-z]{30,}"),  # Hugging Face
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi-", r"\bpypi-[\w-]{32,}"),
    ("sg.", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),  # SendGrid
    ("sk", r"\bSK[0-9a-f]{32}\b"),  # Twilio
    ("dapi", r"\bdapi[0-9a-f]{32}(?:-\d+)?\b"),  # Databricks
    ("dbtc_", r"\bdbtc_[\w-]{16,}"),  # dbt
    ("dbtu_", r"\bdbtu_[\w-]{16,}"),
    ("shp", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),  # Shopify
    ("do", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),  # DigitalOcean
    ("key-", r"\bkey-[0-9a-f]{32}\b"),  # Mailgun
    ("-us", r"\b[0-9a-f]{32}-us\d{1,2}\b"),  # Mailchimp
    ("lin_api_", r"\blin_api_\w{32,}"),
    ("ntn_", r"\bntn_\w{32,}"),
    ("hvs.", r"\bhvs\.[\w-]{24,}"),  # Vault
    ("age-secret-key-", r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    (":aa", r"\b\d{8,10}:AA[\w-]{33}\b"),  # Telegram
)
_TOKENS = (
    ("eyj", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"),  # JSON web tokens
    ("bearer", r"(?<=\b[Bb]earer )(?=\S*\d)[\w.~+/=-]{16,}"),
    ("authorization", r"(?<=\b[Bb]asic )[A-Za-z0-9+/]{12,}={0,2}"),
    ("sig=", r"(?<=[?&]sig=)[\w%+/-]{20,}=*"),  # Azure's shared access signatures
    ("signature=", r"(?<=[Ss]ignature=)(?=\S*\d)[\w%+/-]{20,}=*"),
)
# Without its end, as in a text that was cut, it goes as far as its lines look like a key.
_PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?:"
    r"(?:[^-]|-(?!----)){0,20000}+-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:[\s\\|#*\"'.…-]|[A-Za-z0-9+/=]{16,})*+)"
)
_RULES = (
    _Rule("private key", ("private key",), _PRIVATE_KEY),
    *(_Rule("key", (needle,), pattern) for needle, pattern in _KEYS),
    *(_Rule("token", (needle,), pattern) for needle, pattern in _TOKENS),
)

_IN_URL = re.compile(r"(?<=://)([^\s/:@'\"<>]*):([^\s/'\"<>]{1,200})@(?=[\w\[{.-])")
_PARAMETER = re.compile(
    r"([?&](?:api[_-]?key|apikey|key|token|access[_-]?token|auth|secret|password)=)(?=[\w%.~+/-]*\d)[\w%.~+/-]{12,}",
    re.IGNORECASE,
)

_STRONG = (
    r"pass(?:word|wd|phrase)|pwd|secret|(?:api|access|private|auth|account|encryption|signing|secret|shared[_-]?access"
    r"|storage|master)[_-]?key|apikey|accountkey|sharedaccesskey|client[_-]?secret|credentials?"
)
# `secret_key_part_1`, `password_prod`.
_SUFFIX = r"(?:[_-](?:part|prod|dev|stage|staging|test|value|val|str|string|old|new))?(?:_?\d{1,2})?"
_NAME = rf"(?P<name>(?P<strong>{_STRONG})|token){_SUFFIX}"
_VALUE = (
    r"""(?:'(?P<single>(?:[^'\\\n]|''|\\.){4,300})'|"(?P<double>[^"\n]{4,300})\""""
    r"""|(?P<bare>[^\s'"`;,(){}<>\[\]|]{6,300}+)(?!\())"""
)
_SIGN = r"""(?P<sign>["'`\]]?\)*(?:\s*::\s*\w+)?\s*(?:=>|:=|==?|:(?!:))\s*)"""
_NAMED = re.compile(rf"{_NAME}{_SIGN}{_VALUE}", re.IGNORECASE)
_ALIASED = re.compile(
    rf"'(?P<single>(?:[^'\\\n]|''|\\.){{4,300}})'(?P<rest>(?:\s*::\s*\w+(?:\(\d+\))?)?\s+as\s+)\"?(?:\w*?_)?{_NAME}(?!\w)",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"(?i)(\b(?:identified\s+(?:\w+\s+)?by|(?:with|set)\s+password|user\s+\w+\s+password)\s+')"
    r"([^'\n]{3,})(?=')"
)
# A connection string: what stands after a semicolon is no SQL.
_CONNECTION = re.compile(r"(?i)(;\s*(?:password|pwd|accountkey|sharedaccesskey|access_?token)\s*=\s*)[^;'\"\s\[]{3,}")
_KEY_NEEDLES = tuple(
    f"{before}{sign}key"
    for before in ("api", "access", "private", "auth", "account", "encryption", "signing", "storage", "master")
    for sign in ("_", "-", "")
)
_NEEDLES = ("passw", "passph", "pwd", "secret", "token", "credential", "identified", *_KEY_NEEDLES)

_PLACEHOLDER = re.compile(r"\{\{|\$\{|\$\(|^[<%:$*x•.…]|\[redacted |\*\*\*|\benv_var\b", re.IGNORECASE)
_PUBLIC = re.compile(r"0x[0-9a-fA-F]{40,64}")  # addresses and transactions on a blockchain
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+|[A-Za-z_]+\d{0,3}|[\d.]+|[A-Za-z]+(?:[-_/][A-Za-z]+)*")
_WORDS = _set_of(
    """
    null none true false unknown undefined default empty missing required optional hashed encrypted plain active
    inactive expired revoked valid invalid password passwd secret token key apikey api_key access_key string
    text varchar basic bearer oauth oauth2 bcrypt sha256 changed reset email phone username login redacted n/a
    """
)
_RANDOM_LENGTH = 16
_UNUSUAL_LENGTH = 8


def without_credentials(text: str, known: Iterable[str] = ()) -> str:
    """The text with a mark in place of each key, token and password, and of each of the `known` secrets."""
    for secret in known:
        if is_telling(secret):
            text = text.replace(secret, mark("password"))
    lower = text.lower()
    for rule in _RULES:
        if any(needle in lower for needle in rule.needles):
            text = _compiled(rule.pattern).sub(mark(rule.kind), text)
    if "://" in text:
        text = _IN_URL.sub(_without_password, text)
        text = _PARAMETER.sub(rf"\1{mark('token')}", text)
    if any(needle in lower for needle in _NEEDLES):
        text = _STATED.sub(_without_stated, text)
        text = _CONNECTION.sub(rf"\1{mark('password')}", text)
        text = _NAMED.sub(_without_value, text)
        text = _ALIASED.sub(_without_aliased, text)
    return text


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Of these many hardly any is needed in a run: each is made ready when a text has its needle."""
    return re.compile(pattern)


def is_telling(secret: str) -> bool:
    """Whether a secret of the environment is no ordinary word, date, file or URL, which SQL has for other reasons."""
    is_place = secret.startswith(("/", "~", "./")) or ("://" in secret and "@" not in secret)
    has_letter = any(map(str.isalpha, secret))
    return len(secret) >= SHORTEST_KNOWN and has_letter and not is_place and not _PATH.fullmatch(secret)


def _without_password(match: re.Match[str]) -> str:
    value = match[2]
    if _PLACEHOLDER.search(value):
        return match[0]
    return f"{match[1]}:{mark('password')}@"


def _without_value(match: re.Match[str]) -> str:
    """`password = '…'` without its value."""
    group, value = next((name, match[name]) for name in ("single", "double", "bare") if match[name] is not None)
    is_named = match["strong"] is not None
    judge: Callable[[str, bool], bool] = {"single": _is_quoted_secret, "double": _is_text, "bare": _is_bare_secret}[
        group
    ]
    if group == "double" and is_named and ":" in match["sign"]:
        judge = _is_quoted_secret  # JSON and YAML; in SQL, double quotes hold a name
    if not judge(value, is_named):
        return match[0]
    kind = _kind_of(match["name"])
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + mark(kind) + match[0][end:]


def _without_stated(match: re.Match[str]) -> str:
    return match[0] if _PLACEHOLDER.search(match[2]) else match[1] + mark("password")


def _without_aliased(match: re.Match[str]) -> str:
    if not _is_quoted_secret(match["single"], match["strong"] is not None):
        return match[0]
    return match[0].replace(match["single"], mark(_kind_of(match["name"])), 1)


def _kind_of(name: str) -> str:
    lower = name.lower()
    return "token" if lower.endswith("token") else "key" if lower.endswith("key") else "password"


def _is_quoted_secret(value: str, is_named: bool) -> bool:
    """Of a text in quotes behind a secret's name: anything that can be one; behind `token`, what looks random."""
    if _is_harmless(value) or any(map(str.isspace, value)):
        return False
    return is_named or _is_random(value)


def _is_text(value: str, is_named: bool) -> bool:
    """Of a text in double quotes: what no name of a column looks like."""
    if _is_harmless(value) or any(map(str.isspace, value)) or _PATH.fullmatch(value):
        return False
    return _is_random(value) or (is_named and _is_unusual(value))


def _is_bare_secret(value: str, is_named: bool) -> bool:
    """Of what stands without quotes: what neither a column nor a word looks like."""
    if _is_harmless(value) or _PATH.fullmatch(value):
        return False
    return _is_random(value) or (is_named and _is_unusual(value))


def _is_harmless(value: str) -> bool:
    return bool(value.lower() in _WORDS or _PLACEHOLDER.search(value) or _PUBLIC.fullmatch(value))


def _is_random(value: str) -> bool:
    return len(value) >= _RANDOM_LENGTH and any(map(str.isdigit, value)) and any(map(str.isalpha, value))


def _is_unusual(value: str) -> bool:
    """Letters and digits, and either both cases or a sign that no name has."""
    has_both = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    is_mixed = (value != value.lower() and value != value.upper()) or not re.fullmatch(r"[\w.]+", value)
    return len(value) >= _UNUSUAL_LENGTH and has_both and is_mixed
