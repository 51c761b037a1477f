"""For who keeps it running: is anything wrong, where, since when."""

from panels import BAD, GOOD, PLAIN, WARN, board, choice, lines, listing, number, source, states
from vocabulary import NOT_FAILED, REFUSED

SERVED = 'provider=~"$provider", model=~"$model"'
ASKED = f'{SERVED}, tenant=~"$tenant"'
PROVIDER = 'provider=~"$provider"'
# `none` is nobody's failure: no provider could be chosen. It counts in the success of all.
CHOSEN = f'{SERVED}, provider!="none"'

SUCCESS = (
    "1 - sum{by} (provider_model:ai_gateway_requests_failed:rate5m{{{of}}})"
    " / (sum{by} (provider_model:ai_gateway_requests_judged:rate5m{{{of}}}) > 0)"
)
FIRING = 'ALERTS{alertname=~"AiGateway.+", alertstate="firing"}'


def success(by="", of=SERVED):
    return SUCCESS.format(by=f" by ({by})" if by else "", of=of)


def requests(status):
    return f"sum(rate(ai_gateway_requests_total{{{ASKED}, status{status}}}[$__rate_interval]))"


def quantile(q, histogram, by="model"):
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({histogram}_bucket{{{SERVED}}}[5m])))"


def took(q, by):
    """As rules.yml records it: answers, and clients that left."""
    labels = f"{by}, le" if by else "le"
    return (
        f"histogram_quantile({q}, sum by ({labels})"
        f" (provider_model_le:ai_gateway_request_duration_seconds_bucket:rate5m{{{SERVED}}}))"
    )


def vms_died(over):
    return " + ".join(f"sum(increase(envoy_wasm_nexus_ai_gateway_vm_reload_{what}[{over}]))" for what in ("success", "failure"))


# Ratios from which an alert fires, with a colour before that.
SUCCEEDS = (BAD, 0.95, WARN, 0.99, GOOD)
TAKES = (GOOD, 5, WARN, 10, BAD)
ANY = (GOOD, 1, BAD)

GLANCE = [
    number(
        "Alerts firing",
        "How many of this gateway's alerts fire; they are listed below, and RUNBOOK.md has a section for each.",
        f"count({FIRING}) or vector(0)",
        borders=ANY,
    ),
    number(
        "Success",
        "Of those that ended by the provider's or the gateway's doing, over 5 minutes; if it is low, see what fails below.",
        success(),
        "percentunit",
        SUCCEEDS,
        decimals=1,
    ),
    number(
        "Worst provider",
        "The same of the provider where it is lowest; the alert fires below 95 %. Put another before it in `models`.",
        f"bottomk(1, {success('provider', CHOSEN)})",
        "percentunit",
        SUCCEEDS,
        whose="{{provider}}",
        decimals=1,
    ),
    number(
        "Slowest model, p95",
        "One in twenty of its answers takes this long or longer, to the last byte; the alert fires above 10 s.",
        f"topk(1, {took(0.95, 'provider, model')} >= 0)",
        "s",
        TAKES,
        whose="{{model}}",
    ),
    number(
        "Breakers open",
        "Providers that Envoy has ejected: look whether others take over (failovers, below).",
        f"sum(max by (provider) (ai_gateway_circuit_breaker_state{{{PROVIDER}}}))",
        borders=ANY,
    ),
    number(
        "Fullest budget",
        "Of today's budgets the one that is spent most, on one Envoy; the alert fires above 80 %, at 100 % its tenant gets 402.",
        'topk(1, ai_gateway_spent_today_usd{tenant=~"$tenant"} / (ai_gateway_budget_today_usd{tenant=~"$tenant"} > 0))',
        "percentunit",
        (GOOD, 0.6, WARN, 0.8, BAD),
        whose="{{tenant}}",
        nothing="no budgets",
        decimals=0,
    ),
    number(
        "Spend capture",
        "Share of spend whose usage providers told, over an hour; below 99 % too much is estimated: see the finance dashboard.",
        "gateway:ai_gateway_spend_capture:ratio_rate1h",
        "percentunit",
        (BAD, 0.99, GOOD),
        decimals=1,
    ),
    number(
        "Pages scraped",
        "Whether Prometheus gets both pages of every Envoy; if not, nothing here can be trusted: mend that first.",
        'min(up{job=~"ai-gateway.*"})',
        borders=(BAD, 1, GOOD),
        words={1: ("all", GOOD), 0: ("not all", BAD)},
    ),
    number(
        "Requests",
        "Every request that came, refused ones included.",
        f"sum(rate(ai_gateway_requests_total{{{ASKED}}}[5m]))",
        "reqps",
    ),
    number(
        "Refused",
        "Share of requests that the gateway itself refused by a limit, a budget or a rule; why is shown below.",
        f'sum(rate(ai_gateway_requests_total{{{ASKED}, status=~"{REFUSED}"}}[5m])) / sum(rate(ai_gateway_requests_total{{{ASKED}}}[5m]))',
        "percentunit",
        decimals=1,
    ),
    number(
        "Failovers",
        "Second and later attempts for each request let pass: a provider is failing behind answers that still come.",
        "gateway:ai_gateway_failovers:ratio_rate5m",
        "percentunit",
        (GOOD, 0.05, WARN),
        decimals=1,
    ),
    number(
        "First token, p95",
        "How long streams take to begin; where it rises with one model only, that provider is busy.",
        f"histogram_quantile(0.95, sum by (le) (rate(ai_gateway_time_to_first_token_seconds_bucket{{{SERVED}}}[5m])))",
        "s",
    ),
    number(
        "Cost of a request",
        "Average over 5 minutes of what was let pass; the alert fires above $0.05: see who and what on the finance dashboard.",
        "gateway:ai_gateway_cost_usd_per_request:ratio_rate5m",
        "currencyUSD",
        (GOOD, 0.025, WARN, 0.05, BAD),
        decimals=5,
    ),
    number(
        "VMs that died",
        "Workers' VMs that Envoy had to make anew in 15 minutes; requests under way there were lost: read Envoy's log for `wasm`.",
        f"ceil({vms_died('15m')})",
        borders=ANY,
    ),
    number(
        "Settlements lost",
        "Costs that didn't get into their tenant's books in the last hour; stats and records have them, and it should be none.",
        "ceil(sum(increase(ai_gateway_settlements_lost_total[1h]))) or vector(0)",
        borders=ANY,
    ),
    number(
        "Polls that failed",
        "Questions to Envoy's admin that got no answer, a second; above 0.1 breakers and health pages rest on old states.",
        "sum(rate(ai_gateway_status_polls_failed_total[5m])) or vector(0)",
        "cps",
        (GOOD, 0.1, BAD),
    ),
]

ALERTS = [
    listing(
        "Alerts",
        "What fires, and of whom: RUNBOOK.md says what each means and what to do.",
        {"severity": "Severity", "alertname": "Alert", "provider": "Provider", "model": "Model", "tenant": "Tenant", "instance": "Envoy"},
        {None: (f"count by (severity, alertname, provider, model, tenant, instance) ({FIRING})",)},
        nothing="Nothing fires",
        height=7,
    ),
    states(
        "Circuit breakers",
        "When each provider was ejected; open again and again means that it is down, though its breaker closes in between.",
        {"{{provider}}": f"max by (provider) (ai_gateway_circuit_breaker_state{{{PROVIDER}}})"},
        {0: ("closed", GOOD), 1: ("open", BAD)},
        height=7,
    ),
]

TRAFFIC = [
    lines(
        "Requests, by how they end",
        "All of them; what fails and what is refused, and why, is shown beside and below.",
        {
            "succeeded": requests('="success"'),
            "failed": requests(f'!~"{NOT_FAILED}"'),
            "refused by the gateway": requests(f'=~"{REFUSED}"'),
            "rejected by the provider": requests('="provider_rejected"'),
            "client left": requests('="client_closed"'),
        },
        "reqps",
        stacked=True,
    ),
    lines(
        "Success of each provider",
        "Over 5 minutes, of every tenant; below the line its alert fires: look at the next panel for the kind of failure.",
        {"{{provider}}": success("provider", CHOSEN)},
        "percentunit",
        borders=[BAD, 0.95, GOOD],
        around=0.9,
        at_most=1,
    ),
    lines(
        "What fails",
        "Failures by kind; choose a provider above. `provider_rate_limited`: raise your quota; `internal_error`: see the gateway itself.",
        {"{{status}}": f'sum by (status) (rate(ai_gateway_requests_total{{{ASKED}, status!~"{NOT_FAILED}"}}[$__rate_interval]))'},
        "reqps",
        stacked=True,
    ),
    lines(
        "What the gateway refuses",
        "Refusals by code: limits (429), budgets (402), wrong requests (400), names it doesn't know (401, 403).",
        {"{{status}}": f'sum by (status) (rate(ai_gateway_requests_total{{{ASKED}, status=~"{REFUSED}"}}[$__rate_interval]))'},
        "reqps",
        width=12,
        stacked=True,
    ),
    lines(
        "Whom it refuses",
        "The same by tenant: one that is refused all the time runs into a limit that is too low, or in a loop.",
        {"{{tenant}}": f'sum by (tenant) (rate(ai_gateway_requests_total{{{ASKED}, status=~"{REFUSED}"}}[$__rate_interval]))'},
        "reqps",
        width=6,
        stacked=True,
    ),
    lines(
        "What audited limits would refuse",
        "Limits under `audit` refuse nothing and count here: what turning them on would do.",
        {"{{tenant}} {{code}}": 'sum by (tenant, code) (rate(ai_gateway_audit_refusals_total{tenant=~"$tenant"}[$__rate_interval]))'},
        "reqps",
        width=6,
        stacked=True,
        nothing="None is audited, or would refuse",
    ),
]

LATENCY = [
    lines(
        "Duration of answers",
        "From the first header to the last byte, clients that left included; if the median rises too, a provider is slow.",
        {"p50": took(0.5, ""), "p95": took(0.95, ""), "p99": took(0.99, "")},
        "s",
    ),
    lines(
        "p95 by provider and model",
        "Above the line the alert fires: prefer another provider in `models`, or bound the output.",
        {"{{provider}} {{model}}": took(0.95, "provider, model")},
        "s",
        borders=[GOOD, 10, BAD],
    ),
    lines(
        "Requests under way",
        "Open at this moment; a line that rises and doesn't fall is a provider that doesn't answer.",
        {"{{provider}}": f"sum by (provider) (ai_gateway_active_connections{{{PROVIDER}}})"},
        stacked=True,
    ),
    lines(
        "Time to the first token, p95",
        "Of streams: what a reader waits before anything comes.",
        {"{{model}}": quantile(0.95, "ai_gateway_time_to_first_token_seconds")},
        "s",
    ),
    lines(
        "Time per output token, median",
        "Of streams, behind the first token; where it rises the provider is overloaded, however soon it begins.",
        {"{{model}}": quantile(0.5, "ai_gateway_time_per_output_token_seconds")},
        "s",
    ),
    lines(
        "Length of streams, p95",
        "From the first byte to the end: long by long answers, or by slow ones.",
        {"{{model}}": quantile(0.95, "ai_gateway_stream_duration_seconds")},
        "s",
    ),
]

PROVIDERS = [
    lines(
        "Failovers",
        "Attempts beyond the first, for each request let pass, by who answered in the end; see what fails for who didn't.",
        {"{{provider}}": f"provider:ai_gateway_failovers:ratio_rate5m{{{PROVIDER}}}"},
        "percentunit",
        at_most=1,
    ),
    lines(
        "Rejected by the provider",
        "Share of answers that were a 4xx; above the line its key or a model's name is wrong, and the alert fires.",
        {
            "{{provider}}": (
                f'(sum by (provider) (rate(ai_gateway_requests_total{{{ASKED}, status="provider_rejected"}}[5m]))'
                f' or 0 * sum by (provider) (rate(ai_gateway_requests_total{{{ASKED}, status=~"success|provider_.*"}}[5m])))'
                f' / sum by (provider) (rate(ai_gateway_requests_total{{{ASKED}, status=~"success|provider_.*"}}[5m]))'
            )
        },
        "percentunit",
        borders=[GOOD, 0.5, BAD],
    ),
    lines(
        "Counts that don't add up",
        "Answers whose total isn't the sum of its parts; where it rises the provider has changed its usage: check a record.",
        {
            "{{provider}}": (
                f"sum by (provider) (rate(ai_gateway_usage_mismatch_total{{{SERVED}}}[$__rate_interval]))"
                f" or 0 * sum by (provider) (rate(ai_gateway_usage_total{{{SERVED}}}[$__rate_interval]))"
            )
        },
        "reqps",
    ),
]

CONTENT = [
    lines(
        "What content rules find",
        "By rule and kind; a rule that falls to nothing may look in the wrong place: see its alert.",
        {
            "{{rule}} {{kind}}": (
                'sum by (rule, kind) (rate(ai_gateway_content_found_total{tenant=~"$tenant"}[$__rate_interval]))'
            )
        },
        "cps",
        stacked=True,
        nothing="No rule has found anything",
    ),
    lines(
        "What they can't look at",
        "Pictures, encrypted parts and bodies that are no JSON; in answers it passes as it is: refuse it, or take the path away.",
        {
            "{{direction}} {{kind}}": (
                'sum by (direction, kind) (rate(ai_gateway_content_unscanned_total{tenant=~"$tenant"}[$__rate_interval]))'
            )
        },
        "cps",
        stacked=True,
        nothing="All of it is looked at",
    ),
    lines(
        "Texts looked at, and placeholders restored",
        "Each event of a stream is a text; without any, no rule holds for who is sending.",
        {
            "texts of requests": 'sum(rate(ai_gateway_content_texts_total{tenant=~"$tenant", direction="request"}[$__rate_interval]))',
            "texts of answers": 'sum(rate(ai_gateway_content_texts_total{tenant=~"$tenant", direction="answer"}[$__rate_interval]))',
            "placeholders restored": 'sum(rate(ai_gateway_content_restored_total{tenant=~"$tenant"}[$__rate_interval]))',
        },
        "cps",
        nothing="No text is looked at",
    ),
    lines(
        "Tools that rules don't let through",
        "What was offered, and what answers called, by reason; calls that nobody allowed may be a prompt that was slipped in.",
        {
            "{{direction}} {{code}}": (
                'sum by (direction, code) (rate(ai_gateway_tools_denied_total{tenant=~"$tenant"}[$__rate_interval]))'
            )
        },
        "cps",
        stacked=True,
        nothing="No rule about tools denies anything",
    ),
]

ITSELF = [
    lines(
        "Memory of the largest VM",
        "It never shrinks, and should come to rest; a line that keeps rising is a leak: report it.",
        {"{{instance}}": "max by (instance) (ai_gateway_vm_memory_bytes)"},
        "bytes",
    ),
    lines(
        "Races for a tenant's cell",
        "Swaps that lost and were tried again; harmless until some starve (64 in a row), which answers 500: split the tenant.",
        {
            "lost once": "sum(rate(ai_gateway_cell_races_total[$__rate_interval])) or vector(0)",
            "starved": "sum(rate(ai_gateway_cell_starved_total[$__rate_interval])) or vector(0)",
            "settlements lost": "sum(rate(ai_gateway_settlements_lost_total[$__rate_interval])) or vector(0)",
        },
        "cps",
    ),
    lines(
        "VMs made anew, admin's silence",
        "Both should be zero; either answers 500 or leaves the chains in their fixed order.",
        {
            "VMs died": vms_died("$__rate_interval"),
            "polls failed": "sum(increase(ai_gateway_status_polls_failed_total[$__rate_interval])) or vector(0)",
        },
    ),
]

BOARD = board(
    "ai-gateway-sre",
    "AI gateway: is it working?",
    "For who keeps it running. Colours change where alerts fire; what to do then is in envoy/prometheus/RUNBOOK.md.",
    [
        source("datasource", "Prometheus", "prometheus"),
        choice("provider", "label_values(ai_gateway_requests_total, provider)"),
        choice("model", "label_values(ai_gateway_requests_total, model)"),
        choice("tenant", "label_values(ai_gateway_requests_total, tenant)"),
    ],
    [
        ("Is anything wrong?", GLANCE),
        ("What fires, and whose breaker is open", ALERTS),
        ("Requests", TRAFFIC),
        ("How long they take (all tenants)", LATENCY),
        ("Providers", PROVIDERS),
        ("Content rules (all providers and models)", CONTENT),
        ("The gateway itself", ITSELF),
    ],
    span="now-3h",
)
