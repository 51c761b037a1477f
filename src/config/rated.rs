//! The rates that a price can write, itself, above a border of its context, and for a service tier.

use super::scalar::{Usd, UsdPer1m};
use crate::price::Rates;

/// Rates as written. What is not written is that of the kind it is a part of: cached input costs what input does.
#[derive(Clone, Copy, Debug, Default)]
pub struct WrittenRates {
    pub input: Option<UsdPer1m>,
    pub cached_input: Option<UsdPer1m>,
    pub cache_creation: Option<UsdPer1m>,
    pub cache_creation_1h: Option<UsdPer1m>,
    pub audio_input: Option<UsdPer1m>,
    pub image_input: Option<UsdPer1m>,
    pub output: Option<UsdPer1m>,
    pub reasoning: Option<UsdPer1m>,
    pub audio_output: Option<UsdPer1m>,
    pub image_output: Option<UsdPer1m>,
    pub request: Option<Usd>,
    pub image: Option<Usd>,
    pub search_unit: Option<Usd>,
    pub web_search: Option<Usd>,
}

impl WrittenRates {
    /// These over `base`: before anything unwritten takes its value, so that it takes that of the same layer.
    pub fn over(self, base: Self) -> Self {
        Self {
            input: self.input.or(base.input),
            cached_input: self.cached_input.or(base.cached_input),
            cache_creation: self.cache_creation.or(base.cache_creation),
            cache_creation_1h: self.cache_creation_1h.or(base.cache_creation_1h),
            audio_input: self.audio_input.or(base.audio_input),
            image_input: self.image_input.or(base.image_input),
            output: self.output.or(base.output),
            reasoning: self.reasoning.or(base.reasoning),
            audio_output: self.audio_output.or(base.audio_output),
            image_output: self.image_output.or(base.image_output),
            request: self.request.or(base.request),
            image: self.image.or(base.image),
            search_unit: self.search_unit.or(base.search_unit),
            web_search: self.web_search.or(base.web_search),
        }
    }

    /// `None` without the two that every price must write.
    pub fn rates(self) -> Option<Rates> {
        let (input, output) = (self.input?.0, self.output?.0);
        let or = |rate: Option<UsdPer1m>, whole| rate.map_or(whole, |rate| rate.0);
        let piece = |price: Option<Usd>| price.map(|price| price.0).unwrap_or_default();
        let cache_creation = or(self.cache_creation, input);
        Some(Rates {
            input,
            cached_input: or(self.cached_input, input),
            cache_creation,
            cache_creation_1h: or(self.cache_creation_1h, cache_creation),
            audio_input: or(self.audio_input, input),
            image_input: or(self.image_input, input),
            output,
            reasoning: or(self.reasoning, output),
            audio_output: or(self.audio_output, output),
            image_output: or(self.image_output, output),
            request: piece(self.request),
            image: piece(self.image),
            search_unit: piece(self.search_unit),
            web_search: piece(self.web_search),
        })
    }
}

/// Gives a struct of the configuration the fields of every rate: serde's `flatten` knows no unknown fields.
macro_rules! rated {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$of_field:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
            #[serde(default, deserialize_with = "written")]
            pub input_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub cached_input_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub cache_creation_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub cache_creation_1h_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub audio_input_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub image_input_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub output_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub reasoning_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub audio_output_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub image_output_usd_per_1m_tokens: Option<UsdPer1m>,
            #[serde(default, deserialize_with = "written")]
            pub request_usd: Option<Usd>,
            #[serde(default, deserialize_with = "written")]
            pub image_usd: Option<Usd>,
            #[serde(default, deserialize_with = "written")]
            pub search_unit_usd: Option<Usd>,
            #[serde(default, deserialize_with = "written")]
            pub web_search_usd: Option<Usd>,
        }

        impl $name {
            pub const fn written_rates(&self) -> WrittenRates {
                WrittenRates {
                    input: self.input_usd_per_1m_tokens,
                    cached_input: self.cached_input_usd_per_1m_tokens,
                    cache_creation: self.cache_creation_usd_per_1m_tokens,
                    cache_creation_1h: self.cache_creation_1h_usd_per_1m_tokens,
                    audio_input: self.audio_input_usd_per_1m_tokens,
                    image_input: self.image_input_usd_per_1m_tokens,
                    output: self.output_usd_per_1m_tokens,
                    reasoning: self.reasoning_usd_per_1m_tokens,
                    audio_output: self.audio_output_usd_per_1m_tokens,
                    image_output: self.image_output_usd_per_1m_tokens,
                    request: self.request_usd,
                    image: self.image_usd,
                    search_unit: self.search_unit_usd,
                    web_search: self.web_search_usd,
                }
            }
        }
    };
}

pub(super) use rated;
