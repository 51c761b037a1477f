"""For who answers for models in use: is each still what it was a week ago, and what does a good answer cost?"""

from panels import BAD, GOOD, WARN, bars, board, choice, lines, source

MINE = 'provider=~"$provider", model=~"$model"'
NAMED = "{{model}} by {{provider}}"
SIZED = NAMED + ", {{prompt}}"
# The borders are the alerts'. Cheaper, or quicker, is no fault.
GROWN = (GOOD, 1.5, BAD)
DRIFTED = (WARN, 0.67, GOOD, 1.5, BAD)
FIRST_WEEK = "No week before with 100 answers"


def recorded(name):
    return {NAMED: f"provider_model:ai_gateway_{name}{{{MINE}}}"}


def by_prompt(name):
    return {SIZED: f'provider_model_prompt:ai_gateway_prompt_{name}{{{MINE}, prompt=~"$prompt"}}'}


ENDED = f"provider_model_finish:ai_gateway_answers:increase6h{{{MINE}}}"
FEW_CALLS = "No week before with 100 calls that were looked at"

WEEK = [
    bars("Length of answers", "Output tokens for an answer, for 100 % of a week ago. A step without new prompts: the provider has another version.", recorded("output_tokens_per_answer:week_ratio"), "percentunit", DRIFTED, decimals=0, nothing=FIRST_WEEK),
    bars("Cost of an answer", "For 100 % of a week ago. Dearer without longer answers: prompts that are cached no more, failures, or a price.", recorded("cost_usd_per_answer:week_ratio"), "percentunit", GROWN, decimals=0, nothing=FIRST_WEEK),
    bars("Time of an answer", "The median, for 100 % of a week ago. Slower with longer answers is no fault of the provider.", recorded("answer_duration_seconds:week_ratio"), "percentunit", GROWN, decimals=0, nothing=FIRST_WEEK),
    lines("Failures, more than a week ago", "What share more fails now; below zero it has become better.", recorded("requests_failed:week_difference"), "percentunit", width=12, borders=(GOOD, 0.02, BAD), at_least=-1, at_most=1, nothing=FIRST_WEEK),
    lines("Rejections, more than a week ago", "What share more is answered by a 4xx now: a client, or the provider, has changed.", recorded("requests_rejected:week_difference"), "percentunit", width=12, borders=(GOOD, 0.05, BAD), at_least=-1, at_most=1, nothing=FIRST_WEEK),
    lines("Declined, more than a week ago", "What share more ends because model or provider will not say it. New prompts, or another version with other filters.", recorded("answers_declined:week_difference"), "percentunit", borders=(GOOD, 0.02, BAD), at_least=-1, at_most=1, nothing=FIRST_WEEK),
    lines("Cut off at their bound, more than a week ago", "What share more is half an answer: answers or reasoning are longer, or somebody's bound is smaller.", recorded("answers_truncated:week_difference"), "percentunit", borders=(GOOD, 0.05, BAD), at_least=-1, at_most=1, nothing=FIRST_WEEK),
    lines("Calls with wrong arguments, more than a week ago", "Of calls that are held against a schema. One tool: its schema has changed. All: the model has.", recorded("tool_arguments_invalid:week_difference"), "percentunit", borders=(GOOD, 0.05, BAD), at_least=-1, at_most=1, nothing=FEW_CALLS),
    bars("Time to the first token, for prompts of one size", "The average of streams, for 100 % of a week ago. Small prompts too: the provider is busy. Large ones only: they are cached no more.", by_prompt("first_token_seconds:week_ratio"), "percentunit", GROWN, width=24, decimals=0, nothing="No week before with 100 streams"),
]  # fmt: skip

NOW = [
    lines("Cost of a successful answer", "What failed or was left is paid by the answers: a cheap model that fails is dear here.", recorded("cost_usd_per_answer:ratio_increase6h"), "currencyUSD", width=12),
    lines("Answers", "Of which the averages are: below 100 nothing is compared.", recorded("answers:increase6h"), "locale", width=12),
    lines("Tokens out, an answer", "How much it says.", recorded("output_tokens_per_answer:ratio_increase6h"), width=12),
    lines("Tokens in, an answer", "How much it is asked: look here first where cost, time or length drift.", recorded("input_tokens_per_answer:ratio_increase6h"), width=12),
    lines("Time of an answer", "The median of whole answers, streams to their end.", recorded("answer_duration_seconds:p50_rate6h"), "s"),
    lines("Failed", "Share of what was sent to the provider and failed there.", recorded("requests_failed:ratio_increase6h"), "percentunit", at_most=1),
    lines("Rejected", "Share that the provider answered by a 4xx.", recorded("requests_rejected:ratio_increase6h"), "percentunit", at_most=1),
    lines("Why answers end", "Of all chosen models, shares of answers that say so. `length` is half an answer, `content_filter` none.", {"{{finish}}": f"sum by (finish) ({ENDED}) / on () group_left () sum({ENDED})"}, "percentunit", stacked=True, at_most=1),
    lines("Declined", "Share that model or provider would not say.", recorded("answers_declined:ratio_increase6h"), "percentunit", at_most=1),
    lines("Cut off at their bound", "Share that ended where it might be no longer.", recorded("answers_truncated:ratio_increase6h"), "percentunit", at_most=1),
    lines("Calls with wrong arguments", "Share of calls that are not as their schema says, where rules about tools look at them. Of other calls nothing is known.", recorded("tool_arguments_invalid:ratio_increase6h"), "percentunit", at_most=1, nothing="No call was held against a schema"),
    lines("Time to the first token, by size of prompt", "The average of streams. `under_8k` are prompts from 1,000 to 7,999 tokens.", by_prompt("first_token_seconds:ratio_increase6h"), "s"),
    lines("Time of an answer, by size of prompt", "The average of all answers, streams to their end.", by_prompt("duration_seconds:ratio_increase6h"), "s"),
]  # fmt: skip

BOARD = board(
    "ai-gateway-models",
    "AI gateway: model performance",
    "For who answers for models in use: each beside itself a week ago. All figures are of six hours, all tenants together.",
    [
        source("datasource", "Prometheus", "prometheus"),
        choice("model", 'label_values(ai_gateway_requests_total{provider!="none"}, model)'),
        choice("provider", 'label_values(ai_gateway_requests_total{provider!="none"}, provider)'),
        choice("prompt", "label_values(ai_gateway_prompt_answers_total, prompt)"),
    ],
    [
        ("Beside the week before", WEEK),
        ("Over six hours", NOW),
    ],
    span="now-14d",
)
