//! The clients that take longer to install and to run: `make clients`.

use serde_json::{Value, json};

use super::stage::{AGENT, COMMAND, HOURLY, NOBODY, POOR, Stage, cases, installed, keys, refused};
use crate::tool_caller::{INPUT, OUTPUT, WORDS};
use crate::top;

/// Opencode's: its key, and what it asks of the internet at its start, and waits for.
fn opencodes(key: &str) -> [(&str, &str); 5] {
    [
        ("NEXUS_KEY", key),
        ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1"),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
        ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
    ]
}

/// By OpenAI's chat and Responses, and by Anthropic's API.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes: make clients"]
async fn opencode_does_a_task_by_each_of_its_packages_and_says_why_not() {
    let Some(clients) = installed("SLOWER_CLIENTS") else { return };
    let stage = Stage::start("opencode").await;
    let opencode = clients.join("node_modules/.bin/opencode");
    let url = format!("http://{}/v1", stage.gateway.addr);
    let configure = |case: &str, package: &str, model: &str, small: &str| {
        let dir = stage.dir.join(case);
        std::fs::create_dir_all(&dir).unwrap();
        let config = json!({
            "provider": {"nexus": {"npm": package, "name": "nexus",
                "options": {"baseURL": url, "apiKey": "{env:NEXUS_KEY}"}, "models": {model: {}, small: {}}}},
            "model": format!("nexus/{model}"), "small_model": format!("nexus/{small}"),
        });
        std::fs::write(dir.join("opencode.json"), config.to_string()).unwrap();
    };
    let run = async |case: &str, key: &str, package: &str, model: &str, small: &str| {
        configure(case, package, model, small);
        stage.run(case, &opencode, &["run", "Write the note."], &opencodes(key)).await
    };
    const COMPATIBLE: &str = "@ai-sdk/openai-compatible";
    for (case, package, model, small) in [
        ("chat", COMPATIBLE, "gpt-4o", "gpt-4o-mini"),
        ("responses", "@ai-sdk/openai", "gpt-4o", "gpt-4o-mini"),
        ("anthropic", "@ai-sdk/anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5"),
    ] {
        let said = run(case, AGENT, package, model, small).await;
        assert!(said.text.contains(WORDS), "{}", said.text);
        // One of them is for the title.
        said.wrote_its_note(3);
    }
    let refused = async |case: &str, key: &str, model: &str| run(case, key, COMPATIBLE, model, "gpt-4o-mini").await;
    refused("key", NOBODY, "gpt-4o").await.gave_up("needs a key of this gateway", 401, 2);
    refused("model", AGENT, "gpt-nothing").await.gave_up("gpt-nothing", 404, 1);
    // It retries whatever says 500, 429 or the like anywhere in the body, and the seconds until the budget resets may.
    refused("budget", POOR, "gpt-4o").await.gave_up("The daily budget of $0.000001 has no room", 402, 7);
    // A limit an hour is not here: it sleeps as long as `retry-after` says, whatever `x-should-retry` says, without a word.
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes: make clients"]
async fn gemini_cli_does_a_task_and_says_why_not() {
    let Some(clients) = installed("SLOWER_CLIENTS") else { return };
    let stage = Stage::gemini("gemini-cli").await;
    let gemini = clients.join("node_modules/.bin/gemini");
    let url = format!("http://{}", stage.gateway.addr);
    let run = async |case: &str, key: &str, model: &str| {
        let settings = stage.dir.join(case).join("home/.gemini");
        std::fs::create_dir_all(&settings).unwrap();
        let by_key = json!({"security": {"auth": {"selectedType": "gemini-api-key"}}});
        std::fs::write(settings.join("settings.json"), by_key.to_string()).unwrap();
        let environment = [("GOOGLE_GEMINI_BASE_URL", &*url), ("GEMINI_API_KEY", key)];
        let arguments = ["--model", model, "--yolo", "--skip-trust", "--prompt", "Write the note."];
        stage.run(case, &gemini, &arguments, &environment).await
    };
    const MODEL: &str = "gemini-2.5-flash";
    run("task", AGENT, MODEL).await.did_its_task();
    run("key", NOBODY, MODEL).await.gave_up("needs a key of this gateway", 401, 1);
    run("model", AGENT, "gemini-nothing").await.gave_up("gemini-nothing", 404, 1);
    run("budget", POOR, MODEL).await.gave_up("The daily budget of $0.000001 has no room", 402, 1);
    run("rate", HOURLY, MODEL).await.gave_up("Rate limit reached: 1 requests per hour", 429, 1);
}

/// What aider takes for a file, whole.
const EDIT: &str = "note.txt\n```\nforty-two\n```\n";

/// It edits by what the model writes, and ends well whatever happened.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes: make clients"]
async fn aider_edits_a_file_and_says_why_not() {
    let Some(venv) = installed("AIDER") else { return };
    let stage = Stage::saying("aider", EDIT).await;
    let aider = venv.join("bin/aider");
    let url = format!("http://{}/v1", stage.gateway.addr);
    let run = async |case: &str, key: &str, model: &str| {
        let environment =
            [("OPENAI_API_BASE", &*url), ("OPENAI_API_KEY", key), ("LITELLM_LOCAL_MODEL_COST_MAP", "True")];
        // By itself it writes these where the sources' repository begins.
        let history = stage.dir.join(case);
        let [chat, input] = ["chat", "input"].map(|name| history.join(name).display().to_string());
        let arguments = [
            "--chat-history-file",
            &chat,
            "--input-history-file",
            &input,
            "--model",
            model,
            "--edit-format",
            "whole",
            "--no-git",
            "--yes-always",
            "--no-check-update",
            "--analytics-disable",
            "--no-show-model-warnings",
            "--message",
            "Write the note.",
            "note.txt",
        ];
        stage.run(case, &aider, &arguments, &environment).await
    };
    const MODEL: &str = "openai/gpt-4o";
    run("task", AGENT, MODEL).await.wrote_its_note(1);
    run("key", NOBODY, MODEL).await.showed("needs a key of this gateway", 401, 1);
    run("model", AGENT, "openai/gpt-nothing").await.showed("gpt-nothing", 404, 1);
    run("budget", POOR, MODEL).await.showed("The daily budget of $0.000001 has no room", 402, 10);
    run("rate", HOURLY, MODEL).await;
    run("rate-full", HOURLY, MODEL).await.showed("Rate limit reached: 1 requests per hour", 429, 10);
}

/// LangChain's chat models for OpenAI's two APIs, Anthropic's and Gemini's.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes: make clients"]
async fn langchain_does_a_task_and_says_why_not() {
    let Some(venv) = installed("LANGCHAIN") else { return };
    let (stage, gemini) = (Stage::start("langchain").await, Stage::gemini("langchain-gemini").await);
    let script = top().join("tests/clients/slower/cases.py");
    for (stage, api) in [(&stage, "openai"), (&stage, "responses"), (&stage, "anthropic"), (&gemini, "google")] {
        let url = format!("http://{}", stage.gateway.addr);
        let arguments = [script.to_str().unwrap(), &url, api];
        let said = stage.run(api, &venv.join("bin/python"), &arguments, &keys()).await;
        let cases = cases(&said);
        assert_eq!(cases["tool"], COMMAND, "{api}: {cases:#}");
        assert_eq!(cases["answer"], WORDS, "{api}: {cases:#}");
        assert_eq!(cases["stream"], WORDS, "{api}: {cases:#}");
        let used = json!([INPUT, OUTPUT]);
        assert_eq!((&cases["used"], &cases["used by the stream"]), (&used, &used), "{api}: {cases:#}");
        refused(&cases, "");
        let answered = said.posts.iter().filter(|line| line["tenant"] == "agent" && line["outcome"] == "success");
        let figures =
            answered.map(|record| ["usage_source", "input_tokens", "output_tokens"].map(|name| &record[name]));
        let figures: Vec<[&Value; 3]> = figures.collect();
        assert_eq!(figures, [[&json!("reported"), &json!(INPUT), &json!(OUTPUT)]; 3], "{api}: {:#?}", said.posts);
    }
}

/// Its compiler takes minutes of a processor for OpenAI's SDK.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes: make clients"]
async fn openais_sdk_for_go_does_a_task_and_says_why_not() {
    let Some(program) = installed("GO_CLIENT") else { return };
    let stage = Stage::start("go").await;
    let url = format!("http://{}", stage.gateway.addr);
    let said = stage.run("all", &program, &[&url], &keys()).await;
    let cases = cases(&said);
    assert_eq!(cases["tool"], json!({"text": COMMAND}).to_string(), "{cases:#}");
    assert_eq!(cases["answer"], WORDS, "{cases:#}");
    refused(&cases, "");
}
