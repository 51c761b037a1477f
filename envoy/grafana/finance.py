"""For who pays: what is spent, by whom, on what, what it will come to, and whether the figures can be trusted."""

from panels import BAD, GOOD, PLAIN, WARN, bars, board, choice, lines, listing, number, records, source

SERVED = 'provider=~"$provider", model=~"$model"'
TENANT = 'tenant=~"$tenant"'
CHARGED = f"{SERVED}, {TENANT}"

REST_OF_DAY = "(86400 - time() % 86400)"
AT_MIDNIGHT = (
    f"sum by (tenant) (ai_gateway_spent_today_usd{{{TENANT}}})"
    f" + sum by (tenant) (rate(ai_gateway_cost_usd_total{{{TENANT}}}[1h])) * {REST_OF_DAY}"
)
USED = (
    f"sum by (tenant) (ai_gateway_spent_{{period}}_usd{{{{{TENANT}}}}})"
    f" / (sum by (tenant) (ai_gateway_budget_{{period}}_usd{{{{{TENANT}}}}}) > 0)"
)
CAPTURED = (BAD, 0.99, GOOD)
FULL = (GOOD, 0.6, WARN, 0.8, BAD)


def spend(by):
    """Dollars an hour."""
    return f"sum by ({by}) (rate(ai_gateway_cost_usd_total{{{CHARGED}}}[$__rate_interval])) * 3600"


def per_request(by, over):
    return (
        f"sum{by} (rate(ai_gateway_cost_usd_total{{{SERVED}}}[{over}]))"
        f" / (sum{by} (rate(ai_gateway_usage_total{{{SERVED}}}[{over}])) > 0)"
    )


def per_thousand(by, over):
    return (
        f"1000 * sum{by} (rate(ai_gateway_cost_usd_total{{{CHARGED}}}[{over}]))"
        f" / (sum{by} (rate(ai_gateway_tokens_total{{{CHARGED}}}[{over}])) > 0)"
    )


def cached(by, over):
    return (
        f'sum{by} (rate(ai_gateway_tokens_by_kind_total{{{SERVED}, kind="cached_input"}}[{over}]))'
        f' / (sum{by} (rate(ai_gateway_tokens_total{{{SERVED}, direction="input"}}[{over}])) > 0)'
    )


GLANCE = [
    number(
        "Spent today",
        "Since midnight UTC, in the books of all Envoys.",
        f"sum(ai_gateway_spent_today_usd{{{TENANT}}})",
        "currencyUSD",
        decimals=3,
    ),
    number(
        "Spent this month",
        "Since the first, UTC, as long as Envoy has run; invoices are made from the records, below.",
        f"sum(ai_gateway_spent_this_month_usd{{{TENANT}}})",
        "currencyUSD",
        decimals=3,
    ),
    number(
        "At midnight",
        "What today comes to if it goes on like the last hour.",
        f"sum({AT_MIDNIGHT})",
        "currencyUSD",
        decimals=3,
    ),
    number(
        "Reserved",
        "Set aside for the worst case of requests under way; the rest comes back when they end.",
        f"sum(ai_gateway_reserved_usd{{{TENANT}}})",
        "currencyUSD",
        decimals=3,
    ),
    number(
        "Cost of a request",
        "Average over an hour of what was let pass; the alert fires above $0.05: see which model and tenant below.",
        per_request("", "1h"),
        "currencyUSD",
        (GOOD, 0.025, WARN, 0.05, BAD),
        decimals=5,
    ),
    number(
        "Cost of 1,000 tokens",
        "Input and output together, over an hour: a cheaper mix of models brings it down.",
        per_thousand("", "1h"),
        "currencyUSD",
        decimals=5,
    ),
    number(
        "Spend capture",
        "Share of spend whose usage the provider told, over an hour; below 99 % ask the operator why the rest is estimated.",
        "gateway:ai_gateway_spend_capture:ratio_rate1h",
        "percentunit",
        CAPTURED,
        decimals=1,
    ),
    number(
        "Cached input",
        "Share of input tokens that providers charge less for, over an hour; prompts that begin alike raise it.",
        cached("", "1h"),
        "percentunit",
        decimals=1,
    ),
]

TENANTS = [
    listing(
        "Tenants",
        "Spent and left of each, and what today comes to at the last hour's pace; tell who is red, or raise its budget.",
        {"tenant": "Tenant"},
        {
            "Today": (f"sum by (tenant) (ai_gateway_spent_today_usd{{{TENANT}}})", "currencyUSD", 4, None),
            "Budget": (f"sum by (tenant) (ai_gateway_budget_today_usd{{{TENANT}}})", "currencyUSD", 2, None),
            "Used": (USED.format(period="today"), "percentunit", 0, FULL),
            "At midnight": (AT_MIDNIGHT, "currencyUSD", 4, None),
            "This month": (f"sum by (tenant) (ai_gateway_spent_this_month_usd{{{TENANT}}})", "currencyUSD", 4, None),
        },
        width=14,
        height=9,
        sort="Today",
    ),
    bars(
        "Budgets used",
        "Of the day and, where there is one, of the month; orange from 60 %, red from 80 % where the alert fires; at 100 % a tenant gets 402.",
        {"{{tenant}}, today": f"sort_desc({USED.format(period='today')})", "{{tenant}}, month": USED.format(period="this_month")},
        "percentunit",
        FULL,
        width=10,
        height=9,
        at_most=1,
        decimals=0,
    ),
]

WHERE = [
    lines(
        "Spend an hour, by tenant",
        "Who spends, at the pace of each moment; a step up that stays is a new use: ask the tenant.",
        {"{{tenant}}": spend("tenant")},
        "currencyUSD",
        stacked=True,
    ),
    lines(
        "Spend an hour, by model",
        "What it is spent on; a dear model that few need is best left out of `models`.",
        {"{{model}}": spend("model")},
        "currencyUSD",
        stacked=True,
    ),
    lines(
        "Spend an hour, by provider",
        "Who is paid; it moves when one fails and another takes over.",
        {"{{provider}}": spend("provider")},
        "currencyUSD",
        stacked=True,
    ),
    bars(
        "Dearest tenants",
        "The ten that spent most in the time shown.",
        {"{{tenant}}": f"sort_desc(topk(10, sum by (tenant) (increase(ai_gateway_cost_usd_total{{{CHARGED}}}[$__range]))))"},
        "currencyUSD",
        decimals=4,
    ),
    lines(
        "Cost of a request, by model",
        "Of what was let pass, all tenants; where it rises, prompts or answers have grown.",
        {"{{model}}": per_request(" by (model)", "5m")},
        "currencyUSD",
    ),
    lines(
        "Cost of 1,000 tokens, by model",
        "Input and output together; it moves with the share of output, of caches, and with prices.",
        {"{{model}}": per_thousand(" by (model)", "5m")},
        "currencyUSD",
    ),
]

TRUST = [
    lines(
        "Spend capture, by provider",
        "Share of spend whose usage was told; below the line the alert fires: answers broke off, or the provider tells none.",
        {"{{provider}}": 'provider:ai_gateway_spend_capture:ratio_rate1h{provider=~"$provider"}'},
        "percentunit",
        borders=[BAD, 0.99, GOOD],
        around=0.95,
        at_most=1,
    ),
    lines(
        "Spend an hour, told and estimated",
        "By where its usage comes from; estimates are for answers that broke off or told nothing.",
        {"{{source}}": f"sum by (source) (rate(ai_gateway_spend_usd_total{{{SERVED}}}[$__rate_interval])) * 3600"},
        "currencyUSD",
        stacked=True,
    ),
    lines(
        "How far off estimates are",
        "Estimates of answers that told their usage, beside what they told; a model that stays high tells its tokens in a way of its own.",
        {
            "{{direction}}": (
                'sum by (direction) (rate(ai_gateway_estimate_error_tokens_total{model=~"$model"}[5m]))'
                ' / (sum by (direction) (rate(ai_gateway_estimate_reported_tokens_total{model=~"$model"}[5m])) > 0)'
            )
        },
        "percentunit",
    ),
    listing(
        "Providers, and what they say",
        "Some say what they bill (OpenRouter, xAI): then what was charged for the same models stands beside it. Where it differs, mend `prices`.",
        {"provider": "Provider"},
        {
            "Spent": (f"sum by (provider) (increase(ai_gateway_cost_usd_total{{{CHARGED}}}[$__range]))", "currencyUSD", 4, None),
            "Compared": (
                f"sum by (provider) (sum by (provider, model) (increase(ai_gateway_cost_usd_total{{{SERVED}}}[$__range]))"
                " and on (provider, model) ai_gateway_provider_cost_usd_total)",
                "currencyUSD",
                4,
                None,
            ),
            "They say": (f"sum by (provider) (increase(ai_gateway_provider_cost_usd_total{{{SERVED}}}[$__range]))", "currencyUSD", 4, None),
            "Differ": (
                f"sum by (provider) (increase(ai_gateway_provider_cost_differs_total{{{SERVED}}}[$__range]))",
                "locale",
                0,
                (GOOD, 1, WARN),
            ),
        },
        width=8,
        sort="Spent",
    ),
    lines(
        "Input read from caches, by model",
        "Share of input tokens that cost less; providers cache prompts that begin alike and are long enough.",
        {"{{model}}": cached(" by (model)", "5m")},
        "percentunit",
    ),
    lines(
        "Tokens a minute",
        "What the money buys, by direction.",
        {"{{direction}}": f"sum by (direction) (rate(ai_gateway_tokens_total{{{CHARGED}}}[$__rate_interval])) * 60"},
        stacked=True,
    ),
]

MONTHS = "date_trunc('month', now() at time zone 'UTC') - interval '2 months'"
RECORDS = [
    records(
        "Invoices",
        "This month and the two before, exact to the nano-dollar; every tenant by its name, whatever the choices above.",
        f"""\
select to_char(month, 'YYYY-MM') as "Month", tenant as "Tenant", sum(requests)::bigint as "Requests",
  sum(input_tokens)::bigint as "Input", sum(output_tokens)::bigint as "Output", sum(cost_usd)::float8 as "Cost",
  coalesce(sum(estimated_nanousd) / nullif(sum(cost_nanousd), 0), 0)::float8 as "Estimated"
from ai_gateway.invoices
where month >= {MONTHS} and cost_nanousd > 0
group by month, tenant
order by month desc, sum(cost_nanousd) desc""",
        {
            "Requests": ("locale", 0, None),
            "Input": ("locale", 0, None),
            "Output": ("locale", 0, None),
            "Cost": ("currencyUSD", 6, None),
            "Estimated": ("percentunit", 1, (GOOD, 0.01, WARN)),
        },
    ),
    records(
        "This month's dearest",
        "Twenty tenants and models that cost most this month; the last column is what to bring down.",
        """\
select tenant as "Tenant", model as "Model", provider as "Provider", requests::bigint as "Requests",
  cost_usd::float8 as "Cost", (cost_usd / nullif(requests, 0))::float8 as "A request"
from ai_gateway.invoices
where month = date_trunc('month', now() at time zone 'UTC') and cost_nanousd > 0
order by cost_nanousd desc
limit 20""",
        {"Requests": ("locale", 0, None), "Cost": ("currencyUSD", 6, None), "A request": ("currencyUSD", 6, None)},
    ),
]

BOARD = board(
    "ai-gateway-finance",
    "AI gateway: what does it cost?",
    "For who pays. Days and months are UTC. Panels over time are drawn through samples; invoices come from the records, exactly.",
    [
        source("datasource", "Prometheus", "prometheus"),
        source("records", "Records", "grafana-postgresql-datasource"),
        choice("tenant", "label_values(ai_gateway_cost_usd_total, tenant)"),
        choice("model", "label_values(ai_gateway_cost_usd_total, model)"),
        choice("provider", "label_values(ai_gateway_cost_usd_total, provider)"),
    ],
    [
        ("Today and this month", GLANCE),
        ("Tenants and their budgets", TENANTS),
        ("Where it goes", WHERE),
        ("Whether the figures can be trusted", TRUST),
        ("From the records (PostgreSQL)", RECORDS),
    ],
    span="now-24h",
    timezone="utc",
)
