#!/usr/bin/env python3
"""The reference in configuration.md, from the schema: `make configuration-reference` writes it, tests/tools/documents.py holds it."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "schema.json"
PAGE = HERE / "configuration.md"
BEGIN, END = "<!-- written by make configuration-reference -->\n", "<!-- end of what it writes -->\n"

# What is a table of keys, in the order of reading, and where it is written.
TABLES = {
    "Config": "Top level",
    "Group": "`groups.<name>`",
    "Opening": "`opening`",
    "Balances": "`opening.balances`",
    "Balance": "`tenants.<name>` and `groups.<name>` of `opening.balances`",
    "Spent": "`model_groups.<name>` of `opening.balances`",
    "OfModelGroup": "`model_groups.<name>` of a tenant, tier or group",
    "Tenant": "`tenants.<name>`",
    "Tier": "`tiers.<name>`",
    "Limits": "`limits`",
    "Budgets": "`budgets`",
    "OwnOutput": "`output` of a tenant or tier",
    "Expensive": "`expensive`",
    "Output": "`output`",
    "HiddenInput": "`hidden_input`",
    "Price": "`prices[]`",
    "Above": "`above[]`",
    "ServiceTier": "`service_tiers.<name>`",
    "Unpriced": "`unpriced`",
    "Provider": "`providers.<label>`",
    "Model": "`models[]`",
    "Served": "`models[].providers[]`",
    "Instead": "`instead` of a model or role",
    "OrAnother": "`role_models.<role>` with an `instead`",
    "Cheapest": "`virtual_models.<name>` that is the cheapest of several",
    "Split": "`virtual_models.<name>` that is split",
    "Canary": "`virtual_models.<name>.canaries.<model>`",
    "ApiPath": "`paths[]`",
    "Forward": "`forward`",
    "Content": "`content`",
    "ContentRule": "`content.rules[]`",
    "Tools": "`tools`",
    "RegisteredTool": "`tools.registry.<name>`",
    "ToolRules": "`tools` of a tenant or tier",
    "Status": "`status`",
    "Metrics": "`metrics`",
    "Shadow": "`shadows.<name>`",
    "ShadowOf": "`shadows.<name>.of`",
    "ShadowBudgets": "`shadows.<name>.budgets`",
    "Mirror": "`mirror`",
    "Replicas": "`replicas`",
    "Upstream": "In a provider's cluster",
}
# What a heading is found by, where it is another than the definition's name.
ANCHOR = {"Config": "top-level", "Upstream": "in-a-providers-cluster"}
# Values with a form of their own, listed once.
VALUES = {
    "Name": "name",
    "Pattern": "name pattern",
    "HeaderName": "header name",
    "Usd": "amount",
    "Budget": "budget amount",
    "UsdPer1m": "price",
    "Limit": "limit",
    "Percentage": "percentage",
    "Date": "date",
    "Guard": "limit name",
    "Expression": "expression",
    "Word": "word",
    "Label": "label",
    "Secret": "secret",
    "ToolPattern": "tool pattern",
    "Parameters": "JSON Schema",
    "Sensitivity": "sensitivity",
}


def anchor(definition):
    return ANCHOR.get(definition, definition.lower())


def one_line(text):
    return " ".join(text.split()).replace("|", "\\|")


class Reference:
    def __init__(self, schema):
        self.definitions = schema["definitions"]

    def choices(self, about):
        """The words that may stand there, if it is words."""
        if "enum" in about:
            return about["enum"]
        return [word for choice in about.get("oneOf", []) for word in choice.get("enum", [choice.get("const")])]

    def value(self, about):
        if "allOf" in about:
            about = about["allOf"][0]
        if name := about.get("$ref", "").removeprefix("#/definitions/"):
            if name in VALUES:
                return f"[{VALUES[name]}](#values)"
            if name in TABLES:
                return f"[table](#{anchor(name)})"
            return self.value(self.definitions[name])
        if "anyOf" in about:
            return " or ".join(self.value(choice) for choice in about["anyOf"])
        if choices := self.choices(about):
            return ", ".join(f"`{word}`" for word in choices)
        match about["type"]:
            case "boolean":
                return "`true`, `false`"
            case "integer":
                most = about.get("maximum")
                return f"{about['minimum']} to {most}" if most else f"{about['minimum']} or more"
            case "array":
                return f"list: {self.value(about['items'])}"
            case "object":
                return f"map: {self.value(about['propertyNames'])} → {self.value(about['additionalProperties'])}"
            case _:
                return "text"

    def described(self, about):
        text = about.get("description", "")
        for part in [about, *about.get("allOf", [])]:
            name = part.get("$ref", "").removeprefix("#/definitions/")
            of_type = self.definitions.get(name, {})
            if name and name not in VALUES:
                text = text or of_type.get("description", "")
        return one_line(text)

    def default(self, about, required):
        if required:
            return "needed"
        default = about.get("default")
        if default is None:
            return ""
        return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"

    def table(self, definition):
        about = self.definitions[definition]
        yield f"\n### {definition if definition not in ANCHOR else TABLES[definition]}\n"
        if definition not in ANCHOR:
            text = one_line(about.get("description", ""))
            yield f"{TABLES[definition]}. {text}\n" if text else f"{TABLES[definition]}.\n"
        yield "| key | default | values | meaning |\n|---|---|---|---|"
        for key, value in about["properties"].items():
            required = key in about.get("required", [])
            if key == "tiers":  # a table of its own in budgets.md and rate-limits.md
                value = {**value, "default": None}
            yield f"| `{key}` | {self.default(value, required)} | {self.value(value)} | {self.described(value)} |"

    def lines(self):
        for definition in TABLES:
            yield from self.table(definition)
        yield "\n### Values\n"
        yield "| value | what is allowed |\n|---|---|"
        for definition, word in VALUES.items():
            about = self.definitions[definition]
            choices = ", ".join(f"`{word}`" for word in self.choices(about))
            yield f"| {word} | {one_line(about.get('description', ''))}{' ' if choices else ''}{choices} |"


def reference(schema=None):
    return "\n".join(Reference(schema or json.loads(SCHEMA.read_text())).lines()) + "\n"


def parts(page):
    """What stands before, in and after the part that is written here."""
    before, _, rest = page.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside, after


def main():
    before, _, after = parts(PAGE.read_text())
    PAGE.write_text(before + BEGIN + reference() + END + after)


if __name__ == "__main__":
    sys.exit(main())
