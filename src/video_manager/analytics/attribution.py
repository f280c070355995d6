"""Which option values went with which numbers, and how little that may mean."""

import random
from collections.abc import Mapping, Sequence
from statistics import fmean, median, stdev

from video_manager.analytics.views import Attribution, OptionEffect, ValueEffect
from video_manager.analytics.warehouse_port import Sample
from video_manager.domain.metrics import Metric

TOO_FEW = 5
"""With fewer publications than this a mean is an anecdote."""

GENERATOR = "generator"
"""The generator itself, compared like an option."""

MOST_VALUES = 30
"""Values of one option that are compared: those with the most publications."""

_RESAMPLES = 1000
_BOOTSTRAP_UP_TO = 100
"""Above this the mean's distribution is near enough to normal, and resampling only costs time."""


def attribute(samples: Sequence[Sample], metric: Metric, generator: str | None, option: str | None) -> Attribution:
    """Compare the values of one option, or of every option that has at least two of them."""
    groups = _by_option(samples)
    if option is not None:
        groups = {option: groups.get(option, {})}
    else:
        groups = {path: values for path, values in groups.items() if 2 <= len(values) <= MOST_VALUES}
    options = [OptionEffect(option=path, values=_effects(path, values)) for path, values in sorted(groups.items())]
    numbers = [sample.value for sample in samples]
    return Attribution(
        metric=metric, generator=generator, publications=len(samples), mean=fmean(numbers) if numbers else 0.0,
        median=median(numbers) if numbers else 0.0, note=_note(samples, options), options=options,
    )  # fmt: skip


def _by_option(samples: Sequence[Sample]) -> dict[str, dict[str, list[float]]]:
    groups: dict[str, dict[str, list[float]]] = {}
    for sample in samples:
        for path, value in ((GENERATOR, sample.generator), *sample.options.items()):
            groups.setdefault(path, {}).setdefault(value, []).append(sample.value)
    return groups


def _effects(path: str, groups: Mapping[str, Sequence[float]]) -> list[ValueEffect]:
    largest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_VALUES]
    effects = [_effect(path, value, numbers) for value, numbers in largest]
    return sorted(effects, key=lambda effect: (-effect.median, effect.value))


def _effect(path: str, value: str, numbers: Sequence[float]) -> ValueEffect:
    low, high = mean_interval(numbers, seed=f"{path}={value}")
    return ValueEffect(
        value=value, publications=len(numbers), mean=fmean(numbers), median=median(numbers), low=low, high=high,
        too_few=len(numbers) < TOO_FEW,
    )  # fmt: skip


def mean_interval(numbers: Sequence[float], seed: str) -> tuple[float | None, float | None]:
    """The 95 % interval of the mean: by resampling, or by the normal distribution when there are many. The same
    numbers give the same interval. (None, None) for fewer than two."""
    count = len(numbers)
    if count < 2:
        return None, None
    if count > _BOOTSTRAP_UP_TO:
        half = 1.96 * stdev(numbers) / count**0.5
        return max(0.0, fmean(numbers) - half), fmean(numbers) + half
    draw = random.Random(seed)  # noqa: S311 - statistics, no secret
    means = sorted(fmean(draw.choices(numbers, k=count)) for _ in range(_RESAMPLES))
    return means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES) - 1]


def _note(samples: Sequence[Sample], options: Sequence[OptionEffect]) -> str:
    if not samples:
        return "No publication has numbers yet."
    thin = sum(effect.too_few for option in options for effect in option.values)
    caution = "Publications differ in age, channel and subject too: read a difference as a hint to try, not as a cause."
    if thin:
        return f"{thin} values have fewer than {TOO_FEW} publications: too few to tell anything. {caution}"
    return caution
