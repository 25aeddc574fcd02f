"""Where a person can be reached: e-mail addresses and telephone numbers.

An address spelled out ("alice at example dot com") is out of scope, and so are telephone numbers in a
country's own notation other than North America's: they are what counters and dates look like.
"""

from __future__ import annotations

import re

from agenttracer.collector.privacy.detectors.checksums import digits_of
from agenttracer.collector.privacy.detectors.detector import Detector, Hit, stands_alone


def _phone(hit: Hit) -> bool:
    """7 to 15 digits (ITU-T E.164); without anything between them ten, fewer are a difference of counters."""
    digits = digits_of(hit.text.replace("%2B", ""))
    longest_group = max(map(len, re.findall("[0-9]+", hit.text)))
    separated = longest_group < len(digits) and longest_group > 1
    return stands_alone(hit) and (8 if separated else 10) <= len(digits) <= 15


DETECTORS = (
    Detector(
        "email",
        # Letters of Latin scripts besides ASCII; any letter would swallow the text around, where no blanks are.
        r"[\w.+À-ɏ-]+(?:@|%40)(?:[\wÀ-ɏ-]+\.)+[A-Za-z]{2,}",
        hits=(
            "alice@example.com",
            "to=a.b+c@sub.example.co.uk;",
            "?user=alice%40example.org&x=1",
            "<x_1@ab.cd>",
            "jürgen@müller.de",
        ),
        misses=("@app.route", "lodash@4.17.21", "image@sha256:9f86d081", "user@localhost", "a @ b.com", "5%401"),
    ),
    Detector(
        "phone",
        r"(?:\+|%2B)[1-9](?:[ ().\-/]{0,2}[0-9]){6,14}",
        hits=("+49 170 1234567", "tel:+1-202-555-0143", "+44 (20) 7946 0958", "+4917012345678", "%2B33 1 70 18 99 00"),
        misses=("+1234567", "1.2.3+20240101123", "12:00:00+01:00", "+1 2 3 4 5 6 7 8", "a+1234567890", "+0.15e+10"),
        verify=_phone,
    ),
    Detector(
        "phone_us",
        r"\(?\b[2-9][0-9]{2}(?:\) ?|-)[2-9][0-9]{2}-[0-9]{4}\b",
        hits=("(202) 555-0143", "call 202-555-0143.", "(415)555-2671"),
        misses=("102-555-0143", "202-155-0143", "x-202-555-0143-1", "2025-555-0143", "202-555-014"),
        verify=stands_alone,
    ),
)  # fmt: skip
