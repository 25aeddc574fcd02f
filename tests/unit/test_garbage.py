"""The search for cyclic garbage is rarer once everything is started; it doesn't end."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from agenttracer.collector.garbage import settle


class Node:
    """Something that can hold itself."""

    itself: object = None


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_garbage_of_later_is_still_found() -> None:
    """What is lost in a cycle after the start is freed, and the search is on."""
    settle()
    node = Node()
    node.itself = node
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None
    assert gc.isenabled()


def test_garbage_of_a_former_configuration_is_found_after_a_reload() -> None:
    """What was there at the first start and is nobody's at the second is freed then."""
    node = Node()
    node.itself = node
    gone = weakref.ref(node)
    settle()
    del node
    settle()
    assert gone() is None
