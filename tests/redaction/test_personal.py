"""Personal data is known by its form and its check digits, or by its column."""

from __future__ import annotations

import pytest

from dbt_describe.redaction.columns import is_personal, is_secret
from dbt_describe.redaction.literals import without_personal_literals
from dbt_describe.redaction.marks import count_marks
from dbt_describe.redaction.personal import without_personal
from dbt_describe.redaction.unreadable import without_unreadable


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ada@example.com", "email"),
        ("mail to ada.byron+shop@mail.example.co.uk.", "email"),
        ("+49 30 1234567", "phone number"),
        ("+1 (555) 123-4567", "phone number"),
        ("(555) 123-4567", "phone number"),
        ("555-123-4567", "phone number"),
        ("+442071838750", "phone number"),
        ("4111 1111 1111 1111", "card number"),
        ("4111-1111-1111-1111", "card number"),
        ("378282246310005", "card number"),
        ("DE89 3704 0044 0532 0130 00", "bank account"),
        ("GB82WEST12345698765432", "bank account"),
        ("123-45-6789", "social security number"),
        ("8.8.8.8", "IP address"),
        ("2001:4860:4860:0:0:0:0:8888", "IP address"),
    ],
)
def test_it_is_known_by_its_form(text: str, kind: str) -> None:
    redacted = without_personal(f"a '{text}' b")
    assert count_marks(redacted) == {kind: 1}
    assert text not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # no card: the check digit is wrong
        "1234567890123456",
        "1700000000000",
        "DE89 3704 0044 0532 0130 01",
        "550e8400-e29b-41d4-a716-446655440000",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "2024-01-15 12:34:56",
        "2024-01-15T12:34:56.789+01:00",
        "123-45-678",
        "1.11.16 to 1.2.3.4.5",
        "10.0.0.1, 127.0.0.1, 255.255.255.0, 192.168.1.1",
        "a + 86400000 and b+12345678901 - 1234567",
        "x::numeric(18,2)::text",
        "'%@gmail.com'",
        "@my_stage/path.csv",
        "123456789.123456789",
        "12:34:56",
        "column phone, email, ssn",
        "10001, 10002, 10003",
    ],
)
def test_numbers_dates_ids_and_versions_stay(text: str) -> None:
    assert without_personal(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("email", "e_mail", "customerEmail", "PHONE_NUMBER", "first_name", "last_name", "full_name", "birth_date"),
        *("date_of_birth", "street_address", "address_line_2", "zip_code", "ip_address", "client_ip", "ssn", "iban"),
        *("card_number", "customer_name", "user_name", "username", "surname", "tax_id", "billing_address_phone"),
    ],
)
def test_a_column_is_personal_by_its_name(name: str) -> None:
    assert is_personal(name)


@pytest.mark.parametrize(
    "name",
    [
        *("is_email_verified", "email_count", "phone_type", "address_id", "has_phone", "email_sent_at", "country"),
        *("product_name", "company_name", "event_name", "store_name", "full_table_name", "name", "order_status"),
        *("default_ccsr_category_ip", "shipping_address_is_default", "amount", "description", "number_of_emails"),
        *("email_hash", "billing_address_country_code_v2", "plan_display_name", "zip_code_range", "id", ""),
    ],
)
def test_what_is_said_about_it_is_not(name: str) -> None:
    assert not is_personal(name)


def test_a_name_alone_is_a_persons_where_the_node_is_about_persons() -> None:
    assert is_personal("name", "dim_customers")
    assert not is_personal("name", "dim_products")


def test_secrets_are_known_by_their_columns() -> None:
    assert all(map(is_secret, ("password", "api_key", "access_token", "client_secret", "password_hash_salt")))
    assert not any(map(is_secret, ("surrogate_key", "token_type", "key", "is_password_set", "token_count")))


@pytest.mark.parametrize(
    ("sql", "redacted"),
    [
        ("where email = 'a@b.de'", "where email = '[redacted email]'"),
        ("where c.first_name = 'Ada'", "where c.first_name = '[redacted value]'"),
        (
            "where lower(last_name) in ('byron', 'murray')",
            "where lower(last_name) in ('[redacted value]', '[redacted value]')",
        ),
        ("where ssn = 123456789", "where ssn = '[redacted value]'"),
        ("where 'Ada' = first_name", "where '[redacted value]' = first_name"),
        ("select 'Ada' as first_name", "select '[redacted value]' as first_name"),
        ("coalesce(full_name, 'Jane Doe')", "coalesce(full_name, '[redacted value]')"),
        ("case \"Phone\" when '030 123' then 1 end", "case \"Phone\" when '[redacted value]' then 1 end"),
        ("-- ask ada@example.com\nselect 1", "-- ask [redacted email]\nselect 1"),
        (
            "birth_date between '1990-01-01' and '1999-12-31'",
            "birth_date between '[redacted value]' and '[redacted value]'",
        ),
        ("first_name ilike 'ad%'", "first_name ilike '[redacted value]'"),
        ("where pay_grade = 'E14'", "where pay_grade = '[redacted value]'"),
        ("where status = 'Ada' and email_count > 5000", "where status = 'Ada' and email_count > 5000"),
        ("where phone <> '' and coalesce(npi, 0) = 0", "where phone <> '' and coalesce(npi, 0) = 0"),
        ("where full_name = '{{ var(\"name\") }}'", "where full_name = '{{ var(\"name\") }}'"),
        ("first_name || ' ' || last_name as full_name", "first_name || ' ' || last_name as full_name"),
        ("lower(email) as email, 'web' as source", "lower(email) as email, 'web' as source"),
    ],
)
def test_of_sql_what_is_compared_with_a_private_column_goes(sql: str, redacted: str) -> None:
    def is_private(column: str) -> bool:
        return is_personal(column) or column.lower() == "pay_grade"

    assert without_personal_literals(sql, is_private) == redacted


def test_literals_take_no_longer_than_in_proportion() -> None:
    for piece in ("a.", "a    ", "email = 'a', ", "'a' ", "coalesce(email, ", "1, ", '"a" ', "in (1,"):
        assert without_personal_literals(piece * (100_000 // len(piece)), is_personal)
        assert without_personal(piece * (100_000 // len(piece)))


def test_what_is_no_text_goes() -> None:
    noise = "\x00\x01\x02\x03\x04\x05\x06\x07\x0e\x0f"
    assert without_unreadable(f"select 1\n{noise}\nfrom a") == "select 1\n[redacted binary data]\nfrom a"
    assert without_unreadable("\ufffd" * 20) == "[redacted binary data]"
    assert without_unreadable("'" + "QUJDREVG0123" * 60 + "=='") == "'[redacted binary data]'"
    for kept in ("-" * 600, "Größe der Bestellung, 注文の合計金額、税込み", "naïve\tcafé\x1b[0m", "a" * 600, "é" * 100):
        assert without_unreadable(kept) == kept


def test_of_a_text_beyond_all_measure_the_middle_goes() -> None:
    shown = without_unreadable("a " * 1_000_000)
    assert len(shown) < 510_000
    assert "characters left out" in shown
