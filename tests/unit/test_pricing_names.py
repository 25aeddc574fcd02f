"""A model is found under the names that frameworks, clouds and gateways give it, and never by resemblance."""

from decimal import Decimal

import pytest

from agenttracer.collector.pricing.book import NEVER, Price, PriceBook
from agenttracer.collector.pricing.names import spellings
from agenttracer.collector.pricing.table import PriceTable, load_prices

BOOK = PriceBook(load_prices())


def usd(price: Price | None) -> tuple[Decimal, Decimal] | None:
    """Input and output in USD per million tokens."""
    return price and (Decimal(price.rates[0]) / 1_000_000, Decimal(price.rates[3]) / 1_000_000)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o", ("2.5", "10")),
        ("openai", "GPT-4o", ("2.5", "10")),
        ("OpenAI", "gpt-4o-2024-08-06", ("2.5", "10")),
        ("openai", "gpt-4o-2024-05-13", ("5", "15")),
        ("openai", "gpt-4-0613", ("30", "60")),
        ("openai", "gpt-4-0125-preview", ("10", "30")),
        ("openai", "openai/gpt-4o-mini", ("0.15", "0.6")),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc123", ("0.3", "1.2")),
        ("azure.ai.openai", "gpt-35-turbo-0125", ("0.5", "1.5")),
        ("azure.ai.openai", "our-own-deployment", None),
        ("anthropic", "claude-sonnet-4-5-20250929", ("3", "15")),
        ("anthropic", "claude-3-5-haiku-latest", ("0.8", "4")),
        ("anthropic", "claude-opus-4-20250514", ("15", "75")),
        ("anthropic", "claude-opus-4-5-20251101", ("5", "25")),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", ("3", "15")),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", ("1.25", "10")),
        ("gcp.gemini", "models/gemini-2.0-flash-001", ("0.1", "0.4")),
        ("gcp.gemini", "gemini-2.5-flash-preview-05-20", ("0.3", "2.5")),
        ("gcp.gemini", "gemini-2.5-flash-lite", ("0.1", "0.4")),
        ("aws.bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", ("3", "15")),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ("3", "15")),
        ("aws.bedrock", "eu.amazon.nova-lite-v1:0", ("0.06", "0.24")),
        (
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-3-70b-instruct-v1:0",
            ("0.72", "0.72"),
        ),
        ("aws.bedrock", "amazon.titan-embed-text-v2:0", ("0.02", "0")),
        ("aws.bedrock", "amazon.titan-embed-text-v1", ("0.1", "0")),
        ("mistral_ai", "mistral-large-2411", ("2", "6")),
        ("mistral_ai", "mistral-large-latest", ("0.5", "1.5")),
        ("cohere", "command-r-08-2024", ("0.15", "0.6")),
        ("cohere", "command-r-03-2024", ("0.5", "1.5")),
        ("x_ai", "grok-4-0709", ("3", "15")),
        ("groq", "meta-llama/llama-4-scout-17b-16e-instruct", ("0.11", "0.34")),
        ("openrouter", "anthropic/claude-sonnet-4.5", ("3", "15")),
        ("openai", "deepseek-chat", ("0.28", "0.42")),
        (None, "gpt-4o-mini-2024-07-18", ("0.15", "0.6")),
        (None, "gpt-oss-120b", None),
        ("groq", "openai/gpt-oss-120b", ("0.15", "0.6")),
        ("ollama", "whatever:7b", ("0", "0")),
        ("openai", "gpt-4o-imaginary", None),
        ("openai", "gpt", None),
        ("openai", "*", None),
        (None, "", None),
        (None, "g" * 100_000, None),
    ],
)
def test_models_as_they_are_named(provider: str | None, model: str, expected: tuple[str, str] | None) -> None:
    """The most exact name wins; prefixes and snapshot suffixes go; a model that is not listed has no price."""
    assert (expected and tuple(map(Decimal, expected))) == usd(BOOK.find(provider, model))


def test_a_name_is_tried_as_it_came_first() -> None:
    """Less is taken away before more."""
    names = list(spellings("us.anthropic.claude-x-20250101-v1:0"))

    assert "us.anthropic.claude-x-20250101-v1:0" == names[0]
    assert names.index("claude-x-20250101-v1:0") < names.index("claude-x-20250101") < names.index("claude-x")


def test_providers_that_disagree_lend_no_price() -> None:
    """A call without a provider is priced only where everybody who lists the model asks the same."""
    table = PriceTable.model_validate(
        {
            "providers": {
                "a": {"models": {"same": {"input": 1}, "differs": {"input": 1}}},
                "b": {"models": {"same": {"input": 1}, "differs": {"input": 2}}},
            }
        }
    )

    found = {model: usd(PriceBook(table).find(None, model)) for model in ("same", "differs")}

    assert {"same": (Decimal(1), Decimal(0)), "differs": None} == found


def test_labels_are_names_of_the_table() -> None:
    """What a sender made up never becomes a label."""
    assert ("openai", "gpt-4o") == BOOK.labels("OpenAI", "gpt-4o-2024-08-06")
    assert ("other", "other") == BOOK.labels("alice@example.com", "my secret model")
    assert ("unknown", "unknown") == BOOK.labels(None, None)
    assert ("together_ai", "other") == BOOK.labels("together", "*")


def test_the_shipped_table_is_whole() -> None:
    """Every price is usable, cached input is not dearer than input, and long calls are dearer than short ones."""
    for provider in load_prices().providers.values():
        for prices in provider.models.values():
            assert prices is not None
            assert (prices.cache_read or prices.input) <= prices.input
            assert prices.above is None or prices.above.input >= prices.input
    assert NEVER > 2**62
