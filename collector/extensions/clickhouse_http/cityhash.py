"""CityHash128 as of version 1.0.2, the checksum of ClickHouse's compressed blocks; later versions differ.

The algorithm is Geoff Pike's and Jyrki Alakuijala's. Ten megabytes a second: it is for what one person asks.
"""

from __future__ import annotations

import struct

_MASK = (1 << 64) - 1
_K0, _K1, _K2, _K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
_MUL = 0x9DDFEA08EB382D69
_RESULT = struct.Struct("<QQ")
_STRIPE = struct.Struct("<8Q")


def cityhash128(data: bytes) -> bytes:
    """The hash as ClickHouse stores it: low half first, little-endian."""
    size = len(data)
    if size >= 16:
        low, high = _hash(data[16:], _word(data, 0) ^ _K3, _word(data, 8))
    elif size >= 8:
        low, high = _hash(b"", _word(data, 0) ^ (size * _K0 & _MASK), _word(data, size - 8) ^ _K1)
    else:
        low, high = _hash(data, _K0, _K1)
    return _RESULT.pack(low, high)


def _word(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _rotate(value: int, shift: int) -> int:
    value &= _MASK
    return (value >> shift | value << (64 - shift)) & _MASK


def _mix(value: int) -> int:
    value &= _MASK
    return value ^ (value >> 47)


def _combine(low: int, high: int) -> int:
    a = _mix((low ^ high) * _MUL)
    return _mix((high ^ a) * _MUL) * _MUL & _MASK


def _hash_short(data: bytes) -> int:
    size = len(data)
    if size > 8:
        a, b = _word(data, 0), _word(data, size - 8)
        return _combine(a, _rotate(b + size, size)) ^ b
    if size >= 4:
        return _combine(size + (_word(data, 0, 4) << 3) & _MASK, _word(data, size - 4, 4))
    if size:
        y, z = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
        return _mix(y * _K2 ^ z * _K3) * _K2 & _MASK
    return _K2


def _murmur(data: bytes, a: int, b: int) -> tuple[int, int]:
    size = len(data)
    if size <= 16:
        a = _mix(a * _K1) * _K1 & _MASK
        c = b * _K1 + _hash_short(data) & _MASK
        d = _mix(a + (_word(data, 0) if size >= 8 else c))
    else:
        c = _combine(_word(data, size - 8) + _K1 & _MASK, a)
        d = _combine(b + size & _MASK, c + _word(data, size - 16) & _MASK)
        a = a + d & _MASK
        for at in range(0, size - 16, 16):
            a = (a ^ _mix(_word(data, at) * _K1) * _K1) * _K1 & _MASK
            b ^= a
            c = (c ^ _mix(_word(data, at + 8) * _K1) * _K1) * _K1 & _MASK
            d ^= c
    a, b = _combine(a, c), _combine(d, b)
    return a ^ b, _combine(b, a)


def _weak(words: tuple[int, ...], a: int, b: int) -> tuple[int, int]:
    w, x, y, z = words
    a += w
    c = a
    b = _rotate(b + a + z, 21)
    a += x + y
    b += _rotate(a, 44)
    return a + z & _MASK, b + c & _MASK


def _hash(data: bytes, x: int, y: int) -> tuple[int, int]:
    size = len(data)
    if size < 128:
        return _murmur(data, x, y)
    z = size * _K1 & _MASK
    v0 = _rotate(y ^ _K1, 49) * _K1 + _word(data, 0) & _MASK
    v1 = _rotate(v0, 42) * _K1 + _word(data, 8) & _MASK
    w0 = _rotate(y + z, 35) * _K1 + x & _MASK
    w1 = _rotate(x + _word(data, 88), 53) * _K1 & _MASK
    whole = size - size % 128
    for words in _STRIPE.iter_unpack(memoryview(data)[:whole]):
        x = _rotate(x + y + v0 + words[2], 37) * _K1 & _MASK ^ w1
        y = _rotate(y + v1 + words[6], 42) * _K1 & _MASK ^ v0
        z = _rotate(z ^ w0, 33)
        v0, v1 = _weak(words[:4], v1 * _K1, x + w0)
        w0, w1 = _weak(words[4:], z + w1, y)
        z, x = x, z
    y = y + _rotate(w0, 37) * _K0 + z & _MASK
    x = x + _rotate(v0 + z, 49) * _K0 & _MASK
    for done in range(32, size - whole + 32, 32):
        at = size - done
        words = struct.unpack_from("<4Q", data, at)
        y = _rotate(y - x, 42) * _K0 + v1 & _MASK
        w0 = w0 + words[2] & _MASK
        x = _rotate(x, 49) * _K0 + w0 & _MASK
        w0 = w0 + v0 & _MASK
        v0, v1 = _weak(words, v0, v1)
    x, y = _combine(x, v0), _combine(y, w0)
    return _combine(x + v1 & _MASK, w1) + y & _MASK, _combine(x + w1 & _MASK, y + v1 & _MASK)
