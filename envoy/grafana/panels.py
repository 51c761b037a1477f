"""How the panels look, so that the dashboards need say only what they show.

Each panel says in a sentence what it shows and what to do where that is bad (`about`). `borders` are thresholds: the first
colour, then values from which on another holds; where an alert has one, it is the alert's.
"""

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")
RECORDS = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${records}")
TAG = "ai-gateway"

GOOD, WARN, BAD, PLAIN = "green", "orange", "red", "blue"

# What keeps its colour wherever it stands. Of outcomes: limits yellow, budgets purple, what was wrong blue, failures red.
COLOURS = {
    "status": {
        "success": "#73BF69", "client_closed": "#8E8E8E",
        "rate_limited": "#F2CC0C", "expensive_rate_limited": "#CC9D00", "token_rate_limited": "#FFF899", "in_flight_limited": "#E0B400",
        "request_budget_exceeded": "#CA95E5", "daily_budget_exceeded": "#A352CC", "monthly_budget_exceeded": "#7C2EA3", "budget_exhausted": "#5F1F80",
        "model_unpriced": "#DEB6F2", "response_not_found": "#3F6FB5", "model_not_found": "#1250B0", "model_not_allowed": "#1F60C4", "tenant_missing": "#C0D8FF", "tenant_unknown": "#8AB8FF",
        "invalid_request": "#5794F2", "request_too_large": "#3274D9", "content_refused": "#56A64B", "tool_not_allowed": "#96D98D", "unsupported_encoding": "#6E9FFF",
        "provider_unavailable": "#C4162A", "provider_error": "#F2495C", "provider_aborted": "#FF7383",
        "provider_rate_limited": "#FFA6B0", "provider_rejected": "#FF9830", "internal_error": "#8F1D2C",
    },
    "direction": {"input": "#5794F2", "output": "#B877D9"},
    "source": {"reported": "#73BF69", "estimated": "#FF9830"},
    "ending": {"succeeded": "#73BF69", "failed": "#E02F44", "refused by the gateway": "#F2CC0C", "rejected by the provider": "#FF9830", "client left": "#8E8E8E"},
    "finish": {"stop": "#73BF69", "tool_calls": "#5794F2", "length": "#FF9830", "content_filter": "#E02F44", "other": "#8E8E8E"},
    "leg": {"original": "#5794F2", "shadow": "#FF9830"},
    "quantile": {"p50": "#73BF69", "p95": "#FF9830", "p99": "#F2495C"},
}  # fmt: skip


class Sql:
    """A query of PostgreSQL: over time its column `time` is in seconds, and the others are what it draws. The library has no query of its
    kind, and keeps what it doesn't know as it is."""

    def __init__(self, text, *columns):
        self.text, self.columns = text, columns

    def __iter__(self):
        return iter(self.columns)

    def target(self, form):
        query = {"refId": "A", "datasource": RECORDS, "format": form, "editorMode": "code", "rawQuery": True, "rawSql": self.text}

        class Query:
            def build(self):
                return UnknownDataquery(query)

        return Query()


def board(uid, title, about, variables, rows, span="now-6h", timezone="browser"):
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags([TAG])
        .timezone(timezone)
        .time(span, "now")
        .refresh("30s")
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("The gateway's dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(False)
            .keep_time(True)  # and not what was chosen: all tenants is no choice of the developer's dashboard
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("Alerts")
            .datasource(PROMETHEUS)
            .enable(True)
            .icon_color(BAD)
            .expr('ALERTS{alertname=~"AiGateway.+", alertstate="firing"}')
        )
    )
    for variable in variables:
        made.with_variable(variable)
    number = 0
    filled = [0] * 24  # how far down each column of the grid is
    for name, panels in rows:
        filled = [max(filled) + 1] * 24
        made.with_row(dashboard.Row(name).id(number := number + 1).grid_pos(GridPos(x=0, y=filled[0] - 1, w=24, h=1)))
        for panel in panels:
            built = panel.id(number := number + 1).build()
            built.grid_pos = _place(filled, built.grid_pos.w, built.grid_pos.h)
            made.with_panel(panel)
    return made.build()


def _place(filled, width, height):
    """The highest place where it fits, as far left as that goes. (The library knows shelves only, of one height.)"""
    y, x = min((max(filled[x : x + width]), x) for x in range(25 - width))
    filled[x : x + width] = [y + height] * width
    return GridPos(x=x, y=y, w=width, h=height)


def source(name, label, kind):
    return dashboard.DatasourceVariable(name).label(label).type(kind)


def choice(name, query, many=True, known=False):
    """A label's values to choose from. All are `.*`, so that new ones are in; with `known`, those of the list and no others."""
    made = (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
    if not many:
        return made
    made.multi(True).include_all(True)
    return made if known else made.all_value(".*")


def choice_of_records(name, sql):
    """The same from PostgreSQL, one at a time."""
    made = dashboard.QueryVariable(name).label(name.capitalize()).datasource(RECORDS).query(sql)
    return made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


def _thresholds(borders):
    steps = [Threshold(value=value, color=colour) for value, colour in zip([None, *borders[1::2]], borders[::2])]
    return dashboard.ThresholdsConfig().steps(steps)


def _query(expr, letter, legend=None, instant=False):
    made = prometheus.Dataquery().ref_id(letter).datasource(PROMETHEUS).expr(expr)
    made = made.instant().format(PromQueryFormat.TABLE) if instant and legend is None else made.instant() if instant else made.range()
    return made.legend_format(legend) if legend is not None else made


def _made(panel, title, about, width, height, unit=None, borders=None, decimals=None, at_least=None, at_most=None, nothing=None):
    panel.title(title).description(about).span(width).height(height)
    if unit:
        panel.unit(unit)
    if borders:
        panel.thresholds(_thresholds(borders)).color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    if decimals is not None:
        panel.decimals(decimals)
    if at_least is not None:
        panel.min(at_least)
    if at_most is not None:
        panel.max(at_most)
    if nothing is not None:
        panel.no_value(nothing)
    return panel


def _targets(panel, queries, instant=False):
    if isinstance(queries, Sql):
        return panel.datasource(RECORDS).with_target(queries.target("table" if instant else "time_series"))
    panel.datasource(PROMETHEUS)
    for letter, (legend, expr) in zip("ABCDEFGH", queries.items()):
        panel.with_target(_query(expr, letter, legend, instant))
    return panel


def number(title, about, expr, unit="short", borders=(PLAIN,), width=3, words=None, whose="", **rest):
    """One number, as it is now; `whose` it is where it is somebody's; `words` say what a value means."""
    panel = _made(stat.Panel(), title, about, width, 4, unit, list(borders), **rest)
    panel.color_mode(looks.BigValueColorMode.VALUE if len(borders) == 1 else looks.BigValueColorMode.BACKGROUND_SOLID)
    panel.graph_mode(looks.BigValueGraphMode.NONE).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if words:
        panel.mappings([_words(words)])
    panel.text_mode(looks.BigValueTextMode.VALUE_AND_NAME if whose else looks.BigValueTextMode.VALUE)
    return _targets(panel, expr if isinstance(expr, Sql) else {whose: expr}, instant=True)


def _words(words):
    return ValueMap({str(value): ValueMappingResult(text=word, color=colour) for value, (word, colour) in words.items()})


def lines(title, about, queries, unit="short", width=8, height=8, stacked=False, borders=None, around=None, **rest):
    """Over time, from zero or `around` a value; with `borders` their values are drawn, too."""
    rest = rest if around else {"at_least": 0} | rest
    panel = _made(timeseries.Panel(), title, about, width, height, unit, borders, **rest)
    if around:
        panel.axis_soft_min(around)
    panel.line_width(1).fill_opacity(40 if stacked else 0).show_points(looks.VisibilityMode.NEVER)
    panel.tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI).sort(looks.SortOrder.DESCENDING))
    legend = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM).calcs([])
    panel.legend(legend.display_mode(looks.LegendDisplayMode.LIST))
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    if borders:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphTresholdsStyleMode.DASHED))
    for label, colours in COLOURS.items():
        for name, colour in colours.items() if f"{{{{{label}}}}}" in queries else ((name, colours[name]) for name in queries if name in colours):
            panel.override_by_name(name, [DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})])
    return _targets(panel, queries)


def bars(title, about, queries, unit, borders=(PLAIN,), width=8, height=8, **rest):
    """What is now, side by side."""
    panel = _made(bargauge.Panel(), title, about, width, height, unit, list(borders), **({"at_least": 0} | rest))
    panel.orientation(looks.VizOrientation.HORIZONTAL).display_mode(looks.BarGaugeDisplayMode.BASIC).show_unfilled(True)
    panel.value_mode(looks.BarGaugeValueMode.TEXT).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return _targets(panel, queries, instant=True)


def states(title, about, queries, words, width=12, height=8):
    panel = _made(statetimeline.Panel(), title, about, width, height, at_least=0)
    panel.mappings([_words(words)]).merge_values(True).show_value(looks.VisibilityMode.NEVER).fill_opacity(70).line_width(0)
    panel.legend(common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM).display_mode(looks.LegendDisplayMode.LIST).calcs([]))
    return _targets(panel, queries)


def _table():
    return table.Panel().show_header(True).cell_height(looks.TableCellHeight.SM)


def _columns(panel, columns):
    for name, (unit, decimals, borders) in columns.items():
        looks_like = [DynamicConfigValue(id_val="unit", value=unit)]
        if decimals is not None:
            looks_like.append(DynamicConfigValue(id_val="decimals", value=decimals))
        if borders:
            looks_like.append(DynamicConfigValue(id_val="thresholds", value=_thresholds(borders).build()))
            looks_like.append(DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}))
        panel.override_by_name(name, looks_like)
    return panel


def listing(title, about, by, columns, width=12, height=8, sort=None, nothing=None):
    """A table of what is now: a row for the labels `by`, which have names, a column for each query: (query, unit, decimals, borders)."""
    panel = _made(_table(), title, about, width, height, nothing=nothing).datasource(PROMETHEUS)
    names = {}
    for letter, (name, (expr, *_)) in zip("ABCDEFGH", columns.items()):
        panel.with_target(_query(expr, letter, instant=True))
        names[f"Value #{letter}"] = name
    # With one query Grafana calls its column `Value`.
    names = {"Value": next(iter(columns))} if len(columns) == 1 else names
    hidden = {"Time": True} | {name: True for name, shown in names.items() if shown is None}
    order = {label: place for place, label in enumerate([*by, *names])}
    named = by | {name: shown for name, shown in names.items() if shown}
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        DataTransformerConfig(
            id_val="organize", options={"excludeByName": hidden, "indexByName": order, "renameByName": named}
        )
    )
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return _columns(panel, {name: tuple(rest) for name, (_, *rest) in columns.items() if name})


def records(title, about, sql, columns, width=12, height=9):
    """A table from PostgreSQL."""
    return _columns(_targets(_made(_table(), title, about, width, height), Sql(sql), instant=True), columns)


def words(title, about, content, width=12, height=8):
    return _made(text.Panel(), title, about, width, height).mode(TextMode.MARKDOWN).content(content)
