"""Requesting videos: what makes them, with which options, how many, for which channels."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nicegui import ui
from nicegui.element import Element

from video_manager.domain.access import Actor
from video_manager.errors import FieldError, InvalidInput
from video_manager.manager.requests import VideosRequest
from video_manager.manager.views import VideoView
from video_manager.plugins.registry import PluginDescription, PluginKind
from video_manager.studio.channel_choice import ChannelChoice, usable_channels
from video_manager.studio.dialogs import confirm
from video_manager.studio.elements import box, button, empty, heading, text
from video_manager.studio.formats import age_text, plural
from video_manager.studio.forms import SchemaForm
from video_manager.studio.forms.draft_keeper import DraftKeeper
from video_manager.studio.forms.inputs import FieldFrame
from video_manager.studio.forms.recipe import RecipeEditor
from video_manager.studio.forms.requests import read_body
from video_manager.studio.icons import generator_icon
from video_manager.studio.layout import Frame
from video_manager.studio.session import Visit, tell
from video_manager.web import random_ids

_PLACE = "new"


async def build(visit: Visit, frame: Frame) -> None:
    generators = visit.parts.registry.describe(PluginKind.GENERATOR)
    if not generators:
        empty("extension_off", "No generators are installed", "Put a plugin into the plugin folder and start again.")
        return
    draft = await _from_address(visit) or await visit.drafts.read(visit.opener, _PLACE)
    form = RequestForm(visit, generators, draft, await usable_channels(visit))
    form.draw()
    with frame.actions:
        if draft:
            button("Start over", form.ask_start_over, "quiet", "restart_alt")


async def _from_address(visit: Visit) -> dict[str, Any]:
    """`/new?generator=story&options={...}` is how suggestions open the form, `/new?like=ID&version=N` how one asks
    for another like a video."""
    asked = visit.request.query_params
    if "like" in asked:
        return await _like(visit, asked["like"], asked.get("version", ""))
    name = asked.get("generator")
    if name not in visit.parts.registry.names(PluginKind.GENERATOR):
        return {}
    try:
        options = json.loads(asked.get("options", "{}"))
    except ValueError:
        options = {}
    return {"chosen": [name], "options": {name: options if isinstance(options, dict) else {}}}


async def _like(visit: Visit, video_id: str, number: str) -> dict[str, Any]:
    video = await visit.parts.videos.get(visit.opener, video_id)
    version = next((item for item in video.versions if str(item.number) == number), video.versions[-1])
    spec = version.spec
    return {"chosen": [spec.generator], "options": {spec.generator: {**spec.options, **version.given}}}


class RequestForm:
    """Also shows errors at its fields: one request's errors start with `options.`, several with `requests.N.`."""

    def __init__(
        self, visit: Visit, generators: Sequence[PluginDescription], draft: dict[str, Any],
        channels: Sequence[Any],
    ) -> None:  # fmt: skip
        self._visit = visit
        self._generators = {item.name: item for item in generators}
        self._channels = channels
        self._draft = draft
        chosen = [name for name in draft.get("chosen", ()) if name in self._generators]
        self._chosen: list[str] = chosen or [generators[0].name]
        self._options: dict[str, dict[str, Any]] = dict(draft.get("options", {}))
        self._forms: dict[str, SchemaForm] = {}
        self._cards: dict[str, Element] = {}
        self._keeper = DraftKeeper(visit, _PLACE, self.values)

    # ---- drawing ----------------------------------------------------------------------------------------

    def draw(self) -> None:
        with box("vm-two-columns"):
            with box("vm-col vm-wide"):
                with box("vm-col"):
                    text("What makes the video? Choose several to compare them.", "vm-soft")
                    with box("vm-options-grid"):
                        for item in self._generators.values():
                            self._draw_generator(item)
                self._place = box("vm-col vm-wide")
            with box("vm-col vm-sticky"):
                self._draw_request()
        self._draw_forms()

    def _draw_generator(self, item: PluginDescription) -> None:
        card = box("vm-option", "button").props('type="button"').mark(f"generator-{item.name}")
        card.on("click", lambda: self._toggle(item.name))
        with card:
            ui.icon(generator_icon(item.name))
            with box("vm-col vm-tight"):
                text(item.title, "vm-strong")
                text(item.description, "vm-soft vm-small")
                if item.offline:
                    text(_away(item, self._visit.parts.clock.now()), "vm-note vm-is-warn vm-small")
        self._cards[item.name] = card

    def _draw_request(self) -> None:
        draft, touch = self._draft, self._keeper.touch
        with box("vm-card vm-col vm-wide"):
            self._title = FieldFrame("Title", "Left empty, the generator suggests one.", wide=True, optional=True)
            with self._title.place:
                self._title_input = ui.input(value=str(draft.get("title", "")), on_change=touch)
                self._title_input.props('outlined dense maxlength=300 aria-label="Title"')
            with box("vm-form"):
                self._count = FieldFrame("How many", "Each with its own seed.")
                with self._count.place:
                    self._count_input = ui.number(value=draft.get("count", 1), min=1, step=1, on_change=touch)
                    self._count_input.props('outlined dense aria-label="How many"')
                self._seed = FieldFrame("Seed", "The same gives the same again.")
                with self._seed.place:
                    self._seed_input = ui.number(value=draft.get("seed"), min=0, step=1, on_change=touch)
                    self._seed_input.props('outlined dense placeholder="Random" aria-label="Seed"')
            self._channel_frame = FieldFrame("For which channels?", "The reviewer decides in the end.", optional=True)
            with self._channel_frame.place:
                self._channel_choice = ChannelChoice(self._channels, draft.get("channels", ()), touch)
            with box("vm-field"):
                text("Processing", "vm-label")
                self._recipe = RecipeEditor(self._visit.parts.registry, draft.get("recipe"), touch)
            self._submit = button("Request", self._send, "primary", "movie_creation").classes("vm-full vm-big")
            text("What you type is kept as a draft.", "vm-hint")

    def _draw_forms(self) -> None:
        """One form for each chosen generator; what was typed into the others is kept."""
        self._options |= {name: form.values() for name, form in self._forms.items()}
        self._forms = {}
        self._place.clear()
        with self._place:
            for name in self._chosen:
                item = self._generators[name]
                with box("vm-card"):
                    with box("vm-card-head"):
                        heading(f"{item.title}: options" if len(self._chosen) > 1 else "Options")
                    self._forms[name] = SchemaForm(item.json_schema, self._options.get(name), self._keeper.touch)
        for name, card in self._cards.items():
            card.classes(add="vm-chosen" if name in self._chosen else None)
            card.classes(remove=None if name in self._chosen else "vm-chosen")
            card.props(f"aria-pressed={'true' if name in self._chosen else 'false'}")
        self._recipe.show_usual(self._chosen)

    def _toggle(self, name: str) -> None:
        if name in self._chosen and len(self._chosen) > 1:
            self._chosen.remove(name)
        elif name not in self._chosen:
            # The first other choice replaces an untouched form; afterwards choices add up.
            untouched = not any(form.values() for form in self._forms.values())
            self._chosen = [name] if untouched else [*self._chosen, name]
        self._draw_forms()
        self._keeper.touch()

    # ---- values -----------------------------------------------------------------------------------------

    def values(self) -> dict[str, Any]:
        """What the draft keeps."""
        options = {**self._options, **{name: form.values() for name, form in self._forms.items()}}
        return {
            "chosen": self._chosen, "options": options, "title": self._title_input.value or "",
            "count": self._count_input.value or 1, "seed": self._seed_input.value,
            "channels": self._channel_choice.value(), "recipe": self._recipe.values(),
        }  # fmt: skip

    def _body(self) -> VideosRequest:
        recipe = self._recipe.recipe()
        shared = {
            "title": self._title_input.value or "", "channels": self._channel_choice.value(),
            "count": 1 if self._count_input.value is None else _whole(self._count_input.value),
            "seed": _whole(self._seed_input.value), "recipe": recipe and recipe.model_dump(),
        }  # fmt: skip
        requests = [{**shared, "generator": name, "options": self._forms[name].values()} for name in self._chosen]
        try:
            return read_body(VideosRequest, {"requests": requests})
        except InvalidInput as error:
            if len(requests) > 1:
                raise
            single = [FieldError(item.field.removeprefix("requests.0."), item.reason) for item in error.errors]
            raise InvalidInput(error.detail, single) from error

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        left: list[FieldError] = []
        of_form: dict[str, list[FieldError]] = {name: [] for name in self._forms}
        shared: list[FieldError] = []
        for error in errors:
            name, field = self._owner(error.field)
            target = of_form[name] if field.startswith("options") else shared
            target.append(FieldError(field, error.reason))
        for name, form in self._forms.items():
            left += form.show_errors(of_form[name])
        shared = list({error.field: error for error in self._recipe.show_errors(shared)}.values())
        frames = {"title": self._title, "count": self._count, "seed": self._seed, "channels": self._channel_frame}
        for field, frame in frames.items():
            frame.show_error(" ".join(error.reason for error in shared if error.field.split(".")[0] == field))
        return [*left, *(error for error in shared if error.field.split(".")[0] not in frames)]

    def _owner(self, field: str) -> tuple[str, str]:
        """Which generator's form a field belongs to, and its path there."""
        parts = field.split(".", 2)
        if parts[0] == "requests" and len(parts) == 3 and parts[1].isdigit() and int(parts[1]) < len(self._chosen):
            return self._chosen[int(parts[1])], parts[2]
        return self._chosen[0], field

    # ---- sending ----------------------------------------------------------------------------------------

    async def _send(self) -> None:
        self._submit.disable()  # a second press would ask for the same videos again

        async def request(actor: Actor) -> list[VideoView]:
            return await self._visit.parts.videos.request(actor, self._body(), random_ids)

        async def leave(videos: list[VideoView]) -> None:
            await self._keeper.forget()
            tell(f"{plural(len(videos), 'video')} requested.")
            ui.navigate.to("/" if len(videos) > 1 else f"/videos/{videos[0].id}")

        if not await self._visit.attempt(request, then=leave, fields=self):
            self._submit.enable()

    def ask_start_over(self) -> None:
        async def start_over() -> None:
            await self._keeper.forget()
            ui.navigate.to("/new")

        confirm("Start over?", "Everything you typed on this page goes.", "Start over", start_over)


def _away(item: PluginDescription, now: datetime) -> str:
    seen = "has not come yet" if item.last_seen_at is None else f"was last seen {age_text(item.last_seen_at, now)}"
    return f"Its own worker {seen}. You can ask all the same: the request waits for it."


def _whole(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value
