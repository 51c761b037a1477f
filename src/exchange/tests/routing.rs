//! Requests whose providers are chosen here: who may see them, what each is sent, what failed attempts cost.

use crate::attempt::{self, Attempt, Begun, Failed};
use crate::exchange::*;
use crate::likeness::PairKey;
use crate::limit::accounts::Came;
use crate::llm::request::spliced;
use crate::llm::served::Served;
use crate::llm::usage::Usage;
use crate::route::Sensitivity;
use crate::units::NanoUsd;
use proptest::prelude::*;
use serde_json::{Value, json};

pub(super) const NOON: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
pub(super) const PAIR: PairKey = PairKey::drawn([1, 2]);

pub(super) fn config() -> Value {
    let price = |model: &str, input: &str, output: &str| json!({"model": model, "input_usd_per_1m_tokens": input, "output_usd_per_1m_tokens": output});
    json!({
        "tenants": {
            "acme": {"tier": "premium", "unlimited": ["request_usd", "day_usd"]},
            "picky": {"models": ["llama3.2"], "role_models": {"chat": "llama3.2"}},
        },
        "roles": ["chat", "code", "agent"],
        "providers": {
            "openai": {"cluster": "c_openai", "sensitivity": "confidential"},
            "openrouter": {"cluster": "c_openrouter", "sensitivity": "internal", "base_path": "/api/v1",
                "stream_usage_option": false},
            "anthropic": {"cluster": "c_anthropic", "sensitivity": "confidential", "apis": ["anthropic_messages"]},
            "azure": {"cluster": "c_azure", "sensitivity": "restricted", "key": "absent"},
            "local": {"cluster": "c_local", "sensitivity": "restricted", "base_path": "/",
                "paths": {"openai_embeddings": "/embed/{model}"}},
        },
        "models": [
            {"model": "gpt-4o-mini", "context_tokens": 128_000, "tools": true, "providers": [
                {"provider": "azure"}, {"provider": "openai"}, {"provider": "openrouter", "model": "openai/*"},
                {"provider": "local", "model": "llama3.2"}]},
            {"model": "gpt-4o", "context_tokens": 128_000, "tools": true, "providers": [
                {"provider": "openai"}, {"provider": "openrouter", "model": "openai/*"}]},
            {"model": "claude-*", "tools": true, "providers": [{"provider": "anthropic"}]},
            {"model": "llama3.2", "context_tokens": 2_000, "providers": [{"provider": "local"}]},
        ],
        "virtual_models": {"auto": ["gpt-4o", "gpt-4o-mini"], "cheap": ["gpt-4o-mini", "llama3.2", "gpt-4o"]},
        "role_models": {"chat": "gpt-4o-mini", "code": "gpt-4o", "agent": "cheap"},
        "aliases": {"fast": "gpt-4o-mini"},
        "prices": [
            price("gpt-4o-mini", "0.15", "0.60"), price("openrouter/openai/gpt-4o-mini", "0.20", "0.70"),
            price("gpt-4o", "2.50", "10"), price("openrouter/openai/gpt-4o", "2.50", "10"), price("claude-*", "3", "15"),
            price("local/llama3.2", "0.01", "0.02"),
        ],
    })
}

fn policy() -> Policy {
    Policy::read(config().to_string().as_bytes()).unwrap()
}

pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: String,
    pub(super) open: Vec<&'a str>,
    /// Variants that have passed their bounds.
    pub(super) out: Vec<&'a str>,
    /// What accounts have spent on the day so far, in nano-USD.
    pub(super) spent: Vec<(Whose<'a>, u64)>,
}

impl<'a> Asked<'a> {
    pub(super) fn chat(body: &Value) -> Self {
        Self {
            path: "/v1/chat/completions",
            headers: vec![("x-tenant-id", "acme")],
            body: body.to_string(),
            open: vec![],
            out: vec![],
            spent: vec![],
        }
    }

    fn own(body: &Value) -> Self {
        Self { path: "/api/ai/chat", ..Self::chat(body) }
    }

    pub(super) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn by(mut self, tenant: &'a str) -> Self {
        self.headers[0].1 = tenant;
        self
    }

    /// The account has spent so much on the day so far.
    pub(super) fn behind(mut self, whose: Whose<'a>, nanousd: u64) -> Self {
        self.spent.push((whose, nanousd));
        self
    }

    fn cell(&self, whose: Whose<'_>) -> Option<Cell> {
        let (_, spent) = self.spent.iter().find(|(known, _)| *known == whose)?;
        let mut cell = Cell::default();
        cell.take_over([NanoUsd(*spent); 2], NOON, NOON, 900);
        Some(cell)
    }

    fn ejected(mut self, providers: &[&'a str]) -> Self {
        self.open = providers.to_vec();
        self
    }

    pub(super) fn sent(&self, policy: &Policy) -> Result<(Exchange, Chain), Reply> {
        self.sent_with(policy, &self.headers, Exchange::open)
    }

    /// What becomes of the copy that a shadow gets of it, if one does.
    pub(super) fn copied(&self, policy: &Policy) -> Option<Result<(Exchange, Chain), Reply>> {
        let headers = self.sent(policy).ok()?.0.mirrored(policy, PAIR);
        if headers.is_empty() {
            return None;
        }
        // Routes take out what says who calls.
        let says = ["x-tenant-id", "x-ai-role", "x-ai-sensitivity"];
        let rest = self.headers.iter().copied().filter(|(name, _)| !says.contains(name));
        let headers: Vec<_> = rest.chain(headers.iter().map(|(name, value)| (*name, value.as_str()))).collect();
        Some(self.sent_with(policy, &headers, Exchange::open_copy))
    }

    pub(super) fn sent_with(
        &self,
        policy: &Policy,
        more: &[(&str, &str)],
        open: fn(&Policy, &Headers, UnixNanos) -> Opening,
    ) -> Result<(Exchange, Chain), Reply> {
        let mut headers = vec![(":method", "POST"), (":path", self.path)];
        if more.iter().all(|(name, _)| *name != "x-request-id") {
            headers.push(("x-request-id", "id-1"));
        }
        headers.extend(more);
        let headers = Headers::of(&headers);
        let mut exchange = match open(policy, &headers, NOON) {
            Opening::Read(exchange) => exchange,
            Opening::Refuse(_, reply) => return Err(reply),
            Opening::Aside => panic!("{} is not an API", self.path),
        };
        assert_eq!(exchange.body(policy, self.body.as_bytes()), None);
        let is_open = |ix| self.open.contains(&policy.provider_at(ix).unwrap().name.as_str());
        let is_out = |_: &str, model: &str| self.out.contains(&model);
        let around = Around {
            cluster: None,
            is_attended: &|_| true,
            is_open: &is_open,
            knows: &|_, _| false,
            density: &|_, _| Density::default(),
            sizes: &|_, _| None,
            is_out: &is_out,
            cell: &|whose| self.cell(whose),
            service_unavailable: false,
            now: NOON,
        };
        let demand = exchange.end_of_request(policy, around).unwrap()?;
        let mut cell = self.cell(Whose::Tenant(&demand.tenant.name)).unwrap_or_default();
        let decision = cell.admit(&demand.tenant.rules, &demand.ask, NOON);
        match exchange.decided(policy, demand, Ok(decision), NOON) {
            Step::Route(chain) => Ok((exchange, chain)),
            Step::Refuse(reply) => Err(reply),
            Step::Forward(_) => panic!("was not routed"),
        }
    }

    fn clusters(&self, policy: &Policy) -> Result<Vec<String>, (Outcome, String)> {
        self.sent(policy).map(|(_, chain)| chain.clusters).map_err(|reply| {
            (reply.outcome, serde_json::from_slice::<Value>(&reply.body).unwrap()["error"]["message"].to_string())
        })
    }

    /// What `provider` gets: its path and body.
    pub(super) fn received(&self, policy: &Policy, provider: &str) -> (String, Value) {
        let (_, chain) = self.sent(policy).unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)));
        let attempt = Attempt::of(&chain.plan, provider).unwrap_or_else(|| panic!("no leg for {provider}"));
        let body = spliced(self.body.as_bytes(), &attempt.leg.edits);
        assert_eq!(body.len() as u64, attempt.leg.length, "content-length");
        (attempt.leg.path, serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}")))
    }
}

pub(super) fn hello(model: &str) -> Value {
    json!({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]})
}

#[test]
fn each_provider_gets_its_own_path_and_name() {
    let policy = policy();
    let asked = Asked::chat(&hello("fast"));
    assert_eq!(asked.clusters(&policy).unwrap(), ["c_openai", "c_openrouter", "c_local"]);
    let (path, body) = asked.received(&policy, "openai");
    assert_eq!((path.as_str(), &body["model"]), ("/v1/chat/completions", &json!("gpt-4o-mini")));
    let (path, body) = asked.received(&policy, "openrouter");
    assert_eq!((path.as_str(), &body["model"]), ("/api/v1/chat/completions", &json!("openai/gpt-4o-mini")));
    let (path, body) = asked.received(&policy, "local");
    assert_eq!((path.as_str(), &body["model"]), ("/chat/completions", &json!("llama3.2")));
    assert_eq!(body["messages"], hello("")["messages"]);
}

/// Azure's path names the model, and nobody looks into the body for it. Who is called by another path does: a dear model there
/// would be served at a cheap one's price.
#[test]
fn no_body_names_another_model_than_its_path() {
    let mut config = config();
    config["providers"]["openai"]["paths"] =
        json!({"openai_chat": "/v1/chat/completions", "openai_audio": "/v1/audio/transcriptions"});
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    let chat =
        |model: &str| Asked { path: "/openai/deployments/gpt-4o-mini/chat/completions", ..Asked::chat(&hello(model)) };
    for (written, provider, path, sent) in [
        ("gpt-4o", "openai", "/v1/chat/completions", "gpt-4o-mini"),
        ("gpt-4o", "openrouter", "/openai/deployments/openai%2fgpt-4o-mini/chat/completions", "openai/gpt-4o-mini"),
        (
            "gpt-4o-mini",
            "openrouter",
            "/openai/deployments/openai%2fgpt-4o-mini/chat/completions",
            "openai/gpt-4o-mini",
        ),
        ("gpt-4o-mini", "openai", "/v1/chat/completions", "gpt-4o-mini"),
        ("", "openrouter", "/openai/deployments/openai%2fgpt-4o-mini/chat/completions", ""),
    ] {
        let (at, body) = chat(written).received(&policy, provider);
        assert_eq!((at.as_str(), &body["model"]), (path, &json!(sent)), "{written:?} at {provider}");
    }
    let form = |model: &str| {
        let field = format!("--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n");
        let file = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
        let path = "/openai/deployments/gpt-4o-mini/audio/transcriptions";
        Asked { path, body: field + file, ..Asked::chat(&Value::Null) }
            .with("content-type", "multipart/form-data; boundary=b")
    };
    // Those serve it whose path names the model.
    assert_eq!(form("gpt-4o").clusters(&policy).unwrap(), ["c_openrouter", "c_local"]);
    config["models"] = json!([{"model": "gpt-4o-mini", "providers": [{"provider": "openai"}]}]);
    config["virtual_models"] = json!({});
    config["role_models"] = json!({});
    let only = Policy::read(config.to_string().as_bytes()).unwrap();
    let Err(refused) = form("gpt-4o").sent(&only) else { panic!("was sent on") };
    let message = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(refused.status == 400 && message.contains("The form's `model` must be left out"), "{message}");
    // Where the path stays, the name in a form is nobody's.
    let own = self::policy();
    assert!(
        form("gpt-4o-mini").sent(&policy).is_ok()
            && form("").sent(&policy).is_ok()
            && form("gpt-4o").sent(&own).is_ok()
    );
}

#[test]
fn only_who_takes_the_usage_option_is_sent_it() {
    let policy = policy();
    let mut body = hello("gpt-4o-mini");
    body["stream"] = json!(true);
    let asked = Asked::chat(&body);
    assert_eq!(asked.received(&policy, "openai").1["stream_options"], json!({"include_usage": true}));
    assert_eq!(asked.received(&policy, "openrouter").1["stream_options"], Value::Null);
}

/// The original's chat, wherever its own fields stand.
#[test]
fn what_only_the_gateway_reads_is_cut_out() {
    let policy = policy();
    let messages = r#""messages":[{"role":"user","content":"Hello"}]"#;
    for body in [
        format!(r#"{{{messages},"role":"chat","sensitivity":"internal"}}"#),
        format!(r#"{{"role":"chat","sensitivity":"internal",{messages}}}"#),
        format!(r#"{{ "role" : "chat" , {messages} , "sensitivity" : "internal" }}"#),
        format!(r#"{{"sensitivity":"internal",{messages},"stream":false,"role":"chat"}}"#),
        format!(r#"{{"model":"gpt-4o-mini","role":"chat",{messages}}}"#),
        format!(r#"{{{messages},"role":"chat","model":"role"}}"#),
    ] {
        let asked = Asked { body: body.clone(), ..Asked::own(&Value::Null) };
        let (path, sent) = asked.received(&policy, "openai");
        assert_eq!(path, "/v1/chat/completions");
        let mut fields: Vec<_> = sent.as_object().unwrap().keys().map(String::as_str).collect();
        fields.retain(|field| *field != "stream");
        assert_eq!(fields, ["max_completion_tokens", "messages", "model"], "{body}");
        assert_eq!(sent["model"], "gpt-4o-mini");
    }
}

#[test]
fn the_role_names_the_model_unless_the_client_does() {
    let policy = policy();
    let model = |asked: &Asked<'_>| {
        asked.received(&policy, asked.clusters(&policy).unwrap()[0].trim_start_matches("c_")).1["model"].clone()
    };
    let body = |role: &str| json!({"messages": [], "role": role, "max_tokens": 9});
    assert_eq!(model(&Asked::own(&body("chat"))), "gpt-4o-mini");
    assert_eq!(model(&Asked::own(&body("code"))), "gpt-4o");
    assert_eq!(model(&Asked::own(&body("agent"))), "llama3.2");
    assert_eq!(model(&Asked::own(&body("chat")).by("picky")), "llama3.2");
    assert_eq!(model(&Asked::own(&json!({"messages": [], "max_tokens": 9})).with("x-ai-role", "code")), "gpt-4o");
    assert_eq!(model(&Asked::chat(&hello("role")).with("x-ai-role", "code")), "gpt-4o");
    let refused = |asked: Asked<'_>| asked.clusters(&policy).unwrap_err();
    assert_eq!(refused(Asked::own(&json!({"messages": []}))).0, Outcome::InvalidRequest);
    let (outcome, why) = refused(Asked::own(&body("poet")));
    assert_eq!(outcome, Outcome::InvalidRequest);
    assert!(why.contains("`chat`, `code`, `agent`"), "{why}");
    assert_eq!(refused(Asked::own(&body("chat")).with("x-ai-role", "code")).0, Outcome::InvalidRequest);
}

#[test]
fn a_virtual_name_is_the_cheapest_that_fits() {
    let policy = policy();
    let chosen = |asked: &Asked<'_>| {
        let (exchange, chain) = asked.sent(&policy).map_err(|reply| reply.outcome)?;
        assert!(!chain.clusters.is_empty());
        let Phase::Open(open) = exchange.phase else { panic!("was not sent on") };
        Ok(open.asked.chosen.unwrap())
    };
    assert_eq!(chosen(&Asked::chat(&hello("cheap"))), Ok("llama3.2".to_owned()));
    assert_eq!(chosen(&Asked::chat(&hello("auto"))), Ok("gpt-4o-mini".to_owned()));
    // Tools, the context and the tenant's models each leave one less.
    let mut tools = hello("cheap");
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(chosen(&Asked::chat(&tools)), Ok("gpt-4o-mini".to_owned()));
    let mut no_tools = hello("cheap");
    no_tools["tools"] = json!([]);
    assert_eq!(chosen(&Asked::chat(&no_tools)), Ok("llama3.2".to_owned()));
    let mut long = hello("cheap");
    long["messages"] = json!([{"role": "user", "content": "x".repeat(8_000)}]);
    assert_eq!(chosen(&Asked::chat(&long)), Ok("gpt-4o-mini".to_owned()));
    assert_eq!(chosen(&Asked::chat(&long).by("picky")), Err(Outcome::ModelNotAllowed));
    assert_eq!(chosen(&Asked::chat(&hello("auto")).by("picky")), Err(Outcome::ModelNotAllowed));
    // What is beside the text may be many times as long as it likely is: nobody goes to a dearer model for that.
    let mut screens = hello("auto");
    let screen = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}});
    screens["messages"] = json!([{"role": "user", "content": [screen, screen, screen]}]);
    screens["max_tokens"] = json!(8_000);
    assert_eq!(chosen(&Asked::chat(&screens)), Ok("gpt-4o-mini".to_owned()));
    let mut scan = hello("cheap");
    let pdf = format!("data:application/pdf;base64,{}", "QUJD".repeat(65_000));
    scan["messages"] = json!([{"role": "user", "content": [{"type": "file", "file": {"file_data": pdf}}]}]);
    assert_eq!(chosen(&Asked::chat(&scan).by("picky")), Ok("llama3.2".to_owned()));
    // What nobody can serve just now is not chosen.
    assert_eq!(chosen(&Asked::chat(&hello("cheap")).ejected(&["local"])), Ok("gpt-4o-mini".to_owned()));
    assert_eq!(
        chosen(&Asked::chat(&hello("cheap")).ejected(&["openai", "openrouter", "local"])),
        Err(Outcome::ProviderUnavailable)
    );
}

#[test]
fn an_open_breaker_moves_its_provider_to_the_end() {
    let policy = policy();
    let clusters = |open: &[&'static str]| Asked::chat(&hello("gpt-4o-mini")).ejected(open).clusters(&policy);
    assert_eq!(clusters(&["openai"]).unwrap(), ["c_openrouter", "c_local", "c_openai"]);
    assert_eq!(clusters(&["openai", "openrouter"]).unwrap(), ["c_local", "c_openai", "c_openrouter"]);
    let (outcome, _) = clusters(&["openai", "openrouter", "local"]).unwrap_err();
    assert_eq!(outcome, Outcome::ProviderUnavailable);
}

#[test]
fn who_may_not_see_it_or_does_not_speak_it_is_left_out() {
    let policy = policy();
    let clusters = |model: &str, sensitivity: &'static str| {
        Asked::chat(&hello(model)).with("x-ai-sensitivity", sensitivity).clusters(&policy)
    };
    assert_eq!(clusters("gpt-4o-mini", "public").unwrap(), ["c_openai", "c_openrouter", "c_local"]);
    assert_eq!(clusters("gpt-4o-mini", "confidential").unwrap(), ["c_openai", "c_local"]);
    assert_eq!(clusters("gpt-4o-mini", "restricted").unwrap(), ["c_local"]);
    let (outcome, why) = clusters("gpt-4o", "restricted").unwrap_err();
    assert_eq!(outcome, Outcome::ModelNotAllowed);
    assert!(why.contains("restricted"), "{why}");
    assert_eq!(clusters("claude-4", "public").unwrap_err().0, Outcome::ModelNotFound);
    assert_eq!(clusters("gpt-4o", "secret").unwrap_err().0, Outcome::InvalidRequest);
    // Empty, it was meant to say something.
    assert!(matches!(Exchange::open(&policy, &Headers::of(&[(":method", "POST"), (":path", "/v1/messages"),
        ("x-tenant-id", "acme"), ("x-ai-sensitivity", " ")]), NOON), Opening::Refuse(_, reply) if reply.status == 400));
    let (outcome, why) = clusters("gpt-9", "public").unwrap_err();
    assert_eq!(outcome, Outcome::ModelNotFound);
    assert!(why.contains("`gpt-9`"), "{why}");
    let messages = Asked { path: "/v1/messages", ..Asked::chat(&hello("claude-4")) };
    assert_eq!(messages.clusters(&policy).unwrap(), ["c_anthropic"]);
    let embeddings = Asked { path: "/v1/embeddings", ..Asked::chat(&json!({"model": "llama3.2", "input": "x"})) };
    assert_eq!(embeddings.received(&policy, "local").0, "/embed/llama3.2");
}

/// The tenant is charged for every attempt that its provider billed, and for none twice.
#[test]
fn failed_attempts_that_reported_usage_are_charged_once() {
    let policy = policy();
    let usage = |input, output| Usage {
        input_tokens: Tokens(input),
        output_tokens: Tokens(output),
        total_tokens: Tokens(input + output),
        ..Usage::default()
    };
    let failed = |number, provider: &str| {
        let failed = Failed {
            number,
            provider: provider.to_owned(),
            refused: None,
            usage: Some(usage(1_000, 100)),
            served: Served::default(),
            given_up: None,
        };
        assert_eq!(Failed::all(&failed.line()), std::slice::from_ref(&failed));
        failed
    };
    let close = |answered: bool, attempts, failed: Vec<Failed>| {
        let (mut exchange, _) = Asked::chat(&hello("gpt-4o-mini")).sent(&policy).unwrap();
        let cluster = Some("c_local".to_owned());
        if answered {
            let headers = Headers::of(&[(":status", "200"), ("content-type", "application/json")]);
            let head =
                AnswerHead { headers: &headers, from_provider: true, cluster: Some("c_local"), end_of_stream: false };
            let passed = exchange.answer_head(&policy, &head);
            for header in [("x-ai-model", "gpt-4o-mini"), ("x-ai-provider", "local")] {
                assert!(passed.set.contains(&(header.0, header.1.to_owned())), "{passed:?}");
            }
            let answer = br#"{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#;
            exchange.answer_body(answer, true, || NOON);
        }
        let ending = Ending { status: 200, cluster, sent: true, attempts, failed, ..Ending::default() };
        let Closed { settlement, record, .. } = exchange.close(&policy, &ending, NOON);
        let line: Value = serde_json::from_str(&record.to_json()).unwrap();
        let Came { cost, tokens, .. } = settlement.unwrap().came;
        assert_eq!(line["cost_nanousd"], cost.0);
        (cost.0, tokens.0, line)
    };
    let answer = 1_000 + 200;
    let (openai, openrouter) = (150_000 + 60_000, 200_000 + 70_000);
    assert_eq!(close(true, 1, vec![]).0, answer);
    let (cost, tokens, line) = close(true, 3, vec![failed(1, "openai"), failed(2, "openrouter")]);
    assert_eq!((cost, tokens), (answer + openai + openrouter, 110 + 1_100 + 1_100));
    assert_eq!((&line["provider"], &line["model"]), (&json!("local"), &json!("local/llama3.2")));
    assert_eq!(line["failed_attempts"][1]["cost_nanousd"], openrouter);
    // The last attempt's answer passed and was metered; where none passed, the last attempt counts as well.
    assert_eq!(close(true, 2, vec![failed(1, "openai"), failed(2, "local")]).0, answer + openai);
    assert_eq!(close(false, 2, vec![failed(1, "openai"), failed(2, "openrouter")]).0, openai + openrouter);
    assert_eq!(close(true, 2, vec![failed(1, "a stranger")]).0, answer);
}

/// Each attempt is the business of the models that it asked; whoever was not asked has nothing of it.
#[test]
fn each_model_group_pays_for_what_its_own_models_billed() {
    let mut config = config();
    config["model_groups"] = json!({"hosted": ["gpt-4o*", "openai/*"], "ours": ["local/*"], "dear": ["gpt-4o"]});
    let of = json!({"hosted": {"budgets": {"day_usd": "1"}}, "ours": {"budgets": {"day_usd": "1"}}});
    config["tenants"]["acme"]["model_groups"] = of;
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    let settled = |failed: Vec<Failed>, cluster: &str| {
        let (mut exchange, _) = Asked::chat(&hello("gpt-4o-mini")).sent(&policy).unwrap();
        let headers = Headers::of(&[(":status", "200"), ("content-type", "application/json")]);
        let head = AnswerHead { headers: &headers, from_provider: true, cluster: Some(cluster), end_of_stream: false };
        exchange.answer_head(&policy, &head);
        let answer = br#"{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#;
        exchange.answer_body(answer, true, || NOON);
        let attempts = failed.len() as u64 + 1;
        let cluster = Some(cluster.to_owned());
        let ending = Ending { status: 200, cluster, sent: true, attempts, failed, ..Ending::default() };
        let Closed { settlement, record, .. } = exchange.close(&policy, &ending, NOON);
        let line: Value = serde_json::from_str(&record.to_json()).unwrap();
        let failed = line["failed_attempts"].as_array().into_iter().flatten();
        assert!(failed.into_iter().all(|failed| failed["model_group"] == "hosted"), "{line}");
        let Settlement { models, came, of_models, .. } = settlement.unwrap();
        let name = |ix| policy.model_groups.name(ix).unwrap().to_string();
        assert_eq!(models.into_iter().map(name).collect::<Vec<_>>(), ["hosted", "ours"], "all that may serve it");
        let of: Vec<_> = of_models.into_iter().map(|(ix, came)| (name(ix), came.cost.0, came.tokens.0)).collect();
        assert_eq!(of.iter().map(|(_, cost, _)| cost).sum::<u64>(), came.cost.0, "a cost is attributed once");
        (of, record.model_group.unwrap().to_string())
    };
    let failed = |number, provider: &str| {
        let usage = Usage {
            input_tokens: Tokens(1_000),
            output_tokens: Tokens(100),
            total_tokens: Tokens(1_100),
            ..Usage::default()
        };
        let usage = Some(usage);
        Failed {
            number,
            provider: provider.to_owned(),
            refused: None,
            usage,
            served: Served::default(),
            given_up: None,
        }
    };
    let entry = |name: &str, cost, tokens| (name.to_owned(), cost, tokens);
    assert_eq!(settled(vec![], "c_openai"), (vec![entry("hosted", 21_000, 110)], "hosted".to_owned()));
    let both = vec![entry("ours", 1_200, 110), entry("hosted", 210_000 + 270_000, 2_200)];
    assert_eq!(settled(vec![failed(1, "openai"), failed(2, "openrouter")], "c_local"), (both, "ours".to_owned()));
}

/// It was sent, nobody knows what it came to, and its provider goes on.
#[test]
fn an_attempt_that_was_given_up_is_charged_at_its_own_price_for_the_time_it_had() {
    const SECOND: u64 = 1_000_000_000;
    let policy = policy();
    let attempts = |failed: Vec<Failed>, attempts, answered: bool| {
        let (mut exchange, _) = Asked::chat(&hello("gpt-4o-mini")).sent(&policy).unwrap();
        if answered {
            let headers = Headers::of(&[(":status", "200"), ("content-type", "application/json")]);
            let head =
                AnswerHead { headers: &headers, from_provider: true, cluster: Some("c_local"), end_of_stream: false };
            exchange.answer_head(&policy, &head);
            let answer = br#"{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#;
            exchange.answer_body(answer, true, || NOON);
        }
        let ending = Ending { status: 200, sent: true, flags: 1 << 14, attempts, failed, ..Ending::default() };
        let record = exchange.close(&policy, &ending, UnixNanos(NOON.0 + 30 * SECOND)).record;
        record.bill.failed_attempts
    };
    let given_up =
        |number, provider, tenths: u64| Failed::given_up(number, provider, UnixNanos(NOON.0 + tenths * SECOND / 10));
    // What ended sooner was hung up on.
    assert_eq!(attempts(vec![given_up(1, "openai", 49)], 2, true), []);
    let all = attempts(vec![given_up(1, "openai", 50), given_up(2, "openrouter", 120)], 3, true);
    let said: Vec<_> =
        all.iter().map(|attempt| (&*attempt.provider, attempt.usage.output_tokens.0, attempt.source.name())).collect();
    assert_eq!(said, [("openai", 50, "estimated"), ("openrouter", 50, "estimated")]);
    assert!(all.iter().all(|attempt| attempt.cost > NanoUsd::ZERO && attempt.usage.input_tokens > Tokens(0)));
    // The last one is the exchange's own, whether it left or answered.
    assert_eq!(attempts(vec![given_up(1, "openai", 1)], 1, false), []);
    assert_eq!(attempts(vec![given_up(1, "openai", 1)], 1, true), []);
    let line = given_up(1, "openai", 1).line();
    assert_eq!(Failed::all(&line), [given_up(1, "openai", 1)]);
}

/// A provider that is full asks for ten seconds, and Envoy waits for them: nobody wrote anything then.
#[test]
fn what_failed_and_was_waited_for_is_no_time_that_the_next_attempt_wrote_in() {
    const SECOND: u64 = 1_000_000_000;
    let policy = policy();
    let refused = Failed::of(1, "openai", 429, None);
    let begun = Begun { number: 2, at: UnixNanos(NOON.0 + 19 * SECOND / 2) };
    assert_eq!(Begun::all(&begun.line()), [begun]);
    let output = |begun: &[Begun]| {
        let mut body = hello("gpt-4o-mini");
        body["max_tokens"] = json!(2_000);
        let (exchange, _) = Asked::chat(&body).sent(&policy).unwrap();
        let (failed, begun) = (vec![refused.clone()], begun.to_vec());
        let ending = Ending { sent: true, flags: 1 << 14, attempts: 2, failed, begun, ..Ending::default() };
        let bill = exchange.close(&policy, &ending, UnixNanos(NOON.0 + 10 * SECOND)).record.bill;
        bill.usage.output_tokens.0
    };
    assert_eq!((output(&[begun]), output(&[])), (125, 2_000));
}

/// Whoever leaves while Envoy waits for its next attempt leaves nothing that is being generated.
#[test]
fn leaving_between_two_attempts_costs_nothing() {
    const CLIENT_GONE: u64 = 1 << 14;
    let policy = policy();
    let cost = |attempts| {
        let (exchange, _) = Asked::chat(&hello("gpt-4o-mini")).sent(&policy).unwrap();
        let failed = vec![Failed::of(1, "openai", 500, None)];
        let ending = Ending { flags: CLIENT_GONE, sent: true, attempts, failed, ..Ending::default() };
        exchange.close(&policy, &ending, NOON).settlement.unwrap().came.cost
    };
    assert_eq!(cost(1), NanoUsd::ZERO);
    assert!(cost(2) > NanoUsd::ZERO);
}

/// The answer of a provider, and the exchange once it is over.
fn answered_by(
    policy: &Policy,
    asked: &Asked<'_>,
    cluster: &str,
    status: u64,
    failed: Vec<Failed>,
) -> (Passed, Closed) {
    let (mut exchange, _) = asked.sent(policy).unwrap();
    let headers = [(":status", status.to_string()), ("content-type", "application/json".to_owned())];
    let headers = Headers::of(&headers);
    let head = AnswerHead { headers: &headers, from_provider: true, cluster: Some(cluster), end_of_stream: false };
    let passed = exchange.answer_head(policy, &head);
    let SoFar::Answered { status, .. } = exchange.so_far() else { panic!("was not answered") };
    let attempts = failed.len() as u64;
    let ending =
        Ending { status, cluster: Some(cluster.to_owned()), sent: true, attempts, failed, ..Ending::default() };
    (passed, exchange.close(policy, &ending, NOON))
}

/// 401, 402 and 403 are also what the gateway says of a client's own key and budget.
#[test]
fn a_provider_that_refuses_the_gateways_account_is_never_taken_for_the_gateway() {
    let policy = policy();
    for (path, model, cluster, at) in
        [("/v1/chat/completions", "gpt-4o", "c_openai", "code"), ("/v1/messages", "claude-4", "c_anthropic", "type")]
    {
        for status in attempt::ACCOUNT {
            let asked = Asked { path, ..Asked::chat(&hello(model)) };
            let provider = cluster.trim_start_matches("c_");
            let refused = vec![Failed::of(1, provider, status, None)];
            let (passed, closed) = answered_by(&policy, &asked, cluster, status, refused);
            assert!(passed.set.contains(&(":status", "503".to_owned())), "{passed:?}");
            assert!(passed.set.contains(&("x-should-retry", "false".to_owned())), "{passed:?}");
            let body: Value = serde_json::from_slice(&passed.body.unwrap()).unwrap();
            let said = if at == "code" { "provider_unavailable" } else { "overloaded_error" };
            assert_eq!(body["error"][at], said, "{body}");
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains(provider) && message.contains(&status.to_string()), "{message}");
            let record = closed.record;
            assert_eq!(
                (record.outcome, record.status, record.bill.cost),
                (Outcome::ProviderUnavailable, 503, NanoUsd::ZERO)
            );
            assert_eq!(record.bill.account_refusals, [(provider.to_owned(), status)], "counted once");
        }
        // Any other refusal is about the request, and the provider's own words.
        for status in [400, 404, 408, 422] {
            let asked = Asked { path, ..Asked::chat(&hello(model)) };
            let (passed, closed) = answered_by(&policy, &asked, cluster, status, vec![]);
            assert_eq!((passed.body, closed.record.outcome), (None, Outcome::ProviderRejected), "{status}");
        }
    }
}

/// Who answers in the end hides nothing of who refused before.
#[test]
fn refusals_of_the_account_are_counted_when_another_provider_answers() {
    let policy = policy();
    let failed = [("openai", 402), ("openrouter", 429), ("local", 200)];
    let failed =
        failed.into_iter().zip(1..).map(|((provider, status), number)| Failed::of(number, provider, status, None));
    let failed: Vec<_> = failed.collect();
    for line in &failed {
        assert_eq!(Failed::all(&line.line()), std::slice::from_ref(line));
    }
    let (passed, closed) = answered_by(&policy, &Asked::chat(&hello("gpt-4o-mini")), "c_local", 200, failed);
    // Of this answer nothing but its head came.
    assert_eq!((passed.body, closed.record.outcome), (None, Outcome::ProviderError));
    assert_eq!(closed.record.bill.account_refusals, [("openai".to_owned(), 402)]);
}

/// A router whose 403 is about the words of a request says so to the client; one that answers 404 for want of a contract needn't.
#[test]
fn an_operator_says_by_which_statuses_a_provider_refuses_an_account() {
    let mut config = config();
    config["providers"]["openai"]["account_statuses"] = json!([401, 404]);
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    for (status, refused) in [(401, true), (402, false), (403, false), (404, true)] {
        let (passed, _) = answered_by(&policy, &Asked::chat(&hello("gpt-4o")), "c_openai", status, vec![]);
        assert_eq!(passed.body.is_some(), refused, "{status}");
    }
    for wrong in [399, 429, 500] {
        config["providers"]["openai"]["account_statuses"] = json!([401, wrong]);
        let error = Policy::read(config.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains("providers.openai.account_statuses[1]") && error.contains("other than 429"), "{error}");
    }
}

/// Only of these is silence a failure, and of each model as its operator says.
#[test]
fn envoy_learns_what_is_a_stream() {
    let policy = policy();
    for (stream, marked) in [(json!(true), Some("gpt-4o")), (json!(false), None), (Value::Null, None)] {
        let mut body = hello("gpt-4o");
        body["stream"] = stream;
        assert_eq!(Asked::chat(&body).sent(&policy).unwrap().1.stream.as_deref(), marked);
    }
}

/// The stand-in of an ejected provider is no answer of a provider.
#[test]
fn the_stand_in_is_shown_as_unavailable_in_the_clients_dialect() {
    let policy = policy();
    for (path, model, key) in [("/v1/chat/completions", "gpt-4o", "code"), ("/v1/messages", "claude-4", "type")] {
        let (mut exchange, _) = Asked { path, ..Asked::chat(&hello(model)) }.sent(&policy).unwrap();
        let headers = Headers::of(&[(":status", "421"), ("x-nexus-ejected", "1")]);
        let head = AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false };
        let passed = exchange.answer_head(&policy, &head);
        assert!(passed.set.contains(&(":status", "503".to_owned())), "{passed:?}");
        let body: Value = serde_json::from_slice(&passed.body.unwrap()).unwrap();
        let said = if key == "code" { "provider_unavailable" } else { "overloaded_error" };
        assert_eq!(body["error"][key], said, "{body}");
        let closed =
            exchange.close(&policy, &Ending { status: 503, attempts: 4, sent: true, ..Ending::default() }, NOON);
        assert_eq!((closed.record.outcome, closed.record.bill.cost), (Outcome::ProviderUnavailable, NanoUsd::ZERO));
    }
}

fn level() -> impl Strategy<Value = Sensitivity> {
    prop::sample::select(Sensitivity::ALL.to_vec())
}

proptest! {
    /// Over every way to ask: no provider that may not see the data is in the chain, none gets a plan, and a retry
    /// has nowhere else to go. So it is with the copy that a shadow gets, and with each variant of a split.
    #[test]
    fn no_data_reaches_a_provider_that_may_not_see_it(
        reach in prop::collection::vec((level(), any::<bool>()), 4),
        header in prop::option::of(level()),
        field in prop::option::of(level()),
        default in level(),
        model in prop::sample::select(vec!["gpt-4o-mini", "gpt-4o", "claude-4", "llama3.2", "auto", "cheap", "fast", "role", "gpt-9", "split", "claude-5"]),
        user in 0..20_u8,
        role in prop::option::of(prop::sample::select(vec!["chat", "code", "agent", "poet"])),
        by_header in any::<bool>(),
        tenant in prop::sample::select(vec!["acme", "picky"]),
        path in prop::sample::select(vec![
            "/api/ai/chat", "/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/embeddings", "/v1/responses",
            "/v2/chat", "/v1/rerank", "/api/generate", "/v1beta/models/gpt-4o-mini:generateContent", "/model/gpt-4o/converse",
        ]),
        floors in (prop::option::of(level()), prop::option::of(level())),
        open in prop::sample::subsequence(vec!["openai", "openrouter", "anthropic", "local"], 0..=4),
        stream in any::<bool>(),
        shadow in prop::sample::select(vec!["gpt-4o-mini", "gpt-4o", "claude-4", "llama3.2"]),
        weights in prop::option::of((prop::array::uniform4(1..=10_000_u64), any::<bool>())),
    ) {
        let names = ["openai", "openrouter", "anthropic", "local"];
        let mut config = config();
        config["default_sensitivity"] = json!(default.name());
        config["virtual_models"]["split"] =
            json!({"split": {"gpt-4o-mini": 2, "gpt-4o": 3, "claude-4": 1, "llama3.2": 4}, "sticky": "user"});
        config["virtual_models"]["claude-5"] = json!({"split": {"claude-5": 1, "llama3.2": 1}, "sticky": "user"});
        if let Some((weights, by_conversation)) = weights {
            let sticky = if by_conversation { "conversation" } else { "user" };
            config["virtual_models"]["auto"] = json!({"cheapest": ["gpt-4o", "gpt-4o-mini"], "sticky": "conversation"});
            for model in config["models"].as_array_mut().unwrap() {
                model["sticky"] = json!(sticky);
                for (served, weight) in model["providers"].as_array_mut().unwrap().iter_mut().zip(weights) {
                    served["weight"] = json!(weight);
                }
            }
        }
        for (name, (level, has_key)) in names.iter().zip(&reach) {
            config["providers"][name]["sensitivity"] = json!(level.name());
            config["providers"][name]["key"] = json!(if *has_key { "present" } else { "absent" });
        }
        for (floor, path) in [(floors.0, ["tenants", tenant]), (floors.1, ["tiers", "premium"])] {
            if let Some(floor) = floor {
                config[path[0]][path[1]]["sensitivity"] = json!(floor.name());
            }
        }
        let apis: Vec<_> = crate::llm::schema::ALL.iter().map(|schema| schema.name).collect();
        for provider in ["openai", "local"] {
            config["providers"][provider]["apis"] = json!(apis);
        }
        let budgets = json!({"request_usd": "100", "day_usd": "100", "month_usd": "100"});
        config["shadows"] = json!({"all": {"model": shadow, "percent": 100, "budgets": budgets}});
        config["mirror"] = json!({"cluster": "shadow_entry", "filter_chain": "shadow"});
        let policy = Policy::read(config.to_string().as_bytes()).unwrap();
        let mut body = json!({"model": model, "stream": stream, "input": "x", "max_tokens": 9, "messages": [], "contents": [],
            "documents": []});
        let user = user.to_string();
        let mut asked = Asked { path, open, ..Asked::chat(&body) }.by(tenant).with("x-ai-user", &user);
        if let Some(header) = header {
            asked = asked.with("x-ai-sensitivity", header.name());
        }
        match role {
            Some(role) if !by_header => body["role"] = json!(role),
            Some(role) => asked = asked.with("x-ai-role", role),
            None => {}
        }
        if let Some(field) = field {
            body["sensitivity"] = json!(field.name());
        }
        asked.body = body.to_string();
        let tiers = floors.1.filter(|_| tenant == "acme");
        let strictest = header.max(field).unwrap_or(default).max(floors.0.max(tiers).unwrap_or(Sensitivity::Public));
        let copied = asked.copied(&policy).and_then(Result::ok);
        for (_, chain) in asked.sent(&policy).into_iter().chain(copied) {
            prop_assert!(!chain.clusters.is_empty());
            for (name, (level, has_key)) in names.iter().zip(&reach) {
                let may = *level >= strictest && *has_key;
                let in_chain = chain.clusters.iter().any(|cluster| cluster.strip_prefix("c_") == Some(name));
                let planned = Attempt::of(&chain.plan, name).is_some();
                prop_assert_eq!(in_chain, planned);
                prop_assert!(may || !in_chain, "{} may see {:?}, and this is {:?}", name, level, strictest);
                if let Some(attempt) = Attempt::of(&chain.plan, name) {
                    let sent: Value = serde_json::from_slice(&spliced(asked.body.as_bytes(), &attempt.leg.edits)).unwrap();
                    prop_assert!(sent.get("role").is_none() && sent.get("sensitivity").is_none(), "{}", sent);
                    prop_assert_eq!(&sent["messages"], &body["messages"]);
                }
            }
        }
    }
}

/// A form is not written over, nor a path where Envoy's route leads: what was written would be served at another's price.
#[test]
fn a_name_that_nothing_can_be_written_over_is_served_as_what_it_is_or_refused() {
    let mut config = config();
    config["aliases"]["whisper-dear"] = json!("gpt-4o-mini");
    config["virtual_models"] = json!({"gpt-4o": {"split": {"gpt-4o-mini": 1}}});
    config["role_models"] = json!({});
    let form = |model: &str| {
        let field = format!("--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n");
        let file = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
        Asked { path: "/v1/audio/transcriptions", body: field + file, ..Asked::chat(&Value::Null) }
            .with("content-type", "multipart/form-data; boundary=b")
    };
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    assert_eq!(form("gpt-4o-mini").clusters(&policy).unwrap(), ["c_openai"], "who calls it otherwise is left out");
    for name in ["whisper-dear", "gpt-4o"] {
        let (outcome, message) = form(name).clusters(&policy).unwrap_err();
        assert_eq!(outcome, Outcome::InvalidRequest);
        assert!(message.contains("in a form or in this path: write `gpt-4o-mini`"), "{message}");
    }
}
