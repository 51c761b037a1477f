//! In which series a record counts, and by how much.

use super::content::{Found, Looked};
use super::metric::Metric;
use super::performance::{self, Alike, Sums};
use super::tools::{self, Denied};
use super::{FailedAttempt, Instead, Leg, Pair, Record};
use crate::forward::{Dropped, LeftOut};
use crate::limit::AuditedBeside;
use crate::llm::kind::kinds;
use crate::llm::meter::Finish;
use crate::llm::usage::Usage;
use crate::outcome::{Outcome, RefusedBy};

/// What takes the counts: Envoy's stats, or the list of a test. A label's text is looked up once for all series of a record.
pub trait Sink {
    type Label: Copy;

    fn label(&mut self, text: &str) -> Self::Label;

    /// Counts up.
    fn add(&mut self, metric: Metric, labels: &[Self::Label], amount: u64);

    /// Sets a gauge, or takes a histogram's sample.
    fn record(&mut self, metric: Metric, labels: &[Self::Label], value: u64);

    /// Adds to what is known of a model at a provider, now or later.
    fn perform(&mut self, of: [Self::Label; 2], leg: Option<Self::Label>, alike: Alike, sums: &Sums)
    where
        Self: Sized,
    {
        performed(&mut Counting { sink: self, leg }, of, alike, sums);
    }
}

/// A sink, for exchanges of one leg. A shadow's account is its tenant; where there is no tenant among the labels, its copies have one
/// label more, so that they don't pass for their model's own traffic.
struct Counting<'s, S: Sink> {
    sink: &'s mut S,
    /// Of a shadow's copy.
    leg: Option<S::Label>,
}

impl<S: Sink> Counting<'_, S> {
    fn label(&mut self, text: &str) -> S::Label {
        self.sink.label(text)
    }

    fn add(&mut self, metric: Metric, labels: &[S::Label], amount: u64) {
        match self.leg.filter(|_| !metric.is_by_tenant()) {
            None => self.sink.add(metric, labels, amount),
            Some(leg) => self.sink.add(metric, &[labels, &[leg]].concat(), amount),
        }
    }

    fn record(&mut self, metric: Metric, labels: &[S::Label], value: u64) {
        match self.leg.filter(|_| !metric.is_by_tenant()) {
            None => self.sink.record(metric, labels, value),
            Some(leg) => self.sink.record(metric, &[labels, &[leg]].concat(), value),
        }
    }
}

/// `tenant` is what the configuration has the stats call the tenant.
pub fn count<S: Sink>(record: &Record, tenant: &str, sink: &mut S) {
    let leg = matches!(record.pair, Some(Pair { leg: Leg::Shadow, .. })).then(|| sink.label("shadow"));
    let sink = &mut Counting { sink, leg };
    let labels = &record.labels;
    let [provider, model, role, tenant, status] =
        [&labels.provider, &labels.model, &labels.role, tenant, record.outcome.code()].map(|text| sink.label(text));
    let of = [provider, model];
    sink.add(Metric::Requests, &[provider, model, role, tenant, status], 1);
    charged(sink, record, of, tenant);
    sink.add(Metric::Retries, &of, record.attempts.saturating_sub(1));
    for attempt in &record.bill.failed_attempts {
        failed(sink, attempt, tenant);
    }
    for (provider, status) in &record.bill.account_refusals {
        let labels = [sink.label(&status.to_string()), sink.label(provider)];
        sink.add(Metric::AccountRefusals, &labels, 1);
    }
    if let Some(split) = &record.split {
        variant(sink, record, split, status);
    }
    if let Some(Instead { by, .. }) = record.instead.as_deref().filter(|_| record.admitted) {
        instead(sink, by, model, tenant);
    }
    refused(sink, record, tenant);
    left_out(sink, &record.left_out);
    if let Some(looked) = &record.content {
        content(sink, looked, tenant);
    }
    if let Some(seen) = &record.tools {
        tools(sink, seen, tenant);
    }
    kinds(sink, record, of);
    pace(sink, record, of);
    sink.record(Metric::Duration, &[provider, model, status], record.duration_ms);
    if let Some((alike, sums)) = performance::shown(record) {
        sink.sink.perform(of, sink.leg, alike, &sums);
    }
}

/// How a model did at a provider.
fn performed<S: Sink>(counting: &mut Counting<'_, S>, of: [S::Label; 2], alike: Alike, sums: &Sums) {
    let [provider, model] = of;
    if sums.answers > 0 {
        let finish = counting.label(alike.finish.map_or("none", Finish::name));
        counting.add(Metric::Answers, &[finish, provider, model], sums.answers);
        let prompt = counting.label(alike.prompt.name());
        for (metric, amount) in [
            (Metric::PromptAnswers, sums.answers),
            (Metric::PromptDuration, sums.duration_ms),
            (Metric::PromptStreams, sums.streams),
            (Metric::PromptFirstToken, sums.first_token_ms),
        ] {
            counting.add(metric, &[prompt, provider, model], amount);
        }
    }
    for (kind, calls) in [("valid", sums.valid), ("invalid", sums.invalid)] {
        if calls > 0 {
            let kind = counting.label(kind);
            counting.add(Metric::ToolArguments, &[kind, provider, model], calls);
        }
    }
}

fn tokens<S: Sink>(sink: &mut Counting<'_, S>, usage: &Usage, [provider, model]: [S::Label; 2], tenant: S::Label) {
    for (direction, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
        let direction = sink.label(direction);
        sink.add(Metric::Tokens, &[direction, provider, model, tenant], tokens.0);
    }
}

fn charged<S: Sink>(sink: &mut Counting<'_, S>, record: &Record, of: [S::Label; 2], tenant: S::Label) {
    let [provider, model] = of;
    tokens(sink, &record.bill.usage, of, tenant);
    sink.add(Metric::Cost, &[provider, model, tenant], record.bill.cost.0);
    if record.admitted {
        let source = sink.label(record.bill.usage_source.name());
        sink.add(Metric::Usage, &[source, provider, model], 1);
        sink.add(Metric::Spend, &[source, provider, model], record.bill.cost.0);
    }
    sink.add(Metric::UsageMismatch, &of, u64::from(record.bill.usage_mismatch));
    for (metric, flag) in [
        (Metric::UsageImplausible, record.bill.usage_implausible),
        (Metric::UsageUnreported, record.bill.usage_unreported),
        (Metric::AnsweredModelDiffers, record.bill.answered_model_differs),
    ] {
        if flag {
            sink.add(metric, &of, 1);
        }
    }
    // The provider's own bill, beside ours.
    if let Some(cost) = record.bill.provider_cost {
        sink.add(Metric::ProviderCost, &of, cost.0);
        sink.add(Metric::ProviderCostDiffers, &of, u64::from(record.bill.provider_cost_differs));
    }
}

/// By variant, whatever price and provider it has. Those are models of the configuration.
#[cold]
fn variant<S: Sink>(sink: &mut Counting<'_, S>, record: &Record, split: &str, status: S::Label) {
    let [split, variant] = [split, &record.model_chosen].map(|text| sink.label(text));
    sink.add(Metric::VariantRequests, &[split, variant, status], 1);
    sink.add(Metric::VariantCost, &[split, variant], record.bill.charged().0);
}

/// By whose budget was near its end.
#[cold]
fn instead<S: Sink>(sink: &mut Counting<'_, S>, by: &RefusedBy, model: S::Label, tenant: S::Label) {
    let whose = match by {
        RefusedBy { model_group: Some(_), .. } => "model_group",
        RefusedBy { group: Some(_), .. } => "group",
        RefusedBy { .. } => "tenant",
    };
    let labels = [by.guard, whose].map(|text| sink.label(text));
    let [guard, whose] = labels;
    sink.add(Metric::Instead, &[guard, whose, model, tenant], 1);
}

/// Whoever billed it, before another answered.
fn failed<S: Sink>(sink: &mut Counting<'_, S>, failed: &FailedAttempt, tenant: S::Label) {
    let FailedAttempt { provider, model, usage, source, cost, .. } = failed;
    let of = [sink.label(provider), sink.label(model)];
    let [provider, model] = of;
    tokens(sink, usage, of, tenant);
    sink.add(Metric::Cost, &[provider, model, tenant], cost.0);
    let source = sink.label(source.name());
    sink.add(Metric::Spend, &[source, provider, model], cost.0);
}

fn refused<S: Sink>(sink: &mut Counting<'_, S>, record: &Record, tenant: S::Label) {
    if let Some(RefusedBy { guard, group, model_group }) = &record.refused_by {
        let limit = sink.label(guard);
        sink.add(Metric::LimitRefusals, &[limit, tenant], 1);
        for (metric, name) in [(Metric::GroupRefusals, group), (Metric::ModelGroupRefusals, model_group)] {
            if let Some(name) = name {
                let name = sink.label(name);
                sink.add(metric, &[limit, name], 1);
            }
        }
    }
    for guard in record.audit.own.iter() {
        let limit = sink.label(guard.name());
        sink.add(Metric::AuditRefusals, &[limit, tenant], 1);
    }
    for AuditedBeside { group, model_group, guard } in &record.audit.beside {
        for (metric, name) in [(Metric::GroupAuditRefusals, group), (Metric::ModelGroupAuditRefusals, model_group)] {
            if let Some(name) = name {
                let labels = [guard.name(), name].map(|text| sink.label(text));
                sink.add(metric, &labels, 1);
            }
        }
    }
    if let Some(over) = &record.overrun {
        let ended = record.outcome == Outcome::BudgetExhausted;
        let labels = [sink.label(if ended { "ended" } else { "audit" }), sink.label(over.guard), tenant];
        sink.add(Metric::Overruns, &labels, 1);
    }
}

/// Parts of a head that no provider gets.
fn left_out<S: Sink>(sink: &mut Counting<'_, S>, left_out: &LeftOut) {
    if left_out == &LeftOut::default() {
        return;
    }
    for (kind, count) in Dropped::ALL.into_iter().zip(left_out.dropped) {
        let kind = sink.label(kind.name());
        sink.add(Metric::Dropped, &[kind], count.into());
    }
    sink.add(Metric::UnknownBetas, &[], left_out.unknown_betas.len() as u64);
    sink.add(Metric::UnknownFields, &[], left_out.unknown_fields.len() as u64);
}

/// What rules about texts have seen.
#[cold]
fn content<S: Sink>(sink: &mut Counting<'_, S>, looked: &Looked, tenant: S::Label) {
    for (direction, seen) in [("request", &looked.request), ("answer", &looked.answer)] {
        let direction = sink.label(direction);
        sink.add(Metric::ContentTexts, &[direction, tenant], seen.texts);
        for Found { rule, kind, times, .. } in &seen.found {
            let [rule, kind] = [rule, kind].map(|text| sink.label(text));
            sink.add(Metric::ContentFound, &[rule, kind, direction, tenant], *times);
        }
        for (what, times) in seen.unscanned() {
            let kind = sink.label(what.name());
            sink.add(Metric::ContentUnscanned, &[kind, direction, tenant], times);
        }
    }
    sink.add(Metric::ContentRestored, &[tenant], looked.answer.restored);
}

/// What rules about tools did not let through.
#[cold]
fn tools<S: Sink>(sink: &mut Counting<'_, S>, seen: &tools::Seen, tenant: S::Label) {
    for (direction, times) in [("request", seen.offered), ("answer", seen.called)] {
        let direction = sink.label(direction);
        sink.add(Metric::Tools, &[direction, tenant], times);
    }
    for Denied { on, kind, why, times, .. } in &seen.denied {
        let labels = [why.name(), *kind, on.name()].map(|text| sink.label(text));
        let [why, kind, direction] = labels;
        sink.add(Metric::ToolsDenied, &[why, kind, direction, tenant], *times);
    }
}

/// How a stream came: when it began, how long it went on, and what each token took.
fn pace<S: Sink>(sink: &mut Counting<'_, S>, record: &Record, of: [S::Label; 2]) {
    let Some(first) = record.first_token_ms.filter(|_| record.stream) else { return };
    sink.record(Metric::TimeToFirstToken, &of, first);
    let streamed = record.duration_ms.saturating_sub(first);
    sink.record(Metric::StreamDuration, &of, streamed);
    // The first token came with the beginning.
    let rest = record.bill.usage.output_tokens.0.saturating_sub(1);
    if let Some(each) = streamed.saturating_mul(1_000).checked_div(rest).filter(|_| record.usage_is_reported()) {
        sink.record(Metric::TimePerOutputToken, &of, each);
    }
}

macro_rules! parts {
    (() parts: [$(($part:ident $(less $inner:ident)?, $side:ident, $rate:ident, $key:ident, $whole:ident, $may:ident),)*]
        pieces: [$($piece:tt,)*]) => {
        /// The parts of a side that there are any of, each under its count's name. A part of a part counts in that.
        #[inline(always)]
        fn parts(usage: &Usage, mut count: impl FnMut(&'static str, u64)) {
            $(if usage.$part.0 > 0 && matches!(stringify!($whole), "input" | "output") {
                count(stringify!($part), usage.$part.0);
            })*
        }
    };
}
kinds!(parts());

/// Parts of the input and the output that have names of their own.
fn kinds<S: Sink>(sink: &mut Counting<'_, S>, record: &Record, [provider, model]: [S::Label; 2]) {
    parts(&record.bill.usage, |name, tokens| {
        let kind = sink.label(name.strip_suffix("_tokens").unwrap_or(name));
        sink.add(Metric::TokensByKind, &[kind, provider, model], tokens);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::{Audited, Guard};
    use crate::record::{Bill, Labels, UsageSource};
    use crate::units::{NanoUsd, Tokens, UnixNanos};

    /// What was counted, a line each.
    #[derive(Default)]
    struct Lines {
        texts: Vec<String>,
        lines: Vec<String>,
    }

    impl Lines {
        fn write(&mut self, metric: Metric, labels: &[usize], amount: u64) {
            let (_, name, names) = metric.spec();
            let labels: Vec<_> = labels.iter().map(|at| self.texts[*at].as_str()).collect();
            let leg = labels.get(names.len()..).unwrap();
            assert!(leg.is_empty() || (leg == ["shadow"] && !metric.is_by_tenant()), "{name}: {leg:?}");
            self.lines.push(format!("{} {} {amount}", name.trim_start_matches("ai_gateway_"), labels.join(",")));
        }
    }

    impl Sink for Lines {
        type Label = usize;

        fn label(&mut self, text: &str) -> usize {
            self.texts.push(text.to_owned());
            self.texts.len() - 1
        }

        fn add(&mut self, metric: Metric, labels: &[usize], amount: u64) {
            if amount > 0 {
                self.write(metric, labels, amount);
            }
        }

        fn record(&mut self, metric: Metric, labels: &[usize], value: u64) {
            self.write(metric, labels, value);
        }
    }

    fn record() -> Record {
        Record {
            labels: Labels { tenant: "acme".into(), role: "chat".into(), model: "m".into(), provider: "p".into() },
            outcome: Outcome::Success,
            started: UnixNanos(0),
            request_id: String::new(),
            pair: None,
            groups: Vec::new(),
            model_group: None,
            api: "openai_chat",
            model_asked: String::new(),
            model_chosen: String::new(),
            split: None,
            instead: None,
            stream: false,
            status: 200,
            attempts: 1,
            bill: Bill::default(),
            reserved: NanoUsd(0),
            refused_by: None,
            audit: Audited::default(),
            overrun: None,
            left_out: LeftOut::default(),
            content: None,
            tools: None,
            answered: None,
            finish: None,
            duration_ms: 70,
            first_byte_ms: None,
            first_token_ms: None,
            admitted: false,
        }
    }

    fn counted(record: &Record) -> Vec<String> {
        let mut lines = Lines::default();
        count(record, "ACME", &mut lines);
        lines.lines
    }

    #[test]
    fn what_rules_about_texts_saw_counts_by_rule_and_direction() {
        use crate::llm::texts::{Opaque, Place};
        let mut looked = Looked::default();
        for (place, times) in [(Place::User, 2), (Place::System, 1)] {
            (0..times).for_each(|_| looked.request.find(&"mails".into(), &"EMAIL".into(), "restore", place));
        }
        (looked.request.texts, looked.answer.texts, looked.answer.restored) = (4, 1, 2);
        looked.answer.note_opaque(Opaque::Logprobs);
        let record = Record { content: Some(Box::new(looked)), ..record() };
        let counted: Vec<_> = counted(&record).into_iter().filter(|line| line.starts_with("content_")).collect();
        assert_eq!(
            counted,
            [
                "content_texts_total request,ACME 4",
                "content_found_total mails,EMAIL,request,ACME 2",
                "content_found_total mails,EMAIL,request,ACME 1",
                "content_texts_total answer,ACME 1",
                "content_unscanned_total logprobs,answer,ACME 1",
                "content_restored_total ACME 2",
            ]
        );
    }

    #[test]
    fn a_stream_that_found_no_more_money_counts_by_the_budget_and_by_what_became_of_it() {
        for (outcome, kind) in [(Outcome::BudgetExhausted, "ended"), (Outcome::Success, "audit")] {
            let counted = counted(&Record {
                outcome,
                overrun: Some(RefusedBy { guard: "day_usd", group: None, model_group: None }),
                ..record()
            });
            let overruns: Vec<_> = counted.iter().filter(|line| line.starts_with("overruns")).collect();
            assert_eq!(overruns, [&format!("overruns_total {kind},day_usd,ACME 1")]);
        }
    }

    #[test]
    fn a_refusal_counts_by_its_code_and_its_limit_and_costs_nothing() {
        let mut audit = Audited::default();
        audit.own.insert(Guard::DayUsd);
        let refused = Record {
            outcome: Outcome::RateLimited,
            refused_by: Some(RefusedBy { guard: "requests_per_minute", group: None, model_group: None }),
            audit,
            ..record()
        };
        assert_eq!(
            counted(&refused),
            [
                "requests_total p,m,chat,ACME,rate_limited 1",
                "limit_refusals_total requests_per_minute,ACME 1",
                "audit_refusals_total day_usd,ACME 1",
                "request_duration_ms p,m,rate_limited 70",
            ]
        );
    }

    #[test]
    fn a_streamed_answer_counts_its_tokens_by_side_and_kind_its_money_by_source_and_its_pace() {
        let usage = Usage {
            input_tokens: Tokens(100),
            output_tokens: Tokens(11),
            cached_input_tokens: Tokens(40),
            cache_creation_input_tokens: Tokens(20),
            cache_creation_1h_input_tokens: Tokens(5),
            reasoning_tokens: Tokens(3),
            ..Usage::default()
        };
        let streamed = Record {
            stream: true,
            bill: Bill {
                usage,
                usage_source: UsageSource::Reported,
                cost: NanoUsd(9),
                provider_cost: Some(NanoUsd(8)),
                provider_cost_differs: true,
                answered_model_differs: true,
                ..Bill::default()
            },
            first_byte_ms: Some(4),
            first_token_ms: Some(20),
            finish: Some(Finish::Length),
            admitted: true,
            ..record()
        };
        assert_eq!(
            counted(&streamed),
            [
                "requests_total p,m,chat,ACME,success 1",
                "tokens_total input,p,m,ACME 100",
                "tokens_total output,p,m,ACME 11",
                "cost_nanousd_total p,m,ACME 9",
                "usage_total reported,p,m 1",
                "spend_nanousd_total reported,p,m 9",
                "answered_model_differs_total p,m 1",
                "provider_cost_nanousd_total p,m 8",
                "provider_cost_differs_total p,m 1",
                "tokens_by_kind_total cached_input,p,m 40",
                "tokens_by_kind_total cache_creation_input,p,m 20",
                "tokens_by_kind_total reasoning,p,m 3",
                "time_to_first_token_ms p,m 20",
                "stream_duration_ms p,m 50",
                "time_per_output_token_us p,m 5000",
                "request_duration_ms p,m,success 70",
                "answers_total length,p,m 1",
                "prompt_answers_total under_1k,p,m 1",
                "prompt_duration_ms_total under_1k,p,m 70",
                "prompt_streams_total under_1k,p,m 1",
                "prompt_first_token_ms_total under_1k,p,m 20",
            ]
        );
    }

    /// An answer, not streamed, whose prompt had so many tokens.
    fn answered(input: u64) -> Record {
        let usage = Usage { input_tokens: Tokens(input), ..Usage::default() };
        let bill = Bill { usage, usage_source: UsageSource::Reported, ..Bill::default() };
        Record { bill, first_token_ms: Some(20), admitted: true, ..record() }
    }

    fn of_models(record: &Record) -> Vec<String> {
        let is = |line: &String| ["answers", "prompt", "tool_arguments"].iter().any(|name| line.starts_with(name));
        counted(record).into_iter().filter(is).collect()
    }

    #[test]
    fn an_answer_counts_by_why_it_ended_and_by_the_size_of_its_prompt() {
        for (tokens, prompt) in [
            (0, "under_1k"),
            (999, "under_1k"),
            (1_000, "under_8k"),
            (7_999, "under_8k"),
            (8_000, "under_32k"),
            (32_000, "under_128k"),
            (127_999, "under_128k"),
            (128_000, "over_128k"),
            (u64::MAX, "over_128k"),
        ] {
            let none = [
                "answers_total none,p,m 1".to_owned(),
                format!("prompt_answers_total {prompt},p,m 1"),
                format!("prompt_duration_ms_total {prompt},p,m 70"),
            ];
            assert_eq!(of_models(&answered(tokens)), none, "{tokens}");
        }
        for finish in [Finish::Stop, Finish::Length, Finish::ToolCalls, Finish::ContentFilter, Finish::Other] {
            let record = Record { finish: Some(finish), ..answered(1) };
            assert_eq!(of_models(&record)[0], format!("answers_total {},p,m 1", finish.name()));
        }
    }

    #[test]
    fn what_is_no_whole_answer_says_nothing_of_its_model() {
        let still_to_come = Record { bill: Bill::default(), ..answered(1) };
        for record in
            [still_to_come, Record { outcome: Outcome::ClientClosed, finish: Some(Finish::Stop), ..answered(1) }]
        {
            assert_eq!(of_models(&record), [""; 0], "{:?}", record.outcome);
        }
    }

    #[test]
    fn arguments_of_calls_count_by_whether_they_hold_and_whatever_became_of_the_answer() {
        let arguments = tools::Arguments { valid: 2, invalid: 1 };
        let seen = tools::Seen { called: 4, arguments, ..tools::Seen::default() };
        let refused = Record { outcome: Outcome::ToolNotAllowed, tools: Some(Box::new(seen)), ..answered(1) };
        assert_eq!(of_models(&refused), ["tool_arguments_total valid,p,m 2", "tool_arguments_total invalid,p,m 1"]);
    }

    /// By the tenant, which is the shadow's account, or else by one label more.
    #[test]
    fn no_series_of_a_shadows_copy_is_one_of_its_models_own() {
        let arguments = tools::Arguments { valid: 1, invalid: 0 };
        let seen = tools::Seen { called: 1, arguments, ..tools::Seen::default() };
        let stream = Record {
            stream: true,
            finish: Some(Finish::Stop),
            tools: Some(Box::new(seen)),
            attempts: 2,
            ..answered(2_000)
        };
        let of = |record: &Record, tenant: &str| {
            let mut lines = Lines::default();
            count(record, tenant, &mut lines);
            lines.lines
        };
        let own = of(&stream, "ACME");
        for leg in [Leg::Original, Leg::Shadow] {
            let pair = Some(Pair { shadow: "cheap".into(), leg });
            let with_leg = of(&Record { pair, ..stream.clone() }, "shadow:cheap");
            let expected: Vec<_> = own
                .iter()
                .map(|line| match (line.split_once("ACME"), leg) {
                    (Some((before, behind)), _) => format!("{before}shadow:cheap{behind}"),
                    (None, Leg::Original) => line.clone(),
                    (None, Leg::Shadow) => {
                        let (labels, amount) = line.rsplit_once(' ').unwrap();
                        format!("{labels},shadow {amount}")
                    }
                })
                .collect();
            assert_eq!(with_leg, expected);
        }
        assert!(own.len() > 12, "{own:#?}");
    }

    #[test]
    fn an_attempt_that_was_billed_before_the_answer_counts_under_its_own_provider() {
        let failed = FailedAttempt {
            provider: "q".to_owned(),
            model: "n".to_owned(),
            model_group: None,
            usage: Usage { input_tokens: Tokens(7), ..Usage::default() },
            source: UsageSource::Estimated,
            cost: NanoUsd(6),
        };
        let lines = counted(&Record {
            attempts: 2,
            bill: Bill {
                failed_attempts: vec![failed],
                account_refusals: vec![("q".to_owned(), 402)],
                ..Bill::default()
            },
            ..record()
        });
        for line in [
            "retries_total p,m 1",
            "tokens_total input,q,n,ACME 7",
            "cost_nanousd_total q,n,ACME 6",
            "spend_nanousd_total estimated,q,n 6",
            "provider_account_refusals_total 402,q 1",
        ] {
            assert!(lines.iter().any(|counted| counted == line), "{line}: {lines:#?}");
        }
    }
}
