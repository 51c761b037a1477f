//! Which API a request speaks, by its method and path; never guessed from the body.
//!
//! A table of patterns, the operator's before the built-in ones, read in order. A path is read as the loosest
//! server behind us might: escapes decoded, slashes merged, a trailing one dropped. A spelling that a provider accepts
//! must not be a way around the limits.

mod beside;

use super::schema::{Schema, anthropic, bedrock, cohere, gemini, interactions, lm_studio, ollama, openai};
use crate::json::words::{equal, run, same};
use beside::FREE;
pub use beside::{Free, FreePath, FreeRoute, WrongMethod, beside, free_routes};
use std::borrow::Cow;

/// A path as a pattern: segments, of which `*` stands for any one, `**` at the beginning for any number, and
/// `{model}` for the model's name (of one or more segments), also before a fixed ending such as `:generateContent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    anywhere: bool,
    /// Before the model; none, where there is no model.
    before: Vec<Segment>,
    /// What stands behind its name in its last segment.
    model: Option<Box<str>>,
    after: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Fixed(Box<str>),
    Any,
}

/// What a matching path means; `None`: it is none of ours after all.
#[derive(Clone, Debug)]
pub struct Route {
    pub pattern: PathPattern,
    pub schema: Option<&'static Schema>,
    /// Whether requests on this path are answered as streams; `None`: their bodies say.
    pub streams: Option<bool>,
}

/// The API that was called.
#[derive(Clone, Debug)]
pub struct Called {
    pub schema: &'static Schema,
    /// Where the path names it: then the body doesn't count.
    pub model: Option<String>,
    pub streams: Option<bool>,
}

const MODEL: &str = "{model}";

impl PathPattern {
    /// `None` if `text` is not a pattern.
    pub fn new(text: &str) -> Option<Self> {
        let (anywhere, rest) = match text.strip_prefix("**/") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('/')?),
        };
        let mut pattern = Self { anywhere, before: Vec::new(), model: None, after: Vec::new() };
        for text in rest.split('/') {
            match (text, text.strip_prefix(MODEL)) {
                ("*", _) => pattern.after.push(Segment::Any),
                (_, Some(ending)) if !ending.contains(['*', '{']) => {
                    if pattern.model.replace(ending.into()).is_some() {
                        return None;
                    }
                    pattern.before = std::mem::take(&mut pattern.after);
                }
                (text, _) if text.is_empty() || text.contains(['*', '{', '?', '#', '%']) => return None,
                (text, _) => pattern.after.push(Segment::Fixed(text.into())),
            }
        }
        Some(pattern)
    }

    /// The model that the path names (empty where the pattern has none), or that it doesn't match. Whoever writes a path of
    /// thousands of segments is not known yet: each is looked at once.
    fn matches(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        let Self { anywhere, before, model, after } = self;
        let (path, last) = path.split_at_checked(path.len().checked_sub(after.len())?)?;
        if !are(after, last) {
            return None;
        }
        let Some(ending) = model.as_deref().map(str::as_bytes) else {
            return (*anywhere || path.is_empty()).then(Vec::new);
        };
        if !path.last()?.ends_with(ending) {
            return None;
        }
        let named = |from: usize| {
            let (begins, name) = path.get(from..)?.split_at_checked(before.len())?;
            if !are(before, begins) {
                return None;
            }
            let name = name.join(&b'/');
            name.strip_suffix(ending).filter(|name| !name.is_empty()).map(<[u8]>::to_vec)
        };
        // From the end: the shortest beginning would find a model's name in somebody's prefix.
        let most = if *anywhere { path.len() } else { 0 };
        (0..=most).rev().find_map(named)
    }
}

fn are(pattern: &[Segment], path: &[&[u8]]) -> bool {
    let is = |(segment, written): (&Segment, &&[u8])| match segment {
        Segment::Fixed(name) => same(name.as_bytes(), written),
        Segment::Any => true,
    };
    // From the end, where most differ.
    pattern.len() == path.len() && pattern.iter().zip(path).rev().all(is)
}

/// What of a path is matched: its query is not, and an escape is what it stands for.
fn without_query(path: &[u8]) -> Vec<u8> {
    decoded(path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default())
}

fn segments(path: &[u8]) -> Vec<&[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect()
}

/// Finds the API of a request; the first route that matches decides.
pub fn called(routes: &[Route], method: &[u8], path: &[u8]) -> Option<Called> {
    if method != b"POST" {
        return None;
    }
    let path = without_query(path);
    let segments = segments(&path);
    let (route, model) = routes.iter().find_map(|route| Some((route, route.pattern.matches(&segments)?)))?;
    // Vertex counts a prompt's tokens, for nothing, under a name in a model's place: see `FREE`.
    if !model.is_empty() && segments.ends_with(&[b"publishers", b"anthropic", b"models", b"count-tokens:rawPredict"]) {
        return None;
    }
    let model = (!model.is_empty()).then(|| String::from_utf8_lossy(&model).into_owned());
    Some(Called { schema: route.schema?, model, streams: route.streams })
}

/// With its escapes decoded.
pub fn decoded(path: &[u8]) -> Vec<u8> {
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    // Few paths have an escape.
    let (plain, mut rest) = path.split_at_checked(run(path, |word| equal(word, b'%'))).unwrap_or((&[], path));
    let mut out = plain.to_vec();
    while let Some((&byte, after)) = rest.split_first() {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    out
}

/// Whether a provider's template of a path has the model's name in it.
pub fn names_model(template: &str) -> bool {
    template.contains(MODEL)
}

/// A provider's template of a path, with the model's name in it.
pub fn templated(template: &str, model: &str) -> String {
    template.replace(MODEL, &encoded(model))
}

/// The path by which a provider is called whose versions stand at `base_path` and not at `/v1`; `renamed` is the model in
/// the client's path, and what it is called there. `None` if the client wrote it so that it can't be found again.
pub fn rebased(base_path: &str, path: &str, renamed: Option<(&str, &str)>) -> Option<String> {
    let (path, query) = path.split_at_checked(path.find('?').unwrap_or(path.len()))?;
    let path = usual(path);
    let path = &*path;
    let path = match renamed {
        Some((asked, there)) if asked != there => {
            // As a whole segment, or up to a fixed ending of one: a short name may stand inside of others.
            let whole = |(before, rest): &(&str, &str)| {
                before.ends_with('/')
                    && rest.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
            };
            let cuts = path.match_indices(asked).filter_map(|(at, _)| path.split_at_checked(at));
            let (before, rest) = cuts.filter(whole).last()?;
            [before, &encoded(there), rest.get(asked.len()..)?].concat()
        }
        _ => path.to_owned(),
    };
    let versioned = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/'));
    Some(versioned.map_or_else(|| path.clone(), |rest| [base_path, rest].concat()) + query)
}

/// OpenAI's API as it is usually written, where the client's base URL has another beginning or none, or a slash behind it: also that
/// of responses that were made before.
fn usual(path: &str) -> Cow<'_, str> {
    const OPENAI: [&str; 4] = ["/chat/completions", "/completions", "/responses", "/embeddings"];
    let is_openais = |api: &&str| OPENAI.contains(api) || api.starts_with("/responses/");
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let api = ["/openai/v1", "/v1beta/openai", ""]
        .into_iter()
        .find_map(|beginning| trimmed.strip_prefix(beginning).filter(is_openais));
    api.map_or(Cow::Borrowed(trimmed), |api| Cow::Owned(["/v1", api].concat()))
}

/// As one segment of a path.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0')));
        }
    }
    out
}

/// Path, schema, and whether the path alone says that the answer is a stream. The most exact of two comes first.
static BUILT_IN: [(&str, &Schema, Option<bool>); 49] = [
    ("/api/ai/chat", &openai::GATEWAY_CHAT, None),
    ("**/deployments/{model}/chat/completions", &openai::CHAT, None),
    ("**/chat/completions", &openai::CHAT, None),
    ("**/deployments/{model}/completions", &openai::COMPLETIONS, None),
    ("**/completions", &openai::COMPLETIONS, None),
    ("**/responses", &openai::RESPONSES, None),
    ("**/responses/compact", &openai::COMPACT, None),
    ("**/api/embeddings", &ollama::EMBED, None),
    ("**/deployments/{model}/embeddings", &openai::EMBEDDINGS, None),
    ("**/embeddings", &openai::EMBEDDINGS, None),
    ("**/deployments/{model}/images/generations", &openai::IMAGES, None),
    ("**/images/generations", &openai::IMAGES, None),
    ("**/deployments/{model}/images/edits", &openai::IMAGES, None),
    ("**/images/edits", &openai::IMAGES, None),
    ("**/images/variations", &openai::IMAGES, None),
    ("**/deployments/{model}/audio/speech", &openai::AUDIO, None),
    ("**/deployments/{model}/audio/transcriptions", &openai::AUDIO, None),
    ("**/deployments/{model}/audio/translations", &openai::AUDIO, None),
    ("**/audio/speech", &openai::AUDIO, None),
    ("**/audio/transcriptions", &openai::AUDIO, None),
    ("**/audio/translations", &openai::AUDIO, None),
    ("**/rerank", &cohere::RERANK, None),
    ("**/v1/messages", &anthropic::MESSAGES, None),
    ("**/publishers/anthropic/models/{model}:rawPredict", &anthropic::MESSAGES, Some(false)),
    ("**/publishers/anthropic/models/{model}:streamRawPredict", &anthropic::MESSAGES, Some(true)),
    ("**/models/{model}:generateContent", &gemini::GENERATE, Some(false)),
    ("**/models/{model}:streamGenerateContent", &gemini::GENERATE, Some(true)),
    ("**/v1/interactions", &interactions::INTERACTIONS, None),
    ("**/v1beta/interactions", &interactions::INTERACTIONS, None),
    ("**/v1beta2/interactions", &interactions::INTERACTIONS, None),
    ("**/v1alpha/interactions", &interactions::INTERACTIONS, None),
    ("**/projects/*/locations/*/interactions", &interactions::INTERACTIONS, None),
    ("**/tunedModels/{model}:generateContent", &gemini::GENERATE, Some(false)),
    ("**/tunedModels/{model}:streamGenerateContent", &gemini::GENERATE, Some(true)),
    ("**/models/{model}:embedContent", &gemini::EMBED, Some(false)),
    ("**/models/{model}:batchEmbedContents", &gemini::EMBED, Some(false)),
    ("**/models/{model}:predict", &gemini::EMBED, Some(false)),
    ("**/model/{model}/converse", &bedrock::CONVERSE, Some(false)),
    ("**/model/{model}/converse-stream", &bedrock::CONVERSE, Some(true)),
    ("**/model/{model}/invoke", &bedrock::INVOKE, Some(false)),
    ("**/model/{model}/invoke-with-response-stream", &bedrock::INVOKE, Some(true)),
    ("**/v2/chat", &cohere::CHAT, None),
    // LM Studio's own API, whose path ends as Cohere's first one.
    ("**/api/v1/chat", &lm_studio::CHAT, None),
    ("**/v1/chat", &cohere::CHAT, None),
    ("**/v2/embed", &cohere::EMBED, None),
    ("**/v1/embed", &cohere::EMBED, None),
    ("**/api/chat", &ollama::CHAT, None),
    ("**/api/generate", &ollama::GENERATE, None),
    ("**/api/embed", &ollama::EMBED, None),
];

/// What may be posted to, as it is written: what is metered, and what costs nothing.
pub fn written() -> impl Iterator<Item = &'static str> {
    let free = FREE.iter().filter(|(methods, ..)| methods.contains("POST")).map(|(_, path, ..)| *path);
    BUILT_IN.iter().map(|(path, ..)| *path).chain(free)
}

/// The paths of the providers' own documentation.
pub fn built_in() -> Vec<Route> {
    let route = |(path, schema, streams): &(&str, &'static Schema, Option<bool>)| {
        Some(Route { pattern: PathPattern::new(path)?, schema: Some(*schema), streams: *streams })
    };
    BUILT_IN.iter().filter_map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<(&'static str, Option<String>, Option<bool>)> {
        called(&built_in(), b"POST", path.as_bytes()).map(|called| (called.schema.name, called.model, called.streams))
    }

    fn schema(path: &str) -> Option<&'static str> {
        of(path).map(|(schema, ..)| schema)
    }

    /// One that goes over it again from each of its segments takes hours, and a worker with it.
    #[test]
    fn a_path_of_thousands_of_segments_is_looked_at_once() {
        let long = |beginning: &str, ending: &str| [&beginning.repeat(5_000), ending].concat();
        for ending in ["/completions", "/chat/completions", "/invoke", "/x:generateContent", "/cancel"] {
            for beginning in ["/deployments", "/model", "/models", "/v1/responses", "/a"] {
                let path = long(beginning, ending);
                let _ = (of(&path), free(&free_routes(), &[], b"POST", path.as_bytes()));
            }
        }
        assert_eq!(schema(&long("/deployments", "/completions")), Some("openai_completions"));
    }

    #[test]
    fn google_s_interactions_are_known_on_both_of_its_hosts() {
        for version in ["v1", "v1beta", "v1beta2", "v1alpha", "v1beta1/projects/p/locations/global"] {
            let path = format!("/{version}/interactions");
            assert_eq!(schema(&path), Some("gemini_interactions"), "{path}");
        }
        assert_eq!(schema("/v1beta/interactions/v1_1"), None);
    }

    #[test]
    fn a_path_leads_to_another_base_and_another_name() {
        let rebase = |path: &str, renamed| rebased("/api/v1", path, renamed);
        assert_eq!(rebase("/v1/chat/completions?x=1", None).unwrap(), "/api/v1/chat/completions?x=1");
        assert_eq!(rebase("/v1beta/models/m:generateContent", None).unwrap(), "/v1beta/models/m:generateContent");
        for path in [
            "/v1/chat/completions/",
            "/chat/completions",
            "/openai/v1/chat/completions",
            "/v1beta/openai/chat/completions/",
        ] {
            assert_eq!(rebase(path, None).unwrap(), "/api/v1/chat/completions", "{path}");
        }
        // What was made under a beginning is fetched, cancelled and counted under the same.
        for beginning in ["/v1", "/openai/v1", "/v1beta/openai", ""] {
            for rest in
                ["/responses/resp_1", "/responses/resp_1/cancel", "/responses/compact", "/responses/input_tokens"]
            {
                let path = [beginning, rest].concat();
                assert_eq!(rebase(&path, None).unwrap(), ["/api/v1", rest].concat(), "{path}");
            }
        }
        assert_eq!(rebase("/v1/messages/?beta=true", None).unwrap(), "/api/v1/messages?beta=true");
        assert_eq!(rebase("/mine/chat/completions", None).unwrap(), "/mine/chat/completions");
        // The name, and not where its letters stand in another word.
        let renamed = Some(("a", "vendor/b"));
        assert_eq!(
            rebase("/v1beta/models/a:generateContent?alt=sse", renamed).unwrap(),
            "/v1beta/models/vendor%2fb:generateContent?alt=sse"
        );
        assert_eq!(rebase("/model/a/converse", renamed).unwrap(), "/model/vendor%2fb/converse");
        assert_eq!(rebase("/model/%61/converse", renamed), None, "spelt so that it can't be found");
    }

    #[test]
    fn what_counts_a_prompt_is_no_model_wherever_it_stands() {
        let path = |model: &str| format!("/v1/projects/p/locations/l/publishers/anthropic/models/{model}");
        assert_eq!(schema(&path("count-tokens:rawPredict")), None);
        let free = free(&free_routes(), &built_in(), b"POST", path("count-tokens:rawPredict").as_bytes());
        assert_eq!(free.map(|free| free.what), Some(Free::Counts));
        for model in ["count-tokens:streamRawPredict", "claude:rawPredict"] {
            assert_eq!(schema(&path(model)), Some("anthropic_messages"), "{model}");
        }
    }

    #[test]
    fn every_built_in_path_is_a_pattern_of_a_schema() {
        assert_eq!(built_in().len(), BUILT_IN.len());
    }

    #[test]
    fn a_path_is_known_however_it_is_spelt_and_wherever_it_stands() {
        for path in [
            "/v1/chat/completions",
            "/v1/chat/completions?x=/",
            "/v1/chat/completions/",
            "//v1///chat/./completions",
            "/v1/ch%61t/completions",
            "/v1%2Fchat%2fcompletions",
            "/api/v1/chat/completions",
            "/openai/v1/chat/completions",
            "/chat/completions",
        ] {
            assert_eq!(schema(path), Some("openai_chat"), "{path}");
            assert!(called(&built_in(), b"GET", path.as_bytes()).is_none());
        }
        for (path, name) in [
            ("/v1/completions", "openai_completions"),
            ("/v1/responses", "openai_responses"),
            ("/v1/messages", "anthropic_messages"),
            ("/v1/embeddings", "openai_embeddings"),
            ("/api/embeddings", "ollama_embed"),
            ("/api/embed", "ollama_embed"),
            ("/v2/embed", "cohere_embed"),
            ("/api/chat", "ollama_chat"),
            ("/v2/chat", "cohere_chat"),
            ("/v1/rerank", "rerank"),
        ] {
            assert_eq!(schema(path), Some(name), "{path}");
        }
    }

    #[test]
    fn what_costs_nothing_is_none_of_ours() {
        for path in [
            "/",
            "",
            "/v1/chat",
            "/v1/chat/completions/x",
            "/v1/models",
            "/v1/files",
            "/v1/chat/completion",
            "/v1/completion%6",
            "/v1/messages/count_tokens",
            "/v1/threads/t/messages",
            "/v1beta/models/gemini-2.5-flash:countTokens",
            "/v1/responses/resp_1/cancel",
            "/v1/responses/input_tokens",
        ] {
            let expected = (path == "/v1/chat").then_some("cohere_chat");
            assert_eq!(schema(path), expected, "{path}");
        }
    }

    /// An id that is noted where an answer is made, and not asked about where it is fetched, is everybody's.
    #[test]
    fn whatever_is_kept_is_fetched_deleted_and_cancelled_beside_where_it_is_made() {
        let routes = free_routes();
        // LM Studio's own API has nothing by which a response is fetched. Of chats some are kept, by `store` or where they speak.
        let keeps = |schema: &Schema| schema.keeps && schema.name != "lm_studio_chat" || schema.name == "openai_chat";
        let made: Vec<_> = BUILT_IN.iter().filter(|(_, schema, _)| keeps(schema)).map(|(path, ..)| *path).collect();
        assert!(made.len() >= 7, "{made:?}");
        for made in made {
            let made = made.replace("{model}", "m").replace('*', "x");
            for prefix in ["", "/openai", "/v3/router"] {
                let made = [prefix, "/", made.trim_start_matches("xx/").trim_start_matches('/')].concat();
                let stands_alone = made.contains("chat");
                for (method, behind) in [("GET", "/id_1"), ("GET", "/id_1?api-version=2"), ("DELETE", "/id_1")] {
                    let path = [&made, behind].concat();
                    let found = free(&routes, &built_in(), method.as_bytes(), path.as_bytes()).expect("known");
                    assert_eq!((found.what, found.name.as_deref()), (Free::Stored, Some("id_1")), "{method} {path}");
                }
                let path = [&made, "/id_1/cancel"].concat();
                assert_eq!(schema(&path), None, "{path}");
                let found = free(&routes, &built_in(), b"POST", path.as_bytes()).expect("known");
                let name = if stands_alone { "id_1/cancel" } else { "id_1" };
                assert_eq!((found.what, found.name.as_deref()), (Free::Stored, Some(name)), "{path}");
            }
        }
    }

    #[test]
    fn what_costs_nothing_is_known_by_method_and_path() {
        let routes = free_routes();
        assert_eq!(routes.len(), FREE.len());
        for (method, path, expected) in [
            ("GET", "/v1/responses/resp_1", Some(Free::Stored)),
            ("GET", "/v1/responses/resp_1?stream=true", Some(Free::Stored)),
            ("DELETE", "/v1/responses/resp%5f1/", Some(Free::Stored)),
            ("POST", "/v1/responses/resp_1/cancel", Some(Free::Stored)),
            ("GET", "/v1/responses/resp_1/input_items", Some(Free::Stored)),
            ("POST", "/v1/responses/resp_1", None),
            ("POST", "/v1/responses/compact", None),
            ("POST", "/v1/messages/count_tokens?beta=true", Some(Free::Counts)),
            ("POST", "/v1/messages/batches", None),
            ("POST", "/v1beta/models/gemini-2.5-flash:countTokens", Some(Free::Counts)),
            ("POST", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", None),
            ("GET", "/v1/models", Some(Free::Models)),
            ("GET", "/v1/models/openai/gpt-4o", Some(Free::Models)),
            ("DELETE", "/v1/models/mine", None),
            ("GET", "/v1beta/models", Some(Free::Models)),
            ("GET", "/api/tags", Some(Free::Models)),
            ("GET", "/", None),
            ("GET", "/v1/chat/completions/chatcmpl-1", Some(Free::Stored)),
            ("POST", "/v1/chat/completions/chatcmpl-1", Some(Free::Stored)),
            ("GET", "/v1/chat/completions/chatcmpl-1/messages", Some(Free::Stored)),
            ("DELETE", "/v1/conversations/conv_1/items/msg_1", Some(Free::Stored)),
            ("POST", "/v1/conversations", None),
            ("GET", "/v1/containers/cntr_1/files/f/content", Some(Free::Stored)),
            ("GET", "/v1beta/interactions/v1_1", Some(Free::Stored)),
            ("POST", "/v1beta/interactions/v1_1/cancel", Some(Free::Stored)),
            ("GET", "/v1beta1/projects/p/locations/global/interactions/v1_1:stream", Some(Free::Stored)),
            ("GET", "/openai/responses/resp_1/input_items?api-version=1", Some(Free::Stored)),
            ("POST", "/openai/v1/responses/input_tokens", Some(Free::Counts)),
            ("POST", "/responses/input_tokens", Some(Free::Counts)),
            ("GET", "/openai/conversations/conv_1/items", Some(Free::Stored)),
            ("DELETE", "/openai/containers/cntr_1", Some(Free::Stored)),
        ] {
            let found = free(&routes, &[], method.as_bytes(), path.as_bytes()).map(|found| found.what);
            assert_eq!(found, expected, "{method} {path}");
        }
        let named = free(&routes, &[], b"GET", b"/v1/models/openai/gpt-4o").unwrap().name;
        assert_eq!(named.as_deref(), Some("openai/gpt-4o"));
        let left = [Route { pattern: PathPattern::new("/v1/models").unwrap(), schema: None, streams: None }];
        assert!(free(&routes, &left, b"GET", b"/v1/models").is_none(), "the operator's own");
        assert!(free(&routes, &left, b"GET", b"/v1/models/m").is_some());
    }

    fn free(routes: &[FreeRoute], left: &[Route], method: &[u8], path: &[u8]) -> Option<FreePath> {
        beside(routes, left, method, path)?.ok()
    }

    #[test]
    fn a_path_that_is_known_has_its_methods_and_no_others() {
        let wrong = |left: &[Route], method: &str, path: &str| {
            beside(&free_routes(), left, method.as_bytes(), path.as_bytes())?.err().map(|wrong| wrong.allow)
        };
        for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "GET", "post", "", "MKCOL"] {
            for (path, allow) in [
                ("/v1/chat/completions", "POST"),
                ("/v1/chat/completions?limit=100", "POST"),
                ("//v1/ch%61t/completions/", "POST"),
                ("/v1/responses", "POST"),
                ("/v1/messages", "POST"),
                ("/v1/projects/p/locations/l/publishers/google/models/gemini:generateContent", "POST"),
                ("/model/m/converse", "POST"),
                ("/v1/messages/count_tokens", "POST"),
                ("/v1beta/interactions", "POST"),
                ("/v1beta2/interactions", "POST"),
            ] {
                assert_eq!(wrong(&built_in(), method, path), Some(allow), "{method} {path}");
            }
            for path in ["/", "/v1/files", "/v1/chat/completion/x", "/healthz"] {
                assert_eq!(wrong(&built_in(), method, path), None, "{method} {path}");
            }
        }
        for (method, path, allow) in [
            ("PUT", "/v1/responses/resp_1", "GET, DELETE"),
            ("DELETE", "/v1/models/ft:gpt-4o:acme", "GET"),
            ("PATCH", "/v1beta/models/x", "GET"),
        ] {
            assert_eq!(wrong(&built_in(), method, path), Some(allow), "{method} {path}");
        }
        assert_eq!(wrong(&built_in(), "POST", "/v1/models/m"), None, "the operator's own");
        let left = [Route { pattern: PathPattern::new("/v1/models/{model}").unwrap(), schema: None, streams: None }];
        assert_eq!(wrong(&left, "DELETE", "/v1/models/m"), None, "the operator's own");
    }

    #[test]
    fn a_path_may_name_the_model_and_the_stream() {
        for (path, model, streams) in [
            ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash", Some(true)),
            ("/v1/projects/p/locations/l/publishers/google/models/gemini:generateContent", "gemini", Some(false)),
            (
                "/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream",
                "us.anthropic.claude-sonnet-4-20250514-v1:0",
                Some(true),
            ),
            ("/model/arn%3Aaws%3Abedrock%3Aprofile%2Fabc/invoke", "arn:aws:bedrock:profile/abc", Some(false)),
            ("/openai/deployments/my-gpt/chat/completions?api-version=1", "my-gpt", None),
        ] {
            let (_, named, stream) = of(path).unwrap();
            assert_eq!((named.as_deref(), stream), (Some(model), streams), "{path}");
        }
    }

    #[test]
    fn a_pattern_that_could_mean_two_things_is_none() {
        for text in ["", "v1/x", "/a//b", "/a/*b", "/a/**/b", "/{model}/{model}", "/{name}", "/a?b", "/a/"] {
            assert_eq!(PathPattern::new(text), None, "{text}");
        }
        for text in ["/v1/x", "**/x", "/*/x", "/m/{model}:run", "/{model}"] {
            assert!(PathPattern::new(text).is_some(), "{text}");
        }
    }
}
