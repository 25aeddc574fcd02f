"""The detectors: a table that tests itself, what they leave alone, and what masking leaves behind."""

from __future__ import annotations

import re
import unicodedata
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttracer.collector.privacy.detectors import DEFAULTS, TABLE, Detectors
from agenttracer.collector.privacy.detectors.detector import Detector, Hit
from agenttracer.collector.privacy.detectors.entropy import _KINDS, _long_runs
from agenttracer.collector.privacy.detectors.hidden import as_read, hiding
from agenttracer.collector.privacy.detectors.patterns import Pattern
from agenttracer.collector.string_views import StringViews


def masked(
    detectors: Detectors, values: pa.StringArray, mask: str = "****"
) -> tuple[pa.StringArray, dict[str, int]]:
    """All values as they may be stored, and how often each detector found something."""
    found = detectors.masked(StringViews.of(values), mask)
    texts = dict(zip(found.rows.tolist(), found.texts.to_pylist(), strict=True))
    left = [texts.get(row, value) for row, value in enumerate(values.to_pylist())]
    return pa.array(left, pa.string()), found.counts


each_detector = pytest.mark.parametrize("detector", TABLE, ids=lambda detector: detector.name)
ALL = Detectors([detector.name for detector in TABLE])
DEFAULT = Detectors()
# Full-width forms stand in the order of ASCII.
WIDE = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}
HITS = [hit for detector in TABLE if detector.default for hit in detector.hits]

# What telemetry is made of, and nobody's secret.
MUST_PASS = """
    4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 00000000000000000000000000000001 1234567890123456
    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
    550e8400-e29b-11d4-a716-446655440000 9f86d081-884c-4d65-9a2f-eaa0c55ad015 0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b
    A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11 00000000-0000-0000-0000-000000000000 12345678-1234-4234-8234-123456789012
    9fceb02 9fceb02d0ae5 9fceb02d0ae598e95dc970b74767f19372d61af8 1234567 v1.2.3-14-g9fceb02
    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 d41d8cd98f00b204e9800998ecf8427e
    sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    ghcr.io/acme/agent@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==
    2026-11-21 2026-11-21T08:54:30Z 2026-11-21T08:54:30.123456+01:00 20261121T085430Z 20261121 20261121-0854
    1795236781 1795236781063 1795236781063190 1795236781063190811 1795236781.0631 08:54:30.123
    0 1 -1 42 4096 1e-9 3.14159 1_000_000 1,000,000 4294967296 9007199254740993 18446744073709551615 0x7fff5fbff8c0
    gpt-4o gpt-4o-2024-08-06 gpt-4o-mini-2024-07-18 gpt-4.1-nano-2025-04-14 o3-mini-2025-01-31 gpt-3.5-turbo-0125
    claude-sonnet-4-5-20250929 claude-3-5-haiku-latest anthropic.claude-3-5-sonnet-20241022-v2:0
    us.anthropic.claude-sonnet-4-20250514-v1:0 meta-llama/Llama-3.1-70B-Instruct gemini-2.5-flash-preview-05-20
    mistralai/Mixtral-8x7B-Instruct-v0.1 Qwen/Qwen2.5-Coder-32B-Instruct-AWQ deepseek-ai/DeepSeek-R1-Distill-Llama-70B
    text-embedding-3-large ft:gpt-4o-mini-2024-07-18:acme:support:AbCd1234 accounts/fireworks/models/llama-v3p1-8b
    models/gemini-1.5-pro-002 nvidia/Llama-3.1-Nemotron-70B-Instruct-HF TheBloke/Mistral-7B-Instruct-v0.2-GGUF
    1.2.3 1.2.3rc4 2026.11.1 v1.2.3-rc.1 1.2.3+20261121085430 1.2.3-beta.11+exp.sha.5114f85 0.2.dev10+g9fceb02 1.2.3.4
    By KiBy ms s 1 {token} {request}/s m/s Cel % tokens/s USD By/s 10ms 4.2GB 16Gi 250m
    support-agent-6d5f7c9b8-x2x4q web-0 kube-system/coredns-7db6d8ff4d-4m5xz node-10-0-1-23.internal ip-10-0-1-23
    application/json text/event-stream; application/vnd.api+json multipart/form-data text/plain;charset=utf-8
    en-US de-DE zh-Hans-CN sk-SK pt_BR Europe/Berlin UTC+01:00 us-east-1 europe-west4-a
    chatcmpl-475c992da830 chatcmpl-BQx7Rk2LmZ9vTq4Yw1Ns8Ph3Jd6Fb toolu_01A09q90qw90lq917835lq9
    msg_01XFDUDYJgAACzvnptvVoYEL
    call_Xy12AbCd34EfGh56IjKl78Mn resp_0c5b3f7a9d1e4c8b0f2a6d7e9c1b3a5f7d9e1c3b5a7f9d1e run_01J9Z8XQ4R7M2N5P6T3V8W1Y0B
    fp_44709d6fcb req_011CMbVx 01ARZ3NDEKTSV4RRFFQ69G5FAV
    https://opentelemetry.io/schemas/1.37.0 http://localhost:4318/v1/traces /v1/chat/completions postgresql://db:5432/app
    arn:aws:iam::123456789012:role/agent arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0
    opentelemetry.instrumentation.httpx langchain_core.runnables.base getCustomerOrderHistoryV2 GMAIL_SEND_EMAIL
    mcp__github.create_issue /usr/lib/python3.12/site-packages/openai/_base_client.py task-2024-11-0001
    desk-123456789012345
    HTTP/1.1 TLSv1.3 utf-8 ISO-8859-1 CVE-2026-12345 RFC-9110 PR-1234 ISBN-978-3-16-148410-0 10.1000/182 3/4
    stop end_turn tool_calls length max_tokens rate_limited token_count password_reset secret_manager basic bearer
""".split()


@each_detector
def test_a_detector_has_examples(detector: Detector) -> None:
    """None ships without at least three things that it finds, and three that only look like them."""
    assert len(set(detector.hits)) >= 3
    assert len(set(detector.misses)) >= 3


def test_names_are_unique() -> None:
    """A name stands for one detector."""
    assert len({detector.name for detector in TABLE}) == len(TABLE)


@each_detector
def test_a_detector_finds_its_examples(detector: Detector) -> None:
    """Alone, and whatever stands around it: text, JSON, other lines, CJK."""
    detectors = Detectors([detector.name])
    around = ("{}", "see {} please", '{{"note": "{}"}}', "first line\n{}\nlast", "客户 {} 。")
    texts = pa.array([template.format(hit) for hit in detector.hits for template in around])

    assert [0] * len(texts) == detectors.found(texts).to_pylist()


@each_detector
def test_a_detector_leaves_near_misses_alone(detector: Detector) -> None:
    """What fails its check, is cut short, or is part of something longer."""
    detectors = Detectors([detector.name])
    misses = pa.array(detector.misses)

    assert [None] * len(misses) == detectors.found(misses).to_pylist()
    assert (misses, {}) == masked(detectors, misses)


@each_detector
def test_no_detector_is_superfluous(detector: Detector) -> None:
    """Each that is on has an example that no other finds."""
    if detector.default:
        assert [detector.name] in [DEFAULT.explain(hit) for hit in detector.hits]


@each_detector
def test_detectors_leave_ordinary_values_alone(detector: Detector) -> None:
    """Ids, hashes, times, counters, models, versions, units, images, MIME types are nobody's secret."""
    found = Detectors([detector.name]).found(pa.array(MUST_PASS))

    assert [] == [value for value, hit in zip(MUST_PASS, found.to_pylist(), strict=True) if hit is not None]


@given(st.uuids(), st.integers(min_value=2**127, max_value=2**128 - 1))
@settings(max_examples=100, deadline=None)
def test_detectors_leave_ids_alone(uuid: UUID, trace_id: int) -> None:
    """No UUID and no trace id is anything, in small letters or capitals."""
    ids = pa.array([str(uuid), str(uuid).upper(), uuid.hex, f"{trace_id:032x}", f"{trace_id:032X}"])

    assert [None] * 5 == ALL.found(ids).to_pylist()


@pytest.mark.parametrize("name", ["card", "iban", "fr_nir", "br_cpf", "in_aadhaar", "cn_resident_id"])
def test_a_digit_changed_is_no_longer_one(name: str) -> None:
    """A check digit tells each single digit's change; that is what counters are left alone by."""
    detector = next(detector for detector in TABLE if detector.name == name)
    changed = [
        hit[:place] + str((int(character) + 1) % 10) + hit[place + 1 :]
        for hit in detector.hits
        for place, character in enumerate(hit)
        if character in "0123456789"
    ]

    assert {None} == set(Detectors([name]).found(pa.array(changed)).to_pylist())


def test_found_names_the_first_in_the_table() -> None:
    """A value with several is named by the one that says most; null, empty and clean values by none."""
    values = pa.array([None, "", "clean", "a@example.com", "bearer abcdefgh1234 and a@example.com"])
    found = DEFAULT.found(values)

    assert [None, None, None, "email", "bearer"] == [
        None if number is None else DEFAULT.names[number] for number in found.to_pylist()
    ]


def test_arrays_are_searched_where_they_start() -> None:
    """A slice's verdicts are its own, and an empty array has none."""
    values = pa.array(["a@example.com", "clean", "b@example.com", "clean", None])

    assert [None, "email", None, None] == [
        None if number is None else DEFAULT.names[number] for number in DEFAULT.found(values[1:]).to_pylist()
    ]
    assert ["clean", "****", "clean", None] == masked(DEFAULT, values[1:])[0].to_pylist()
    assert [] == DEFAULT.found(pa.array([], pa.string())).to_pylist()
    assert ([], {}) == (masked(DEFAULT, pa.array([], pa.string()))[0].to_pylist(), {})


def test_values_are_not_read_together() -> None:
    """What only two values next to each other make up is in neither; what begins in one hides nothing in the next."""
    values = pa.array(["password:", "hunter22", "4111 1111", "1111 1111", "token = ", "a@example.com"])

    assert [None, None, None, None, None, "email"] == [
        None if number is None else DEFAULT.names[number] for number in DEFAULT.found(values).to_pylist()
    ]


@pytest.mark.parametrize(
    ("hidden", "name"),
    [
        ("4111 1111 1111 1111".translate(WIDE), "card"),
        ("4111\u200b1111\u200b1111\u200b1111", "card"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "card"),
        ("alice@example.com".translate(WIDE), "email"),
        ("ali\u00adce\u2060@exam\ufeffple.com", "email"),
        ("+४९ १७० १२३४५६७", "phone"),
        ("sk-\u200dant-" + "abcdefghijkl", "anthropic_key"),
        ("𝟎𝟕𝟖-𝟎𝟓-𝟏𝟏𝟐𝟎", "us_ssn"),
    ],
)
def test_hiding_does_not_help(hidden: str, name: str) -> None:
    """Other widths and scripts, and characters that aren't seen, are read as what they look like."""
    found = DEFAULT.found(pa.array(["clean", hidden]))

    assert [None, DEFAULT.names.index(name)] == found.to_pylist()
    assert [name] == DEFAULT.explain(hidden)
    assert ["clean", "x ****"] == masked(DEFAULT, pa.array(["clean", "x " + hidden]))[0].to_pylist()


def test_every_script_has_digits() -> None:
    """Whatever Unicode calls a decimal digit is read as one."""
    digits = [chr(point) for point in range(0x80, 0x10000) if unicodedata.category(chr(point)) == "Nd"]

    assert [str(unicodedata.digit(digit)) for digit in digits] == [as_read(digit) for digit in digits]
    assert hiding(StringViews.of(pa.array(digits)).lines()).all()


def test_text_that_hides_nothing_stays_as_it_is() -> None:
    """Punctuation and scripts of the world's languages, emoji and accents are not rewritten."""
    values = pa.array(
        ["naïve café — “quoted” …", "请查询订单，谢谢！（一）", "注文を確認", "🙂 ok", "Привет", "ﬁne ½"]
    )

    assert not hiding(StringViews.of(values).lines()).any()
    assert (values, {}) == masked(DEFAULT, values)


@given(
    st.lists(
        st.lists(st.one_of(st.sampled_from(HITS), st.text(max_size=12)), max_size=6).map(" ".join), max_size=5
    ),
    st.sampled_from(["****", "[hidden]", "\\1", "", "REDACTED"]),
)
@settings(max_examples=150, deadline=None)
def test_nothing_is_left_behind_a_mask(texts: list[str], mask: str) -> None:
    """Whatever examples stand in whatever text, after masking nothing is found; what is clean stays as it is."""
    values = pa.array(texts, pa.string())
    left, counts = masked(DEFAULT, values, mask)
    clean = [not DEFAULT.explain(text) for text in texts]

    assert [None] * len(texts) == DEFAULT.found(left).to_pylist()
    assert [text for text, is_clean in zip(texts, clean, strict=True) if is_clean] == [
        text for text, is_clean in zip(left.to_pylist(), clean, strict=True) if is_clean
    ]
    assert all(clean) == (counts == {})


def test_masking_keeps_what_is_around() -> None:
    """The name of a secret stays, and so does JSON's form; every finding is counted under its detector."""
    values = pa.array(
        [
            '{"password": "hunter22", "rows": 3}',
            "mail a@example.com, b@example.com; card 4111 1111 1111 1111 not 4111 1111 1111 1112",
            "postgres://bob:pw@db.example.com/x",
            "Authorization: Bearer abcdefgh1234",
        ]
    )
    left, counts = masked(DEFAULT, values)

    assert [
        '{"password": "****", "rows": 3}',
        "mail ****, ****; card **** not 4111 1111 1111 1112",
        "postgres://****@db.example.com/x",
        "Authorization: Bearer ****",
    ] == left.to_pylist()
    assert {"password": 1, "email": 2, "card": 1, "credential_url": 1, "bearer": 1} == counts


def test_one_may_begin_in_what_is_none() -> None:
    """A number in front, that fails with the next ones, doesn't hide the card that they are."""
    assert ["5234 ****"] == masked(DEFAULT, pa.array(["5234 4111 1111 1111 1111"]))[0].to_pylist()


def test_high_entropy_is_for_free_text() -> None:
    """Labels are full of ids that look the same: there it looks only when asked to."""
    secret = pa.array(["q9Zr4Kx0Lm2Vb7Tn5Wd1Ph8s"])

    assert [None] == DEFAULT.found(secret).to_pylist()
    assert ["****"] == masked(DEFAULT, secret)[0].to_pylist()
    assert [0] == Detectors(["high_entropy"]).found(secret).to_pylist()


@given(st.text(alphabet="aB1-_/+ =é\n", max_size=120))
@settings(max_examples=200, deadline=None)
def test_long_runs_are_those_of_the_pattern(text: str) -> None:
    """What numpy takes for a long run is what an expression does."""
    data = text.encode()
    kinds = np.frombuffer(data.translate(_KINDS) + bytes(8 - len(data) % 4), np.uint8)
    starts, ends = _long_runs(kinds)
    expected = [match.span() for match in re.finditer(rb"[A-Za-z0-9+/_-]{20,}", data)]

    assert expected == list(zip(starts.tolist(), ends.tolist(), strict=True))


def test_addresses_of_machines_are_off() -> None:
    """They are what services are found by; who wants them gone turns them on."""
    values = pa.array(["from 192.0.2.17"])

    assert {"ipv4", "ipv6", "mac"} == {detector.name for detector in TABLE} - DEFAULTS
    assert [None] == DEFAULT.found(values).to_pylist()
    assert ["from ****"] == masked(Detectors(["ipv4"]), values)[0].to_pylist()


def test_the_operators_own() -> None:
    """They come after the built-in ones, anchored to the whole value if they say so."""
    detectors = Detectors([], {"ticket": r"\bACME-[0-9]+", "whole": r"\Ainternal\z"})
    values = pa.array(["see ACME-12 and ACME-7", "internal", "internal matter", None])

    assert ("ticket", "whole") == detectors.names
    assert [0, 1, None, None] == detectors.found(values).to_pylist()
    left, counts = masked(detectors, values)
    assert ["see **** and ****", "****", "internal matter", None] == left.to_pylist()
    assert {"ticket": 2, "whole": 1} == counts
    assert ["ticket"] == detectors.explain("ACME-1")


def test_a_place_is_nothing_to_mask() -> None:
    """A pattern that matches where nothing is finds nothing there, and ends."""
    values = pa.array(["two words", "x"])

    assert (values, {}) == masked(Detectors([], {"edge": r"\b"}), values)


def test_a_second_look_that_fails_finds() -> None:
    """Fail closed: what can't be told from a secret is one."""

    def broken(hit: Hit) -> bool:
        raise ZeroDivisionError

    assert [((2, 4), (2, 4))] == list(Pattern(Detector("broken", "[0-9]+", (), (), broken)).spans(b"a 42"))


def test_no_answer_is_not_a_no() -> None:
    """When RE2 can't say which of many patterns are in a text, each is looked for."""
    detectors = Detectors()
    detectors._which = lambda text: []  # type: ignore[assignment, method-assign]
    values = pa.array(["a@example.com", "clean"])

    assert [detectors.names.index("email"), None] == detectors.found(values).to_pylist()
    assert ["****", "clean"] == masked(detectors, values)[0].to_pylist()


def test_looks_are_counted() -> None:
    """A value of nothing but near misses is not worth a look at each: the rest is taken for hits."""
    none = Pattern(Detector("none", "[0-9]+", (), (), lambda hit: False))

    assert [] == list(none.spans(b"1 " * 4096))
    assert 2 == len(list(none.spans(b"1 " * 4098)))


@pytest.mark.parametrize(
    ("enabled", "extra", "message"),
    [
        (["emial"], {}, "no detector is named 'emial'"),
        (None, {"email": "x"}, "'email' is the name of a built-in detector"),
        (None, {"mine": "(unclosed"}, "'mine': RE2 does not take its pattern"),
        (None, {"mine": "(?<=x)y"}, "'mine': RE2 does not take its pattern"),
        (None, {"mine": "x*"}, "'mine': its pattern finds something in an empty value"),
    ],
)
def test_what_cant_be_is_refused(enabled: list[str] | None, extra: dict[str, str], message: str) -> None:
    """A misspelt name would leave something on disk that its writer believes masked."""
    with pytest.raises(ValueError, match=re.escape(message)):
        Detectors(enabled, extra)


@pytest.mark.parametrize(
    "unit",
    ["a", "4", "4111 ", "5234-", "@", "a@b.", "token=", "password: ", "sk-", "+1 2", "://:", "eyJaaaaaaaaaaa.", "aB1-",
     "-----BEGIN PRIVATE KEY", "ssn ", "AB12", "0:", "bearer ", "basic QUJD ", "M.abc", "\u200b1", "٤", "\n"],
)  # fmt: skip
def test_long_values_end(unit: str) -> None:
    """No value takes more than its length's time: a megabyte of what each pattern begins with."""
    text = unit * ((1 << 20) // len(unit.encode()))
    left, _ = masked(ALL, pa.array([text, "clean"]))

    assert "clean" == left[1].as_py()
    assert [None, None] == ALL.found(left).to_pylist()
