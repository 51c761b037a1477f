//! The kinds of what is counted and priced: a row each.
//!
//! A new kind is a row here, a [`super::usage::Count`] that finds it in an answer, and a fixture. Everything that goes
//! through all kinds (usage, rates, costs, worst cases, the record, its series, the keys of a price) reads these rows.

/// Hands the rows to the macro `$then`, after `$with`.
///
/// `parts`: the count in [`super::usage::Usage`] (without what a part of its own is counted by); the side it is a part of;
/// its rate; the key of its price; the kind whose rate holds where its own isn't written; and the method of
/// [`super::brings::Brings`] by which a request may come to it.
///
/// `pieces`: the count, its rate, the key of its price, and whether it is left out of a record that has none. What isn't
/// priced costs nothing.
macro_rules! kinds {
    ($then:ident $with:tt) => {
        $then! {
            $with
            parts: [
                (cached_input_tokens, input, cached_input, cached_input_usd_per_1m_tokens, input, any),
                (cache_creation_input_tokens less cache_creation_1h_input_tokens,
                    input, cache_creation, cache_creation_usd_per_1m_tokens, input, writes),
                (cache_creation_1h_input_tokens,
                    input, cache_creation_1h, cache_creation_1h_usd_per_1m_tokens, cache_creation, writes_long),
                (reasoning_tokens, output, reasoning, reasoning_usd_per_1m_tokens, output, any),
                (audio_input_tokens, input, audio_input, audio_input_usd_per_1m_tokens, input, has_attachments),
                (image_input_tokens, input, image_input, image_input_usd_per_1m_tokens, input, has_attachments),
                (audio_output_tokens, output, audio_output, audio_output_usd_per_1m_tokens, output, any),
                (image_output_tokens, output, image_output, image_output_usd_per_1m_tokens, output, any),
            ]
            pieces: [
                (images, image, image_usd, false),
                (search_units, search_unit, search_unit_usd, false),
                (web_searches, web_search, web_search_usd, false),
                (file_searches, file_search, file_search_usd, true),
                (container_sessions, container_session, container_session_usd, true),
                (audio_seconds, audio_second, audio_second_usd, true),
                (characters, character, character_usd, true),
            ]
        }
    };
}

pub(crate) use kinds;
