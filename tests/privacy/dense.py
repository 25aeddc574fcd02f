"""Small requests with everything in them: each place, each class and form of marker, each key that may stay.

    dense(Signal.TRACES)       one resource, scope, span, event, link ... for each form, markers wherever text fits

A check that a marker gets through wherever a protection is missing needs such a request: in the captures,
a value may happen to be dropped for another reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from agenttracer.schemas.batch import Signal
from tests.otlp_reference import REQUESTS
from tests.privacy.markers import Form
from tests.privacy.planting import EVERYTHING, KEYS, Classes, Planter

_ROWS = ("spans.attributes", "log_records.attributes", "gauge.data_points.attributes")
_ALWAYS = ("service.name", "gen_ai.agent.name")


class _Dense(Planter):
    """Plants one form everywhere, in requests that it fills from nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.form: tuple[str, Form] = ("", lambda word, number: "")
        self._made: dict[tuple[str, Form], str] = {}

    def _marker(self, place: str, classes: Classes) -> str:
        name, form = self.form
        if name not in classes:
            return ""  # a word, where a label may stand
        # One for all keys of a place: what is slow is to judge values that differ.
        if (place, form) not in self._made:
            self._made[place, form] = self.mint.marker(place, {name: (form,)})
        return self._made[place, form]

    def _known_keys(self, place: str) -> Sequence[str]:
        turn = self._turns[place] = self._turns[place] + 1
        return KEYS if place.endswith(_ROWS) else (*KEYS[turn % 11 :: 11], *_ALWAYS)

    def _takes_turn(self, place: str) -> bool:
        return True

    def _every(self, what: str, times: int) -> bool:
        return True


@cache
def dense(signal: Signal) -> tuple[bytes, Planter]:
    """The request's bytes, and who planted it."""
    planter = _Dense()
    whole = REQUESTS[signal]()
    for name, forms in EVERYTHING.items():
        for form in forms:
            planter.form = (name, form)
            planter.plant(one := REQUESTS[signal]())
            whole.MergeFrom(one)
    return whole.SerializeToString(), planter
