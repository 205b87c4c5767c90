"""What a dashboard of ours is made of, and the file that Grafana reads, made by its own builders."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef

TAG: Final = "spade-serving"
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${source}")
_HEIGHT: Final = 8
_STAT_HEIGHT: Final = 4
_COLUMNS: Final = 24
_STAT_WIDTH: Final = 6
_CHART_WIDTH: Final = 12


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression; `legend` names its series, with labels in double braces."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over time. `unit` is one of Grafana's."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    is_share: bool = False  # from 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number, as it is now."""

    title: str
    description: str
    unit: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard: figures at the top, charts below, two in a row."""

    uid: str
    title: str
    description: str
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]


def board_json(board: Board) -> str:
    """The text of the dashboard's file."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .timezone("browser")
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .link(dashboard.DashboardLink("spade-serving").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True))
    )
    for panel in (*map(_figure, board.figures), *map(_chart, board.charts)):
        built = built.with_panel(panel)
    return json.dumps(built.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _figure(figure: Figure) -> stat.Panel:
    return (
        stat.Panel()
        .title(figure.title)
        .description(figure.description)
        .datasource(_SOURCE)
        .unit(figure.unit)
        .span(_STAT_WIDTH)
        .height(_STAT_HEIGHT)
        .with_target(_target("A", figure.expression, "").instant())
    )


def _chart(chart: Chart) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(chart.title)
        .description(chart.description)
        .datasource(_SOURCE)
        .unit(chart.unit)
        .min(0)
        .span(_CHART_WIDTH)
        .height(_HEIGHT)
        .fill_opacity(10)
        .legend(
            VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    if chart.is_share:
        panel = panel.max(1)
    for name, query in zip("ABCDEF", chart.queries, strict=False):
        panel = panel.with_target(_target(name, query.expression, query.legend).range())
    return panel


def _target(name: str, expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(name).expr(expression).legend_format(legend)


def expressions(boards: Sequence[Board]) -> list[str]:
    """Everything that the boards ask Prometheus."""
    figures = [figure.expression for board in boards for figure in board.figures]
    return figures + [query.expression for board in boards for chart in board.charts for query in chart.queries]
