"""Which options to try next: Thompson sampling over the options that are drawn when left open.

For each value the mean of log(1 + metric) is drawn towards the mean of all publications (a value that was tried
little stays near it, and stays uncertain). The chance that a value is the best of its option then weighs what did
well against what was hardly tried.
"""

import math
import random
from collections.abc import Mapping, Sequence
from statistics import fmean, median, pvariance
from typing import Any

from video_manager.analytics.attribution import TOO_FEW
from video_manager.analytics.option_values import option_text
from video_manager.analytics.views import OptionSuggestions, Suggestion, Suggestions
from video_manager.analytics.warehouse_port import Sample
from video_manager.domain.metrics import Metric

PRIOR_WEIGHT = 2.0
"""As many imagined average publications each value starts with."""

_DRAWS = 2000
_LEAST_VARIANCE = 0.05


def suggest(
    generator: str, metric: Metric, choices: Mapping[str, Sequence[Any]], samples: Sequence[Sample]
) -> Suggestions:
    """Rank the values of every open option. The same numbers give the same answer."""
    options = [
        OptionSuggestions(option=path, suggestions=_rank(path, values, samples, metric))
        for path, values in sorted(choices.items())
        if values
    ]
    enough = len(samples) >= TOO_FEW and any(
        sum(one.evidence >= TOO_FEW for one in option.suggestions) >= 2 for option in options
    )
    return Suggestions(
        generator=generator, metric=metric, publications=len(samples), enough_data=enough,
        note=_note(generator, samples, options, enough=enough),
        next_options={option.option: option.suggestions[0].value for option in options}, options=options,
    )  # fmt: skip


def _rank(path: str, values: Sequence[Any], samples: Sequence[Sample], metric: Metric) -> list[Suggestion]:
    by_value: dict[str, list[float]] = {option_text(value): [] for value in values}
    for sample in samples:
        if (chosen := sample.options.get(path)) in by_value:
            by_value[chosen].append(sample.value)
    chances = _chances(path, list(by_value.values()), [sample.value for sample in samples])
    overall = median([sample.value for sample in samples]) if samples else 0.0
    ranked = [
        Suggestion(
            value=value, chance=round(chance, 3), evidence=len(by_value[option_text(value)]),
            reason=_reason(path, option_text(value), by_value[option_text(value)], overall, len(samples), metric),
        )
        for value, chance in zip(values, chances, strict=True)
    ]  # fmt: skip
    return sorted(ranked, key=lambda one: (-one.chance, one.evidence))


def _chances(path: str, groups: Sequence[Sequence[float]], everything: Sequence[float]) -> list[float]:
    """For each group the share of draws in which its mean was the highest."""
    logs = [[math.log1p(max(0.0, value)) for value in group] for group in groups]
    all_logs = [math.log1p(max(0.0, value)) for value in everything]
    centre = fmean(all_logs) if all_logs else 0.0
    variance = max(pvariance(all_logs), _LEAST_VARIANCE) if len(all_logs) > 1 else 1.0
    beliefs = []
    for group in logs:
        weight = PRIOR_WEIGHT + len(group)
        beliefs.append(((PRIOR_WEIGHT * centre + sum(group)) / weight, math.sqrt(variance / weight)))
    draw = random.Random(path)  # noqa: S311 - statistics, no secret
    wins = [0] * len(beliefs)
    for _ in range(_DRAWS):
        drawn = [draw.gauss(mean, deviation) for mean, deviation in beliefs]
        wins[drawn.index(max(drawn))] += 1
    return [count / _DRAWS for count in wins]


def _reason(path: str, value: str, numbers: Sequence[float], overall: float, total: int, metric: Metric) -> str:
    noun = metric.replace("_", " ")
    if not numbers:
        return f"No publication used {path} = {value} yet: trying it would tell."
    times = "once" if len(numbers) == 1 else f"{len(numbers)} times"
    told = (
        f"{path} = {value} was tried {times}, with a median of {median(numbers):,.0f} {noun} "
        f"against {overall:,.0f} over all {total}."
    )
    return told if len(numbers) >= TOO_FEW else f"{told} Too few to rely on."


def _note(generator: str, samples: Sequence[Sample], options: Sequence[OptionSuggestions], *, enough: bool) -> str:
    if not options:
        return f"{generator} has no options that are drawn, so there is nothing to suggest."
    if not samples:
        return f"No publication made with {generator} has numbers yet: these are as good as a draw by chance."
    if not enough:
        return (
            f"Only {len(samples)} publications made with {generator} have numbers, too few to compare: these are "
            f"little better than a draw by chance. At least {TOO_FEW} with each of two values are needed."
        )
    return (
        f"From {len(samples)} publications made with {generator}. The chance weighs what did well against what was "
        "hardly tried; other things differed between these videos too."
    )
