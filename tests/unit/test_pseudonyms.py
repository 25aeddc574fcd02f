"""Hashes of users and sessions are HMACs: anyone with the key can make them with any tool."""

import hashlib
import hmac

import pyarrow as pa

from agenttracer.collector.privacy.key_file import EVERY_TENANT, Key, KeyFile
from agenttracer.collector.privacy.pseudonyms import Pseudonyms

SECRET = bytes(range(32))


def test_a_token_is_the_standard_library_s_hmac() -> None:
    """HMAC-SHA256 under the tenant's own key, for values longer and shorter than a block, of any script."""
    pseudonyms = Pseudonyms(KeyFile([(EVERY_TENANT, Key(3, SECRET)), ("acme", Key(4, SECRET[::-1]))]))
    values = ["alice", "x" * 200, "søren", ""]
    expected = [
        f"h4:{hmac.digest(SECRET[::-1], value.encode(), hashlib.sha256).hex()[:24]}" if value else ""
        for value in values
    ]
    assert pseudonyms.for_tenant("acme")(pa.array(values)).to_pylist() == expected
