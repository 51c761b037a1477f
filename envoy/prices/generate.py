"""The price catalogue, written from genai-prices and checked against litellm's price file.

genai-prices knows whose name a name is, and since when a price counts; litellm's file adds the names people call models
by, and a second opinion. Two things of genai-prices have no counterpart in the plugin and shape this file:

- Its clauses are tried in order and the first wins; here exact beats `*`, and the longest `*` beats the others. So
  every known name is looked up both ways, and where the answers differ the name gets an entry of its own.
- It knows prices by the hour. A budget must not depend on the clock: of each rate the dearest hour counts all day.
"""

import argparse
import importlib.util
import json
import re
from collections import Counter, defaultdict
from datetime import date, datetime, time, timezone
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from pathlib import Path

from genai_prices import types
from genai_prices.data import providers as genai_providers

HERE = Path(__file__).parent

# Our label (genai-prices' id of the provider), and how litellm calls that provider and its models.
PROVIDERS = {
    "anthropic": [("anthropic", "")],
    "aws": [("bedrock", "bedrock/"), ("bedrock_converse", "bedrock/"), ("bedrock_converse", "bedrock_converse/")],
    "azure": [("azure", "azure/"), ("azure_ai", "azure_ai/")],
    "cerebras": [("cerebras", "cerebras/")],
    "cohere": [("cohere", "cohere/"), ("cohere_chat", "cohere_chat/")],
    "deepseek": [("deepseek", "deepseek/")],
    "fireworks": [("fireworks_ai", "fireworks_ai/"), ("fireworks_ai-embedding-models", "fireworks_ai/")],
    "google": [
        ("gemini", "gemini/"),
        ("vertex_ai-anthropic_models", "vertex_ai/"),
        ("vertex_ai-embedding-models", "vertex_ai/"),
        ("vertex_ai-language-models", "vertex_ai/"),
    ],
    "groq": [("groq", "groq/")],
    "mistral": [("mistral", "mistral/")],
    "moonshotai": [("moonshot", "moonshot/")],
    "openai": [("openai", "openai/"), ("text-completion-openai", "")],
    "openrouter": [("openrouter", "openrouter/")],
    "perplexity": [("perplexity", "perplexity/")],
    "together": [("together_ai", "together_ai/")],
    "voyageai": [("voyage", "voyage/")],
    "x-ai": [("xai", "xai/")],
    "zai": [("zai", "zai/")],
}

# OpenRouter resells nearly a thousand models. The catalogue has those of these makers, under their main name.
OPENROUTER_MAKERS = {
    "amazon", "anthropic", "cohere", "deepseek", "google", "meta-llama", "minimax", "mistralai", "moonshotai", "openai",
    "perplexity", "qwen", "x-ai", "z-ai",
}  # fmt: skip

# In the order in which an entry writes them.
RATES = {
    "input_mtok": "input_usd_per_1m_tokens",
    "output_mtok": "output_usd_per_1m_tokens",
    "cache_read_mtok": "cached_input_usd_per_1m_tokens",
    "cache_write_mtok": "cache_creation_usd_per_1m_tokens",
    "cache_write_1h_mtok": "cache_creation_1h_usd_per_1m_tokens",
    "output_reasoning_mtok": "reasoning_usd_per_1m_tokens",
    "input_audio_mtok": "audio_input_usd_per_1m_tokens",
    "input_image_mtok": "image_input_usd_per_1m_tokens",
    "output_audio_mtok": "audio_output_usd_per_1m_tokens",
    "output_image_mtok": "image_output_usd_per_1m_tokens",
}
ITEMS = {
    "requests_kcount": "request_usd",
    "rerank_searches_kcount": "search_unit_usd",
    "storage_searches_kcount": "file_search_usd",
    "web_searches_kcount": "web_search_usd",
}
# Models that search with every request, asked or not, where neither source has what that costs. USD a request, by the dearest
# size of a search that the maker's list (OpenAI, Perplexity) or OpenRouter's has for it: https://openrouter.ai/models
SEARCHES_ALWAYS = {
    "gpt-4o-search-preview": "0.035",
    "gpt-4o-mini-search-preview": "0.0275",
    "gpt-5-search-api": "0.01",
    "openrouter/perplexity/sonar": "0.012",
    "openrouter/perplexity/sonar-pro": "0.014",
    "openrouter/perplexity/sonar-pro-search": "0.018",
    "openrouter/perplexity/sonar-reasoning": "0.012",
    "openrouter/perplexity/sonar-reasoning-pro": "0.014",
}
MODALITIES = [f"{what}_{side}_usd_per_1m_tokens" for what in ("audio", "image") for side in ("input", "output")]
# By its name, a model's output is no text, or not alone. (What reads out is priced by its sounds.)
MAKES_MORE = re.compile(r"-(image|audio)\b")
LICENCES = {
    "genai-prices": "MIT, Copyright (c) Pydantic Services Inc. 2025 to present",
    "litellm": "MIT, Copyright (c) 2023 Berri AI",
}
RATE_DIGITS, ITEM_DIGITS = 6, 9
ENDINGS = ("-2026-01-01", "-20260101", "-latest", "-mini", "-preview", "-tts", "-v1:0", ":0", "@20260101")
NOT_MAIN = "not among the main ones"

DATE_SUFFIX = re.compile(r"\^(?P<name>.+?)(?P<mark>-|\[-@\])(?:\\d\{8\}|\\d\{4\}-\\d\{2\}-\\d\{2\})\$")
IMAGE_SIZE = re.compile(r"(\d+-x-\d+|hd|standard|low|medium|high)/")
NEVER = date(2000, 1, 1)

CLAUSES = {
    types.ClauseAnd: "a beginning and a regex",
    types.ClauseContains: "contains",
    types.ClauseEndsWith: "ends with",
    types.ClauseRegex: "regex",
}
BEGINNINGS = {
    types.ClauseContains: "the known names, and what begins with the text",
    types.ClauseRegex: "the known names, and where it is for a date, what has `202` where the year is",
}

# How litellm's file calls the rates of an entry.
LITELLM_RATES = {
    "input_usd_per_1m_tokens": "input_cost_per_token",
    "output_usd_per_1m_tokens": "output_cost_per_token",
    "cached_input_usd_per_1m_tokens": "cache_read_input_token_cost",
    "cache_creation_usd_per_1m_tokens": "cache_creation_input_token_cost",
    "cache_creation_1h_usd_per_1m_tokens": "cache_creation_input_token_cost_above_1hr",
    "reasoning_usd_per_1m_tokens": "output_cost_per_reasoning_token",
    "audio_input_usd_per_1m_tokens": "input_cost_per_audio_token",
    "image_input_usd_per_1m_tokens": "input_cost_per_image_token",
    "audio_output_usd_per_1m_tokens": "output_cost_per_audio_token",
    "image_output_usd_per_1m_tokens": "output_cost_per_image_token",
}
DEFAULTS = {
    "cached_input_usd_per_1m_tokens": "input_usd_per_1m_tokens",
    "cache_creation_usd_per_1m_tokens": "input_usd_per_1m_tokens",
    "cache_creation_1h_usd_per_1m_tokens": "cache_creation_usd_per_1m_tokens",
    "reasoning_usd_per_1m_tokens": "output_usd_per_1m_tokens",
    "audio_input_usd_per_1m_tokens": "input_usd_per_1m_tokens",
    "image_input_usd_per_1m_tokens": "input_usd_per_1m_tokens",
    "audio_output_usd_per_1m_tokens": "output_usd_per_1m_tokens",
    "image_output_usd_per_1m_tokens": "output_usd_per_1m_tokens",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--into", type=Path, default=HERE, help="where catalogue.json goes")
    arguments.add_argument("--report", type=Path, required=True, help="where the report goes")
    asked = arguments.parse_args()
    into, report = asked.into, asked.report
    catalogue = Catalogue()
    for label in PROVIDERS:
        catalogue.add_provider(label)
    catalogue.finish()
    into.mkdir(parents=True, exist_ok=True)
    (into / "catalogue.json").write_text(catalogue.as_json())
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(catalogue.report())


# ---- the sources ---------------------------------------------------------------------------------------------------


def day_of(package):
    """The day the package's prices are of, as `requirements.txt` notes it beside the pin."""
    text = (HERE / "requirements.txt").read_text()
    return date.fromisoformat(re.search(rf"^{package}==\S+\s+# (\S+)$", text, re.MULTILINE)[1])


def litellm_prices():
    # Found and not imported: importing litellm takes seconds and may ask the network for a newer file.
    folder = Path(importlib.util.find_spec("litellm").submodule_search_locations[0])
    text = (folder / "model_prices_and_context_window_backup.json").read_text()
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def litellm_names(label, prices):
    """Name at the provider -> litellm's name for it."""
    names = {}
    for provider, prefix in PROVIDERS[label]:
        for full_name, price in prices.items():
            if price.get("litellm_provider") != provider:
                continue
            name = full_name.removeprefix(prefix)
            # What stands for the price of a region or of an image's size is not a name anybody sends.
            if (label in ("aws", "azure") and "/" in name) or IMAGE_SIZE.match(name):
                continue
            # Of `deepseek-chat` and `deepseek/deepseek-chat` litellm itself takes the second.
            bare_before = name in names and names[name] == name and prices[name]["litellm_provider"] == provider
            if name not in names or bare_before:
                names[name] = full_name
    return names


# ---- one model's price ---------------------------------------------------------------------------------------------


class Unpriceable(Exception):
    pass


def written(amount, digits):
    """As a decimal string, rounded up: what the format can't hold must not make a price lower."""
    if -amount.as_tuple().exponent > digits:
        amount = amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_CEILING)
    return f"{amount.normalize():f}"


def searches_always(name, fields):
    """The price of the search in each request, which is no lever then."""
    dated = re.sub(r"-\d{4}-\d{2}-\d{2}$", "", name)
    known = [usd for model, usd in SEARCHES_ALWAYS.items() if f"/{dated}".endswith(f"/{model}")]
    if not known or "request_usd" in fields:
        return {}
    # OpenRouter sells searches of its own beside the model's, and has no price for them here.
    return {"request_usd": known[0]} | ({} if name.startswith("openrouter/") else {"web_search_usd": "0"})


def with_modalities(entries):
    """Pictures and sounds have rates of their own. A reseller's entries have their maker's where they say none themselves; and a model
    that makes any, and has no rate for them anywhere, is left out, for they would cost what text does."""

    def rates(entry):
        return {key: usd for key, usd in entry.items() if key in MODALITIES}

    def of_maker(name):
        bare = name.removeprefix("openrouter/")
        known = [e for e in entries if e["model"] == bare or e["model"].endswith("*") and bare.startswith(e["model"][:-1])]
        return rates(max(known, key=lambda e: (len(e["model"]), e.get("from", "")), default={}) if known else {})

    def whole(entry):
        found = of_maker(entry["model"]) if entry["model"].startswith("openrouter/") else {}
        found = {key: usd for key, usd in found.items() if key not in entry}
        lengths = {key: entry[key] for key in ("max_output_tokens", "context_tokens") if key in entry}
        return {key: value for key, value in entry.items() if key not in lengths} | found | lengths

    return [entry for entry in map(whole, entries) if rates(entry) or not MAKES_MORE.search(entry["model"])]


def starts(model, service_tiers):
    """The days on which something about the model's price begins; `None` for what always was."""
    conditions = [price.constraint for price in model.prices] if isinstance(model.prices, list) else []
    if service_tiers:
        conditions += [variant.constraint for variant in variants_by_service_tier(model)]
    return [None, *sorted({c.start_date for c in conditions if isinstance(c, types.StartDateConstraint)})]


def variants_by_service_tier(model):
    return [v for v in model.price_variants or [] if list(v.when) == ["service_tier"]]


def hours_with_own_price(model):
    conditions = [price.constraint for price in model.prices] if isinstance(model.prices, list) else []
    return [c for c in conditions if isinstance(c, types.TimeOfDateConstraint)]


def rates_on(model, day, service_tier=None):
    """Price key -> {input tokens above which it counts: rate}, at the day's dearest hour."""
    context = {"service_tier": service_tier} if service_tier else None
    hours = [time(0), *(hour for c in hours_with_own_price(model) for hour in (c.start_time, c.end_time))]
    dearest = {}
    for hour in hours:
        moment = datetime.combine(day, hour.replace(tzinfo=None), timezone.utc)
        for key, price in model.get_prices(moment, context).__dict__.items():
            if price is None:
                continue
            tiers = {0: price}
            if isinstance(price, types.TieredPrices):
                tiers = {0: price.base} | {tier.start: tier.price for tier in price.tiers}
            if key not in dearest or tiers[0] > dearest[key][0]:
                dearest[key] = tiers
    return dearest


def rate_at(tiers, border):
    return tiers[max(start for start in tiers if start <= border)]


def rates_as_written(rates, keys, border=0):
    return {RATES[key]: written(rate_at(rates[key], border), RATE_DIGITS) for key in RATES if key in keys}


def tiered(rates):
    return {key for key in RATES if key in rates and len(rates[key]) > 1}


def price_on(model, day, service_tiers):
    """The fields of the entry that counts from `day` on, without its model and its `from`."""
    rates = rates_on(model, day or NEVER)
    if "input_mtok" not in rates:
        raise Unpriceable("no price in the source" if not rates else "priced by " + ", ".join(sorted(rates)))
    # Nothing comes out of an embedding: genai-prices leaves the rate away, the format wants it written.
    rates.setdefault("output_mtok", {0: Decimal(0)})

    price = rates_as_written(rates, rates.keys())
    for key, field in ITEMS.items():
        if key in rates:
            price[field] = written(rate_at(rates[key], 0) / 1000, ITEM_DIGITS)

    borders = sorted({border for key in tiered(rates) for border in rates[key]} - {0})
    if borders:
        # Every rate that has tiers is written in each, so that none depends on what a reader takes "stays" to mean.
        price["above"] = [{"input_tokens": b, **rates_as_written(rates, tiered(rates), b)} for b in borders]

    by_tier = {}
    for name in sorted({v.when["service_tier"] for v in variants_by_service_tier(model)} if service_tiers else ()):
        served = rates_on(model, day or NEVER, name)
        served.setdefault("output_mtok", {0: Decimal(0)})
        changed = {key for key in served if served[key] != rates.get(key)} & RATES.keys()
        if not changed:
            continue
        by_tier[name] = rates_as_written(served, changed)
        # A rate with no tiers of its own has to say so above the standard price's borders too.
        either = (tiered(rates) | tiered(served)) & served.keys()
        its_borders = sorted(set(borders) | {b for key in tiered(served) for b in served[key]} - {0})
        if its_borders:
            by_tier[name]["above"] = [{"input_tokens": b, **rates_as_written(served, either, b)} for b in its_borders]
    if by_tier:
        price["service_tiers"] = by_tier
    return price


def price_history(model, service_tiers=True):
    """[(day it begins or `None`, fields)], without days on which nothing changes."""
    history = []
    for day in starts(model, service_tiers):
        price = price_on(model, day, service_tiers)
        if not history or history[-1][1] != price:
            history.append((day, price))
    return history


def in_effect(history, day):
    return [fields for begins, fields in history if begins is None or begins <= day][-1]


def price_of_litellm(raw):
    """litellm's own rates in an entry's fields, `None` if it has none by the token."""
    if "input_cost_per_token" not in raw:
        return None
    # Three rules of litellm are in its code and not in its file. A tier of xAI's begins at its border; everyone else's
    # begins above it, as an entry's does. Where Fireworks has no cached price, it is half the input's. Reasoning in a
    # service tier costs the tier's output.
    reached = raw["litellm_provider"] == "xai"
    if raw["litellm_provider"] == "fireworks_ai":
        raw = {"cache_read_input_token_cost": raw["input_cost_per_token"] / 2} | raw

    def fields(suffix):
        found = {}
        for field, key in LITELLM_RATES.items():
            if (rate := raw.get(key + suffix)) is not None:
                # As exact as it is written: 13 digits after the point are more than any provider has.
                found[field] = written(rate * 1_000_000, 13)
        return found

    def price(tier):
        suffixes = {int(n) * (1000 if k else 1): f"_above_{n}{k}_tokens{tier}" for n, k in borders}
        above = [{"input_tokens": border - reached} | fields(suffix) for border, suffix in sorted(suffixes.items())]
        above = [tier for tier in above if len(tier) > 1]
        return fields(tier) | ({"above": above} if above else {})

    borders = {found.groups() for key in raw if (found := re.search(r"_above_(\d+)(k?)_tokens", key))}
    whole = {"output_usd_per_1m_tokens": "0"} | price("")
    by_tier = {name: changed for name in ("flex", "priority") if (changed := price(f"_{name}"))}
    for changed in by_tier.values():
        if (output := changed.get("output_usd_per_1m_tokens")) and "reasoning_usd_per_1m_tokens" in whole:
            changed.setdefault("reasoning_usd_per_1m_tokens", output)
    return whole | ({"service_tiers": by_tier} if by_tier else {})


def output_of_litellm(raw):
    """The most that a model writes at once, `None` where that isn't known or where prompt and output share one context: a
    request would have no room for a prompt beside it."""
    most, context = raw.get("max_output_tokens"), raw.get("max_input_tokens")
    writes = raw.get("mode") in ("chat", "completion", "responses")
    return int(most) if writes and most and context and 2 * most <= context else None


def context_of_litellm(raw):
    """The most that a model reads at once, `None` where that isn't known."""
    most = raw.get("max_input_tokens")
    return int(most) if isinstance(most, Decimal) and most > 0 else None


def effective(price, service_tier, border):
    """The rates a request of just above `border` input tokens pays, and which of them are written somewhere."""
    served = price.get("service_tiers", {}).get(service_tier, {})
    layers = [price, served]
    layers += [above for above in served.get("above", price.get("above", [])) if above["input_tokens"] <= border]
    rates = {field: value for layer in layers for field, value in layer.items() if field in LITELLM_RATES}
    return {field: rates.get(field) for field in LITELLM_RATES}


def with_defaults(rates):
    rates = dict(rates)
    for field, default in DEFAULTS.items():
        rates[field] = rates[field] or rates[default]
    return rates


def disagreements(ours, theirs):
    """(field, ours, litellm's) for every rate that one of them writes and the other would charge differently."""
    # `fast` is another word for `priority`, and not in litellm's file.
    tiers = {name for price in (ours, theirs) for name in price.get("service_tiers", {})} - {"fast"}
    for tier in ["", *sorted(tiers)]:
        missing = [not tier or tier in price.get("service_tiers", {}) for price in (ours, theirs)]
        if not all(missing):
            yield (f"service tier {tier}", *("as written" if there else "none" for there in missing))
            continue
        borders = {above["input_tokens"] for p in (ours, theirs) for above in p.get("above", [])}
        for border in [0, *sorted(borders)]:
            written_here, written_there = effective(ours, tier, border), effective(theirs, tier, border)
            here, there = with_defaults(written_here), with_defaults(written_there)
            for field in LITELLM_RATES:
                if not (written_here[field] or written_there[field]) or Decimal(here[field]) == Decimal(there[field]):
                    continue
                if border:
                    # Said already below the border, and nothing new above it.
                    below = with_defaults(effective(ours, tier, 0)), with_defaults(effective(theirs, tier, 0))
                    if (below[0][field], below[1][field]) == (here[field], there[field]):
                        continue
                where = [tier] * bool(tier) + [field.removesuffix("_usd_per_1m_tokens")]
                where += [f"above {border}"] * bool(border)
                values = [
                    rates[field] if as_written[field] else f"{rates[field]} (by default)"
                    for rates, as_written in ((here, written_here), (there, written_there))
                ]
                yield (" ".join(where), *values)


# ---- which names are whose -----------------------------------------------------------------------------------------


def clauses(match):
    """The alternatives of a match, each a clause that is no `or`."""
    return [c for part in match.or_ for c in clauses(part)] if isinstance(match, types.ClauseOr) else [match]


def beginnings(clause):
    """(beginning, a name it has to match), for what a `*` can say of the clause."""
    match clause:
        case types.ClauseStartsWith(starts_with=text) | types.ClauseContains(contains=text):
            yield text, text
        case types.ClauseRegex(regex=pattern) if dated := DATE_SUFFIX.fullmatch(pattern):
            for mark in dated["mark"].strip("[]"):
                name = dated["name"].replace("\\.", ".") + mark
                yield f"{name}202", f"{name}20260101"


class Lookup:
    """The plugin's rule within one provider: the exact name, then the longest beginning. Case counts."""

    def __init__(self):
        self.exact, self.beginnings = {}, {}

    def find(self, name):
        if name in self.exact:
            return self.exact[name]
        lengths = range(len(name), 0, -1)
        return next((self.beginnings[name[:n]] for n in lengths if name[:n] in self.beginnings), None)


class Catalogue:
    def __init__(self):
        self.litellm = litellm_prices()
        self.entries = []
        self.names_written = {}
        self.names_checked = defaultdict(int)
        self.unpriced_names = defaultdict(list)
        self.dropped = defaultdict(lambda: defaultdict(set))
        self.not_carried = defaultdict(set)
        self.rounded_up = set()
        self.by_the_hour = set()
        self.variants_left_out = defaultdict(set)
        self.approximated = defaultdict(set)
        self.too_wide = set()
        self.known = {}
        self.without_modalities = set()

    def finish(self):
        """What no `*` may catch: a name that is left out would have the price of another."""
        before = {entry["model"] for entry in self.entries}
        self.entries = with_modalities(self.entries)
        kept = {entry["model"] for entry in self.entries}
        self.without_modalities = before - kept
        for name in self.without_modalities:
            for other in kept:
                if other.endswith("*") and name.startswith(other[:-1]):
                    raise SystemExit(f"{name} is left out, and {other} would catch it")

    def add_provider(self, label):
        provider = next(p for p in genai_providers if p.id == label)
        histories = {}

        def history(model):
            if id(model) not in histories:
                # genai-prices gives a reseller that falls back to another provider's model the standard price only.
                own = any(model is own_model for own_model in provider.models)
                histories[id(model)] = self.expressible(label, model, own)
            return histories[id(model)]

        def of_library(name):
            return provider.find_model(name, all_providers=genai_providers)

        lookup = Lookup()
        if label == "openrouter":
            names = {}
            for model in provider.models:
                if model.id.split("/")[0] in OPENROUTER_MAKERS and ":" not in model.id and not model.deprecated:
                    names[model.id] = None
                else:
                    self.dropped[label][NOT_MAIN].add(model.id)
        else:
            names = litellm_names(label, self.litellm)
            for model in provider.models:
                names.setdefault(model.id, None)
                for clause in clauses(model.match):
                    if isinstance(clause, types.ClauseEquals):
                        names.setdefault(clause.equals, None)
            self.add_beginnings(label, provider, of_library, history, lookup)

        for name, litellm_name in sorted(names.items()):
            model = of_library(name)
            price = model and history(model)
            found = lookup.find(name)
            if not model and litellm_name:
                self.unpriced_names[label].append(name)
            elif price and price != found:
                lookup.exact[name] = price
            if not price and found:
                self.too_wide.add(f"{label}/{name}")
            if price:
                self.names_checked[label] += 1
                self.known[label, name] = (model, price, litellm_name)

        # What the lines above promise, asked again of the finished entries; and a beginning may miss names that nobody
        # has yet, but it must not give one of them another model's price.
        asked = [(name, price) for (of, name), (_, price, _) in self.known.items() if of == label]
        for name in (beginning + ending for beginning in lookup.beginnings for ending in ENDINGS):
            if (model := of_library(name)) and history(model):
                asked.append((name, history(model)))
        for name, price in asked:
            if lookup.find(name) != price:
                raise SystemExit(f"{label}/{name}: the entries don't find the price that genai-prices has for it")

        named = [(name, price) for name, price in lookup.exact.items()]
        named += [(f"{name}*", price) for name, price in lookup.beginnings.items()]
        self.names_written[label] = len(named)
        for name, price in sorted(named):
            for day, fields in price:
                begins = {"from": day.isoformat()} if day else {}
                fields = fields | searches_always(f"{label}/{name}", fields)
                lengths = self.longest_output(name, names) | self.longest_context(name, names, of_library)
                self.entries.append({"model": f"{label}/{name}"} | begins | fields | lengths)

    def stands_for(self, name, names):
        """What litellm has of the names that an entry is found by."""
        beginning = name.removesuffix("*")
        is_it = (lambda other: other.startswith(beginning)) if name.endswith("*") else (lambda other: other == name)
        return [self.litellm[litellm_name] for other, litellm_name in names.items() if litellm_name and is_it(other)]

    def longest_output(self, name, names):
        """What the model writes at most, as litellm knows it; of a `*` the least of what it stands for."""
        known = self.stands_for(name, names)
        longest = [most for raw in known if (most := output_of_litellm(raw))]
        return {"max_output_tokens": min(longest)} if known and len(longest) == len(known) else {}

    def longest_context(self, name, names, of_library):
        """What the model reads at most, as either source knows it; of a `*` the most of what it stands for."""
        contexts = [most for raw in self.stands_for(name, names) if (most := context_of_litellm(raw))]
        model = of_library(name.removesuffix("*"))
        contexts += [model.context_window] if model and model.context_window else []
        return {"context_tokens": max(contexts)} if contexts else {}

    def add_beginnings(self, label, provider, of_library, history, lookup):
        found = []
        for model in provider.models:
            for clause in clauses(model.match):
                said = list(beginnings(clause))
                if type(clause) in CLAUSES:
                    how = BEGINNINGS[type(clause)] if said else "the known names only"
                    self.approximated[CLAUSES[type(clause)], how].add(f"{label}/{model.id}")
                # An earlier clause of another model may own the beginning; then the names under it are written out.
                found += [(text, model) for text, name in said if of_library(name) is model and history(model)]
        for text, model in sorted(found, key=lambda beginning: (len(beginning[0]), beginning[0])):
            if lookup.find(text) != history(model):
                lookup.beginnings[text] = history(model)

    def expressible(self, label, model, own):
        try:
            price = price_history(model, service_tiers=own)
        except Unpriceable as reason:
            self.dropped[label][str(reason)].add(model.id)
            return None
        for day in starts(model, own):
            rates = rates_on(model, day or NEVER)
            for key, tiers in rates.items():
                # Cached audio that costs what cached text costs is carried, under another name.
                same = key.startswith("cache_") and tiers == rates.get("cache_read_mtok")
                if key not in RATES and key not in ITEMS and not same:
                    self.not_carried[key].add(f"{label}/{model.id}")
                if key in RATES and any(-rate.as_tuple().exponent > RATE_DIGITS for rate in tiers.values()):
                    self.rounded_up.add(f"{label}/{model.id}")
        if hours_with_own_price(model):
            self.by_the_hour.add(f"{label}/{model.id}")
        for variant in (model.price_variants or []) if own else []:
            if list(variant.when) != ["service_tier"]:
                condition = ", ".join(f"{key} = {value}" for key, value in variant.when.items())
                self.variants_left_out[condition].add(f"{label}/{model.id}")
        return price

    def source(self):
        return {
            package: {"version": version(package), "prices_of": day_of(package).isoformat(), "licence": licence}
            for package, licence in LICENCES.items()
        }

    def as_json(self):
        rows = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in self.entries)
        return f'{{"source": {json.dumps(self.source())}, "prices": [\n{rows}\n]}}\n'

    def disagreements(self):
        """(label, genai-prices' model, field, ours, litellm's) -> the names it is so for."""
        rows = defaultdict(list)
        for (label, name), (model, history, litellm_name) in self.known.items():
            theirs = price_of_litellm(self.litellm[litellm_name]) if litellm_name else None
            for row in disagreements(in_effect(history, day_of("genai-prices")), theirs) if theirs else ():
                rows[label, model.id, *row].append(name)
        return rows

    def report(self):
        return "\n".join(self.report_lines()) + "\n"

    def report_lines(self):
        yield "# What is in the catalogue, what isn't, and who disagrees"
        yield "\nWritten by `make prices`, together with `catalogue.json`; an edit here is lost."

        yield "\n## Sources\n"
        begun = [entry["from"] for entry in self.entries if "from" in entry]
        pinned = day_of("genai-prices").isoformat()
        yield "| package | version | prices of | licence |\n|---|---|---|---|"
        for package, about in self.source().items():
            yield f"| {package} | {about['version']} | {about['prices_of']} | {about['licence']} |"
        yield f"\nThe newest price change that has begun is of {max(d for d in begun if d <= pinned)}."
        if announced := sorted({d for d in begun if d > pinned}):
            yield f"Announced, and in the catalogue by their `from`: changes on {', '.join(announced)}."

        yield "\n## Entries\n"
        yield "| provider | names and `*` | entries, history included | known names, looked up both ways |"
        yield "|---|--:|--:|--:|"
        entries = Counter(entry["model"].split("/")[0] for entry in self.entries)
        for label in PROVIDERS:
            yield f"| {label} | {self.names_written[label]} | {entries[label]} | {self.names_checked[label]} |"
        sums = (sum(counts.values()) for counts in (self.names_written, entries, self.names_checked))
        yield f"| all {len(PROVIDERS)} | {' | '.join(map(str, sums))} |"
        yield "\nA known name is an id or an exact match of genai-prices, or a name that litellm has for the provider."
        yield "Each was looked up by genai-prices' own match function and by the plugin's rule in the finished entries:"
        yield "the prices are the same for all of them, or this file would not have been written."
        bounded = len({entry["model"] for entry in self.entries if "max_output_tokens" in entry})
        yield f"What a model writes at most is litellm's figure, for {bounded} of these names. What it reads at most is the larger"
        read = len({entry["model"] for entry in self.entries if "context_tokens" in entry})
        yield f"of the two sources' figures, for {read} of them. Names that"
        yield f"genai-prices has no price for, and that a `*` catches all the same: {code(self.too_wide) or 'none'}."

        yield "\n## Dropped\n"
        yield "### Models that have no price by the token\n"
        for label, reasons in self.dropped.items():
            for reason, models in sorted(reasons.items()):
                if reason != NOT_MAIN:
                    yield f"- {label}, {reason}: {code(models)}"
        yield f"\n### Models of pictures or sounds that have no rate for them\n\n{code(self.without_modalities)}"
        yield "\n### Prices of models that are in, for things the format doesn't count\n"
        for key, models in sorted(self.not_carried.items()):
            yield f"- `{key}`: {code(models)}"
        yield "\n### Prices under conditions that no answer names as its service tier\n"
        for condition, models in sorted(self.variants_left_out.items()):
            yield f"- {condition}: {code(models)}"
        yield "\n### Matches that an entry can't say\n"
        yield "What is missed has no price, and the gateway's `unpriced` policy applies."
        for (kind, how), models in sorted(self.approximated.items()):
            yield f"\n- {kind}: {how}. {code(models)}"
        yield "\n### Prices by the hour\n"
        yield f"Of each rate the dearest hour counts all day: {code(self.by_the_hour)}."
        yield f"\n### Rates of more than {RATE_DIGITS} digits\n"
        yield f"Rounded up: {code(self.rounded_up)}."
        yield "\n### Names that litellm knows and genai-prices has no price for\n"
        for label, names in self.unpriced_names.items():
            yield f"- {label}, {len(names)}: {code(names)}"
        yield "\n### OpenRouter's models that are not among the main ones\n"
        yield f"In are the makers {', '.join(sorted(OPENROUTER_MAKERS))},"
        yield "under a model's main name, no variants (`:free`, `:batch`, …), nothing deprecated. Out are:\n"
        makers = defaultdict(set)
        for model in self.dropped["openrouter"][NOT_MAIN]:
            makers[model.split("/")[0] if "/" in model else "names without a maker"].add(model)
        for maker, models in sorted(makers.items()):
            yield f"- {maker}: {code(models)}"

        yield "\n## Where genai-prices and litellm disagree\n"
        yield f"genai-prices as of {pinned}, litellm as of {day_of('litellm')}; the catalogue follows genai-prices."
        yield "In USD per million tokens. A rate that one of the two doesn't write counts by its default, as in the"
        yield "plugin. A service tier that one of them lacks is one row.\n"
        yield "| provider | model | what | genai-prices | litellm | names |\n|---|---|---|--:|--:|---|"
        for (label, model, what, ours, theirs), names in sorted(self.disagreements().items()):
            yield f"| {label} | {model} | {what} | {ours} | {theirs} | {code(names)} |"


def code(names):
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    main()
