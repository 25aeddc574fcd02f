"""Keys of hashes: made once, private, a line a key; a new one cuts the tie to what older ones hashed."""

import stat
from pathlib import Path

import pytest

from agenttracer.collector.errors import StartError
from agenttracer.collector.privacy.key_file import KeyFile, read_or_make_keys
from agenttracer.collector.privacy.pseudonyms import Pseudonyms


def token(keys: KeyFile, value: str = "alice", tenant: str = "acme") -> str:
    (found,) = Pseudonyms(keys).tokens_of(value, tenant)[-1:]
    return found


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """The same file gives the same hashes; two tenants never share one."""
    path = tmp_path / "keys" / "redaction.key"

    keys = read_or_make_keys(path)

    assert token(keys) == token(read_or_make_keys(path))
    assert token(keys) != token(keys, tenant="other")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_rotated_key_hashes_anew_and_erasure_still_finds_the_old(tmp_path: Path) -> None:
    """Tokens name their epoch; a value's tokens of all epochs are known as long as the keys are."""
    path = tmp_path / "redaction.key"
    before = read_or_make_keys(path)
    before.rotated().write(path)
    after = read_or_make_keys(path)

    assert (token(before)[:3], token(after)[:3]) == ("h1:", "h2:")
    assert Pseudonyms(after).tokens_of("alice", "acme") == [token(before), token(after)]


def test_a_tenant_can_have_a_key_of_its_own(tmp_path: Path) -> None:
    """It changes that tenant's hashes and nobody else's; forgetting it makes them unlinkable."""
    keys = read_or_make_keys(tmp_path / "redaction.key")
    own = keys.rotated("acme")
    again = own.rotated("acme", forget=True)

    assert token(own) != token(keys)
    assert token(own, tenant="other") == token(keys, tenant="other")
    assert token(own) not in Pseudonyms(again).tokens_of("alice", "acme")


def test_forgetting_every_key_makes_all_tokens_unlinkable(tmp_path: Path) -> None:
    """No key that is left gives a token that was stored."""
    keys = read_or_make_keys(tmp_path / "redaction.key").rotated("acme")
    forgotten = keys.rotated(forget=True)

    assert not set(Pseudonyms(keys).tokens_of("alice", "acme")) & set(
        Pseudonyms(forgotten).tokens_of("alice", "acme")
    )


def test_a_key_file_of_the_first_version_still_holds(tmp_path: Path) -> None:
    """32 bytes and nothing else: epoch 0, which the next rotation follows."""
    path = tmp_path / "redaction.key"
    path.write_bytes(bytes(range(32)))

    keys = read_or_make_keys(path)

    assert token(keys).startswith("h0:")
    assert token(keys.rotated()).startswith("h1:")


@pytest.mark.parametrize("content", ["", "* 1 abc\n", "acme 1 " + "0" * 64 + "\n", "nonsense\n"])
def test_a_damaged_key_file_stops_the_start(tmp_path: Path, content: str) -> None:
    """Better no collector than one that hashes with half a key; the message quotes nothing of it."""
    path = tmp_path / "redaction.key"
    path.write_text(content)

    with pytest.raises(StartError, match="key file") as caught:
        read_or_make_keys(path)
    assert "abc" not in str(caught.value).replace(str(path), "")
