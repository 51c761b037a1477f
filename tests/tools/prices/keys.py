"""Every price key of the two sources is read by the catalogue, or has a reason here: a new kind of price is a red test and not a gap.

Of the sources only the providers in the catalogue are looked at.
"""

import re
import sys

from genai_prices import types
from genai_prices.data import providers as genai_providers

import generate

BATCH = "of batches, which the gateway refuses"
BY_OPERATOR = "a key of an entry, which the operator writes: the sources have it for few models, and in units of their own"
OTHER_API = "of an API that the gateway doesn't meter, and answers 404 for"
MODALITY = "no answer counts it apart; the plain rate of its side is for it"
CACHED = "what was cached has one rate, whatever it was"
SECOND = "a second opinion on tokens and not more: the catalogue follows the other source"
SAME = "the same price in another unit or under another name"

OF_LITELLM = {
    r".*_batches": BATCH,
    r"annotation_cost_per_page|ocr_cost_per_.*": OTHER_API,
    r"cache_(creation|read)_input_audio_token_cost|cache_read_input_image_token_cost": CACHED,
    r".*_(ultrafast|balanced|decisions)": "of a tier that the other source has, where an answer names it",
    r"citation_cost_per_token": "what is cited is in the usage's input",
    r"code_interpreter_cost_per_session": BY_OPERATOR,
    r"(input_|output_)?cost_per_second(_.*)?": BY_OPERATOR,
    r"explicit_cache_read_input_token_cost|input_cost_per_token_cache_hit": SAME,
    r"google_maps_grounding_cost_per_query": "the tool has no price, and is refused or answered for by the operator",
    r"guardrail_cost_per_unit.*": "of the operator's own guardrails",
    r"input_cost_per_(audio|video)_per_second.*|(in|out)put_cost_per_video_.*": MODALITY,
    r"(in|out)put_cost_per_character.*": BY_OPERATOR,
    r"(in|out)put_cost_per_(image(_above.*|_[0-9.]+K?)?|pixel)": BY_OPERATOR,
    r"input_cost_per_(query|request|text_message)": SECOND,
    r"metadata\..*": SAME,
    r"off_peak_pricing.*": "of each rate the dearest hour counts all day",
    r"output_cost_per_second_.*": OTHER_API,
    r"search_context_cost_per_query.*": SECOND,
}
# Of those the rates that are held against the other source's.
READ_OF_LITELLM = re.compile(rf"({'|'.join(generate.LITELLM_RATES.values())})(_above_\d+k?_tokens)?(_flex|_priority)?")

OF_GENAI = {
    "cache_audio_read_mtok": CACHED,
    "cache_image_read_mtok": CACHED,
    "input_video_mtok": MODALITY,
    "output_video_mtok": MODALITY,
    "output_citation_mtok": "what is cited is in the usage's input",
    "(input_)?audio_hours": BY_OPERATOR,
    "input_mchars": BY_OPERATOR,
    "input_text_messages_kcount": OTHER_API,
    "input_(annotated_)?document_kpages": OTHER_API,
}


def keys_of(price, before=""):
    for key, value in price.items():
        yield before + key
        for inner in [value] if isinstance(value, dict) else value if isinstance(value, list) else []:
            if isinstance(inner, dict):
                yield from keys_of(inner, f"{before}{key}[]." if isinstance(value, list) else f"{before}{key}.")


def of_litellm():
    ours = {provider for names in generate.PROVIDERS.values() for provider, _ in names}
    for price in generate.litellm_prices().values():
        if price.get("litellm_provider") in ours:
            yield from (key for key in keys_of(price) if re.search(r"cost|price|pricing|usd|fee", key))


def prices_of(model):
    for prices in [model.prices, *(variant.prices for variant in model.price_variants or [])]:
        yield from ((one.prices for one in prices) if isinstance(prices, list) else [prices])


def of_genai():
    for provider in genai_providers:
        for model in provider.models if provider.id in generate.PROVIDERS else []:
            for price in prices_of(model):
                yield from (key for key, value in price.__dict__.items() if value is not None and not key.startswith("_"))


def unread(keys, is_read, listed):
    """The keys that nobody reads, and the rows of the list that nobody needs."""
    keys = {key for key in keys if not is_read(key)}
    matches = {key: [row for row in listed if re.fullmatch(row, key)] for key in keys}
    needed = {row for rows in matches.values() for row in rows}
    return {key for key, rows in matches.items() if not rows}, set(listed) - needed


def main():
    wrong = []
    for source, keys, is_read, listed in (
        ("litellm", of_litellm(), READ_OF_LITELLM.fullmatch, OF_LITELLM),
        ("genai-prices", of_genai(), lambda key: key in generate.RATES or key in generate.ITEMS, OF_GENAI),
    ):
        seen = set(keys)
        new, old = unread(seen, is_read, listed)
        wrong += [f"{source} has the price `{key}`, which the catalogue neither reads nor leaves out for a reason" for key in sorted(new)]
        wrong += [f"{source} has no price like `{row}` any more; take it out of tests/tools/prices/keys.py" for row in sorted(old)]
        print(f"{source}: {len(seen)} price keys")
    invented, _ = unread(["input_cost_per_smell"], READ_OF_LITELLM.fullmatch, OF_LITELLM)
    assert invented, "an invented price passes"
    print("\n".join(wrong) or "each is read, or left out for a reason")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
