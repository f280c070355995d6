"""Which plugins there are, and their options: the one place that services ask."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from video_manager.domain.video import Recipe, RecipeCheck, RecipeStep
from video_manager.errors import AlreadyExists, FieldError, InvalidInput, SettingsError
from video_manager.plugins.api import (
    Check,
    Collector,
    Generator,
    Options,
    PlatformLimits,
    Plugin,
    ProcessingStep,
    Publisher,
)  # fmt: skip
from video_manager.plugins.discovery import Found, check_name, find_plugins, kind_of
from video_manager.plugins.kinds import PluginDescription, PluginKind
from video_manager.plugins.options import (
    check_schema,
    draw_open_options,
    find_source_ids,
    validate_by_class,
    validate_by_schema,
)  # fmt: skip

__all__ = ["DEFAULT_RECIPE", "PluginDescription", "PluginKind", "Registry", "find_source_ids", "load_registry"]

DEFAULT_RECIPE = Recipe(steps=(RecipeStep(step="normalize_loudness"), RecipeStep(step="thumbnail")), checks=None)
"""What is done with a video when neither the request nor its generator names a recipe: all checks."""

_FIELDS = {
    PluginKind.GENERATOR: "generator", PluginKind.STEP: "step", PluginKind.CHECK: "check",
    PluginKind.PUBLISHER: "platform", PluginKind.COLLECTOR: "collector",
}  # fmt: skip


def load_registry(plugin_folder: Path | None = None, kinds: Iterable[PluginKind] = tuple(PluginKind)) -> "Registry":
    """The registry of everything installed. Raises SettingsError naming the plugin that cannot be used."""
    return Registry(find_plugins(plugin_folder, kinds), plugin_folder=plugin_folder)


class Registry:
    """Plugins by kind and name. Workers of their own come and go at run time (`register_external`)."""

    def __init__(self, found: Iterable[Found | type[Plugin]], *, plugin_folder: Path | None = None) -> None:
        self.plugin_folder = plugin_folder
        self._plugins: dict[PluginKind, dict[str, Found]] = {kind: {} for kind in PluginKind}
        self._descriptions: dict[PluginKind, dict[str, PluginDescription | None]] = {kind: {} for kind in PluginKind}
        """None: not asked for yet."""
        for item in found:
            self._add(item if isinstance(item, Found) else Found(item, item.__module__))

    def _add(self, found: Found) -> None:
        kind, plugin = kind_of(found), found.plugin
        earlier = self._plugins[kind].get(plugin.name)
        if earlier is not None:
            raise SettingsError(
                f"two plugins are {kind} {plugin.name!r}: {earlier.plugin.__name__} ({earlier.origin}) and "
                f"{plugin.__name__} ({found.origin}); rename or remove one"
            )
        self._plugins[kind][plugin.name] = found
        # Ours are described when they are asked for: making all the schemas takes every start 30 ms. Others' at once,
        # because what is wrong with them stops the start.
        self._descriptions[kind][plugin.name] = None if found.ours else _describe(kind, found)

    # ---- looking up ---------------------------------------------------------------------------------------

    def names(self, kind: PluginKind) -> list[str]:
        """All names of a kind, external ones included, in order of registration."""
        return list(self._descriptions[kind])

    def describe(self, kind: PluginKind) -> list[PluginDescription]:
        return [self.description(kind, name) for name in self._descriptions[kind]]

    def description(self, kind: PluginKind, name: str) -> PluginDescription:
        """Raises InvalidInput that lists the known names."""
        if name not in self._descriptions[kind]:
            known = ", ".join(sorted(self._descriptions[kind])) or "none"
            raise InvalidInput.field(_FIELDS[kind], f"{name!r} is not installed; known: {known}")
        described = self._descriptions[kind][name]
        if described is None:
            described = self._descriptions[kind][name] = _describe(kind, self._plugins[kind][name])
        return described

    def limits(self, platforms: Iterable[str] | None = None) -> dict[str, PlatformLimits]:
        """What each platform accepts, for `CheckInput.limits`; None: all installed platforms."""
        names = self.names(PluginKind.PUBLISHER) if platforms is None else platforms
        found = {name: self.description(PluginKind.PUBLISHER, name).limits for name in names}
        return {name: limits for name, limits in found.items() if limits is not None}

    def generator(self, name: str) -> type[Generator[Any]]:
        return cast("type[Generator[Any]]", self._class(PluginKind.GENERATOR, name))

    def step(self, name: str) -> type[ProcessingStep[Any]]:
        return cast("type[ProcessingStep[Any]]", self._class(PluginKind.STEP, name))

    def check(self, name: str) -> type[Check[Any]]:
        return cast("type[Check[Any]]", self._class(PluginKind.CHECK, name))

    def publisher(self, name: str) -> type[Publisher[Any]]:
        return cast("type[Publisher[Any]]", self._class(PluginKind.PUBLISHER, name))

    def collector(self, name: str) -> type[Collector[Any]]:
        return cast("type[Collector[Any]]", self._class(PluginKind.COLLECTOR, name))

    def installed_generators(self) -> list[str]:
        """Generators whose code is here; the external ones have workers of their own."""
        return list(self._plugins[PluginKind.GENERATOR])

    def _class(self, kind: PluginKind, name: str) -> type[Plugin]:
        description = self.description(kind, name)
        if description.external:
            raise InvalidInput.field(_FIELDS[kind], f"{name!r} is a worker of its own and cannot run here")
        return self._plugins[kind][name].plugin

    def is_external(self, kind: PluginKind, name: str) -> bool:
        """Whether a worker of its own does this; False also for unknown names."""
        known = self._descriptions[kind].get(name)
        return known is not None and known.external

    # ---- options ------------------------------------------------------------------------------------------

    def resolve_options(self, kind: PluginKind, name: str, given: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """All options of one plugin as JSON: open ones drawn by the seed or set to their defaults, then validated.

        Resolving resolved options changes nothing. Raises InvalidInput with each wrong field as `options.<path>`.
        """
        description = self.description(kind, name)
        owner = f"{kind} {name!r}"
        filled = draw_open_options(description.json_schema, given, seed)
        if description.external:
            return validate_by_schema(description.json_schema, filled, owner)
        options_class: type[Options] = self._plugins[kind][name].plugin.Options
        return validate_by_class(options_class, filled, owner)

    def resolve_post_options(self, platform: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is chosen for one post on the platform, complete. Raises InvalidInput (`options.<name>`)."""
        self.description(PluginKind.PUBLISHER, platform)
        return validate_by_class(self.publisher(platform).PostOptions, dict(given), f"a post on {platform}")

    def resolve_recipe(self, recipe: Recipe | None, generator: str, seed: int) -> Recipe:
        """A recipe with every option resolved and the checks listed; None means the generator's own or the default.

        Raises InvalidInput whose fields read `recipe.steps.0.options.<path>`.
        """
        chosen = self._default_recipe(generator) if recipe is None else recipe
        steps = tuple(
            RecipeStep(
                step=item.step, options=self._resolve_part(PluginKind.STEP, item.step, item.options, seed, index)
            )
            for index, item in enumerate(chosen.steps)
        )
        wanted = chosen.checks
        if wanted is None:
            wanted = tuple(RecipeCheck(check=name) for name in self.names(PluginKind.CHECK))
        checks = tuple(
            item.with_(options=self._resolve_part(PluginKind.CHECK, item.check, item.options, seed, index))
            for index, item in enumerate(wanted)
        )
        return Recipe(steps=steps, checks=checks)

    def source_ids(self, kind: PluginKind, name: str, options: Mapping[str, Any]) -> list[str]:
        """Ids of the uploaded files that these options name."""
        return find_source_ids(self.description(kind, name).json_schema, options)

    def recipe_source_ids(self, recipe: Recipe) -> list[str]:
        """Ids of the uploaded files that the recipe's steps name (a watermark's picture)."""
        found = [id for item in recipe.steps for id in self.source_ids(PluginKind.STEP, item.step, item.options)]
        return list(dict.fromkeys(found))

    def _default_recipe(self, generator: str) -> Recipe:
        found = self._plugins[PluginKind.GENERATOR].get(generator)
        own = cast("type[Generator[Any]]", found.plugin).default_recipe if found is not None else ()
        if not own:
            return DEFAULT_RECIPE
        return Recipe(steps=tuple(RecipeStep(step=name, options=dict(options)) for name, options in own))

    def _resolve_part(
        self, kind: PluginKind, name: str, options: Mapping[str, Any], seed: int, index: int
    ) -> dict[str, Any]:
        try:
            return self.resolve_options(kind, name, options, seed)
        except InvalidInput as error:
            prefix = f"recipe.{kind}s.{index}"
            errors = [FieldError(f"{prefix}.{item.field}", item.reason) for item in error.errors]
            raise InvalidInput(f"{prefix}: {error.detail}", errors) from error

    # ---- workers of their own -----------------------------------------------------------------------------

    def check_external(self, name: str, schema: Mapping[str, Any], schema_field: str = "json_schema") -> None:
        """Raises InvalidInput for a wrong name or schema, AlreadyExists when a generator of ours has the name."""
        try:
            check_name(PluginKind.GENERATOR, name, "name")
        except SettingsError as error:
            raise InvalidInput.field("name", error.detail) from error
        if name in self._plugins[PluginKind.GENERATOR]:
            raise AlreadyExists(f"the generator {name!r} is built in or installed; choose another name")
        check_schema(schema, schema_field)

    def register_external(
        self, name: str, title: str, schema: Mapping[str, Any], description: str = "", *,
        last_seen_at: datetime | None = None, offline: bool = False,
    ) -> None:  # fmt: skip
        """Make a generator outside our package known, or renew its description. Raises like `check_external`."""
        known = self._descriptions[PluginKind.GENERATOR].get(name)
        if known is None or not known.external or known.json_schema != schema:
            self.check_external(name, schema)
        self._descriptions[PluginKind.GENERATOR][name] = PluginDescription(
            kind=PluginKind.GENERATOR, name=name, title=title, description=description, json_schema=dict(schema),
            external=True, last_seen_at=last_seen_at, offline=offline,
        )  # fmt: skip

    def remove_external(self, name: str) -> bool:
        """Forget an external generator; False when there is none."""
        known = self._descriptions[PluginKind.GENERATOR].get(name)
        if known is None or not known.external:
            return False
        del self._descriptions[PluginKind.GENERATOR][name]
        return True


def _describe(kind: PluginKind, found: Found) -> PluginDescription:
    plugin = found.plugin
    try:
        schema = plugin.Options.model_json_schema()
    except Exception as error:
        raise SettingsError(f"{found.origin}: the options of {plugin.name!r} give no JSON Schema: {error}") from error
    described = PluginDescription(
        kind=kind, name=plugin.name, title=plugin.title, description=plugin.description, json_schema=schema
    )
    if not issubclass(plugin, Publisher):
        return described
    return described.model_copy(
        update={
            "limits": plugin.limits,
            "post_schema": plugin.PostOptions.model_json_schema(),
            "guide": plugin.guide,
            "signs_in": plugin.oauth is not None,
        }
    )
