"""For who answers for models in use: is each still what it was a week ago, and what does a good answer cost?"""

from panels import BAD, GOOD, WARN, bars, board, choice, lines, source

MINE = 'provider=~"$provider", model=~"$model"'
NAMED = "{{model}} by {{provider}}"
# The borders are the alerts'. Cheaper, or quicker, is no fault.
GROWN = (GOOD, 1.5, BAD)
DRIFTED = (WARN, 0.67, GOOD, 1.5, BAD)
FIRST_WEEK = "No week before with 100 answers"


def recorded(name):
    return {NAMED: f"provider_model:ai_gateway_{name}{{{MINE}}}"}


WEEK = [
    bars("Length of answers", "Output tokens for an answer, for 100 % of a week ago. A step without new prompts: the provider has another version.", recorded("output_tokens_per_answer:week_ratio"), "percentunit", DRIFTED, decimals=0, nothing=FIRST_WEEK),
    bars("Cost of an answer", "For 100 % of a week ago. Dearer without longer answers: prompts that are cached no more, failures, or a price.", recorded("cost_usd_per_answer:week_ratio"), "percentunit", GROWN, decimals=0, nothing=FIRST_WEEK),
    bars("Time of an answer", "The median, for 100 % of a week ago. Slower with longer answers is no fault of the provider.", recorded("answer_duration_seconds:week_ratio"), "percentunit", GROWN, decimals=0, nothing=FIRST_WEEK),
    lines("Failures, more than a week ago", "What share more fails now; below zero it has become better.", recorded("requests_failed:week_difference"), "percentunit", width=12, borders=(GOOD, 0.02, BAD), at_least=-1, at_most=1, nothing=FIRST_WEEK),
    lines("Rejections, more than a week ago", "What share more is answered by a 4xx now: a client, or the provider, has changed.", recorded("requests_rejected:week_difference"), "percentunit", width=12, borders=(GOOD, 0.05, BAD), at_least=-1, at_most=1, nothing=FIRST_WEEK),
]  # fmt: skip

NOW = [
    lines("Cost of a successful answer", "What failed or was left is paid by the answers: a cheap model that fails is dear here.", recorded("cost_usd_per_answer:ratio_increase6h"), "currencyUSD", width=12),
    lines("Answers", "Of which the averages are: below 100 nothing is compared.", recorded("answers:increase6h"), "locale", width=12),
    lines("Tokens out, an answer", "How much it says.", recorded("output_tokens_per_answer:ratio_increase6h"), width=12),
    lines("Tokens in, an answer", "How much it is asked: look here first where cost, time or length drift.", recorded("input_tokens_per_answer:ratio_increase6h"), width=12),
    lines("Time of an answer", "The median of whole answers, streams to their end.", recorded("answer_duration_seconds:p50_rate6h"), "s"),
    lines("Failed", "Share of what was sent to the provider and failed there.", recorded("requests_failed:ratio_increase6h"), "percentunit", at_most=1),
    lines("Rejected", "Share that the provider answered by a 4xx.", recorded("requests_rejected:ratio_increase6h"), "percentunit", at_most=1),
]  # fmt: skip

BOARD = board(
    "ai-gateway-models",
    "AI gateway: model performance",
    "For who answers for models in use: each beside itself a week ago. All figures are of six hours, all tenants together.",
    [
        source("datasource", "Prometheus", "prometheus"),
        choice("model", 'label_values(ai_gateway_requests_total{provider!="none"}, model)'),
        choice("provider", 'label_values(ai_gateway_requests_total{provider!="none"}, provider)'),
    ],
    [
        ("Beside the week before", WEEK),
        ("Over six hours", NOW),
    ],
    span="now-14d",
)
