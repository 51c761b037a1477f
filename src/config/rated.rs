//! The rates that a price can write, itself, above a border of its context, and for a service tier.

use super::scalar::{Usd, UsdPer1m};
use crate::llm::kind::kinds;
use crate::price::RateCard;

macro_rules! written_rates {
    (() parts: [$(($part:ident $(less $inner:ident)?, $side:ident, $rate:ident, $key:ident, $whole:ident, $may:ident),)*]
        pieces: [$(($piece:ident, $price:ident, $piece_key:ident, $rare:literal),)*]) => {
        /// Rates as written. What is not written is that of the kind it is a part of: cached input costs what input does.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct WrittenRates {
            pub input: Option<UsdPer1m>,
            pub output: Option<UsdPer1m>,
            $(pub $rate: Option<UsdPer1m>,)*
            pub request: Option<Usd>,
            $(pub $price: Option<Usd>,)*
        }

        impl WrittenRates {
            /// These over `base`: before anything unwritten takes its value, so that it takes that of the same layer.
            pub fn over(self, base: Self) -> Self {
                Self {
                    input: self.input.or(base.input),
                    output: self.output.or(base.output),
                    $($rate: self.$rate.or(base.$rate),)*
                    request: self.request.or(base.request),
                    $($price: self.$price.or(base.$price),)*
                }
            }

            /// `None` without the two that every price must write.
            pub fn rates(self) -> Option<RateCard> {
                let mut rates = RateCard {
                    input: self.input?.0,
                    output: self.output?.0,
                    request: self.request.map(|price| price.0).unwrap_or_default(),
                    $($price: self.$price.map(|price| price.0).unwrap_or_default(),)*
                    ..RateCard::default()
                };
                $(rates.$rate = self.$rate.map_or(rates.$whole, |rate| rate.0);)*
                Some(rates)
            }
        }
    };
}
kinds!(written_rates());

/// Gives a struct of the configuration the fields of every rate: serde's `flatten` knows no unknown fields.
macro_rules! rated {
    ($($struct:tt)*) => { kinds! { rated_struct ($($struct)*) } };
}

macro_rules! rated_struct {
    (($(#[$about:meta])* pub struct $name:ident { $($(#[$of_field:meta])* pub $field:ident: $type:ty,)* })
        parts: [$(($part:ident $(less $inner:ident)?, $side:ident, $rate:ident, $key:ident, $whole:ident, $may:ident),)*]
        pieces: [$(($piece:ident, $price:ident, $piece_key:ident, $rare:literal),)*]) => {
        $(#[$about])*
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
            /// A million tokens of input.
            #[serde(default, deserialize_with = "written")]
            pub input_usd_per_1m_tokens: Option<UsdPer1m>,
            /// A million tokens of output.
            #[serde(default, deserialize_with = "written")]
            pub output_usd_per_1m_tokens: Option<UsdPer1m>,
            $(#[doc = concat!("A million tokens of this kind. Left out: as `", stringify!($whole), "`.")]
            #[serde(default, deserialize_with = "written")]
            pub $key: Option<UsdPer1m>,)*
            /// Each request, beside its tokens.
            #[serde(default, deserialize_with = "written")]
            pub request_usd: Option<Usd>,
            $(/// Each one, beside the tokens.
            #[serde(default, deserialize_with = "written")]
            pub $piece_key: Option<Usd>,)*
        }

        impl $name {
            pub const fn written_rates(&self) -> WrittenRates {
                WrittenRates {
                    input: self.input_usd_per_1m_tokens,
                    output: self.output_usd_per_1m_tokens,
                    $($rate: self.$key,)*
                    request: self.request_usd,
                    $($price: self.$piece_key,)*
                }
            }
        }
    };
}

pub(super) use {rated, rated_struct};
