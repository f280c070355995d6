"""Charts that look like the rest of the studio."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from nicegui import ui

from video_manager.analytics.views import TimeSeries
from video_manager.studio.formats import words
from video_manager.studio.theme import chart_theme

_MOST_SERIES = 8


def time_chart(series: TimeSeries, names: Mapping[str, str], zone: ZoneInfo) -> ui.echart:
    """What was added in each bucket, a line for each group; the largest groups when there are many."""
    largest = sorted(series.series, key=lambda one: -sum(point.increment for point in one.points))[:_MOST_SERIES]
    single = len(largest) == 1
    lines = [
        {
            "name": names.get(one.key) or words(one.key) or "All",
            "type": "bar" if single else "line",
            "smooth": 0.2,
            "symbolSize": 6,
            "barMaxWidth": 34,
            "itemStyle": {"borderRadius": [5, 5, 0, 0]} if single else {},
            "data": [round(point.increment, 1) for point in one.points],
        }
        for one in largest
    ]
    days = [f"{point.start.astimezone(zone):%d %b}" for point in largest[0].points] if largest else []
    options = {
        "grid": {"left": 8, "right": 8, "top": 16 if single else 40, "bottom": 4, "containLabel": True},
        "legend": {"show": not single, "top": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {"type": "category", "data": days, "boundaryGap": single},
        "yAxis": {"type": "value", "minInterval": 1},
        "series": lines,
        "animationDuration": 300,
    }
    chart = ui.echart(options, theme=chart_theme()).classes("vm-chart")
    chart.props["aria-label"] = f"{words(series.metric)} by {series.bucket}"
    return chart
