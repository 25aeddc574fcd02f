"""Numbers that states outside Europe give to a person, each with its check where it has one.

What has a shape of its own is found anywhere; what is digits alone only behind the word for it, because a
counter passes one check in ten.
"""

from __future__ import annotations

from agenttracer.collector.privacy.detectors.checksums import digits_of, is_date, luhn, verhoeff, weighted
from agenttracer.collector.privacy.detectors.detector import Detector, Hit, labelled, stands_alone

_SSN = "ssn|social security"
_CPF = "cpf"
_AADHAAR = "aadhaar|aadhar|uidai"
_SIN = "sin|social insurance"
_TFN = "tfn|tax file"


def _ssn(hit: Hit) -> bool:
    """The areas that were never given out are none; from 900 on it is a tax-payer's number (ITIN)."""
    digits = digits_of(hit.text)
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
    issued = area not in (0, 666) and (area < 900 or 50 <= group <= 99)
    return issued and group > 0 and serial > 0 and stands_alone(hit)


def _modulo_11(digits: str, weights: range) -> int:
    rest = weighted(digits, weights) % 11
    return 0 if rest < 2 else 11 - rest


def _cpf(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    checks = (_modulo_11(digits, range(10, 1, -1)), _modulo_11(digits, range(11, 1, -1)))
    return checks == (int(digits[9]), int(digits[10])) and len(set(digits)) > 1 and stands_alone(hit)


def _aadhaar(hit: Hit) -> bool:
    return verhoeff(digits_of(hit.text)) and stands_alone(hit)


def _sin(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    return digits[0] not in "08" and luhn(digits) and stands_alone(hit)


def _tfn(hit: Hit) -> bool:
    digits = digits_of(hit.text)
    return int(digits) > 0 and weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _resident_id(hit: Hit) -> bool:
    number = hit.text
    rest = weighted(number[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11
    return "10X98765432"[rest] == number[17] and is_date(number[6:10], number[10:12], number[12:14])


def _nric(hit: Hit) -> bool:
    number = hit.text
    total = weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(number[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(number[0], "XWUTRQPNMLK")
    place = 10 - total % 11 if number[0] == "M" else total % 11
    return letters[place] == number[8] and stands_alone(hit)


DETECTORS = (
    Detector(
        "us_ssn",
        r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b|" + labelled(_SSN, r"[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}\b"),
        hits=("078-05-1120", "id 219-09-9999.", "SSN: 123456789", "social security number 123 45 6789", "900-70-1234"),
        misses=("000-12-3456", "666-12-3456", "123-00-4567", "123-45-0000", "900-12-3456", "1-123-45-6789-0",
                "123456789"),
        verify=_ssn,
    ),
    Detector(
        "br_cpf",
        r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b|" + labelled(_CPF, r"[0-9]{11}\b"),
        hits=("529.982.247-25", "CPF 52998224725", "cpf: 111.444.777-35"),
        misses=("529.982.247-24", "52998224725", "111.111.111-11", "CPF 52998224724"),
        verify=_cpf,
    ),
    Detector(
        "in_aadhaar",
        r"\b[2-9][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}\b|" + labelled(_AADHAAR, r"[2-9][0-9]{11}\b"),
        hits=("2345 6789 0124", "Aadhaar: 234567890124", "uidai 2345-6789-0124"),
        misses=("2345 6789 0125", "234567890124", "1345 6789 0124", "9f86-2345-6789-0124-e9b0"),
        verify=_aadhaar,
    ),
    Detector(
        "in_pan",
        r"\b[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]\b",
        hits=("ACUPA7085R", "PAN: AAPPV8261K.", "(ABCPE1234F)"),
        misses=("ABMXA3211G", "ABMPA32111", "ACUPA7085RR", "acupa7085r", "9C0B-ACUPA7085R-1"),
        verify=stands_alone,
    ),
    Detector(
        "ca_sin",
        r"\b[1-79][0-9]{2}-[0-9]{3}-[0-9]{3}\b|" + labelled(_SIN, r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}\b"),
        hits=("130-692-544", "SIN 130692544", "social insurance number: 130 692 544"),
        misses=("130-692-543", "130692544", "130 692 544", "sin 130692543", "sin(0.130692544)"),
        verify=_sin,
    ),
    Detector(
        "au_tfn",
        labelled(_TFN, r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b"),
        hits=("TFN 123 456 782", "tfn: 123456782", "Tax file number 876543210"),
        misses=("123 456 782", "TFN 123 456 783", "tfn 12345678", "tax filing 123456782"),
        verify=_tfn,
    ),
    Detector(
        "cn_resident_id",
        r"\b[1-8][0-9]{5}(?:19|20)[0-9]{9}[0-9X]\b",
        hits=("11010519491231002X", "id=440524198001010013", "510108197205052137"),
        misses=("110105194912310021", "11010519491331002X", "179523678106319081", "11010519491231002"),
        verify=_resident_id,
    ),
    Detector(
        "sg_nric",
        r"\b[STFGM][0-9]{7}[A-Z]\b",
        hits=("S1234567D", "nric T0000001E", "(F1234567N)"),
        misses=("S1234567A", "S123456D", "A1234567D", "s1234567d"),
        verify=_nric,
    ),
)  # fmt: skip
