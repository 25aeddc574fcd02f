"""The names: complete, distinct, and free of anything but the standard library."""

import ast
from pathlib import Path

import pytest

from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import FailureCode, FailureType, RunStatus, StepType, parse_run_status


def _attribute_names() -> dict[str, str]:
    return {name: value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}


def test_the_module_needs_the_standard_library_alone() -> None:
    """The SDK imports it into other people's programs."""
    tree = ast.parse(Path(semconv.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {"enum", "typing"} == imported
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


def test_no_two_constants_share_a_name() -> None:
    """Each attribute is declared once."""
    values = list(_attribute_names().values())

    assert len(values) == len(set(values))


def test_every_constant_and_member_says_what_it_means() -> None:
    """A line without its meaning is not documentation."""
    lines = Path(semconv.__file__).read_text().splitlines()
    declared = [line for line in lines if ' = "' in line and not line.lstrip().startswith("#")]

    assert [] == [line for line in declared if "  # " not in line]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("failed", RunStatus.FAILURE),
        ("completed", RunStatus.SUCCESS),
        ("pending", RunStatus.QUEUED),
        ("Running", RunStatus.RUNNING),
        ("partial", RunStatus.PARTIAL),
        ("canceled", RunStatus.CANCELLED),
    ],
)
def test_other_words_for_a_status_are_understood(word: str, expected: RunStatus) -> None:
    """The edges accept what other systems call a status."""
    assert expected is parse_run_status(word)


def test_an_unknown_status_is_refused() -> None:
    """Stalled is derived, never stored, and so no status."""
    with pytest.raises(ValueError, match="stalled"):
        parse_run_status("stalled")


def test_the_lists_are_the_promised_ones() -> None:
    """Run statuses, step types, failure types and codes are closed lists that others store and query."""
    assert "queued running success failure partial cancelled" == " ".join(RunStatus)
    assert "plan retrieve model tool respond memory agent other" == " ".join(StepType)
    assert "tool model retrieval orchestration" == " ".join(FailureType)
    assert (
        "timeout rate_limited quota_exceeded auth invalid_request schema_invalid context_length_exceeded "
        "content_filtered truncated empty_retrieval not_found tool_not_found connection server_error max_steps "
        "guardrail_blocked handoff_failed budget_exceeded cancelled error"
    ) == " ".join(FailureCode)
    assert set(StepType) == set(semconv.STEP_FAILURE_TYPES)
