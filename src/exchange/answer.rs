//! The answer as it passes: its head, to which the gateway adds what the client should know, and its body, which is read.

use super::eyes::Eyes;
use super::{Answer, AnswerHead, Exchange, Passed, Phase, offer};
use crate::attempt::{self, blame::OWN_FAILURE};
use crate::content::AnswerTexts;
use crate::headers::Headers;
use crate::kept::Id;
use crate::kept::held::Made;
use crate::likeness::Likeness;
use crate::llm::meter::{Form, Meter, Passage};
use crate::llm::schema::Dialect;
use crate::llm::usage::Count;
use crate::llm::whole_events::{WholeEvents, are_events};
use crate::outcome::{LONGEST_SLEEP_MS, Outcome, Rejection, Reply, never_again, rate_limit_headers};
use crate::policy::{OTHER, Overrun, Policy, TenantPolicy};
use crate::replicas;
use crate::tools::Calling;
use crate::units::UnixNanos;

/// Bedrock counts the tokens of InvokeModel for models whose answers don't.
const COUNTED_IN_THE_HEAD: [(&str, Count); 4] = [
    ("x-amzn-bedrock-input-token-count", Count::Input),
    ("x-amzn-bedrock-output-token-count", Count::Output),
    ("x-amzn-bedrock-cache-read-input-token-count", Count::Cached),
    ("x-amzn-bedrock-cache-write-input-token-count", Count::CacheCreation),
];

/// What is to be done with each chunk of an answer, beside counting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// It may come out as another.
    pub edits: bool,
    /// It is asked about as it passes: somebody may want it again, or go on from it, or it may cost too much, or say or call what it
    /// may not.
    pub follows: bool,
}

impl Passed {
    /// The client gets `reply`, whatever the answer was encoded by. Of an answer without a body only the head can be replaced.
    pub(super) fn replace(&mut self, reply: Reply, end_of_stream: bool) {
        self.set.push((":status", reply.status.to_string()));
        if end_of_stream {
            // The provider's, of a body that does not come: a front would read the next answer as it.
            self.remove.push("content-length");
        } else {
            self.set.push(("content-length", reply.body.len().to_string()));
            self.set.extend(reply.headers);
            self.body = Some(reply.body);
        }
        self.remove.push("content-encoding");
    }
}

/// A key that is revoked, credit that is gone: nothing that a client did, or could mend. Its own status would be taken for
/// the gateway's word on the client's key or budget, and the provider's words tell of an account that isn't the client's.
pub(super) fn account_refused(provider: &str, status: u64) -> Rejection {
    let message = format!(
        "The provider {provider} refuses the account of this gateway (it answered {status}). The gateway's operator has to see \
         to it; no key, limit or budget of yours is concerned."
    );
    let mut rejection = Rejection::plain(Outcome::ProviderUnavailable, message);
    rejection.headers.push(never_again());
    rejection
}

/// Whether a provider wants to be left alone for longer than an SDK may sleep.
fn asks_for_long(headers: &Headers) -> bool {
    let wait = headers.number("retry-after").or_else(|| headers.number(attempt::RETRY_AFTER));
    wait.is_some_and(|seconds| seconds.saturating_mul(1_000) > LONGEST_SLEEP_MS)
}

/// Whether an answer is neither one nor an error: it sends elsewhere, or speaks of what nobody asked.
pub(super) const fn leads_elsewhere(status: u64) -> bool {
    matches!(status, 0..200 | 300..400)
}

/// A client that follows it takes its key and its text along, past every limit.
pub(super) fn led_elsewhere(provider: &str, status: u64) -> Rejection {
    let message = format!(
        "The provider{provider} answered {status}, which would lead elsewhere and is not followed. The gateway's operator has to \
         see to it: the provider's address or path may be wrong."
    );
    let mut rejection = Rejection::plain(Outcome::ProviderError, message);
    rejection.headers.push(never_again());
    rejection
}

impl Exchange {
    /// Whether the answer's provider is only known by where it came from.
    pub fn has_choice(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.routed)
    }

    /// An answer's head has come, if this exchange was sent on.
    pub fn answer_head(&mut self, policy: &Policy, head: &AnswerHead<'_>) -> Passed {
        let copied_from = self.copied.as_ref().map(|copied| copied.of);
        let pair_key = self.pair_key();
        let Phase::Open(open) = &mut self.phase else {
            return Passed::default();
        };
        let mut standing = open.standing;
        let mut passed = Passed::default();
        if policy.replicas.is_some() {
            standing = replicas::standing(&open.tenant.rules, head.headers, standing);
            passed.remove.extend(replicas::STANDING);
        }
        let status = head.headers.number(":status").unwrap_or(0);
        // What Envoy refuses by itself takes no place in a window, and tells of none.
        if head.from_provider || status >= 500 {
            passed.set = rate_limit_headers(&standing);
        }
        let ejected = open.routed && status == attempt::EJECTED && head.headers.get(attempt::STAND_IN).is_some();
        if !head.from_provider || ejected {
            self.in_the_providers_stead(head, status, ejected, &mut passed);
            return passed;
        }
        let form = Form::of(head.headers.get("content-type"), head.headers.get("content-encoding"));
        let leg = offer::leg(&open.legs, policy, head.cluster);
        let withhold_usage = open.hide_usage && leg.is_some_and(|leg| leg.ask_usage);
        let provider = leg.and_then(|leg| leg.provider).and_then(|ix| policy.provider_at(ix));
        if open.routed {
            passed.set.extend(open.asked.chosen.clone().map(|model| ("x-ai-model", model)));
            passed.set.push(("x-ai-provider", provider.map_or(OTHER, |provider| &provider.name).to_owned()));
            if let Some(wait) = head.headers.get(attempt::RETRY_AFTER) {
                passed.set.push(("retry-after", String::from_utf8_lossy(wait).into_owned()));
                passed.remove.push(attempt::RETRY_AFTER);
            }
            if head.headers.get(OWN_FAILURE).is_some() {
                passed.remove.push(OWN_FAILURE);
            }
        }
        let mut meter = Meter::new(open.schema, form, withhold_usage);
        if open.note_ids || open.note_sizes {
            meter.collect_ids();
        }
        if self.schema.dialect == Dialect::Aws {
            for (name, count) in COUNTED_IN_THE_HEAD {
                meter.reported(count, head.headers.number(name));
            }
        }
        let served = match self.schema.dialect {
            Dialect::Aws => head.headers.get("x-amzn-bedrock-service-tier"),
            Dialect::Gemini => head.headers.get("x-gemini-service-tier"),
            _ => None,
        };
        if let Some(Ok(tier)) = served.map(str::from_utf8) {
            meter.served(tier);
        }
        let length = head.headers.number("content-length");
        // What is an error costs nothing, and calls nothing.
        let is_answer = status < 300;
        let texts = open.placeholders.take().and_then(|placeholders| {
            let content = policy.contents.of(copied_from.unwrap_or(open.tenant.ix))?;
            let mut texts = AnswerTexts::new(content, open.schema, *placeholders)?;
            if !is_answer {
                texts.may_be_unseen();
            }
            if matches!(form, Form::Encoded | Form::Opaque) {
                texts.look_at_nothing();
            }
            Some(texts)
        });
        let overrun = open.tenant.rules.overrun.filter(|_| open.asked.stream && is_answer);
        let spending = overrun.map(|overrun| open.spending(overrun, leg));
        let callable = open.callable.take().filter(|_| is_answer);
        let calling = callable.and_then(|callable| Calling::new(*callable, open.schema, form));
        let likeness = pair_key.filter(|_| is_answer).map(|key| Likeness::new(key, open.schema, form));
        let mut eyes = Eyes { texts, calling, spending, likeness, ..Eyes::default() };
        let refuses = eyes.may_refuse();
        if overrun == Some(Overrun::End) || refuses {
            eyes.whole = Some(WholeEvents::new(self.schema.dialect));
        }
        let is_stream = form == Form::Sse || (open.asked.stream && are_events(form, self.schema.dialect));
        passed.held = refuses && policy.hold_headers && !head.end_of_stream && !is_stream;
        let mut answer = Answer {
            status,
            meter,
            eyes: eyes.open(),
            length,
            first_byte: None,
            first_output: None,
            complete: head.end_of_stream,
            instead: None,
            refused: None,
        };
        if let Some(provider) = provider.filter(|provider| policy.refuses_account(provider, status)) {
            let reply = account_refused(&provider.name, status).in_dialect(self.schema.dialect, &self.request_id);
            answer.refused = Some(status);
            answer.status = reply.status.into();
            passed.replace(reply, head.end_of_stream);
        } else if leads_elsewhere(status) {
            let name = provider.map(|provider| format!(" {}", provider.name)).unwrap_or_default();
            let reply = led_elsewhere(&name, status).in_dialect(self.schema.dialect, &self.request_id);
            answer.status = reply.status.into();
            passed.replace(reply, head.end_of_stream);
        } else if status >= 429 && asks_for_long(head.headers) {
            // SDKs would sleep for as long as a provider says.
            passed.set.push(never_again());
        }
        open.answer = Some(answer);
        passed
    }

    /// Envoy's `ratelimit` filter has answered: the service had no room for this request, or, with `away`, said nothing.
    pub fn turned_away(&mut self, head: &AnswerHead<'_>, away: bool, now: UnixNanos) -> Passed {
        let Phase::Open(open) = &mut self.phase else {
            return Passed::default();
        };
        let (rules, headers) = (&*open.tenant.rules, head.headers);
        let refusal = if away { None } else { replicas::refusal(rules, headers, &open.reservation, now) };
        let rejection = match refusal {
            Some(refusal) => Rejection::limit(&refusal, &replicas::standing(rules, headers, open.standing), None),
            None => {
                let message = "The tenant's limits could not be checked just now; try again.";
                Rejection::plain(Outcome::InternalError, message)
            }
        };
        open.withdrawn = Some((rejection.outcome, rejection.refused_by()));
        let reply = rejection.in_dialect(self.schema.dialect, &self.request_id);
        let mut passed = Passed::default();
        passed.replace(reply, head.end_of_stream);
        passed.remove.extend(replicas::STANDING);
        passed.remove.push(replicas::REFUSED_BY);
        passed
    }

    /// What the service is asked of this exchange, if Envoys share limits.
    pub fn shared_question(&self, policy: &Policy) -> Vec<replicas::Descriptor> {
        match (&self.phase, &policy.replicas) {
            (Phase::Open(open), Some(_)) => {
                let TenantPolicy { name, tier, rules, .. } = &*open.tenant;
                replicas::question(name, tier, rules, &open.reservation)
            }
            _ => Vec::new(),
        }
    }

    /// An answer's head has come, or what Envoy says in its stead, while the request is still coming. Nothing of the body
    /// has been sent, so there is nothing to meter and nothing to pay; and nothing of it will be.
    pub fn early_answer(&mut self, policy: &Policy, head: &AnswerHead<'_>) -> Result<Passed, Reply> {
        let status = head.headers.number(":status").unwrap_or(0);
        let mut passed = Passed::default();
        let provider = policy.provider(head.cluster).filter(|_| head.from_provider);
        if let Some(provider) = provider.filter(|provider| policy.refuses_account(provider, status)) {
            let reply = account_refused(&provider.name, status).in_dialect(self.schema.dialect, &self.request_id);
            self.phase = Phase::Early { outcome: Outcome::ProviderUnavailable, refused: Some(status) };
            passed.replace(reply, head.end_of_stream);
            return Ok(passed);
        }
        let outcome = match status {
            413 if !head.from_provider => Outcome::RequestTooLarge,
            400..500 if !head.from_provider => Outcome::InvalidRequest,
            _ if !head.from_provider => Outcome::ProviderUnavailable,
            429 => Outcome::ProviderRateLimited,
            400..500 => Outcome::ProviderRejected,
            500.. => Outcome::ProviderError,
            // An answer to what nobody has asked yet: it could be one that nobody counts.
            _ => {
                let message = "The provider answered before it had the request.";
                return Err(self.refuse(Rejection::plain(Outcome::ProviderError, message)));
            }
        };
        self.phase = Phase::Early { outcome, refused: None };
        if !head.from_provider {
            self.in_the_providers_stead(head, status, false, &mut passed);
        }
        Ok(passed)
    }

    /// Envoy's own words are in OpenAI's dialect.
    fn in_the_providers_stead(&self, head: &AnswerHead<'_>, status: u64, ejected: bool, passed: &mut Passed) {
        let why = if status == 504 { "did not answer in time" } else { "cannot be reached" };
        let status = if ejected { 503 } else { status };
        if !ejected && (status < 500 || self.schema.dialect == Dialect::OpenAi) {
            return;
        }
        let rejection = Rejection::plain(Outcome::ProviderUnavailable, format!("The provider {why}."));
        let mut reply = rejection.in_dialect(self.schema.dialect, &self.request_id);
        reply.status = u32::try_from(status).unwrap_or(reply.status);
        passed.replace(reply, head.end_of_stream);
        passed.remove.push(attempt::STAND_IN);
    }

    /// Whether the answer's body may come out shorter than the provider said.
    pub fn edits_answer(&self) -> bool {
        self.interest().is_some_and(|interest| interest.edits)
    }

    /// Whether the answer's body is of interest at all, and to whom: asked once a chunk.
    pub fn interest(&self) -> Option<Interest> {
        let Phase::Open(open) = &self.phase else { return None };
        let answer = open.answer.as_ref()?;
        let is_kept = open.note_ids || open.note_sizes;
        Some(match &answer.eyes {
            None => Interest { edits: answer.meter.edits(), follows: is_kept },
            Some(eyes) => Interest { edits: answer.meter.edits() || eyes.edits(), follows: is_kept || eyes.may_end() },
        })
    }

    pub(super) fn answer(&self) -> Option<&Answer> {
        match &self.phase {
            Phase::Open(open) => open.answer.as_ref(),
            _ => None,
        }
    }

    /// Ids that have come since this was asked last, before they go on: what they stand for is the tenant's.
    pub fn fresh_ids(&mut self) -> &[Id] {
        match &mut self.phase {
            Phase::Open(open) if open.note_ids => open.answer.as_mut().map_or(&[], |answer| answer.meter.fresh_ids()),
            _ => &[],
        }
    }

    /// What the answer holds for whoever goes on from it: once, as soon as it says so, before that goes on.
    pub fn fresh_size(&mut self) -> Option<Made> {
        match &mut self.phase {
            Phase::Open(open) if open.note_sizes => open.answer.as_mut().and_then(|answer| answer.meter.fresh_size()),
            _ => None,
        }
    }

    /// Reads the next bytes of the answer; `last` when no more can come.
    pub fn answer_body(&mut self, bytes: &[u8], last: bool, now: impl FnOnce() -> UnixNanos) -> Passage {
        let Phase::Open(open) = &mut self.phase else {
            return Passage::Unchanged;
        };
        let Some(answer) = &mut open.answer else {
            return Passage::Unchanged;
        };
        if let Some(eyes) = &answer.eyes
            && eyes.ended.is_some()
        {
            return Passage::Replaced(Vec::new());
        }
        answer.complete |= last;
        let mut passage = answer.meter.feed(bytes, last);
        if let Some(eyes) = &mut answer.eyes {
            eyes.pass(&answer.meter, bytes, last, &mut passage);
        }
        let begins = answer.first_byte.is_none() && !bytes.is_empty();
        let shows = answer.first_output.is_none() && answer.meter.has_output();
        // The host is asked for the time once for both, if they come together.
        if begins || shows {
            let now = now();
            answer.first_byte = answer.first_byte.or(Some(now));
            answer.first_output = answer.first_output.or(shows.then_some(now));
        }
        passage
    }
}
