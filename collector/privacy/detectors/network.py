"""Addresses of machines: off unless asked for, since they are also what a service is found by."""

from __future__ import annotations

import ipaddress

from agenttracer.collector.privacy.detectors.detector import Detector, Hit, stands_alone


def _address(hit: Hit) -> bool:
    """One that means a machine: not a version of four numbers under 10, not a time of day."""
    try:
        address = ipaddress.ip_address(hit.text)
    except ValueError:
        return False
    small = address.version == 4 and all(int(part) < 10 for part in hit.text.split("."))
    return not small and stands_alone(hit)


def _hardware(hit: Hit) -> bool:
    return ":" not in hit.before + hit.after[:1] and stands_alone(hit)


DETECTORS = (
    Detector(
        "ipv4",
        r"\b[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b",
        hits=("192.0.2.17", "http://198.51.100.1:8080/", "from 203.0.113.255."),
        misses=("1.2.3.4", "300.1.1.1", "10.0.0.1.5", "v1.12.0", "1.2.3"),
        verify=_address,
        default=False,
    ),
    Detector(
        "ipv6",
        r"(?:[0-9A-Fa-f]{1,4}:){1,7}(?:(?::[0-9A-Fa-f]{1,4}){1,6}|:|[0-9A-Fa-f]{1,4})|::[0-9A-Fa-f]{1,4}",
        hits=("2001:db8:85a3:0:0:8a2e:370:7334", "[2001:db8::1]:443", "fe80::1ff:fe23:4567:890a"),
        misses=("12:30:45", "std::abs", "a:b:c", "00:1B:44:11:3A:B7", "arn:aws:s3:::bucket"),
        verify=_address,
        default=False,
    ),
    Detector(
        "mac",
        r"\b[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\b|\b[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}\b",
        hits=("00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", "eth0 0a:00:27:00:00:10 up"),
        misses=("12:30:45", "00:1B:44:11:3A", "2024-11-21-10-30-45", "00:1B:44:11:3A:B7:99"),
        verify=_hardware,
        default=False,
    ),
)
