"""Credentials of any maker: tokens, keys and passwords by the form that they travel in."""

from __future__ import annotations

import base64
import binascii

from agenttracer.collector.privacy.detectors.detector import Detector, Hit, chars

# Between a name and its value, in JSON (in a string of JSON, too), YAML, Python, shell and query strings.
_IS = r"""["'\\]{0,3}\s{0,2}(?::|=>?)\s{0,2}["'\\]{0,3}"""
_VALUE = r"""[^\s"'\\,;&<>(){}\[\]*$]"""
# Said of a password where none is given.
_NO_PASSWORD = frozenset(
    """
    bool boolean change changed complexity confirm empty expired false field forgot forgotten generated hidden
    input invalid length list masked missing must none null optional password policy prompt protected redacted
    removed required reset secret should string text this true type undefined unset user value with your
    """.split()
)


def _password(hit: Hit) -> bool:
    return hit.value.lower().rstrip(".:!?") not in _NO_PASSWORD


def _secret(hit: Hit) -> bool:
    """Not a word, not a count: something of two kinds of characters, if not long."""
    value = hit.value
    if value.isdigit():
        return False
    return (
        any(map(str.isdigit, value)) or (value.lower() != value and value.upper() != value) or len(value) > 40
    )


def _bearer(hit: Hit) -> bool:
    return any(map(str.isdigit, hit.value))


def _basic(hit: Hit) -> bool:
    """It is the base64 of a name, a colon and a password."""
    token = hit.value
    try:
        return b":" in base64.b64decode(token + "=" * (-len(token) % 4), validate=True)
    except binascii.Error:
        return False


DETECTORS = (
    Detector(
        "private_key",
        # To its end, or to the end of the text: a key that was cut off is still one.
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)",
        hits=(
            "-----BEGIN PRIVATE " + "KEY-----\nMIIE\n-----END PRIVATE " + "KEY-----",
            "x-----BEGIN RSA PRIVATE " + "KEY-----\\nProc-Type: 4,ENCRYPTED",
            "-----BEGIN PGP PRIVATE " + "KEY BLOCK-----\n\nlQ\n-----END PGP PRIVATE " + "KEY BLOCK----- end",
        ),
        misses=("-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "BEGIN PRIVATE KEY", "-----END"),
    ),
    Detector(
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*){0,3}",
        hits=(
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + chars(43),
            "token=eyJhbGciOiJub25lIn0.e30.",
            "eyJhbGciOiJub25lIn0.e30.",
            "eyJlbmMiOiJBMjU2R0NNIn0.key.iv.text.tag",
        ),
        misses=("eyJhbGciOiJIUzI1NiJ9", "eyJson.parse", "keyJhbGciOiJIUzI1.NiJ9", "eyJ.eyJ.x"),
    ),
    Detector(
        "credential_url",
        r"(://)[^\s/:@]*:[^\s/]+(@)",
        hits=("postgres://bob:pw@db.example.com/x", "redis://:hunter2@cache:6379", "https://u:p@ss@example.com"),
        misses=("https://example.com:8080/a@b", "ssh://git@example.com/x", "http://host:80", "mailto:a@b.co"),
    ),
    Detector(
        "bearer",
        r"((?i:\bbearer[ \t]{1,4}))[A-Za-z0-9._~+/=-]{8,}",
        hits=("Authorization: Bearer " + chars(20), "bearer abcdefgh1234", "-H 'BEARER 12345678'"),
        misses=("bearer authentication", "bearer", "bearer tok1", "forbearer abcdefgh1234"),
        verify=_bearer,
    ),
    Detector(
        "basic_auth",
        r"((?i:\bbasic[ \t]{1,4}))[A-Za-z0-9+/]{6,}={0,2}",
        hits=("Authorization: Basic dXNlcjpwYXNz", "basic YTpiY2RlZg==", "BASIC Ym9iOmh1bnRlcjI="),
        misses=("basic authentication", "Basic knowledge1", "basic dXNlcg==", "visual basic abc123"),
        verify=_basic,
    ),
    Detector(
        "password",
        rf"((?i:passw(?:or)?d|passwort|passphrase|pwd|mot de passe|contraseña){_IS}){_VALUE}{{4,}}",
        hits=("password=hunter2", 'db_password: "s3cret!"', '{\\"passwd\\": \\"letmein\\"}', "PWD => correct-horse"),
        misses=("password: required", "password=", "password is short", "password: ****", "password: ${DB_PASSWORD}"),
        verify=_password,
    ),
    Detector(
        "secret",
        rf"((?i:secret|token|(?:api|access|secret|private|account|auth|signing|encryption)[_-]?key|credential)"
        rf"{_IS}){_VALUE}{{8,}}",
        hits=(
            "aws_secret_access_key = " + chars(40),
            '"client_secret": "' + chars(16) + '"',
            "api-key: a1b2c3d4e5",
            "X-Auth-Token: 9f86d081884c7d65",
        ),
        misses=("max_token: 40960000", "token: <EOS>", "secret=false", "api_key: required", "tokenizer: cl100k_base"),
        verify=_secret,
    ),
)  # fmt: skip
