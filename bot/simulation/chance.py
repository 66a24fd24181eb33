"""Chance for simulated people and providers: drawn from a seeded source of their own, so that what they do does not depend on
how often the product itself asks for chance."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from bot.wallclock import HandClock

T = TypeVar("T")


class Chance:
    """A seeded source of decisions and delays."""

    def __init__(self, source: HandClock) -> None:
        self._source = source

    def uniform(self, low: float, high: float) -> float:
        return self._source.uniform(low, high)

    def happens(self, probability: float) -> bool:
        return self._source.uniform(0.0, 1.0) < probability

    def pick(self, among: Sequence[T]) -> T:
        return among[min(int(self._source.uniform(0.0, len(among))), len(among) - 1)]

    def weighted(self, weights: Mapping[T, float]) -> T:
        left = self._source.uniform(0.0, sum(weights.values()))
        for each, weight in weights.items():
            left -= weight
            if left < 0:
                return each
        return list(weights)[-1]

    def about(self, typical: float, spread: float = 0.6) -> float:
        """A value around `typical` (its median), never negative, now and then much larger: how long people take."""
        first, second = self._source.uniform(1e-12, 1.0), self._source.uniform(0.0, 1.0)
        normal = math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)
        return typical * math.exp(spread * normal)

    def minutes(self, typical: float, spread: float = 0.6) -> timedelta:
        return timedelta(minutes=self.about(typical, spread))
