//! Fields of a request that no table of its API knows: their names, and whether what they hold can spend money.

use crate::json::{Field, Found, Hit};
use crate::llm::schema::{self, Asked};
use crate::llm::tools::same_kind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Those that say something; `null` is nothing.
    pub fields: Vec<String>,
    /// Short texts in them, each with its field's place among `fields`: one may be a model's name.
    pub texts: Vec<(usize, String)>,
    /// One that speaks of what else may serve, spend or be reached, and of what.
    pub suspect: Option<(String, &'static str)>,
    /// One by which a server would call its answer, whatever else is suspect.
    pub names_answer: Option<&'static str>,
    /// The field that is read, until its value is known.
    name: Option<String>,
    /// How many names there were, at whatever depth.
    names: usize,
}

/// What is kept of a body's unknown fields; a body with more than this is nothing that an SDK sends.
const MOST_FIELDS: usize = 64;
const MOST_TEXTS: usize = 256;
/// Each is held against all that is known.
const MOST_NAMES: usize = 1_024;
/// No model's name is longer.
const LONGEST: usize = 128;

/// vLLM and SGLang take an answer's id from these.
const ANSWER_IDS: [&str; 2] = ["request_id", "rid"];

/// What a server behind the gateway may read that no API of ours has: by whole names, in any letters. Sources: what
/// OpenRouter, LiteLLM, vLLM, SGLang, llama.cpp, TGI and LoRAX take in a body.
const NAMES: [(&str, &str); 84] = [
    // An id of the client's choice may be another's.
    ("request_id", "an id under which a server keeps or ends what is others'"),
    ("rid", "an id under which a server keeps or ends what is others'"),
    ("session_params", "what a server keeps"),
    ("conversation_id", "what a server keeps"),
    ("thread_id", "what a server keeps"),
    ("prompt_id", "what a server keeps"),
    ("prompt_variables", "what a server keeps"),
    ("assistant_id", "who serves it"),
    ("agent", "who serves it"),
    ("agent_id", "who serves it"),
    ("preset", "who serves it"),
    ("tags", "who serves it"),
    ("user_config", "who serves it"),
    ("data_parallel_rank", "who serves it"),
    ("routed_dp_rank", "who serves it"),
    ("disagg_prefill_dp_rank", "who serves it"),
    ("organization", "an account"),
    ("organization_id", "an account"),
    ("project_id", "an account"),
    ("api_version", "who serves it"),
    ("num_retries", "how often it is asked"),
    ("max_retries", "how often it is asked"),
    ("cooldown_time", "how often it is asked"),
    ("best_of", "how much is made"),
    ("num_return_sequences", "how much is made"),
    ("n_cmpl", "how much is made"),
    ("num_beams", "how much is made"),
    ("use_beam_search", "how much is made"),
    ("n_predict", "how much is made"),
    ("num_predict", "how much is made"),
    ("max_new_tokens", "how much is made"),
    ("max_tokens_to_sample", "how much is made"),
    ("response_fields", "what is left out of an answer"),
    ("media_io_kwargs", "what a picture comes to"),
    ("custom_params", "what runs on a server"),
    ("extra_args", "what runs on a server"),
    ("vllm_xargs", "what runs on a server"),
    ("images_config", "what a picture comes to"),
    ("input_embeds", "input that can't be read"),
    ("prompt_embeds", "input that can't be read"),
    ("input_ids", "input that can't be read"),
    ("ngram_corpus_id", "what a server keeps"),
    // Of Baidu, Tencent, Venice and those who sell what others serve.
    ("web_search", "a search"),
    ("enable_web_search", "a search"),
    ("enable_online_search", "a search"),
    ("enable_deep_search", "a search"),
    ("enable_enhancement", "a search"),
    ("force_search_enhancement", "a search"),
    ("venice_parameters", "a search"),
    ("deep_research", "a search"),
    ("mcp_servers", "a search"),
    ("context_id", "what a server keeps"),
    ("cached_content", "what a server keeps"),
    ("cache_id", "what a server keeps"),
    ("prompt_cache_id", "what a server keeps"),
    ("knowledge_ids", "what a server keeps"),
    ("knowledge_base_ids", "what a server keeps"),
    ("file_ids", "what a server keeps"),
    ("document_ids", "what a server keeps"),
    ("dataset_id", "what a server keeps"),
    ("dataset_ids", "what a server keeps"),
    ("datasources", "what a server keeps"),
    ("data_sources", "what a server keeps"),
    ("collection_ids", "what a server keeps"),
    ("vector_store_ids", "what a server keeps"),
    ("num_samples", "how much is made"),
    ("parallel_samples", "how much is made"),
    ("num_choices", "how much is made"),
    ("num_outputs", "how much is made"),
    ("num_generations", "how much is made"),
    ("max_images", "how much is made"),
    ("candidate_count", "how much is made"),
    // Google's other spelling.
    ("candidatecount", "how much is made"),
    ("n_best", "how much is made"),
    ("beam_width", "how much is made"),
    ("performance_tier", "a rate"),
    ("processing_tier", "a rate"),
    ("service_class", "a rate"),
    ("fast_mode", "a rate"),
    ("data_residency", "a rate"),
    ("async", "what would be had later, past this gateway"),
    ("output_fields", "what is left out of an answer"),
    ("hide_usage", "what is left out of an answer"),
    ("exclude_usage", "what is left out of an answer"),
];
/// The same by a word that a name has in it, so that the next of its kind is one, too; with `$`, by the whole word.
const WORDS: [(&str, &str); 39] = [
    ("model", "a model"),
    ("fallback", "a fallback"),
    ("lora$", "another model"),
    ("adapter", "another model"),
    ("provider", "who serves it"),
    ("rout", "who serves it"),
    ("deployment", "who serves it"),
    ("priority", "whose turn it is"),
    ("base_url", "an address"),
    ("endpoint", "an address"),
    ("hostname", "an address"),
    ("host$", "an address"),
    ("port$", "an address"),
    ("api_base", "an address"),
    ("apibase", "an address"),
    ("baseurl", "an address"),
    ("webhook", "an address"),
    ("callback", "an address"),
    ("proxy", "an address"),
    ("transfer_params", "an address"),
    ("bootstrap", "an address"),
    ("api_key", "a key"),
    ("apikey", "a key"),
    ("credential", "a key"),
    ("secret", "a key"),
    ("password", "a key"),
    ("aws_", "an account"),
    ("vertex_", "an account"),
    ("azure_", "an account"),
    ("litellm", "what a relay does"),
    ("cost$", "a price"),
    ("price$", "a price"),
    ("extra_", "what a relay does"),
    ("extrabody", "what a relay does"),
    ("headers", "what a relay does"),
    ("processor", "what runs on a server"),
    ("template", "how a prompt is written"),
    ("dynamic_patch", "what a picture comes to"),
    ("previous_", "what a server keeps"),
];

/// What a field of this name may do, beside what is priced.
fn does(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase().replace('-', "_");
    let whole = NAMES.iter().find(|(known, _)| *known == lower);
    // Words begin and end at what is no letter, or before a capital. What speaks of a model may stand anywhere.
    let parts = |at: usize| {
        let (before, behind) = (name.as_bytes().get(at.wrapping_sub(1)), name.as_bytes().get(at));
        let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
        !is_letter(before) || !is_letter(behind) || behind.is_some_and(u8::is_ascii_uppercase)
    };
    let has = |(word, what): &&(&str, &str)| {
        let (word, ends) = word.strip_suffix('$').map_or((*word, false), |word| (word, true));
        let anywhere = matches!(*what, "a model" | "a fallback");
        let stands = |at: usize| anywhere || parts(at) && (!ends || parts(at.saturating_add(word.len())));
        lower.match_indices(word).any(|(at, _)| stands(at))
    };
    let listed = whole.or_else(|| WORDS.iter().find(has)).map(|(_, what)| *what);
    listed.or_else(|| decides_elsewhere(&lower).then_some("what another API is priced by"))
}

/// Whether an API that has this field is priced by it, or refuses it: a server that speaks several may read it in any.
fn decides_elsewhere(name: &str) -> bool {
    let decides = |key: &Asked| {
        matches!(
            key,
            Asked::ServiceTier
                | Asked::Speed
                | Asked::Region
                | Asked::Tools
                | Asked::Plugins
                | Asked::Search(_)
                | Asked::Servers(_)
                | Asked::OtherModels(_)
                | Asked::OtherModel(_)
                | Asked::Background
                | Asked::Frames
                | Asked::Never(..)
        )
    };
    // What a server keeps, an application has words of its own for: a conversation, a thread, an environment.
    let goes_on = |field: &str| field.starts_with("previous") && same_kind(field, name);
    let is = |field: &Field<Asked>| match field.key {
        Some(Asked::Refers(_)) => goes_on(field.name),
        // By whatever key.
        _ if field.name == "environment" => false,
        Some(Asked::Hidden(_)) => field.name.eq_ignore_ascii_case(name),
        // Of counts, Google's spelling as well.
        Some(Asked::Choices | Asked::Series | Asked::SeriesOptions) => same_kind(field.name, name),
        Some(key) => decides(&key) && field.name.eq_ignore_ascii_case(name),
        None => false,
    };
    schema::ALL.iter().flat_map(|schema| schema.request).any(is)
}

impl Unknown {
    pub(super) const NONE: Self =
        Self { fields: Vec::new(), texts: Vec::new(), suspect: None, names_answer: None, name: None, names: 0 };

    #[cold]
    pub(super) fn hit(&mut self, hit: &Hit<'_, Asked>) {
        if let (Found::Named(name), Asked::Unknown) = (&hit.found, &hit.key) {
            let known = ANSWER_IDS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
            self.names_answer = self.names_answer.or(known);
        }
        // It is refused by now, whatever else it says: to judge a name takes longer than to send one.
        if self.suspect.is_some() {
            return;
        }
        if let Found::Named(name) = hit.found {
            self.names = self.names.saturating_add(1);
            if self.names > MOST_NAMES {
                let field = self.fields.last().map_or(name, |field| field).to_owned();
                return self.suspect(field, "more than can be judged");
            }
        }
        match hit.found {
            Found::Named(name) if hit.key == Asked::Unknown => self.name = Some(name.to_owned()),
            Found::Named(name) => {
                // What an object says of a model, it says of what serves.
                if let Some((field, what)) = self.fields.last().zip(does(name).filter(|what| *what == "a model")) {
                    return self.suspect(field.clone(), what);
                }
                self.text(name);
            }
            Found::Null => {}
            Found::Closed { .. } => {}
            found => {
                self.field();
                if let Found::Text { text, .. } = found {
                    self.text(text);
                }
            }
        }
    }

    /// The field says something.
    fn field(&mut self) {
        let Some(name) = self.name.take() else { return };
        if let Some(what) = does(&name) {
            self.suspect(name.clone(), what);
        }
        // A form has a list's elements under its name, each by itself.
        if self.fields.last() == Some(&name) {
            return;
        }
        if self.fields.len() >= MOST_FIELDS {
            return self.suspect(name, "more than can be judged");
        }
        self.fields.push(name);
    }

    fn text(&mut self, text: &str) {
        // It is refused by now, whatever else it says.
        if self.suspect.is_some() {
            return;
        }
        let Some((at, field)) = self.fields.iter().enumerate().next_back() else { return };
        if text.contains("://") || text.starts_with("//") {
            return self.suspect(field.clone(), "an address");
        }
        if text.is_empty() || text.len() > LONGEST || text.contains(' ') {
            return;
        }
        if self.texts.len() >= MOST_TEXTS {
            return self.suspect(field.clone(), "more than can be judged");
        }
        self.texts.push((at, text.to_owned()));
    }

    fn suspect(&mut self, field: String, what: &'static str) {
        self.suspect.get_or_insert((field, what));
    }
}
