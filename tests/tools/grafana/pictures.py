"""Draws the dashboards of a gateway that runs, as Grafana would lay them out: `make demo`, then `make grafana-pictures`.

It asks Prometheus and PostgreSQL each panel's own queries, and reads units, thresholds and places from the dashboards' JSON. No
Grafana is needed, and none is imitated beyond the kinds of panels that are used.
"""

import argparse
import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import IdentityTransform
from PIL import Image

sys.dont_write_bytecode = True  # nothing is left beside the sources
import queries

COLUMN, LINE, GAP, HEAD = 60, 36, 8, 44  # pixels: of the grid, between panels, above all
PAPER, PANEL, EDGE, TEXT, FAINT = "#111217", "#181b1f", "#2b2e34", "#d5d6e0", "#8e8f9a"
NAMED = {"green": "#56a64b", "orange": "#ff780a", "red": "#e02f44", "blue": "#5794f2", "purple": "#b877d9"}
PALETTE = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#3f8ed6", "#ba43a9", "#9680c4", "#5aa38f", "#cca300", "#c15c17", "#f29191"]

THOUSANDS = [(1e6, " Mil"), (1e3, " K")]

matplotlib.rcParams |= {"font.family": "DejaVu Sans", "font.size": 8, "text.color": TEXT, "text.parse_math": False}


def scaled(value, steps):
    """The largest of the steps that is no larger than it."""
    factor, unit = next(((factor, unit) for factor, unit in steps if abs(value) >= factor), steps[-1])
    return value / factor, unit


def figures(value, decimals=None):
    """With so many decimals, or about three digits."""
    if decimals is None:
        digits = 2 - math.floor(math.log10(abs(value))) if value else 0
        text = f"{value:.{min(9, max(0, digits))}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:,.{decimals}f}"


def said(value, unit, decimals=None):
    if value is None or math.isnan(value):
        return "–"
    if unit == "locale":
        return figures(value, decimals)
    if unit == "percentunit":
        return figures(100 * value, decimals) + " %"
    if unit == "currencyUSD":
        value, scale = scaled(value, THOUSANDS) if abs(value) >= 1e3 else (value, "")
        return f"${figures(value, decimals)}{scale}"
    if unit == "s":
        value, scale = scaled(value, [(60, " min"), (1, " s"), (1e-3, " ms"), (1e-6, " µs")]) if value else (0, " s")
        return figures(value, decimals) + scale
    if unit == "bytes":
        value, scale = scaled(value, [(2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B")])
        return figures(value, decimals) + scale
    value, scale = scaled(value, THOUSANDS) if abs(value) >= 1e3 else (value, "")
    return figures(value, decimals) + scale + {"reqps": " req/s", "reqpm": " req/min", "cps": " c/s"}.get(unit, "")


def colour(name):
    return NAMED.get(name, name)


def of_steps(value, steps):
    """The colour of the last threshold that the value has reached."""
    reached = [step["color"] for step in steps if step["value"] is None or (value is not None and value >= step["value"])]
    return colour(reached[-1]) if reached else TEXT


class Sources:
    def __init__(self, prometheus, psql, minutes):
        self.prometheus, self.psql = prometheus, psql
        self.end = math.floor(time.time())
        self.start = self.end - 60 * minutes
        self.step = max(2, round(60 * minutes / 300))

    def asked(self, path, **what):
        url = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(what)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as refused:
            sys.exit(f"{what['query']}: {refused.read().decode()}")

    def now(self, query):
        """Labels and value of each series."""
        return [(one["metric"], float(one["value"][1])) for one in self.asked("query", query=query, time=self.end)]

    def over_time(self, query):
        """Labels of each series, and a value or none for each step."""
        found = self.asked("query_range", query=query, start=self.start, end=self.end, step=self.step)
        told = [(one["metric"], {round(at): float(value) for at, value in one["values"]}) for one in found]
        return [(labels, [values.get(at, math.nan) for at in self.times()]) for labels, values in told]

    def times(self):
        return range(self.start, self.end + 1, self.step)

    def times_of(self, sql):
        """Each column of a query over time, with its value at each step: a bucket's holds until the next."""
        rows = self.rows(sql)
        for column in list(rows[0])[1:] if rows else []:
            told = [(float(row["time"]), float(row[column])) for row in rows if row[column]]
            yield column, [next((value for at, value in reversed(told) if at <= step), math.nan) for step in self.times()]

    def rows(self, sql):
        if not self.psql:
            return []
        out = subprocess.run([*self.psql, "--csv", "-c", sql], capture_output=True, text=True, check=True).stdout
        return list(csv.DictReader(io.StringIO(out)))


def named(legend, labels):
    return re.sub(r"{{(\w+)}}", lambda label: labels.get(label[1], ""), legend)


class Canvas:
    """A figure whose units are pixels, from the top left."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor=PAPER)
        self.renderer = FigureCanvasAgg(self.figure).get_renderer()

    def text(self, x, y, text, **looks):
        return self.figure.text(x / self.width, 1 - y / self.height, text, **({"va": "center", "zorder": 6} | looks))

    def width_of(self, text, **looks):
        drawn = self.text(0, 0, text, **looks)
        wide = drawn.get_window_extent(self.renderer).width
        drawn.remove()
        return wide

    def cut(self, text, width, **looks):
        while text and self.width_of(text, **looks) > width:
            text = text[:-2] + "…" if len(text) > 2 else ""
        return text

    def box(self, x, y, width, height, fill, edge=None, round=0):
        style = f"round,pad=0,rounding_size={round}" if round else "square,pad=0"
        box = FancyBboxPatch((x, self.height - y - height), width, height, boxstyle=style, facecolor=fill, edgecolor=edge or "none", linewidth=0.8)
        box.set_transform(IdentityTransform())
        self.figure.add_artist(box)

    def axes(self, x, y, width, height):
        return self.figure.add_axes((x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height), facecolor="none", zorder=5)


class Picture:
    def __init__(self, name, sources, values):
        self.board, self.sources, self.values = queries.board(name), sources, values
        rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in self.board["panels"])
        self.canvas = Canvas(24 * COLUMN + GAP, HEAD + rows * LINE + GAP)
        self.empty = []

    def draw(self):
        self.heading()
        for panel in self.board["panels"]:
            grid = panel["gridPos"]
            x, y = GAP + grid["x"] * COLUMN, HEAD + grid["y"] * LINE
            width, height = grid["w"] * COLUMN - GAP, grid["h"] * LINE - GAP
            if panel["type"] == "row":
                self.canvas.text(x + 2, y + height / 2, f"▾  {panel['title']}", fontsize=10, weight="bold")
                continue
            self.canvas.box(x, y, width, height, PANEL, EDGE, 3)
            if panel["type"] != "stat":
                self.canvas.text(x + 10, y + 15, panel["title"], fontsize=9, weight="bold")
            getattr(self, panel["type"].replace("-", ""))(panel, x + 10, y + 30, width - 20, height - 38)

    def is_empty(self):
        return len(self.empty) >= len([panel for panel in queries.panels(self.board) if panel["type"] != "text"])

    def save(self, file):
        whole = io.BytesIO()
        self.canvas.figure.savefig(whole, format="png")
        # A palette makes it a third of the size. `MAXCOVERAGE` keeps thin lines' colours apart, `kmeans` the large areas'.
        few = Image.open(whole).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
        few.save(file, optimize=True)

    def heading(self):
        self.canvas.text(GAP + 2, HEAD / 2, self.board["title"], fontsize=13, weight="bold")
        x = GAP + 30 + self.canvas.width_of(self.board["title"], fontsize=13, weight="bold")
        for variable in self.board["templating"]["list"]:
            if variable["type"] != "query":
                continue
            chosen = self.values[variable["name"]] if not variable["includeAll"] else "All"
            label = f"{variable['label']}:  {chosen}"
            wide = self.canvas.width_of(label, fontsize=8)
            self.canvas.box(x, HEAD / 2 - 11, wide + 16, 22, PANEL, EDGE, 2)
            self.canvas.text(x + 8, HEAD / 2, label, fontsize=8)
            x += wide + 26
        span = (datetime.fromtimestamp(at, timezone.utc).strftime("%H:%M") for at in (self.sources.start, self.sources.end))
        self.canvas.text(self.canvas.width - GAP - 2, HEAD / 2, " – ".join(span) + " UTC", ha="right", color=FAINT)

    def series(self, panel):
        for target in panel["targets"]:
            if "rawSql" in target:
                sql = queries.put_in(target["rawSql"], self.values)
                if target["format"] == "time_series":
                    yield from self.sources.times_of(sql)
                else:
                    columns = (self.sources.rows(sql) or [{}])[0]
                    # One has no name, where it says what its panel's title says.
                    yield from ((name if len(columns) > 1 else "", float(value)) for name, value in columns.items() if value)
                continue
            ask = self.sources.now if target["instant"] else self.sources.over_time
            for labels, value in ask(queries.put_in(target["expr"], self.values)):
                yield named(target.get("legendFormat") or "", labels), value

    def nothing(self, panel, x, y, width, height):
        self.empty.append(panel["title"])
        text = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        self.canvas.text(x + width / 2, y + height / 2, text, ha="center", color=FAINT, fontsize=10)

    @staticmethod
    def format(panel, value):
        looks = panel["fieldConfig"]["defaults"]
        return said(value, looks.get("unit", "short"), looks.get("decimals"))

    @staticmethod
    def steps(panel):
        return panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])

    @staticmethod
    def words(panel):
        mappings = panel["fieldConfig"]["defaults"].get("mappings", [])
        return {float(value): (word["text"], colour(word["color"])) for one in mappings for value, word in one["options"].items()}

    def stat(self, panel, x, y, width, height):
        found = list(self.series(panel))
        value = found[0][1] if found else None
        word, fill = self.words(panel).get(value, (self.format(panel, value), of_steps(value, self.steps(panel))))
        if value is None:
            self.empty.append(panel["title"])
        solid = panel["options"]["colorMode"] == "background_solid" and value is not None
        if solid:
            self.canvas.box(x - 10, y - 30, width + 20, height + 38, fill, EDGE, 3)
        self.canvas.text(x, y - 14, panel["title"], fontsize=9, weight="bold", color="white" if solid else TEXT)
        ink, whose = "white" if solid else fill, found[0][0] if found else ""
        size = min(21, 21 * width / self.canvas.width_of(word, fontsize=21, weight="bold"))
        middle = y + height / 2 + (-4 if whose else 2)
        self.canvas.text(x + width / 2, middle, word, ha="center", fontsize=size, weight="bold", color=ink)
        self.canvas.text(x + width / 2, middle + 28, self.canvas.cut(whose, width, fontsize=9), ha="center", fontsize=9, color=ink)

    def timeseries(self, panel, x, y, width, height):
        found = [(name, values) for name, values in self.series(panel) if not all(math.isnan(value) for value in values)]
        if not found:
            return self.nothing(panel, x, y, width, height)
        fixed = {one["matcher"]["options"]: colour(one["properties"][0]["value"]["fixedColor"]) for one in panel["fieldConfig"]["overrides"]}
        spare = iter(PALETTE * 9)
        colours = [fixed.get(name) or next(spare) for name, _ in found]
        below = self.legend([name for name, _ in found], colours, x, y + height, width)
        looks = panel["fieldConfig"]["defaults"]
        times = [datetime.fromtimestamp(at, timezone.utc) for at in self.sources.times()]
        stacked = looks["custom"].get("stacking", {}).get("mode") == "normal"
        axes = self.canvas.axes(x + 52, y + 4, width - 56, height - below - 26)
        if stacked:
            told = [[0 if math.isnan(value) else value for value in values] for _, values in found]
            axes.stackplot(times, told, colors=colours, alpha=0.55, edgecolor="none")
            top = [0.0] * len(times)
            for values, drawn in zip(told, colours):
                top = [one + more for one, more in zip(top, values)]
                axes.plot(times, top, color=drawn, linewidth=0.7)
        else:
            for (_, values), drawn in zip(found, colours):
                axes.plot(times, values, color=drawn, linewidth=1.2)
        most = max(value for _, values in found for value in values if not math.isnan(value))
        self.axis(axes, panel, looks, times, most)

    def axis(self, axes, panel, looks, times, most):
        low, high = axes.get_ylim() if most else (0, 1)
        limits = [step["value"] for step in self.steps(panel) if step["value"] is not None] if "thresholdsStyle" in looks["custom"] else []
        axes.set_ylim(looks.get("min", min(low, looks["custom"].get("axisSoftMin", low))), looks.get("max") or max([high, *(1.05 * limit for limit in limits)]) or 1)
        for step in self.steps(panel) if limits else []:
            if step["value"] is not None:
                bad = next(other["color"] for other in self.steps(panel) if other["color"] != "green")
                axes.axhline(step["value"], color=colour(bad), linewidth=1, linestyle=(0, (6, 4)))
        axes.set_xlim(times[0], times[-1])
        axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: said(value, looks.get("unit", "short"))))
        self.clock(axes)
        # Room for the widest label, and no more.
        (bottom, top), place = axes.get_ylim(), axes.get_position()
        wide = max(self.canvas.width_of(said(value, looks.get("unit", "short")), fontsize=7.5) for value in axes.get_yticks() if bottom <= value <= top)
        moved = (wide - 44) / self.canvas.width
        axes.set_position((place.x0 + moved, place.y0, place.width - moved, place.height))
        axes.grid(color=EDGE, linewidth=0.6)
        axes.set_axisbelow(True)

    def clock(self, axes):
        axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=7))
        axes.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=timezone.utc))
        axes.tick_params(length=0, labelsize=7.5, labelcolor=FAINT)
        for side in axes.spines.values():
            side.set_visible(False)

    def legend(self, names, colours, x, bottom, width):
        """From the bottom up; says how much room it took. What doesn't fit in three lines is left out, as by a scroll bar."""
        lines, at = [[]], 0
        for name, drawn in zip(names, colours):
            wide = 26 + self.canvas.width_of(name)
            if at + wide > width and lines[-1]:
                lines.append([])
                at = 0
            lines[-1].append((at, name, drawn))
            at += wide
        lines = lines[:3]
        for number, line in enumerate(lines):
            y = bottom - 16 * (len(lines) - number) + 10
            for at, name, drawn in line:
                self.canvas.box(x + at, y - 1.5, 12, 3, drawn)
                self.canvas.text(x + at + 16, y, name)
        return 16 * len(lines)

    def bargauge(self, panel, x, y, width, height):
        found = list(self.series(panel))
        if not found:
            return self.nothing(panel, x, y, width, height)
        most = panel["fieldConfig"]["defaults"].get("max") or max(value for _, value in found) or 1
        found = found[: int(height // 18)]
        label = min(width * 0.45, 12 + max(self.canvas.width_of(name, fontsize=8.5) for name, _ in found))
        told = 12 + max(self.canvas.width_of(self.format(panel, value), fontsize=9, weight="bold") for _, value in found)
        each = min(34, height / len(found))
        for number, (name, value) in enumerate(found):
            at, thick, room = y + number * each, each * 0.68, width - label - told
            fill = of_steps(value, self.steps(panel))
            self.canvas.text(x, at + thick / 2, self.canvas.cut(name, label - 8, fontsize=8.5), fontsize=8.5)
            self.canvas.box(x + label, at, room, thick, "#22252b")
            self.canvas.box(x + label, at, max(1, room * min(1, value / most)), thick, fill)
            self.canvas.text(x + width, at + thick / 2, self.format(panel, value), ha="right", fontsize=9, weight="bold", color=fill)

    def statetimeline(self, panel, x, y, width, height):
        found, words = list(self.series(panel)), self.words(panel)
        if not found:
            return self.nothing(panel, x, y, width, height)
        below = self.legend([word for word, _ in words.values()], [drawn for _, drawn in words.values()], x, y + height, width)
        label = 12 + max(self.canvas.width_of(name) for name, _ in found)
        axes = self.canvas.axes(x + label, y, width - label - 4, height - below - 26)
        times = [datetime.fromtimestamp(at, timezone.utc) for at in self.sources.times()]
        for number, (_, values) in enumerate(found):
            for at, value in enumerate(values[:-1]):
                if value in words:
                    axes.fill_between(times[at : at + 2], number - 0.36, number + 0.36, color=words[value][1], alpha=0.8, linewidth=0)
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xlim(times[0], times[-1])
        self.clock(axes)
        axes.set_yticks(range(len(found)), [name for name, _ in found], fontsize=8.5, color=TEXT)

    def table(self, panel, x, y, width, height):
        if "rawSql" in panel["targets"][0]:
            rows = self.sources.rows(queries.put_in(panel["targets"][0]["rawSql"], self.values))
            columns = list(rows[0]) if rows else []
            rows = [[cell if cell is None or not re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell) else float(cell) for cell in row.values()] for row in rows]
        else:
            columns, rows = self.merged(panel)
        if not rows:
            return self.nothing(panel, x, y, width, height)
        looks = {
            one["matcher"]["options"]: {each["id"]: each["value"] for each in one["properties"]} for one in panel["fieldConfig"]["overrides"]
        }
        cells, colours = [], []
        for row in rows:
            told = [(value, looks.get(column, {})) for column, value in zip(columns, row)]
            cells.append([said(value, of.get("unit", "short"), of.get("decimals")) if isinstance(value, float) else value or "" for value, of in told])
            colours.append([of_steps(value, of["thresholds"]["steps"]) if "thresholds" in of else TEXT for value, of in told])
        right = [isinstance(next((row[at] for row in rows if row[at] is not None), ""), float) for at in range(len(columns))]
        self.grid(columns, cells, colours, right, x, y, width, height)

    def merged(self, panel):
        """As Grafana's `merge` and `organize` do: a row for each set of labels."""
        rows, organize = {}, panel["transformations"][1]["options"]
        for target in panel["targets"]:
            column = "Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}"
            for labels, value in self.sources.now(queries.put_in(target["expr"], self.values)):
                rows.setdefault(tuple(sorted(labels.items())), dict(labels))[column] = value
        names = [name for name in sorted(organize["indexByName"], key=organize["indexByName"].get) if name not in organize["excludeByName"]]
        columns = [organize["renameByName"].get(name, name) for name in names]
        made = [[row.get(name) for name in names] for row in rows.values()]
        for sort in panel["options"].get("sortBy") or []:
            made.sort(key=lambda row: row[columns.index(sort["displayName"])] or 0, reverse=sort["desc"])
        return columns, made

    def grid(self, columns, cells, colours, right, x, y, width, height, line=23, mono=()):
        cells = cells[: int(height // line) - 1]
        wide = [
            24 + max(self.canvas.width_of(text, fontsize=8.5, weight="bold" if text is column else "normal", family="monospace" if at in mono else None) for text in (column, *(row[at] for row in cells)))
            for at, column in enumerate(columns)
        ]
        spare = (width - sum(wide)) / len(wide)
        starts, at = [], x
        for one in wide:
            starts.append(at)
            at += one + spare
        ends = [*(start - 24 for start in starts[1:]), x + width]
        for number, row in enumerate([columns, *cells]):
            middle = y + line * number + line / 2
            for at, text in enumerate(row):
                place = (ends[at], "right") if right[at] else (starts[at], "left")
                looks = {"weight": "bold", "color": "#6e9fff"} if number == 0 else {"color": colours[number - 1][at]}
                if number and at in mono:
                    looks["family"] = "monospace"
                self.canvas.text(place[0], middle, text, ha=place[1], fontsize=8.5, **looks)
            self.canvas.box(x, y + line * (number + 1), width, 0.7, EDGE)

    def text(self, panel, x, y, width, height):
        table = [line.strip("| ").split(" | ") for line in panel["options"]["content"].splitlines() if not line.startswith("|---")]
        cells = [[cell.strip("`") for cell in row] for row in table]
        plain = [[cell.replace("`", "") for cell in row] for row in cells]
        colours = [[("#b8a5e8" if at == 0 else TEXT) for at in range(len(row))] for row in plain[1:]]
        self.grid(plain[0], plain[1:], colours, [False] * len(plain[0]), x, y - 4, width, height + 8, line=height / len(plain), mono=(0,))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--prometheus", required=True, help="http://…")
    arguments.add_argument("--postgresql", help="postgresql://…, asked by the psql of DEBIAN")
    arguments.add_argument("--minutes", type=int, default=10)
    arguments.add_argument("--tenant", default="acme", help="whose the developer's dashboard is")
    arguments.add_argument("--into", type=Path, default=queries.TOP / "envoy" / "grafana")
    arguments = arguments.parse_args()
    psql = None
    if arguments.postgresql:
        debian = Path(os.environ["DEBIAN"])
        os.environ["LD_LIBRARY_PATH"] = ":".join(map(str, debian.glob("usr/lib/*-linux-gnu")))
        psql = [str(next(debian.glob("usr/lib/postgresql/*/bin/psql"))), arguments.postgresql]
    sources = Sources(arguments.prometheus, psql, arguments.minutes)
    span = {"__from": str(1000 * sources.start), "__to": str(1000 * sources.end), "__interval_ms": str(10_000 * sources.step)}
    usual = queries.USUAL | {"__range": f"{arguments.minutes}m"} | span
    used = sources.now(f'count by (model) (ai_gateway_requests_total{{tenant="{arguments.tenant}"}})')
    mine = usual | {"tenant": arguments.tenant, "model": "|".join(re.escape(labels["model"]) for labels, _ in used).replace("\\", "\\\\")}
    for name in queries.BOARDS:
        picture = Picture(name, sources, mine if name == "developer" else usual)
        file = arguments.into / f"{name}.png"
        picture.draw()
        if picture.is_empty():
            print(f"{file.name}: left as it is, for nothing is there to be drawn (a shadow has to have copies)")
            continue
        picture.save(file)
        print(f"{file.name}: {file.stat().st_size // 1000} kB" + (f", empty: {', '.join(picture.empty)}" if picture.empty else ""))


if __name__ == "__main__":
    main()
