"""Numbers that European states give to a person, each with its check.

What has a shape of its own is found anywhere; what is digits alone only behind the word for it, because a
counter passes one check in ten.
"""

from __future__ import annotations

from collections import Counter

from agenttracer.collector.privacy.detectors.checksums import (
    digits_of,
    is_date,
    luhn,
    mod_11_10,
    weighted,
)
from agenttracer.collector.privacy.detectors.detector import Detector, Hit, labelled, stands_alone

_BSN = "bsn|burgerservicenummer|sofinummer"
_NHS = "nhs"
_PESEL = "pesel"
_PERSONNUMMER = "personnummer|personnr|personal identity number"
_STEUER = "steuer-?id|steuerid(?:entifikations)?nummer|identifikationsnummer|idnr|steuer-?idnr|tax id"


def _nino(hit: Hit) -> bool:
    return hit.text[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ") and stands_alone(hit)


def _nhs(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    return (
        (11 - weighted(digits[:9], range(10, 1, -1)) % 11) % 11 == int(digits[9])
        and len(set(digits)) > 1
        and stands_alone(hit)
    )


def _steuer_id(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    return digits[0] != "0" and max(Counter(digits[:10]).values()) <= 3 and mod_11_10(digits)


def _nir(hit: Hit) -> bool:
    bare = hit.text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 97 - int(bare[:13]) % 97 == int(bare[13:]) and stands_alone(hit)


def _dni_nie(hit: Hit) -> bool:
    bare = hit.text.replace("-", "")
    number = bare[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == bare[-1] and stands_alone(hit)


_ODD = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ), strict=True)
)  # fmt: skip


def _codice_fiscale(hit: Hit) -> bool:
    code = hit.text
    even = sum(int(character, 36) - (0 if character.isdigit() else 10) for character in code[1:15:2])
    return chr(65 + (even + sum(_ODD[character] for character in code[:15:2])) % 26) == code[15]


def _bsn(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    return int(digits) > 0 and weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _pesel(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    month = f"{int(digits[2:4]) % 20:02d}"
    check = (10 - weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10
    return check == int(digits[10]) and is_date(digits[:2], month, digits[4:6])


def _personnummer(hit: Hit) -> bool:
    """Luhn over the last ten; 60 is added to the day of a person without a registered one."""
    digits = digits_of(hit.text)[-10:]
    day = f"{int(digits[4:6]) % 60:02d}"
    return luhn(digits) and is_date(digits[:2], digits[2:4], day) and stands_alone(hit)


DETECTORS = (
    Detector(
        "uk_nino",
        r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
        hits=("AB123456C", "nino: JG 10 37 59 A", "(PW123456D)"),
        misses=("GB123456C", "AB123456E", "AB12345C", "xAB123456C", "QQ123456C"),
        verify=_nino,
    ),
    Detector(
        "uk_nhs",
        r"\b[0-9]{3}[ -][0-9]{3}[ -][0-9]{4}\b|" + labelled(_NHS, r"[0-9]{10}\b"),
        hits=("943 476 5919", "943-476-5919", "NHS number: 9434765919", "nhs_number=4505577104"),
        misses=("943 476 5918", "9434765919", "NHS number 9434765918", "1 943 476 59190"),
        verify=_nhs,
    ),
    Detector(
        "de_steuer_id",
        labelled(_STEUER, r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b"),
        hits=("Steuer-ID: 86095742719", "IdNr. 65 929 970 489", "steuerid 57549285017"),
        misses=("86095742719", "Steuer-ID: 86095742718", "Steuer-ID 11111111111", "steuersatz 19"),
        verify=_steuer_id,
    ),
    Detector(
        "fr_nir",
        r"\b[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b",
        hits=("295109912611193", "2 95 10 99 126 111 93", "nir 253072B07300470."),
        misses=("295109912611199", "1795236781063190", "395109912611193", "253072C07300443"),
        verify=_nir,
    ),
    Detector(
        "es_dni_nie",
        r"\b(?:[0-9]{8}|[XYZ]-?[0-9]{7})-?[A-Z]\b",
        hits=("12345678Z", "DNI 54362315-K", "X-2482300-W", "Y1234567X"),
        misses=("12345678A", "1234567L", "X2482300A", "12345678Z9", "20240806T101112Z"),
        verify=_dni_nie,
    ),
    Detector(
        "it_codice_fiscale",
        r"\b[A-Z]{6}[0-9L-V]{2}[A-EHLMPR-T][0-9L-V]{2}[A-Z][0-9L-V]{3}[A-Z]\b",
        hits=("RCCMNL83S18D969H", "cf: RSSMRA85T10A562S", "(MRTMTT91D08F205J)"),
        misses=("RCCMNL83S18D969A", "RCCMNL83S18D969", "RCCMNL83Z18D969H", "ABCDEFGHIJKLMNOP"),
        verify=_codice_fiscale,
    ),
    Detector(
        "nl_bsn",
        labelled(_BSN, r"[0-9]{9}\b"),
        hits=("BSN 111222333", "bsn=123456782", "Burgerservicenummer: 111222333"),
        misses=("111222333", "BSN 111222334", "bsn 11122233", "absn 111222333"),
        verify=_bsn,
    ),
    Detector(
        "pl_pesel",
        labelled(_PESEL, r"[0-9]{11}\b"),
        hits=("PESEL 44051401359", "pesel: 02070803628", '"pesel": "44051401359"'),
        misses=("44051401359", "PESEL 44051401358", "PESEL 4405140135", "PESEL 44991401350"),
        verify=_pesel,
    ),
    Detector(
        "se_personnummer",
        r"\b19[0-9]{6}[-+][0-9]{4}\b|" + labelled(_PERSONNUMMER, r"(?:19|20)?[0-9]{6}[-+]?[0-9]{4}\b"),
        hits=("19811218-9876", "personnummer 811218-9876", "Personnr: 198112189876"),
        misses=("19811218-9875", "811218-9876", "20240806-1012", "personnummer 811318-9876", "19811399-9876"),
        verify=_personnummer,
    ),
)  # fmt: skip
