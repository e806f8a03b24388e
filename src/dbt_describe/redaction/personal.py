"""Personal data that is known by its own form: addresses of mail and machines, numbers of phones, cards and accounts.

Names, birthdays and streets have no form: they are known by the column that holds them, see `columns`.
"""

from __future__ import annotations

import ipaddress
import re

from dbt_describe.redaction.marks import mark

_EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9_][\w.+-]{0,63}@(?:[A-Za-z0-9](?:[\w-]{0,62})\.){1,5}[A-Za-z]{2,24}\b")
_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![\w-])")
_CARD = re.compile(r"(?<![\w.,-])(?:\d[ -]?){13,18}\d(?![\w-]|[.,]\d)")
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-]|\.\d)")
# With a country in front, or as North America writes them. Runs of digits alone are ids.
_PHONE = re.compile(
    r"(?<![\w.)+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?(?:\d{1,5}[ .-]?){1,5}\d{2,5}"
    r"|(?:1[ .-])?\(\d{3}\)[ ]?\d{3}[ .-]\d{4}|(?:1-)?\d{3}-\d{3}-\d{4}|\d{3}[.]\d{3}[.]\d{4})(?![\w-]|\.\d)"
)
_PHONE_DIGITS = range(8, 16)
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){3,7}(?::?[0-9A-Fa-f]{1,4}){1,4}(?![\w:])")
# Issuer numbers and lengths: American Express and Diners, Visa, Mastercard, Discover and Maestro.
_ISSUERS = (
    (14, re.compile(r"3(?:0[0-5]|[689])")),
    (15, re.compile(r"3[47]")),
    (16, re.compile(r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|6(?:011|4[4-9]|5)|35(?:2[89]|[3-8])")),
    (19, re.compile(r"4|6")),
)
_SHORTEST_IBAN = 15
_IBAN_MODULUS = 97


def without_personal(text: str) -> str:
    """The text with a mark in place of each e-mail address, phone number, card, account, SSN and IP address."""
    if "@" in text:
        text = _EMAIL.sub(mark("email"), text)
    if not any(map(str.isdigit, text)):
        return text
    text = _IBAN.sub(lambda found: mark("bank account") if _is_iban(found[0]) else found[0], text)
    text = _CARD.sub(lambda found: mark("card number") if is_card(found[0]) else found[0], text)
    text = _SSN.sub(mark("social security number"), text)
    text = _PHONE.sub(lambda found: mark("phone number") if _is_phone(found[0]) else found[0], text)
    text = _IPV4.sub(_without_ip, text)
    return _IPV6.sub(_without_ip, text)


def is_card(number: str) -> bool:
    """Whether digits, with or without spaces and hyphens, are an issuer's and meet the Luhn check (ISO/IEC 7812-1)."""
    digits = re.sub(r"[ -]", "", number)
    if not any(len(digits) == length and issuer.match(digits) for length, issuer in _ISSUERS):
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return len(set(digits)) > 1 and sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits are right (ISO 13616)."""
    letters = text.replace(" ", "")
    moved = letters[4:] + letters[:4]
    return len(letters) >= _SHORTEST_IBAN and int("".join(str(int(one, 36)) for one in moved)) % _IBAN_MODULUS == 1


def _is_phone(text: str) -> bool:
    return sum(map(str.isdigit, text)) in _PHONE_DIGITS


def _without_ip(match: re.Match[str]) -> str:
    """Addresses that point at somebody: not those of this machine, of masks, or of private networks."""
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return match[0]
    return mark("IP address") if address.is_global else match[0]
