"""Which option values went with which numbers, how sure that is, and what to try next."""

import json
from urllib.parse import urlencode

from nicegui import ui

from video_manager.analytics.views import Attribution, OptionEffect, Suggestions, ValueEffect
from video_manager.domain.access import Actor, Right
from video_manager.domain.metrics import Metric
from video_manager.plugins.registry import PluginKind
from video_manager.studio.elements import box, chip, heading, link_button, note, text
from video_manager.studio.formats import count_text, plural, watch_text, words
from video_manager.studio.session import Visit
from video_manager.studio.video_parts import generator_title

_ALL = ""


class Insights:
    """Two cards: effects of options, and suggestions for one generator."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        generators = {item.name: item.title for item in visit.parts.registry.describe(PluginKind.GENERATOR)}
        self._metric = Metric.VIEWS
        with box("vm-two-even vm-above-wide"):
            with box("vm-card vm-col"):
                with box("vm-card-head"):
                    heading("What went with it")
                    self._of = self._select("Generator", {_ALL: "All generators", **generators}, _ALL)
                self._effects = box("vm-col vm-wide")
            with box("vm-card vm-col"):
                with box("vm-card-head"):
                    heading("What to try next")
                    self._for = self._select("Generator", generators, next(iter(generators), None))
                self._suggestions = box("vm-col vm-wide")

    def _select(self, label: str, options: dict[str, str], value: str | None) -> ui.select:
        made = ui.select(options, value=value, on_change=self._changed).props("outlined dense options-dense")
        made.props["aria-label"] = label
        return made.classes("vm-control")

    async def _changed(self) -> None:
        await self._visit.attempt(lambda actor: self.refresh(actor, self._metric))

    async def refresh(self, actor: Actor, metric: Metric) -> None:
        self._metric = metric
        analytics = self._visit.parts.analytics
        self._draw_effects(await analytics.attribution(actor, metric, generator=self._of.value or None))
        if self._for.value:
            self._draw_suggestions(await analytics.suggestions(actor, self._for.value, metric))

    # ---- effects ----------------------------------------------------------------------------------------

    def _draw_effects(self, found: Attribution) -> None:
        self._effects.clear()
        with self._effects:
            if found.note:
                note(found.note, "info", "science")
            if not found.options:
                text(
                    "As soon as publications differ in an option, their numbers are compared here.", "vm-soft vm-small"
                )
            for effect in found.options:
                self._draw_effect(effect)

    def _draw_effect(self, effect: OptionEffect) -> None:
        top = max((value.high or value.mean for value in effect.values), default=0.0) or 1.0
        with box("vm-col vm-tight"):
            heading(words(effect.option.replace(".", ": ")), 3)
            for value in effect.values:
                self._draw_value(value, top)

    def _draw_value(self, value: ValueEffect, top: float) -> None:
        low, high = value.low or 0.0, value.high or value.mean
        with box("vm-effect vm-unsure" if value.too_few else "vm-effect"):
            text(value.value, "vm-clip")
            with box("vm-effect-track"):
                if value.low is not None and value.high is not None:
                    box("vm-effect-range").style(
                        f"left: {low / top * 100:.1f}%; width: {max(1.0, (high - low) / top * 100):.1f}%"
                    )
                box("vm-effect-mean").style(f"left: {min(100.0, value.mean / top * 100):.1f}%")
            span = f" ({self._number(low)} to {self._number(high)})" if value.low is not None else ""
            text(f"{self._number(value.mean)}{span}", "vm-num vm-small vm-nowrap")
            text(
                plural(value.publications, "post") + (", too few" if value.too_few else ""),
                "vm-faint vm-small vm-nowrap",
            )

    def _number(self, value: float) -> str:
        return watch_text(value) if self._metric is Metric.WATCH_SECONDS else count_text(round(value, 1))

    # ---- suggestions ------------------------------------------------------------------------------------

    def _draw_suggestions(self, found: Suggestions) -> None:
        self._suggestions.clear()
        with self._suggestions:
            note(found.note, "good" if found.enough_data else "warn", "lightbulb")
            for option in found.options:
                with box("vm-col vm-tight"):
                    heading(words(option.option.replace(".", ": ")), 3)
                    with box("vm-row vm-tight vm-wrap"):
                        for index, suggestion in enumerate(option.suggestions[:5]):
                            label = f"{suggestion.value}: {suggestion.chance * 100:.0f} %"
                            made = chip(label, "accent" if index == 0 else "")
                            with made:
                                ui.tooltip(suggestion.reason)
            if not found.options:
                title = generator_title(self._visit, found.generator)
                text(f"{title} has no options that are drawn, so there is nothing to compare.", "vm-soft vm-small")
            elif self._visit.may(Right.REQUEST):
                query = urlencode({"generator": found.generator, "options": json.dumps(found.next_options)})
                with box("vm-row"):
                    link_button("Request with these options", f"/new?{query}", "primary", "auto_awesome")
                text(
                    "The percentages say how likely a value is the best of its option, given what was measured.",
                    "vm-hint",
                )
