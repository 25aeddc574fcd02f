"""The user's prices over the shipped ones, and what is wrong with a file that can't be used."""

from decimal import Decimal
from pathlib import Path

import pytest

from agenttracer.collector.errors import StartError
from agenttracer.collector.pricing.book import PriceBook
from agenttracer.collector.pricing.table import load_prices


def written(folder: Path, text: str) -> Path:
    path = folder / "prices.yaml"
    path.write_text(text)
    return path


def test_a_file_of_ones_own_wins_model_by_model(tmp_path: Path) -> None:
    """A model's line replaces the model's line; null takes it away; everything else stays."""
    own = written(
        tmp_path,
        "as_of: 2026-12-01\nproviders:\n  openai:\n    models:\n"
        "      gpt-4o: {input: 1.25, output: 5}\n      gpt-4: null\n  house:\n    models:\n      ours: {input: 0.5}\n",
    )

    openai = load_prices(own).providers["openai"]
    book = PriceBook(load_prices(own))

    assert (Decimal("1.25"), None) == (openai.models["gpt-4o"].input, openai.models["gpt-4o"].cache_read)  # type: ignore[union-attr]
    assert "openai.com, API pricing" == openai.source
    assert None is book.find("openai", "gpt-4")
    assert book.find("openai", "gpt-4o-mini") == PriceBook(load_prices()).find("openai", "gpt-4o-mini")
    assert book.find("house", "ours") is not None
    # Azure sells what OpenAI sells.
    assert book.find("azure.ai.openai", "gpt-4o") == book.find("openai", "gpt-4o")


def test_other_prices_leave_a_model_its_other_names(tmp_path: Path) -> None:
    """Azure's name of GPT-3.5 costs what the user says that GPT-3.5 costs; named aliases replace them."""
    own = "providers: {{openai: {{models: {{gpt-3.5-turbo: {{input: 7{}}}}}}}}}"
    kept = PriceBook(load_prices(written(tmp_path, own.format(""))))
    replaced = PriceBook(load_prices(written(tmp_path, own.format(", aliases: [old-faithful]"))))

    assert kept.find("openai", "gpt-3.5-turbo") == kept.find("azure.ai.openai", "gpt-35-turbo")
    assert replaced.find("openai", "old-faithful") is not None
    assert replaced.find("azure.ai.openai", "gpt-35-turbo") is None


def test_the_version_names_the_day_and_the_prices(tmp_path: Path) -> None:
    """Any change of a price is another version; the same table has the same one everywhere."""
    own = written(tmp_path, "providers: {openai: {models: {gpt-4o: {input: 1}}}}")
    shipped = load_prices()

    assert load_prices().version == shipped.version
    assert shipped.version.startswith(f"{shipped.as_of}+")
    assert shipped.version != load_prices(own).version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("providers: {a: {models: {m: {input: -1}}}}", "providers.a.models.m.input: must be at least 0"),
        ("providers: {a: {models: {m: {input: 1001}}}}", "must be at most 1000"),
        ("providers: {a: {models: {m: {input: 0.0000001}}}}", "providers.a.models.m.input"),
        ("providers: {a: {models: {m: {output: 1}}}}", "must be given"),
        ("providers: {a: {models: {m: {input: 1, inptu: 2}}}}", "invalid keys: inptu"),
        ("providers: {a: {input: sometimes}}", "must be 'includes_cached' or 'excludes_cached'"),
        ("providers: {a: {same_as: [nobody]}}", "same_as names nobody"),
        ("providers: [", "can't be used"),
        ("{a: 1, a: 2}", "can't be used"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """The error names the file and the place in it."""
    with pytest.raises(StartError) as caught:
        load_prices(written(tmp_path, text))

    assert expected in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that isn't there is not an empty one."""
    with pytest.raises(StartError, match="can't be read: FileNotFoundError"):
        load_prices(tmp_path / "none.yaml")
