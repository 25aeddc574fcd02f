"""Cards (ISO/IEC 7812) and bank accounts (ISO 13616).

A number of a card's length, with a card's first digits, passes its check one time in ten: a counter near 4 or
5 · 10¹⁵ written as text can't be told from one. Accounts in small letters are what identifiers look like.
"""

from __future__ import annotations

import re

from agenttracer.collector.privacy.detectors.checksums import digits_of, luhn, mod_97
from agenttracer.collector.privacy.detectors.detector import Detector, Hit, stands_alone

# First digits → how many there are. Visa's 19 are not issued, and are what ids of cloud resources look like.
_NETWORKS = re.compile(
    r"4(\d{12}|\d{15})"  # Visa
    r"|(5[1-5]|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d*(?<=^\d{16})"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(6011|64[4-9]|65)\d*(?<=^\d{16})"  # Discover
    r"|3(0[0-5]|[689]\d)\d{11}"  # Diners
    r"|35(2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|(5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"  # Maestro
)
_GROUPS = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 1), (4, 4, 4, 4, 3)}

_IBAN_LENGTHS = dict(
    entry.split(":")
    for entry in """
    AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 DK:18
    DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23
    IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27
    MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19
    SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30
    """.split()
)


def _card(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    groups = tuple(len(group) for group in re.split("[ -]", hit.text))
    return (
        stands_alone(hit)
        and (len(groups) == 1 or groups in _GROUPS)
        and _NETWORKS.fullmatch(digits) is not None
        and len(set(digits)) > 1
        and luhn(digits)
    )


def _iban(hit: Hit) -> bool:
    """A country's length says where the account ends; in capitals, a word may follow."""
    length = int(_IBAN_LENGTHS.get(hit.text[:2], "99"))
    bare, groups = "", hit.text.split(" ")
    while groups and len(bare) < length:
        bare += groups.pop(0)
    return len(bare) == length and mod_97(bare) and stands_alone(hit)


DETECTORS = (
    Detector(
        "card",
        r"\b[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}\b",
        hits=("4111 1111 1111 1111", "pan=5500000000000004", "3782-822463-10005", "6011000990139424", "4222222222222"),
        misses=(
            "4111 1111 1111 1112",
            "1795236781063190811",
            "4111-1111-1111-1111-1111",
            "55012345-1234-4123-8123-446655440000",
            "20261121123456",
            "4111.1111.1111.1111",
        ),
        verify=_card,
    ),
    Detector(
        "iban",
        r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        hits=("DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "NO9386011117947 PLEASE",
              "to FR7630006000011234567890189."),
        misses=("DE89370400440532013001", "ZZ89370400440532013000", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "GB29 NWBK 6016",
                "BE68539007547034AF"),
        verify=_iban,
    ),
)  # fmt: skip
