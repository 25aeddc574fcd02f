"""Where two policy files decide differently: for everybody, and for each tenant and agent with a policy of its own.

policy 5c41f2… → 9d2e07…
  allowed_keys: [] → ["my.note"]
  my.note: dropped, unless it is a number or a boolean → kept, with what detectors … find in it masked
tenant acme: policy 5c41f2… → 77a0c1…
  mode: "strict" → "labels"
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agenttracer.collector.privacy.explanation import (
    KeyExplanation,
    changed_options,
    differences,
    override_for,
    plain,
)
from agenttracer.collector.privacy.options import PolicyOptions, RedactionOptions
from agenttracer.collector.privacy.policy import Policy

_NOBODY = ("", "")
_NAMES_NOBODY_HAS = ("\0", "\0")


@dataclass(frozen=True)
class PolicyDiff:
    """Two policies for the same rows: whose they are, their hashes, and what differs."""

    tenant: str
    agent: str
    hashes: tuple[str, str]
    options: dict[str, tuple[object, object]]
    keys: list[tuple[KeyExplanation, KeyExplanation]]

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "tenant": self.tenant,
            "agent": self.agent,
            "policies": self.hashes,
            "options": {name: {"old": old, "new": new} for name, (old, new) in self.options.items()},
            "keys": [{"old": plain(old), "new": plain(new)} for old, new in self.keys],
        }

    def lines(self) -> Iterator[str]:
        """As somebody reads it."""
        named = (("tenant", self.tenant), ("agent", self.agent))
        whose = ", ".join(f"{what} {name}" for what, name in named if name)
        old, new = self.hashes
        said = f"policy {old} → {new}" if old != new else f"the same policy: {old}"
        yield f"{whose}: {said}" if whose else said
        for name, (before, after) in self.options.items():
            yield f"  {name}: {json.dumps(before)} → {json.dumps(after)}"
        for earlier, later in self.keys:
            yield f"  {earlier.key}: {earlier.meaning} → {later.meaning}"


def policy_diffs(old: RedactionOptions, new: RedactionOptions) -> list[PolicyDiff]:
    """The processors' own policies first, then every tenant and agent whose policies differ in another way."""
    own = _diff(old, new, *_NOBODY)
    found = [own]
    for tenant, agent in _named(old, new):
        diff = _diff(old, new, tenant, agent)
        if diff.hashes[0] != diff.hashes[1] and diff.hashes != own.hashes:
            found.append(diff)
    return found


def _diff(old: RedactionOptions, new: RedactionOptions, tenant: str, agent: str) -> PolicyDiff:
    before, after = (_policy(each, tenant, agent) for each in (old, new))
    hashes = Policy(before).hash, Policy(after).hash
    options = changed_options(before, after)
    if (tenant, agent) == _NOBODY:
        options |= _of_processor(old, new)
    return PolicyDiff(tenant, agent, hashes, options, differences(before, after))


def _policy(options: RedactionOptions, tenant: str, agent: str) -> PolicyOptions:
    # An override for one of the two alone fits whatever the other is.
    tenant, agent = (name or nobody for name, nobody in zip((tenant, agent), _NAMES_NOBODY_HAS, strict=True))
    return options.policy_for(override_for(options, tenant, agent))


def _named(old: RedactionOptions, new: RedactionOptions) -> list[tuple[str, str]]:
    """Every tenant, agent, and agent of a tenant that an override names."""
    pairs = [
        (tenant, agent)
        for options in (old, new)
        for override in options.overrides
        for tenant in override.tenants or ("",)
        for agent in override.agents or ("",)
    ]
    return list(dict.fromkeys(pairs))


def _of_processor(old: RedactionOptions, new: RedactionOptions) -> dict[str, tuple[object, object]]:
    """What the processor has for all policies together, besides the overrides."""
    names = RedactionOptions.model_fields.keys() - PolicyOptions.model_fields.keys() - {"overrides"}
    before, after = (each.model_dump(mode="json", include=names) for each in (old, new))
    return {name: (before[name], after[name]) for name in sorted(names) if before[name] != after[name]}
