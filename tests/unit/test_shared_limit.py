"""A limit that tenants share leaves room for each of them, whatever the others hold."""

import pytest

from agenttracer.collector.shared_limit import SharedLimit


def fill(limit: SharedLimit, *tenants: str, size: int = 1) -> dict[str, int]:
    """Each takes in turn until nobody is admitted; what each got."""
    held = dict.fromkeys(tenants, 0)
    while any(taken := [limit.try_take(tenant, size) for tenant in tenants]):
        for tenant, admitted in zip(tenants, taken, strict=True):
            held[tenant] += size * admitted
    return held


def test_alone_a_tenant_has_nine_tenths() -> None:
    """What is left is the room in which another can begin."""
    assert {"a": 900} == fill(SharedLimit(1000), "a")


@pytest.mark.parametrize("count", [2, 10])
def test_tenants_that_come_together_get_the_same(count: int) -> None:
    """In equal parts, and together nearly all of it."""
    held = fill(SharedLimit(10_000), *map(str, range(count))).values()

    assert max(held) - min(held) <= 1
    assert 10_000 * 0.94 < sum(held) < 10_000


def test_one_that_has_filled_it_shrinks_as_another_comes() -> None:
    """The newcomer is admitted at once; the first has to give back before it may take again."""
    limit = SharedLimit(1000)
    fill(limit, "first")

    assert {"second": 90} == fill(limit, "second")
    assert not limit.admits("first", 1)
    limit.give_back("first", 800)
    fill(limit, "first", "second")
    assert abs(limit._held_bytes["first"] - limit._held_bytes["second"]) < 10


def test_what_is_larger_than_the_limit_passes_alone() -> None:
    """It could never be taken otherwise."""
    limit = SharedLimit(100)

    assert limit.try_take("a", 1000)
    assert not limit.try_take("a", 1)
    assert not limit.try_take("b", 1)
    limit.give_back("a", 1000)
    assert limit.try_take("b", 1)


def test_counts_can_be_made_anew() -> None:
    """From what is really held."""
    limit = SharedLimit(100)
    limit.take("a", 50)

    limit.count_anew({"b": 90})

    assert 90 == limit.used_bytes
    assert limit.admits("a", 1)
    assert not limit.admits("b", 1)
