"""What a request costs, by the plugin's rule in exact integers, against genai-prices and litellm.

Every name of the catalogue is asked for twenty usages on the day of the sources; genai-prices, which knows the history,
also on the first and the last day of each price. Where another's cost differs, the difference must have a reason from a
short list, and each reason is itself computed: it has to give the other's number, not merely excuse it.
"""

import argparse
import json
import math
import os
import re
import sys
from collections import Counter
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import genai_prices

import generate

# What is priced by the hour has two prices: this hour's and that one's.
HOURS = time(2), time(20)


# ---- the rule ------------------------------------------------------------------------------------------------------


def integer(decimal, digits):
    """The decimal string in units of its last digit."""
    whole, _, fraction = decimal.partition(".")
    assert len(fraction) <= digits, decimal
    return int(whole + fraction.ljust(digits, "0"))


# USD per million tokens at six digits are pico-USD per token; beyond them only litellm's own rates go.
PICO, FINER = 6, 13


def cost(price, usage, service_tier=None, digits=PICO):
    """In pico-USD, or finer by as many digits as the rates are."""
    served = price.get("service_tiers", {}).get(service_tier, {})
    rates = {**price, **served}
    for tier in served.get("above", price.get("above", ())):
        if usage.get("input_tokens", 0) > tier["input_tokens"]:
            rates.update(tier)

    def rate(name, otherwise=None):
        written = rates.get(f"{name}_usd_per_1m_tokens")
        return integer(written, digits) if written is not None else otherwise

    count = lambda name: usage.get(name, 0)
    plain_in, plain_out = rate("input"), rate("output")
    creation = rate("cache_creation", plain_in)
    parts = []

    left = count("input_tokens") - count("cached_input_tokens") - count("cache_creation_input_tokens")
    parts.append((count("cached_input_tokens"), rate("cached_input", plain_in)))
    hour = count("cache_creation_1h_input_tokens")
    parts.append((count("cache_creation_input_tokens") - hour, creation))
    parts.append((hour, rate("cache_creation_1h", creation)))
    for kind in ("audio", "image"):
        tokens = min(count(f"{kind}_input_tokens"), left)
        left -= tokens
        parts.append((tokens, rate(f"{kind}_input", plain_in)))
    parts.append((left, plain_in))

    left = count("output_tokens")
    for kind, name in (("reasoning", "reasoning"), ("audio_output", "audio_output"), ("image_output", "image_output")):
        tokens = min(count(f"{kind}_tokens"), left)
        left -= tokens
        parts.append((tokens, rate(name, plain_out)))
    parts.append((left, plain_out))

    return sum(tokens * each for tokens, each in parts) + items(rates, usage) * 10 ** (digits - PICO)


def items(rates, usage):
    """What is priced beside the tokens, in pico-USD."""
    counted = {"request_usd": 1, "image_usd": usage.get("images", 0)}
    counted |= {"search_unit_usd": usage.get("search_units", 0), "web_search_usd": usage.get("web_searches", 0)}
    return sum(number * integer(rates[item], 9) * 1000 for item, number in counted.items() if item in rates)


def nano_usd(pico):
    return -(-pico // 1000)


def border_of(price):
    """The input tokens at which the first context tier ends; of a price without, as good as any."""
    return price.get("above", [{"input_tokens": 200_000}])[0]["input_tokens"]


def begun(entries, day):
    """Of one model's entries the latest that has begun."""
    return max((e for e in entries if e.get("from", "") <= day.isoformat()), key=lambda entry: entry.get("from", ""))


# ---- what is asked -------------------------------------------------------------------------------------------------


def usages(border):
    """Name -> (usage, service tier). `border` is where the model's first context tier ends."""
    yield "nothing", {}, None
    yield "one token in", {"input_tokens": 1}, None
    yield "one token out", {"output_tokens": 1}, None
    yield "plain", {"input_tokens": 1_237, "output_tokens": 351}, None
    yield "cached", {"input_tokens": 10_007, "output_tokens": 211, "cached_input_tokens": 7_680}, None
    written = {"input_tokens": 5_003, "output_tokens": 77, "cache_creation_input_tokens": 4_321}
    yield "cache written", written, None
    yield "cache written for an hour", written | {"cache_creation_1h_input_tokens": 4_321}, None
    yield "cache read and written both ways", {
        "input_tokens": 30_011, "output_tokens": 503, "cached_input_tokens": 10_007,
        "cache_creation_input_tokens": 9_001, "cache_creation_1h_input_tokens": 4_003,
    }, None  # fmt: skip
    yield "reasoning", {"input_tokens": 907, "output_tokens": 2_503, "reasoning_tokens": 2_048}, None
    yield "audio heard", {"input_tokens": 1_511, "output_tokens": 83, "audio_input_tokens": 1_301}, None
    yield "audio spoken", {"input_tokens": 41, "output_tokens": 907, "audio_output_tokens": 853}, None
    yield "images seen and drawn", {
        "input_tokens": 1_303, "output_tokens": 1_607, "image_input_tokens": 1_105, "image_output_tokens": 1_584,
    }, None  # fmt: skip
    yield "at the border", {"input_tokens": border, "output_tokens": 1_009}, None
    yield "one above the border", {"input_tokens": border + 1, "output_tokens": 1_009}, None
    mixed = {
        "input_tokens": border + 1, "output_tokens": 1_013, "cached_input_tokens": border // 2 + 1,
        "cache_creation_input_tokens": 1_019, "cache_creation_1h_input_tokens": 401, "reasoning_tokens": 701,
    }  # fmt: skip
    yield "one above the border, mixed", mixed, None
    yield "huge", {"input_tokens": 2_000_000_011, "output_tokens": 1_000_000_007}, None
    yield "web searches", {"input_tokens": 2_003, "output_tokens": 401, "web_searches": 3}, None
    yield "everything at once", {
        "input_tokens": 100_003, "output_tokens": 3_001, "cached_input_tokens": 40_009,
        "cache_creation_input_tokens": 20_011, "cache_creation_1h_input_tokens": 5_003, "audio_input_tokens": 1_021,
        "image_input_tokens": 2_011, "reasoning_tokens": 1_031, "audio_output_tokens": 509, "image_output_tokens": 251,
        "web_searches": 2,
    }, None  # fmt: skip
    yield "flex", {
        "input_tokens": 1_237, "output_tokens": 351, "cached_input_tokens": 1_024, "audio_input_tokens": 103,
    }, "flex"  # fmt: skip
    yield "priority, one above the border, mixed", mixed | {"web_searches": 1}, "priority"


# ---- the others ----------------------------------------------------------------------------------------------------


def cost_of_genai_prices(label, name, usage, service_tier, day, hour):
    """Exact, in USD."""
    names = {
        "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cache_read_tokens": "cached_input_tokens",
        "cache_write_tokens": "cache_creation_input_tokens", "cache_write_1h_tokens": "cache_creation_1h_input_tokens",
        "output_reasoning_tokens": "reasoning_tokens", "input_audio_tokens": "audio_input_tokens",
        "output_audio_tokens": "audio_output_tokens", "input_image_tokens": "image_input_tokens",
        "output_image_tokens": "image_output_tokens", "web_searches": "web_searches",
    }  # fmt: skip
    counted = {theirs: usage.get(ours, 0) for theirs, ours in names.items()}
    # Said aloud, because genai-prices refuses to guess how cached and audio overlap.
    none_of = {"cache_audio_read_tokens": 0, "cache_image_read_tokens": 0}
    calculation = genai_prices.calc_price(
        genai_prices.Usage(**counted, **none_of),
        name,
        provider_id=label,
        genai_request_timestamp=datetime.combine(day, hour, timezone.utc),
        price_context={"service_tier": service_tier} if service_tier else None,
    )
    return calculation.total_price


def import_litellm(moment):
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm
    import litellm.litellm_core_utils.llm_cost_calc.utils as rule

    # litellm bills by the clock on the wall; the test by the day of its prices.
    rule.current_billing_time = lambda: moment
    return litellm


def cost_of_litellm(litellm, full_name, provider, usage, service_tier):
    """What its cost function says, in USD: a float, taken for the shortest decimal that stands for it."""
    from litellm.types.utils import (
        CacheCreationTokenDetails,
        CompletionTokensDetailsWrapper,
        PromptTokensDetailsWrapper,
        Usage,
    )

    count = lambda name: usage.get(name, 0)
    hour = count("cache_creation_1h_input_tokens")
    details = CacheCreationTokenDetails(
        ephemeral_5m_input_tokens=count("cache_creation_input_tokens") - hour, ephemeral_1h_input_tokens=hour
    )
    usage_object = Usage(
        prompt_tokens=count("input_tokens"),
        completion_tokens=count("output_tokens"),
        total_tokens=count("input_tokens") + count("output_tokens"),
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=count("cached_input_tokens"),
            cache_creation_tokens=count("cache_creation_input_tokens"),
            cache_creation_token_details=details if hour else None,
            audio_tokens=count("audio_input_tokens"),
            image_tokens=count("image_input_tokens"),
        ),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=count("reasoning_tokens"),
            audio_tokens=count("audio_output_tokens"),
            image_tokens=count("image_output_tokens"),
        ),
    )
    costs = litellm.cost_per_token(
        model=full_name,
        custom_llm_provider=provider,
        prompt_tokens=usage_object.prompt_tokens,
        completion_tokens=usage_object.completion_tokens,
        usage_object=usage_object,
        service_tier=service_tier,
    )
    return sum(Decimal(repr(float(part))) for part in costs)


# ---- why they differ -----------------------------------------------------------------------------------------------


def explained_by_genai_prices(label, name, usage, service_tier, day, price, ours, theirs):
    """The reason why genai-prices' cost is another, or `None`."""
    if generate.searches_always(f"{label}/{name}", {}):
        tokens = {count: value for count, value in usage.items() if count != "web_searches"}
        bare = {key: value for key, value in price.items() if key != "request_usd"}
        of_tokens = cost_of_genai_prices(label, name, tokens, service_tier, day, HOURS[0])
        if cost(bare, tokens, service_tier) == of_tokens.scaleb(12):
            return "a search is sold with each request"
    if label == "openrouter":
        own = {key: value for key, value in price.items() if key not in generate.MODALITIES}
        # Rounded up as below, some of them.
        if 0 <= cost(own, usage, service_tier) - theirs.scaleb(12) < max(1, usage.get("input_tokens", 0)):
            return "pictures and sounds cost what the maker's do"
    model = model_of_genai_prices(label, name)
    if generate.hours_with_own_price(model):
        dearest = sum(
            max(cost_of_genai_prices(label, name, part, service_tier, day, hour) for hour in HOURS)
            for part in of_one_rate_each(usage)
        )
        return "each rate is its dearest hour's" if dearest.scaleb(12) == ours else None
    rates = generate.rates_on(model, day, service_tier).values()
    fine = [rate for tiers in rates for rate in tiers.values() if -rate.as_tuple().exponent > generate.RATE_DIGITS]
    # Rounded up at the last digit, a rate is too high by less than a pico-USD a token.
    if fine and 0 < ours - theirs.scaleb(12) < usage.get("input_tokens", 0):
        return "a rate of more than six digits is rounded up"
    return None


def of_one_rate_each(usage):
    """Usages that are charged at a single rate each, and are the usage together."""
    for direction, kinds in (
        ("input_tokens", ("cached_input", "cache_creation_input", "audio_input", "image_input")),
        ("output_tokens", ("reasoning", "audio_output", "image_output")),
    ):
        left = usage.get(direction, 0)
        for kind in kinds:
            tokens = usage.get(f"{kind}_tokens", 0)
            left -= tokens
            yield {direction: tokens, f"{kind}_tokens": tokens}
        yield {direction: left}


def explained_by_litellm(price, usage, service_tier, full_name, raw, theirs):
    """The reason why litellm's cost is another, or `None`. Each gives litellm's number exactly."""
    rates = generate.price_of_litellm(raw[full_name])
    provider = raw[full_name]["litellm_provider"]
    tokens = {name: count for name, count in usage.items() if name != "web_searches"}
    by_the_token = {name: value for name, value in price.items() if name not in generate.ITEMS.values()}
    if equal(cost(by_the_token, tokens, service_tier), PICO, theirs):
        return "cost_per_token counts no searches and no requests"

    # The report lists them by this function and of this day; what it doesn't list is no reason.
    listed = any(generate.disagreements(price, rates))
    if listed and equal(cost(rates, tokens, service_tier, FINER), FINER, theirs):
        return "rates differ: see the report"
    if service_tier and equal(cost(rates, tokens, None, FINER), FINER, theirs):
        return "litellm's rule for this provider has no service tiers"
    if provider == "perplexity":
        uncached = {name: count for name, count in tokens.items() if "cache" not in name}
        if equal(cost(rates, uncached, None, FINER), FINER, theirs):
            return "litellm's rule for Perplexity has no cached price"
        shorter = raw.get(full_name.replace("perplexity/perplexity/", "perplexity/"))
        if shorter and equal(cost(generate.price_of_litellm(shorter), uncached, None, FINER), FINER, theirs):
            return "litellm strips the name's first part and finds another model"
    return None


def equal(ours, digits, theirs):
    """To the pico-dollar, or to a float's twelfth digit."""
    theirs_in_pico = theirs.scaleb(12)
    return abs(Decimal(ours).scaleb(PICO - digits) - theirs_in_pico) <= max(1, theirs_in_pico.scaleb(-12))


def model_of_genai_prices(label, name):
    provider = next(p for p in generate.genai_providers if p.id == label)
    return provider.find_model(name, all_providers=generate.genai_providers)


# ---- the test ------------------------------------------------------------------------------------------------------


class Test:
    def __init__(self, catalogue):
        self.day = generate.day_of("genai-prices")
        self.raw = generate.litellm_prices()
        # In the dear hours of what litellm prices by the hour.
        self.litellm = import_litellm(datetime.combine(self.day, HOURS[0], timezone.utc))
        self.litellm_names = {label: generate.litellm_names(label, self.raw) for label in generate.PROVIDERS}
        self.agreed = Counter()
        self.reasons = Counter()
        self.unexplained = []
        # What is in effect on the day of the sources: (price, [row with the cost by the rule, the cost by genai-prices
        # or `None` where that is another]).
        self.prices = []
        entries = {}
        for entry in catalogue["prices"]:
            entries.setdefault(entry["model"], []).append(entry)
        for model, of_model in entries.items():
            label, _, name = model.partition("/")
            # A name that the `*` stands for.
            name = re.sub(r"([-@])202\*$", r"\g<1>20260101", name).removesuffix("*")
            changes = [date.fromisoformat(entry["from"]) for entry in of_model if "from" in entry]
            for day in sorted({*changes, *(day - timedelta(days=1) for day in changes), self.day}):
                self.ask_genai_prices(label, name, begun(of_model, day), day)
            self.ask_litellm(label, name, begun(of_model, self.day))

    def ask_genai_prices(self, label, name, price, day):
        rows = []
        hours = HOURS if generate.hours_with_own_price(model_of_genai_prices(label, name)) else HOURS[:1]
        for case, usage, service_tier in usages(border_of(price)):
            ours = cost(price, usage, service_tier)
            theirs = [cost_of_genai_prices(label, name, usage, service_tier, day, hour) for hour in hours]
            for of_hour in theirs:
                reason = "equal"
                if of_hour.scaleb(12) != ours:
                    reason = explained_by_genai_prices(label, name, usage, service_tier, day, price, ours, of_hour)
                self.note("genai-prices", reason, f"{price['model']} on {day}", case, ours, of_hour)

            row = {"case": case, "usage": usage} | ({"service_tier": service_tier} if service_tier else {})
            row["cost_nanousd"] = nano_usd(ours)
            dearest = max(theirs)
            rows.append((row, math.ceil(dearest.scaleb(9)) if dearest.scaleb(12) == ours else None))
        if day == self.day:
            self.prices.append((price, rows))

    def ask_litellm(self, label, name, price):
        full_name = self.litellm_names[label].get(name)
        if not full_name or not generate.price_of_litellm(self.raw[full_name]):
            return
        for case, usage, service_tier in usages(border_of(price)):
            ours = cost(price, usage, service_tier)
            provider = self.raw[full_name]["litellm_provider"]
            theirs = cost_of_litellm(self.litellm, full_name, provider, usage, service_tier)
            reason = "equal"
            if not equal(ours, PICO, theirs):
                reason = explained_by_litellm(price, usage, service_tier, full_name, self.raw, theirs)
            self.note("litellm", reason, price["model"], case, ours, theirs)

    def note(self, source, reason, model, case, ours, theirs):
        if reason == "equal":
            self.agreed[source] += 1
        elif reason:
            self.reasons[source, reason] += 1
        else:
            self.unexplained.append(f"{model}, {case}: {ours} pico-USD here, {theirs} USD by {source}")


def shape(price, within=""):
    """The names of all fields of a price: prices of one shape take the same way through the rule."""
    fields = set()
    for name, value in price.items():
        if isinstance(value, dict):
            fields |= shape(value, f"{within}{name}.")
        elif isinstance(value, list):
            fields = fields.union(*(shape(tier, f"{within}{name}.{place}.") for place, tier in enumerate(value)))
        elif name not in ("model", "from"):
            fields.add(within + name)
    return frozenset(fields)


def of_every_shape(prices, number):
    """One price of every shape, then one of every provider that is still missing, then the first by name."""
    chosen, shapes, labels = [], set(), set()

    def choose(wanted):
        for price, rows in prices:
            if all(theirs is None for _, theirs in rows):
                continue
            label = price["model"].partition("/")[0]
            if len(chosen) < number and (price, rows) not in chosen and wanted(price, label):
                chosen.append((price, rows))
                shapes.add(shape(price))
                labels.add(label)

    choose(lambda price, label: shape(price) not in shapes)
    choose(lambda price, label: label not in labels)
    choose(lambda price, label: True)
    return sorted(chosen, key=lambda of: of[0]["model"])


def as_json(prices):
    """A price on one line, and each of its rows."""
    blocks = []
    for price, rows in prices:
        cases = ",\n".join(json.dumps(row) for row in rows)
        blocks.append(f'{{"price": {json.dumps(price)}, "cases": [\n{cases}\n]}}')
    return "[\n" + ",\n".join(blocks) + "\n]\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("catalogue", type=Path)
    arguments.add_argument("--cases", type=Path, required=True, help="where all rows go, with the cost by the rule")
    arguments.add_argument("--fixture", type=Path, required=True, help="where 55 prices go, with genai-prices' cost")
    arguments = arguments.parse_args()
    test = Test(json.loads(arguments.catalogue.read_text()))

    arguments.cases.write_text(as_json((price, [row for row, _ in rows]) for price, rows in test.prices))
    of_genai_prices = [
        (price, [row | {"cost_nanousd": theirs} for row, theirs in rows if theirs is not None])
        for price, rows in of_every_shape(test.prices, 55)
    ]
    arguments.fixture.write_text(as_json(of_genai_prices))

    print(f"{len(test.prices)} names, {sum(len(rows) for _, rows in test.prices)} rows of what is in effect")
    for source, count in test.agreed.items():
        print(f"{source}: {count} equal")
        for (of, reason), explained in sorted(test.reasons.items()):
            if of == source:
                print(f"  {explained} differ: {reason}")
    print(f"{len(test.unexplained)} unexplained")
    print("\n".join(test.unexplained[:40]))
    return 1 if test.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
