"""Few values are asked by Python, many by Arrow, and both say the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from agenttracer.collector.distinct_values import Extract, FirstMatch, FirstWord, among, words
from agenttracer.schemas.dialect_values import MODEL_PROVIDERS
from agenttracer.schemas.failures import EVIDENCE_RULES
from agenttracer.schemas.step_types import NAME_TYPES, SCOPE_NAMES, TYPES_BY_COMPONENT

TEXTS = [
    "", "stop", "Stop", '["stop"]', '[ "max_tokens", "x"]', "FinishReason.MAX_TOKENS", "stop\nnow", "stop ", "étoile",
    "gpt-4o", "o1", "o1-mini", "anthropic.claude-3", "azure/gpt-4", "claude-3@2024", "gemini-pro", "xai/grok-2",
    "type:timeouterror\nrequest timed out", "status:429", "type:ratelimiterror", "connection refused", "http 503",
    "call llm", "execute task", "chat gpt-4o", "invoke_agent x", "execute_tool y", "retrieve kb", "embeddings",
    "haystack.components.generators.OpenAIGenerator", "haystack.components.retrievers.X", "日本語の名前",
]  # fmt: skip
FIRST = FirstMatch([rule.pattern for rule in EVIDENCE_RULES])
ASKED: dict[str, Callable[[pa.StringArray], object]] = {
    "words": lambda values: words(values, {"stop": "end", "o1": "one", "": "nothing"}),
    "among": lambda values: among(values, {"stop", "étoile", ""}),
    "rules of evidence": FIRST,
    "providers": FirstWord(MODEL_PROVIDERS),
    "names": FirstWord(NAME_TYPES),
    "components": FirstWord([*TYPES_BY_COMPONENT, ("", "other")]),
    **{rule.scope: FirstWord(rule.names) for rule in SCOPE_NAMES},
    "extract": Extract(r'^(?:\["?)?(?P<word>[a-z_]{1,8})(?:"|\z)'),
}


@pytest.mark.parametrize("name", ASKED)
def test_few_and_many_are_told_the_same(name: str) -> None:
    """Each value alone, and all of them among a thousand others."""
    ask = ASKED[name]
    others = [f"other {number}" for number in range(1000)]
    alone = [_plain(ask(pa.array([text])))[0] for text in TEXTS]
    together = _plain(ask(pa.array([*TEXTS, *others])))[: len(TEXTS)]

    assert alone == together
    assert len(set(alone)) > 1 or name in {rule.scope for rule in SCOPE_NAMES}


def test_nothing_is_asked_of_nothing() -> None:
    """An empty array gives an empty one."""
    for ask in ASKED.values():
        assert [] == _plain(ask(pa.array([], pa.string())))


def test_a_null_is_among_nothing() -> None:
    """Whether there are few values or many."""
    for others in (1, 1000):
        values = pa.array([None, *(str(number) for number in range(others))])
        assert [False, True] == among(values, {"0"})[:2].tolist()


def _plain(answers: object) -> list[object]:
    return answers.tolist() if isinstance(answers, np.ndarray) else answers.to_pylist()  # type: ignore[attr-defined]
