"""Which columns hold personal data or secrets, by what they are called."""

from __future__ import annotations

import itertools
import re


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PEOPLE = _set_of(
    """
    user users customer customers client clients person persons people contact contacts employee employees
    patient patients member members driver drivers student students teacher teachers guest guests buyer buyers
    passenger passengers candidate candidates applicant applicants subscriber subscribers visitor visitors lead
    leads owner recipient sender author agent beneficiary holder cardholder billing shipping ship bill assignee
    manager rep doctor physician nurse attendee donor tenant resident spouse parent child guardian insured
    policyholder
    """
)
_NAMES = frozenset(["first", "last", "given", "family", "middle", "maiden", "nick", "sur"])
_NAMES_OF_PEOPLE_ALONE = frozenset({("full",), ("display",), ("legal",), ("preferred",), ("screen",)})
_NO_PEOPLE = _set_of(
    """
    organization organisation company business table column schema product plan variant facility hospital store
    shop school team brand campaign event file category group department project model channel format
    """
)
_ALONE = _set_of(
    """
    email emails mail phone phones mobile cellphone telephone fax msisdn ssn sin nin passport iban surname
    firstname lastname fullname username nickname birth birthday birthdate dob street address addresses addr
    postcode zipcode zip latitude longitude lat lon lng ipv4 ipv6 cvv cvc pan mrn npi imei imsi biometric
    fingerprint
    """
)
_PAIRS = frozenset(
    {
        ("birth", "date"),
        ("date", "birth"),
        ("e", "mail"),
        ("card", "number"),
        ("account", "number"),
        ("routing", "number"),
        ("phone", "number"),
        ("social", "security"),
        ("tax", "id"),
        ("national", "id"),
        ("driver", "license"),
        ("drivers", "license"),
        ("license", "plate"),
        ("credit", "card"),
        ("user", "name"),
        ("bank", "account"),
        ("mac", "address"),
        ("device", "id"),
        ("zip", "code"),
        ("postal", "code"),
        ("post", "code"),
        ("ip", "address"),
        ("ip", "addr"),
        ("client", "ip"),
        ("user", "ip"),
        ("browser", "ip"),
        ("customer", "ip"),
        ("remote", "ip"),
        ("login", "ip"),
        ("source", "ip"),
    }
)
_SECRETS = frozenset(
    ["password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "credential", "credentials", "salt", "otp"]
)
_SECRET_PAIRS = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("secret", "key")})
# What is said about the thing, and isn't the thing: `is_email_verified`, `phone_type`, `address_id`, `email_count`.
_ABOUT_FIRST = _set_of(
    """
    is has was had did can should num number count n total avg days hours
    """
)
_FLAGS = frozenset({"is", "has", "after", "before"})
_ABOUT_LAST = _set_of(
    """
    type kind category status state flag count counts total id ids key sk at date time timestamp verified valid
    confirmed consent opt in source domain sent opened clicked delivered bounced length score rate pct percent
    share enabled required changed country city region level label code null nulls missing invalid range reason
    hash hashed md5 sha256 masked available used match matched format formats company month year bin province
    """
)


def is_personal(column: str, node: str = "") -> bool:
    """Whether a column, of a node of some name, holds what tells one person from another, going by the names."""
    words = _words(column)
    if not words or words[0] in _ABOUT_FIRST or _FLAGS & set(words):
        return False
    pair = tuple(words[-2:])
    if pair in _PAIRS or words == ["ip"]:
        return True
    if words[-1] in _ABOUT_LAST:
        return False
    if words[-1] == "name":
        return _is_name_of_person(words[:-1], node)
    return bool(_ALONE & set(words) or set(itertools.pairwise(words)) & _PAIRS)


def is_secret(column: str) -> bool:
    """Whether a column holds passwords, keys or the like, going by its name."""
    words = _words(column)
    if not words or words[0] in _ABOUT_FIRST or words[-1] in _ABOUT_LAST - {"key"}:
        return False
    return bool(_SECRETS & set(words)) or bool(set(itertools.pairwise(words)) & _SECRET_PAIRS)


def _is_name_of_person(before: list[str], node: str) -> bool:
    if not before or tuple(before) in _NAMES_OF_PEOPLE_ALONE:
        return tuple(before) == ("full",) or bool(_PEOPLE & set(_words(node)))
    return bool((_NAMES | _PEOPLE) & set(before)) and not _NO_PEOPLE & set(before)


def _words(name: str) -> list[str]:
    """Without a number or version at the end: `address_line_2`, `zip_code_v2`."""
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] == "v"):
        words.pop()
    return words
