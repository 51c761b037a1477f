"""For who chooses models: would a shadow's model do as well, for how much less, and how fast, and for which prompts?"""

from panels import BAD, GOOD, PLAIN, WARN, Sql, bars, board, choice_of_records, lines, number, records, source

PAIRS = """\
from ai_gateway.pairs
where shadow = '$shadow' and time between to_timestamp(${__from} / 1000.0) and to_timestamp(${__to} / 1000.0)"""
BUCKET = "floor(extract(epoch from time) * 1000 / ${__interval_ms}) * ${__interval_ms} / 1000"
SIZES = {0: "below 500", 500: "500 to 1,999", 2000: "2,000 to 7,999", 8000: "8,000 to 31,999", 32000: "32,000 or more"}

BOTH = "filter (where both_answered)"
ANSWERED = "avg((outcome = 'success')::int)"
SHADOW_ANSWERED = "avg((shadow_outcome = 'success')::int)"
COST = "sum(shadow_cost_nanousd) / nullif(sum(cost_nanousd), 0)"


def typical(what):
    """Of ratios, so that one slow answer doesn't decide it."""
    one, other = (f"case when {value} < 1 then 1 else {value} end" for value in (what, f"shadow_{what}"))
    return f"exp(avg(ln((({other}) / ({one}))::float8)) {BOTH})"


def agreement(what):
    return f"avg({what}::int) {BOTH}"


SIMILARITY = f"avg(similarity) {BOTH}"


def figure(expression):
    return Sql(f'select ({expression})::float8 as "Value"\n{PAIRS}')


def over_time(**columns):
    """By name, with `_` for a blank."""
    named = {name.replace("_", " "): expression for name, expression in columns.items()}
    shown = ", ".join(f'({expression})::float8 as "{name}"' for name, expression in named.items())
    return Sql(f"select {BUCKET} as time, {shown}\n{PAIRS}\ngroup by 1\norder by 1", *named)


def by_size(expression):
    """A column for each size: without prompts of that size it is empty."""
    of_size = ", ".join(
        f"max(value) filter (where prompt_tokens_from = {low}) as \"{name}\"" for low, name in SIZES.items()
    )
    return Sql(f"select {of_size}\nfrom (select prompt_tokens_from, ({expression})::float8 as value\n{PAIRS}\ngroup by 1) as sizes")


# Dearer and slower than what it would replace.
TO_IT = (GOOD, 1, BAD)

GLANCE = [
    number("Pairs", "Requests with their copies, in the time chosen. Of fewer than some hundreds, what stands here swings: `make compare-shadow` says how far.", figure("count(*)"), "locale", decimals=0),
    number(
        "Answered, original",
        "Share of these requests that got a whole answer: what the shadow has to reach.",
        figure(ANSWERED),
        "percentunit",
        decimals=1,
    ),
    number(
        "Answered, shadow",
        "Share of the copies that got a whole answer; why the others didn't, the last table says. Its budgets may have refused them.",
        figure(SHADOW_ANSWERED),
        "percentunit",
        (BAD, 0.95, WARN, 0.99, GOOD),
        decimals=1,
    ),
    number("Relative cost", "What the copies cost, for each dollar that their requests cost.", figure(COST), "percentunit", TO_IT, decimals=0),
    number(
        "Relative first token",
        "How long the shadow typically takes to its first token, where the original takes 100 %.",
        figure(typical("first_token_ms")),
        "percentunit",
        TO_IT,
        decimals=0,
    ),
    number(
        "Ended alike",
        "Share of pairs whose answers ended for the same reason: said all, at the bound, with calls, refused.",
        figure(agreement("same_finish")),
        "percentunit",
        (BAD, 0.8, WARN, 0.95, GOOD),
        decimals=1,
    ),
    number(
        "Called alike",
        "Where one of them called tools: share of pairs that called the same with the same arguments.",
        figure(agreement("same_arguments")),
        "percentunit",
        (BAD, 0.6, WARN, 0.9, GOOD),
        decimals=1,
        nothing="no calls",
    ),
    number(
        "Similarity",
        "Of the texts, on average: 100 % are the same words, 0 % have none in common. Two good answers may well differ.",
        figure(SIMILARITY),
        "percentunit",
        (PLAIN,),
        decimals=0,
        nothing="no texts",
    ),
]

OVER_TIME = [
    lines(
        "Cost per request",
        "Of pairs alone, so both have the same prompts.",
        over_time(original="avg(cost_nanousd) / 1e9", shadow="avg(shadow_cost_nanousd) / 1e9"),
        "currencyUSD",
        width=12,
    ),
    lines(
        "First token, median",
        "Of pairs in which both answered; where an answer comes in one piece, its first byte.",
        over_time(
            original=f"percentile_cont(0.5) within group (order by first_token_ms::float8) {BOTH} / 1000",
            shadow=f"percentile_cont(0.5) within group (order by shadow_first_token_ms::float8) {BOTH} / 1000",
        ),
        "s",
        width=12,
    ),
    lines(
        "Not answered",
        "Share without a whole answer, whatever the reason; the table below has the reasons.",
        over_time(original=f"1 - {ANSWERED}", shadow=f"1 - {SHADOW_ANSWERED}"),
        "percentunit",
        width=12,
    ),
    lines(
        "Agreement",
        "How alike the answers are: a step is a new version of a model, or of your prompts.",
        over_time(ended_alike=agreement("same_finish"), called_alike=agreement("same_arguments"), similarity=SIMILARITY),
        "percentunit",
        width=12,
        at_most=1,
    ),
]

BY_SIZE = [
    bars("Relative cost", "The shadow's for 100 % of the original's, by the tokens of the prompt: where it is cheaper, and where it isn't.", by_size(COST), "percentunit", TO_IT, width=6, height=7),
    bars(
        "Relative first token",
        "The same of times: a smaller model may be quick with short prompts only.",
        by_size(typical("first_token_ms")),
        "percentunit",
        TO_IT,
        width=6,
        height=7,
    ),
    bars("Answered, shadow", "Long prompts may not fit its context.", by_size(SHADOW_ANSWERED), "percentunit", (BAD, 0.95, WARN, 0.99, GOOD), width=6, height=7, at_most=1),
    bars("Ended alike", "Where models begin to differ, by the tokens of the prompt.", by_size(agreement("same_finish")), "percentunit", (BAD, 0.8, WARN, 0.95, GOOD), width=6, height=7, at_most=1),
    records(
        "All of it, by the tokens of the prompt",
        "Costs are of all pairs, for failures cost, too; the rest is of those in which both answered. `make compare-shadow` gives the intervals.",
        f"""\
select prompt_tokens_from as "From", count(*) as "Pairs",
  (avg(cost_nanousd) / 1e9)::float8 as "Cost", (avg(shadow_cost_nanousd) / 1e9)::float8 as "Shadow's cost",
  ({typical("duration_ms")})::float8 as "Rel. duration", ({typical("output_tokens")})::float8 as "Rel. output",
  ({agreement("same_finish")})::float8 as "Ended alike", ({agreement("same_tools")})::float8 as "Same tools",
  ({agreement("same_arguments")})::float8 as "Same arguments", ({SIMILARITY})::float8 as "Similarity"
{PAIRS}
group by 1
order by 1""",
        {
            "From": ("locale", 0, None),
            "Pairs": ("locale", 0, None),
            "Cost": ("currencyUSD", 6, None),
            "Shadow's cost": ("currencyUSD", 6, None),
            "Rel. duration": ("percentunit", 0, TO_IT),
            "Rel. output": ("percentunit", 0, None),
            "Ended alike": ("percentunit", 1, None),
            "Same tools": ("percentunit", 1, None),
            "Same arguments": ("percentunit", 1, None),
            "Similarity": ("percentunit", 0, None),
        },
        width=16,
        height=7,
    ),
    records(
        "How the copies ended",
        "Outcomes of copies, and of their requests beside them.",
        f"""\
select shadow_outcome as "Shadow", outcome as "Original", count(*) as "Pairs"
{PAIRS}
group by 1, 2
order by 3 desc
limit 20""",
        {"Pairs": ("locale", 0, None)},
        width=8,
        height=7,
    ),
]

BOARD = board(
    "ai-gateway-compare",
    "AI gateway: which model?",
    "For who chooses models: a shadow beside what answered, on the same requests. All of it comes from the records in PostgreSQL.",
    [
        source("datasource", "Prometheus", "prometheus"),
        source("records", "Records", "grafana-postgresql-datasource"),
        choice_of_records("shadow", "select distinct shadow from ai_gateway.pairs where time > now() - interval '90 days' order by 1"),
    ],
    [
        ("At a glance", GLANCE),
        ("Over time", OVER_TIME),
        ("By the size of the prompt", BY_SIZE),
    ],
    span="now-7d",
)
