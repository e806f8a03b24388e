"""Keys, tokens and passwords are found wherever they stand; what only looks random stays."""

from __future__ import annotations

import pytest

from dbt_describe.redaction.credentials import without_credentials
from dbt_describe.redaction.marks import count_marks

# Put together here, so that no scanner takes this file for a leak.
HEX = "0123456789abcdef" * 2
LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 2
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{LETTERS}\n{LETTERS}==\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "secret",
    [
        f"sk-{LETTERS}",
        f"sk-proj-{LETTERS}_{LETTERS}",
        f"sk-ant-api03-{LETTERS}",
        f"gsk_{LETTERS}",
        "sk_" + f"live_{LETTERS}",
        "rk_" + f"test_{LETTERS}",
        f"AIza{LETTERS[:35]}",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ASIA" + "ABCDEFGHIJKLMNOP",
        f"ghp_{LETTERS[:36]}",
        f"github_pat_{LETTERS}",
        f"glpat-{LETTERS[:20]}",
        f"xoxb-123456789012-{LETTERS}",
        f"dapi{HEX}",
        f"dbtc_{LETTERS[:30]}",
        f"shpat_{HEX}",
        f"SG.{LETTERS[:22]}.{LETTERS[:43]}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJ{LETTERS}.{LETTERS}",
    ],
)
def test_a_key_is_known_by_its_own_form(secret: str) -> None:
    for text in (f"-- old one: {secret}\nselect 1", f"select '{secret}' as x", f"key={secret}&b=1", secret):
        assert secret not in without_credentials(text), text
        assert count_marks(without_credentials(text)).keys() <= {"key", "token"}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("create user x identified by 'hunter2'", "hunter2"),
        ("alter user x set password 'hunter2'", "hunter2"),
        ("where password = 'hunter2'", "hunter2"),
        ("where lower(u.password) = 'hunter2'", "hunter2"),
        ("where password::text = 'hunter2'", "hunter2"),
        ("select 'hunter2' as db_password", "hunter2"),
        ("select 'hunter2'::varchar(20) as password", "hunter2"),
        ("{% set secret_key_part_1 = 'Abcdef123' %}", "Abcdef123"),
        ("credentials = (aws_key_id='x' aws_secret_key='wJalrXUtnFEMI')", "wJalrXUtnFEMI"),
        ('{"user": "a", "password": "correct-horse"}', "correct-horse"),
        ("-- pwd: Tr0ub4dor&3", "Tr0ub4dor&3"),
        ("/* api_key=Zx81Spectrum48 */", "Zx81Spectrum48"),
        ("Server=db;User Id=me;Password=changeit;", "changeit"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc/def+ghi==;", "abc/def+ghi=="),
        ("from 'postgres://me:s3cr3t@db.example.com:5432/shop'", "s3cr3t"),
        ("snowflake://me:p%40ss@account/db", "p%40ss"),
        ("mongodb+srv://me:a@b@cluster.example.com", "a@b@"),
        ("https://x.example.com/a?token=abc123def456ghi7&b=1", "abc123def456ghi7"),
        (f"https://a.blob.core.windows.net/c?sv=1&sig={LETTERS}%3D", LETTERS),
        (f"Authorization: Bearer {LETTERS}", LETTERS),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        (f"https://hooks.slack.com/services/T00/B00/{LETTERS}", LETTERS),
        (f"access_token = '{LETTERS}'", LETTERS),
    ],
)
def test_a_secret_is_known_by_what_stands_before_it(text: str, secret: str) -> None:
    redacted = without_credentials(text)
    assert secret not in redacted
    assert sum(count_marks(redacted).values()) == 1


@pytest.mark.parametrize("text", [PEM, PEM.replace("\n", "\n-- "), PEM.replace("\n", "\\n"), PEM.replace("\n", " ")])
def test_a_private_key_goes_as_a_whole(text: str) -> None:
    assert without_credentials(f"a {text} b") == "a [redacted private key] b"


def test_of_a_private_key_without_an_end_what_looks_like_one_goes() -> None:
    redacted = without_credentials(f"{PEM.rpartition('-----END')[0]}\nselect amount from orders")
    assert LETTERS not in redacted
    assert redacted.endswith("select amount from orders")


@pytest.mark.parametrize(
    "text",
    [
        "where id = '550e8400-e29b-41d4-a716-446655440000'",
        f"-- at commit {HEX}01234567",
        f"select md5(a || b) = '{HEX}' as is_same",
        f"select '{HEX * 2}' as sha256",
        f"surrogate_key = '{HEX}'",
        "where token = '0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2'",
        "select password, api_key, access_token from users",
        "on a.access_token = b.access_token and a.secret = b1.secret",
        "where u.password = o.password_2 and o.api_key != ''",
        'where "password" = "users"."password"',
        "case when token_type = 'refresh_token' then 'password' end",
        "where status = 'password' and login_method in ('password', 'token')",
        "where access_token = 'expired' or password is null or password = ''",
        "password = md5(salt || password_1)",
        "api_key = sha256(x)",
        "- password: Hashed password of the user, by bcrypt.",
        "- token: Random text that names a session; refreshed every 30 days.",
        "- access_key: Number of the key that opens the store",
        "api_key: {{ env_var('API_KEY') }}",
        "password '{{ parameters[\"password\"] }}'",
        "identified by '{{ password }}'",
        "from 'https://example.com:8080/path/@user'",
        "'postgres://{{ user }}:{{ env_var(\"PW\") }}@host/db'",
        "regexp_extract(url, 'token=([^&]+)')",
        "task-force-risk-adjusted-sk-learn-based-models",
        "sort_key=created_at distkey(customer_id) primary_key: order_id",
        "amount / 100.0 as amount, cast('2024-01-15 12:34:56.789' as timestamp)",
        "select 'Victoria''s Secret' as brand",
        "basic plan of a bearer of bonds, bearer certificates",
        "secretary = 'Anna Schmidt'",
    ],
)
def test_hashes_ids_columns_and_prose_stay(text: str) -> None:
    assert without_credentials(text) == text


def test_secrets_of_the_environment_go_wherever_they_stand_unless_they_are_words() -> None:
    assert without_credentials("select 'p4ss-word!' , created_at", ["p4ss-word!", "created_at", "k"]) == (
        "select '[redacted password]' , created_at"
    )


def test_it_takes_no_longer_than_in_proportion() -> None:
    """Texts that are made to be looked at again and again are worked through all the same."""
    for piece in ("-----BEGIN PRIVATE KEY-----", "password = '", "a.b", "://a:", "token: ", "sk-a", "eyJ", "; pwd="):
        text = piece * (200_000 // len(piece))
        assert without_credentials(text)
