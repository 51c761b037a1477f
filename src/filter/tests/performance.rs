//! How models do, as Envoy's stats say it: a second later, and for no host call of a request.

use super::*;
use crate::fake_host::Call;
use crate::record::metric::{LEG, Metric};

const OF: &str = "provider=.=simulated;.;model=.=gpt-4o-mini;.;";

fn counted(label: &str, name: &str) -> u64 {
    metric(&format!("{label};.;{OF}ai_gateway_{name}_total"))
}

/// What is known of models, by its whole names.
fn known() -> Vec<(String, u64)> {
    let names = ["answers_total", "prompt_", "tool_arguments"];
    let is = |name: &str| names.iter().any(|ours| name.contains(&format!("ai_gateway_{ours}")));
    with(|host| {
        host.metrics().into_iter().filter(|(name, _)| is(name)).map(|(name, value)| (name.to_owned(), value)).collect()
    })
}

/// An answer in one piece that ended so, to a prompt of so many tokens, after a second and a half.
fn ended_so(gateway: &Gateway, reason: &str, tokens: u64) {
    let stream = admitted(gateway, BODY);
    let answer = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": reason}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens + 5}});
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    stream.answer_body(answer.to_string().as_bytes(), true);
    with(|host| host.clock.0 += 1_500_000_000);
    stream.end();
}

#[test]
fn answers_are_known_by_why_they_ended_and_by_their_prompts_at_the_next_tick() {
    let gateway = with_clusters(&configuration());
    for (reason, tokens) in [("stop", 10), ("length", 2_000), ("stop", 2_001)] {
        ended_so(&gateway, reason, tokens);
    }
    assert_eq!(known(), []);
    for _ in 0..2 {
        gateway.tick();
        assert_eq!([counted("finish=.=stop", "answers"), counted("finish=.=length", "answers")], [2, 1]);
        for (prompt, answers) in [("under_1k", 1), ("under_8k", 2)] {
            let of = |name| counted(&format!("prompt=.={prompt}"), name);
            assert_eq!((of("prompt_answers"), of("prompt_duration_ms")), (answers, answers * 1_500), "{prompt}");
        }
        assert_eq!(known().len(), 6);
    }
    ended_so(&gateway, "stop", 10);
    gateway.tick();
    assert_eq!((counted("finish=.=stop", "answers"), known().len()), (3, 6));
}

#[test]
fn a_stream_is_known_by_its_first_token_too() {
    let gateway = with_clusters(&configuration());
    let stream = admitted(&gateway, &BODY.replacen('{', r#"{"stream":true,"#, 1));
    stream.answer_headers(&[(":status", "200"), ("content-type", "text/event-stream")], false);
    stream.answer_body(b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n", false);
    with(|host| host.clock.0 += 300_000_000);
    stream.answer_body(b"data: {\"choices\":[{\"delta\":{\"content\":\"No.\"}}]}\n\n", false);
    with(|host| host.clock.0 += 200_000_000);
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9000,\"completion_tokens\":2,\"total_tokens\":9002}}\n\ndata: [DONE]\n\n";
    stream.answer_body(end.as_bytes(), true);
    stream.end();
    gateway.tick();
    let of = |name| counted("prompt=.=under_32k", name);
    assert_eq!(
        ["prompt_streams", "prompt_first_token_ms", "prompt_answers", "prompt_duration_ms"].map(of),
        [1, 300, 1, 500]
    );
    assert_eq!(counted("finish=.=content_filter", "answers"), 1);
}

#[test]
fn no_request_makes_a_host_call_for_what_is_known_of_its_model() {
    let gateway = with_clusters(&configuration());
    let calls = || {
        with(|host| {
            [Call::IncrementMetric, Call::RecordMetric, Call::DefineMetric]
                .map(|call| host.calls.get(&call).copied().unwrap_or(0))
        })
    };
    let mut taken = Vec::new();
    for tokens in [10, 10, 2_000] {
        let before = calls();
        ended_so(&gateway, "stop", tokens);
        let after = calls();
        taken.push([0, 1, 2].map(|at| after[at] - before[at]));
    }
    // The gauge of what is under way, up and down; the request, tokens in and out, cost, usage and spend; and the duration.
    assert_eq!(taken[1..], [[8, 1, 0], [8, 1, 0]]);
}

#[test]
fn what_a_worker_still_knows_is_counted_when_its_configuration_goes() {
    let gateway = with_clusters(&configuration());
    let stream = admitted(&gateway, BODY);
    assert!(gateway.configure(configuration().to_string().as_bytes()));
    answered(&stream);
    gateway.drained();
    assert_eq!(counted("finish=.=none", "answers"), 1);
}

/// Only where there is a schema that somebody holds them against.
#[test]
fn a_models_calls_are_known_by_whether_their_arguments_hold() {
    let call = |arguments: Value| {
        let function = json!({"name": "get_weather", "arguments": arguments.to_string()});
        let call = json!({"id": "c", "type": "function", "function": function});
        json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [call]}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}})
        .to_string()
    };
    for (tools, expected) in [
        (json!({"arguments": "count"}), [1, 2]),
        (json!({"arguments": "refuse"}), [1, 2]),
        (json!({"arguments": "pass"}), [0, 0]),
        (Value::Null, [0, 0]),
    ] {
        let mut configuration = configuration();
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        configuration["tools"] =
            json!({"registry": {"get_weather": {"parameters": parameters, "description": "Weather."}}});
        if !tools.is_null() {
            configuration["tenants"]["acme"]["tools"] = tools.clone();
        }
        let gateway = with_clusters(&configuration);
        for arguments in [json!({"city": "Oslo"}), json!({}), json!({"city": 5})] {
            let stream = admitted(&gateway, BODY);
            stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
            stream.answer_body(call(arguments).as_bytes(), true);
            stream.end();
        }
        gateway.tick();
        let counted = ["valid", "invalid"].map(|kind| counted(&format!("kind=.={kind}"), "tool_arguments"));
        assert_eq!(counted, expected, "{tools}");
    }
}

/// What no tag takes out stays inside of the stat's name.
#[test]
fn each_label_is_a_tag_of_every_envoy_that_is_shipped() {
    let labels = Metric::ALL.iter().flat_map(|metric| metric.spec().2).chain([&LEG]);
    for label in labels {
        let tag = format!(r"- {{tag_name: {label}, regex: '({label}=\.=(.*?);\.;)'}}");
        for shipped in [
            include_str!("../../../envoy/envoy.yaml"),
            include_str!("../../../envoy/production.yaml"),
            include_str!("../../../envoy/envoy-gateway/gateway.yaml"),
        ] {
            assert_eq!(shipped.matches(&tag).count(), 1, "{tag}");
        }
        let istio = include_str!("../../../envoy/istio/values.yaml");
        let tags = istio.lines().find_map(|line| line.trim().strip_prefix("sidecar.istio.io/extraStatTags: ")).unwrap();
        assert!(tags.split(',').any(|tag| tag == *label), "{label}");
    }
}
