"""Bearer tokens: which are known, whose they are, and that none is ever shown."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agenttracer.collector.component import Context
from agenttracer.collector.errors import StartError
from agenttracer.collector.extensions.bearer_token_auth import BearerTokenAuth, BearerTokenAuthOptions
from agenttracer.collector.telemetry import Telemetry


def _started(**options: Any) -> BearerTokenAuth:
    parsed = BearerTokenAuthOptions.model_validate(options)
    extension = BearerTokenAuth(parsed, Context(id="bearertokenauth", telemetry=Telemetry()))
    asyncio.run(extension.start())
    return extension


def _tenant(extension: BearerTokenAuth, token: str, header: str = "authorization") -> str | None:
    try:
        return extension.authenticate({header: token})
    except PermissionError:
        return None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"token": "a"}, {"Bearer a": "default", "bearer a": "default", "Bearer  a ": "default"}),
        (
            {"token": "a"},
            {"Bearer b": None, "a": None, "Bearer": None, "": None, "Basic a": None, "Bearer A": None},
        ),
        ({"tokens": ["old", "new"]}, {"Bearer old": "default", "Bearer new": "default"}),
        ({"tenants": {"acme": "a", "globex": "g"}}, {"Bearer a": "acme", "Bearer g": "globex"}),
        ({"token": "a", "tenants": {"acme": "b"}}, {"Bearer a": "default", "Bearer b": "acme"}),
        ({"token": "a", "scheme": ""}, {"a": "default", "Bearer a": None}),
        ({"token": "a", "scheme": "Token"}, {"Token a": "default", "Bearer a": None}),
        ({"token": "ключ"}, {"Bearer ключ": "default", "Bearer \udcff": None}),
    ],
)
def test_tokens_and_tenants(options: dict[str, Any], expected: Mapping[str, str | None]) -> None:
    """A known token is its tenant's, after the scheme in any case; everything else is nobody's."""
    extension = _started(**options)
    assert expected == {given: _tenant(extension, given) for given in expected}


def test_another_header() -> None:
    """The token is looked for in the configured header, whatever its case, and only there."""
    extension = _started(token="a", header="X-Api-Key", scheme="")  # noqa: S106
    assert "default" == _tenant(extension, "a", "x-api-key")
    assert _tenant(extension, "a") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "must have a token: set token, tokens, tenants or filename"),
        ({"token": ""}, "must have a token|the token of tenant default is empty"),
        ({"tokens": ["good", ""]}, "the token of tenant default is empty; is its environment variable set"),
        ({"tenants": {"acme": "s3cret", "globex": "s3cret"}}, "acme and globex have the same token"),
        ({"tenants": {"../etc": "a"}}, "a tenant's name must be"),
        ({"tenants": {"a/b": "a"}}, "a tenant's name must be"),
        ({"token": "a", "header": ""}, "must name a header"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Configurations that let nobody in, or mix up tenants, are refused."""
    with pytest.raises(ValidationError, match=message):
        BearerTokenAuthOptions.model_validate(options)


def test_tokens_are_not_shown() -> None:
    """Neither the options nor the extension show a token when printed."""
    options = BearerTokenAuthOptions.model_validate({"token": "hush1", "tenants": {"acme": "hush2"}})
    assert "hush" not in f"{options!r}{options.model_dump_json()}"


def test_the_file_wins_and_has_tenants(tmp_path: Path) -> None:
    """Lines are ``token`` or ``tenant token``; the file takes the place of token and tokens, not of tenants."""
    file = tmp_path / "tokens"
    file.write_text("plain\n\nacme  a\r\n globex g \n")
    extension = _started(token="ignored", filename=str(file), tenants={"initech": "i"})  # noqa: S106
    expected = {"plain": "default", "a": "acme", "g": "globex", "i": "initech", "ignored": None}
    assert expected == {token: _tenant(extension, f"Bearer {token}") for token in expected}


def test_the_file_is_watched(tmp_path: Path) -> None:
    """A changed or replaced file holds for the next request, without a restart; an emptied one lets nobody in."""
    file, other = tmp_path / "tokens", tmp_path / "other"
    file.write_text("one\n")
    extension = _started(filename=str(file))
    assert "default" == _tenant(extension, "Bearer one")
    other.write_text("two\n")
    os.replace(other, file)
    assert (None, "default") == (_tenant(extension, "Bearer one"), _tenant(extension, "Bearer two"))
    file.write_text("")
    assert _tenant(extension, "Bearer two") is None


@pytest.mark.parametrize("content", [None, "too many words\n", "a/b token\n"])
def test_a_file_that_became_bad_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    """A file that is gone or wrong leaves the known tokens in force, with one warning that quotes none."""
    file = tmp_path / "tokens"
    file.write_text("s3cret\n")
    extension = _started(filename=str(file))
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert ["default"] * 3 == [_tenant(extension, "Bearer s3cret") for _ in range(3)]
    assert 1 == caplog.text.count("keeps the tokens it knows")
    assert "s3cret" not in caplog.text
    file.write_text("again\n")
    assert "default" == _tenant(extension, "Bearer again")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A file that can't be read at the start is a start error with its path."""
    with pytest.raises(StartError, match=r"can't read the tokens in .*tokens: No such file"):
        _started(filename=str(tmp_path / "tokens"))


def test_before_the_start_nobody_is_known() -> None:
    """An extension that is not started refuses everyone."""
    options = BearerTokenAuthOptions.model_validate({"token": "a"})
    extension = BearerTokenAuth(options, Context(id="bearertokenauth", telemetry=Telemetry()))
    assert _tenant(extension, "Bearer a") is None
