"""For who calls it, as one tenant: do my requests work, why not, how fast are they, what is left of my budget."""

from panels import BAD, GOOD, PLAIN, WARN, bars, board, choice, lines, number, source, words
from vocabulary import CODES, REFUSED

MINE = 'tenant="$tenant", provider=~"$provider", model=~"$model"'
# Durations have no tenant: they are of the models that this tenant uses.
MODELS = 'provider=~"$provider", model=~"$model"'
BOOKS = 'tenant="$tenant"'

# Status, meaning, what to do.
MEANINGS = {
    "success": (200, "an answer", ""),
    "invalid_request": (400, "not JSON, or a field missing, repeated or wrong", "the error's message names the field"),
    "tenant_missing": (401, "no tenant", "send your key, or the tenant's header"),
    "tenant_unknown": (403, "a tenant that isn't configured", "ask the operator"),
    "model_not_allowed": (403, "not among your models", "choose another, or ask for it"),
    "model_not_found": (404, "no provider here serves it", "check its spelling; `/v1/models` may list them"),
    "model_unpriced": (404, "a model without a price", "check its spelling; ask the operator"),
    "response_not_found": (404, "a stored response that isn't known to be yours", "send the whole conversation again"),
    "content_refused": (400, "a rule doesn't let its text through", "the message names the rule, and what it found where"),
    "tool_not_allowed": (400, "it offers or calls a tool that isn't yours to use", "leave the tool out that the message names"),
    "request_budget_exceeded": (402, "its worst case costs more than one request may", "lower `max_tokens`, or a cheaper model"),
    "daily_budget_exceeded": (402, "its worst case doesn't fit what is left today", "wait for midnight UTC; a lower `max_tokens` may fit"),
    "monthly_budget_exceeded": (402, "the same, of this month", "ask for more"),
    "budget_exhausted": (200, "your budget ran out in the middle of a stream", "ask for less; what came is charged"),
    "rate_limited": (429, "too many requests in a minute, an hour or a day", "wait for `retry-after`"),
    "expensive_rate_limited": (429, "too many dear requests in a minute", "wait, or a cheaper model"),
    "token_rate_limited": (429, "too many tokens in a minute", "wait; send less at a time"),
    "in_flight_limited": (429, "too many unfinished requests at once", "send bodies whole; wait for `retry-after`"),
    "request_too_large": (413, "the body is too long", "send less"),
    "unsupported_encoding": (415, "the body came compressed", "send it as it is, without a `content-encoding`"),
    "internal_error": (500, "the gateway failed", "try again; report it with the request id"),
    "provider_unavailable": (503, "no provider answered", "wait a little and try again"),
    "provider_rejected": ("4xx", "the provider refused this request", "its message says why"),
    "provider_rate_limited": (429, "the gateway's own quota there is used up", "wait for `retry-after`; tell the operator"),
    "provider_error": ("5xx", "the provider failed", "try again"),
    "provider_aborted": ("200", "the answer broke off", "ask anew; what came is charged"),
    "client_closed": ("200", "you left before the end", "raise your timeout; what was made is charged"),
}
assert list(MEANINGS) == CODES, "the meanings are not those of the alerts' vocabulary"


def quantile(q, histogram, by="model", more=""):
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({histogram}_bucket{{{MODELS}{more}}}[5m])))"


def per_second(by):
    """Tokens of a stream a second: what each took, the other way up."""
    pace = "ai_gateway_time_per_output_token_seconds"
    return f"sum{by} (rate({pace}_count{{{MODELS}}}[5m])) / (sum{by} (rate({pace}_sum{{{MODELS}}}[5m])) > 0)"


USED = f"max(ai_gateway_spent_today_usd{{{BOOKS}}} / (ai_gateway_budget_today_usd{{{BOOKS}}} > 0))"
DURATION = "ai_gateway_request_duration_seconds"

GLANCE = [
    number(
        "Requests",
        "Of mine, a minute; the next panel says how many got an answer.",
        f"sum(rate(ai_gateway_requests_total{{{MINE}}}[5m])) * 60",
        "reqpm",
        decimals=1,
    ),
    number(
        "Answered",
        "Share of my requests that got a whole answer, over 5 minutes; below is what became of the others.",
        f'sum(rate(ai_gateway_requests_total{{{MINE}, status="success"}}[5m])) / sum(rate(ai_gateway_requests_total{{{MINE}}}[5m]))',
        "percentunit",
        (BAD, 0.8, WARN, 0.95, GOOD),
        decimals=1,
    ),
    number(
        "Refused",
        "Share of my requests that a limit, a budget or a rule refused: the table below says what to do about each code.",
        f'(sum(rate(ai_gateway_requests_total{{{MINE}, status=~"{REFUSED}"}}[5m])) or vector(0)) / sum(rate(ai_gateway_requests_total{{{MINE}}}[5m]))',
        "percentunit",
        (GOOD, 0.05, WARN, 0.2, BAD),
        decimals=1,
    ),
    number(
        "First token, median",
        "Until a stream begins, of the models I use; a smaller model or a shorter prompt begins sooner.",
        f"histogram_quantile(0.5, sum by (le) (rate(ai_gateway_time_to_first_token_seconds_bucket{{{MODELS}}}[5m])))",
        "s",
    ),
    number(
        "Speed of streams",
        "Tokens a second once a stream has begun, of the models I use.",
        per_second(""),
        "short",
        decimals=0,
    ),
    number(
        "Today's budget used",
        "Of the fullest Envoy; at 100 % requests get 402 until midnight UTC.",
        USED,
        "percentunit",
        (GOOD, 0.6, WARN, 0.8, BAD),
        decimals=0,
        nothing="no budget",
    ),
    number(
        "Left today",
        "Budget less what is spent and what requests under way have reserved, on all Envoys.",
        f"sum(ai_gateway_budget_today_usd{{{BOOKS}}}) - sum(ai_gateway_spent_today_usd{{{BOOKS}}}) - sum(ai_gateway_reserved_usd{{{BOOKS}}})",
        "currencyUSD",
        decimals=4,
        nothing="no budget",
    ),
    number(
        "Cost of 1,000 tokens",
        "Mine, over an hour, input and output together: a cheaper model or a cached prompt brings it down.",
        f"1000 * sum(rate(ai_gateway_cost_usd_total{{{MINE}}}[1h])) / (sum(rate(ai_gateway_tokens_total{{{MINE}}}[1h])) > 0)",
        "currencyUSD",
        decimals=5,
    ),
]

REQUESTS = [
    lines(
        "My requests, by how they end",
        "A minute; everything but `success` is explained beside it.",
        {"{{status}}": f"sum by (status) (rate(ai_gateway_requests_total{{{MINE}}}[$__rate_interval])) * 60"},
        "reqpm",
        width=9,
        height=9,
        stacked=True,
    ),
    words(
        "What the codes mean",
        "The `code` of an error's body, and what to do.",
        "| code | HTTP | meaning | what to do |\n|---|---|---|---|\n"
        + "\n".join(f"| `{code}` | {http} | {means} | {do} |" for code, (http, means, do) in MEANINGS.items() if do),
        width=15,
        height=18,
    ),
    bars(
        "Why not",
        "What became of those without an answer in the time shown, by code.",
        {"{{status}}": f'sort_desc(sum by (status) (increase(ai_gateway_requests_total{{{MINE}, status!="success"}}[$__range])) >= 0.5)'},
        "short",
        (WARN,),
        width=9,
        height=9,
        decimals=0,
    ),
]

SPEED = [
    lines(
        "Duration of answers, median",
        "Whole answers of the models I use, streams to their end; a lower `max_tokens` bounds it.",
        {"{{model}}": quantile(0.5, DURATION, more=', status="success"')},
        "s",
        width=6,
    ),
    lines(
        "Duration of answers, p95",
        "One in twenty takes longer: set timeouts well above, for an answer that is given up is charged all the same.",
        {"{{model}}": quantile(0.95, DURATION, more=', status="success"')},
        "s",
        width=6,
    ),
    lines(
        "Time to the first token, p95",
        "Of streams; where it is high for one model only, another provider or model begins sooner.",
        {"{{model}}": quantile(0.95, "ai_gateway_time_to_first_token_seconds")},
        "s",
        width=6,
    ),
    lines(
        "Tokens a second",
        "Of streams, behind the first token; where it falls, the provider is busy.",
        {"{{model}}": per_second(" by (model)")},
        width=6,
    ),
]

CONTENT = [
    bars(
        "What rules found in my texts",
        "In the time shown: what it was, and whether I sent it or an answer said it. Personal data and keys don't belong in prompts.",
        {
            "{{kind}} {{direction}}": (
                f"sort_desc(sum by (kind, direction) (increase(ai_gateway_content_found_total{{{BOOKS}}}[$__range])) >= 0.5)"
            )
        },
        "short",
        (WARN,),
        width=12,
        decimals=0,
        nothing="Nothing, or no rule looks",
    ),
    lines(
        "Found, and restored, a minute",
        "What was found in what I sent, and placeholders that became my own words again in the answers.",
        {
            "found": f'sum(rate(ai_gateway_content_found_total{{{BOOKS}, direction="request"}}[$__rate_interval])) * 60',
            "restored": f"sum(rate(ai_gateway_content_restored_total{{{BOOKS}}}[$__rate_interval])) * 60",
        },
        width=12,
        nothing="Nothing, or no rule looks",
    ),
]

MONEY = [
    lines(
        "My tokens a minute",
        "In and out; output costs several times as much.",
        {"{{direction}}": f"sum by (direction) (rate(ai_gateway_tokens_total{{{MINE}}}[$__rate_interval])) * 60"},
        stacked=True,
    ),
    lines(
        "Spent today, and my budget",
        "Spent where the line rises, reserved for requests under way on top; at the budget requests get 402.",
        {
            "spent": f"sum(ai_gateway_spent_today_usd{{{BOOKS}}})",
            "spent and reserved": f"sum(ai_gateway_spent_today_usd{{{BOOKS}}}) + sum(ai_gateway_reserved_usd{{{BOOKS}}})",
            "budget": f"sum(ai_gateway_budget_today_usd{{{BOOKS}}})",
        },
        "currencyUSD",
    ),
    lines(
        "My spend an hour, by model",
        "What the money goes to, at the pace of each moment.",
        {"{{model}}": f"sum by (model) (rate(ai_gateway_cost_usd_total{{{MINE}}}[$__rate_interval])) * 3600"},
        "currencyUSD",
        stacked=True,
    ),
    bars(
        "Cost of a request, by model",
        "Mine, averaged over the time shown, refused ones left out, and rough where there are few; compare before choosing a model.",
        {
            "{{model}}": (
                f"sort_desc(sum by (model) (increase(ai_gateway_cost_usd_total{{{MINE}}}[$__range]))"
                f' / (sum by (model) (increase(ai_gateway_requests_total{{{MINE}, status!~"{REFUSED}"}}[$__range])) > 0))'
            )
        },
        "currencyUSD",
        decimals=6,
    ),
    lines(
        "My requests, by role",
        "What they are for, by the role that they name.",
        {"{{role}}": f"sum by (role) (rate(ai_gateway_requests_total{{{MINE}}}[$__rate_interval])) * 60"},
        "reqpm",
        stacked=True,
    ),
    lines(
        "My requests, by provider",
        "Who answered; `none` are those that the gateway refused before it chose one.",
        {"{{provider}}": f"sum by (provider) (rate(ai_gateway_requests_total{{{MINE}}}[$__rate_interval])) * 60"},
        "reqpm",
        stacked=True,
    ),
]

BOARD = board(
    "ai-gateway-developer",
    "AI gateway: my requests",
    "For who calls it, as one tenant. Choose yours above; what is measured without a tenant is of the models that it uses.",
    [
        source("datasource", "Prometheus", "prometheus"),
        choice("tenant", "label_values(ai_gateway_requests_total, tenant)", many=False),
        choice("model", 'label_values(ai_gateway_requests_total{tenant="$tenant"}, model)', known=True),
        choice("provider", 'label_values(ai_gateway_requests_total{tenant="$tenant"}, provider)'),
    ],
    [
        ("At a glance", GLANCE),
        ("Do they work, and why not?", REQUESTS),
        ("How fast are they? (the models I use, all tenants)", SPEED),
        ("What did content rules find?", CONTENT),
        ("What do they take, and what is left?", MONEY),
    ],
    span="now-3h",
)
