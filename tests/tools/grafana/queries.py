"""The queries of the shipped dashboards, as a data source gets them: with what Grafana puts in for their variables.

`--rules FILE` writes those for Prometheus as rules, whose syntax promtool checks, after it has checked here what promtool
can't know: that each metric exists, and that panels say what they show. Otherwise all are printed as JSON; the end-to-end
tests ask them. Standard library only.
"""

import argparse
import json
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
BOARDS = ["sre", "finance", "developer", "compare", "models"]
# Of one choice, or where Grafana calculates it.
USUAL = {"tenant": ".*", "model": ".*", "provider": ".*", "prompt": ".*", "__rate_interval": "1m", "__range": "1h", "datasource": "", "records": ""}
# Of pairs: all there are.
USUAL |= {"shadow": "cheap", "__from": "0", "__to": "4102444800000", "__interval_ms": "60000"}


def board(name):
    return json.loads((TOP / "envoy" / "grafana" / f"{name}.json").read_text())


def put_in(text, values):
    """A variable that nobody defines is a KeyError."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values[found[1] or found[2]], text)


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(name, values):
    """Of each: where it stands, what it is for, and itself."""
    shown = board(name)
    for variable in shown["templating"]["list"]:
        if variable["type"] == "query" and isinstance(variable["query"], str):
            yield {"board": name, "panel": f"${variable['name']}", "kind": "postgresql", "query": variable["query"]}
        elif variable["type"] == "query":
            of, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
            query = f"count by ({label}) ({put_in(of, values)})"
            yield {"board": name, "panel": f"${variable['name']}", "kind": "prometheus", "query": query}
    for annotation in shown["annotations"]["list"]:
        yield {"board": name, "panel": annotation["name"], "kind": "prometheus", "query": annotation["expr"]}
    for panel in panels(shown):
        for target in panel.get("targets", []):
            kind, text = ("prometheus", target["expr"]) if "expr" in target else ("postgresql", target["rawSql"])
            about = {"legend": target.get("legendFormat") or "", "instant": target.get("instant", True)}
            yield {"board": name, "panel": panel["title"], "kind": kind, "query": put_in(text, values)} | about


def share(one, other):
    """Whether two places of the grid have a square in common."""
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h")))


def insist(holds, about, what):
    if not holds:
        sys.exit(f"{about}: {what}")


def on_the_page():
    """The gateway's metrics by the names that its own page gives them: in dollars and seconds."""
    names = re.findall(r'"(ai_gateway_\w+)"', (TOP / "src" / "record" / "metric.rs").read_text())
    units = re.findall(r'\("(_\w+)", "(_\w+)", \d\)', (TOP / "src" / "view" / "metrics.rs").read_text())
    shown = set()
    for name in names:
        stat, unit = next(((stat, unit) for stat, unit in units if stat in name), ("", ""))
        shown.add(name.replace(stat, unit, 1))
    return shown


def check():
    shown_by_us = on_the_page()
    recorded = set(re.findall(r"- record: (\S+)", (TOP / "envoy" / "prometheus" / "rules.yml").read_text()))
    for name in BOARDS:
        shown = board(name)
        for panel in panels(shown):
            about = f"{name}.json, {panel['title']}"
            insist(panel.get("description", "").endswith("."), about, "it doesn't say what it shows")
            for other in panels(shown):
                insist(panel is other or not share(panel["gridPos"], other["gridPos"]), about, f"it lies upon {other['title']}")
        for one in queries(name, USUAL):
            if one["kind"] != "prometheus":
                continue
            about = f"{name}.json, {one['panel']}"
            for metric in re.findall(r"[\w:]*\bai_gateway_\w+(?::\w+)?", one["query"]):
                known = metric in recorded or re.sub(r"_(bucket|sum|count)$", "", metric) in shown_by_us or metric in shown_by_us
                insist(known, about, f"there is no metric {metric}")
            for label in re.findall(r"{{(\w+)}}", one.get("legend", "")):
                insist(re.search(rf"\b{label}\b", one["query"]), about, f"its legend names {label}, which no series has")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rules", type=Path)
    arguments.add_argument("--tenant", help="whose the developer's dashboard is")
    arguments = arguments.parse_args()
    values = {"developer": USUAL | {"tenant": arguments.tenant or "acme"}}
    found = [one for name in BOARDS for one in queries(name, values.get(name, USUAL))]
    if not arguments.rules:
        print(json.dumps(found))
        return
    check()
    rules = [{"record": f"query_{number}", "expr": one["query"]} for number, one in enumerate(found) if one["kind"] == "prometheus"]
    # JSON is YAML.
    arguments.rules.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))


if __name__ == "__main__":
    main()
