"""`analytics`: the numbers."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.output import AsJson, as_text, local_time, print_facts, print_items, print_json
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

group = typer.Typer(no_args_is_help=True, help="What the platforms counted.")


class Metric(StrEnum):
    VIEWS = "views"
    WATCH_SECONDS = "watch_seconds"
    LIKES = "likes"


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="analytics")


@group.command("summary")
def summary(as_json: AsJson = False) -> None:
    """Totals over all publications."""

    async def work(api: "Api") -> "Json":
        return await api.get("analytics", "summary")

    answer = with_api(work)
    if as_json:
        print_json(answer)
    else:
        facts = {name: value for name, value in answer.items() if name not in ("totals", "previous")}
        print_facts(dict(_flat(answer.get("totals", {}))) | dict(_flat(facts)))


@group.command("top")
def top(
    by: Annotated[Metric, typer.Option(help="Which number decides.")] = Metric.VIEWS,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
    as_json: AsJson = False,
) -> None:
    """The best publications, beside what made them."""

    async def work(api: "Api") -> "list[Json]":
        return await api.items("analytics", "publications")

    best = sorted(with_api(work), key=lambda item: _number(item, by), reverse=True)[:limit]
    columns: dict[str, Any] = {
        "title": lambda item: item.get("title") or item.get("video_id"), "platform": "platform",
        **{metric.value.replace("_", " "): (lambda item, metric=metric: as_text(_number(item, metric)))
           for metric in Metric},
        "generator": "generator", "options": _options, "as of": lambda item: local_time(item.get("as_of")),
    }  # fmt: skip
    print_items(best, columns, as_json=as_json, none="Nothing is published yet, or nothing was counted yet.")


def _options(item: Any) -> str:
    """The choices that may matter; not the text and the recipe, which no table has room for."""
    options = (item.get("options") or {}).items()
    return ", ".join(f"{name}={value}" for name, value in options if name != "text" and "." not in name)


def _number(item: Any, metric: Metric) -> float:
    """A metric stands beside the publication or under `metrics`; what was not counted is 0."""
    value = item.get(metric.value, (item.get("metrics") or {}).get(metric.value))
    return float(value or 0)


def _flat(answer: "Json", prefix: str = "") -> "list[tuple[str, Any]]":
    facts: list[tuple[str, Any]] = []
    for name, value in answer.items():
        words = f"{prefix}{name.replace('_', ' ')}"
        facts += _flat(value, f"{words}: ") if isinstance(value, dict) else [(words, value)]
    return facts
