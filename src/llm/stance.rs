//! What becomes of a request that has something with it whose price is not known: the operator's word for each kind.

/// What happens to a request that brings what the gateway can't price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Stance {
    /// It is refused, by name.
    Refuse,
    /// It passes; the record names it, and a stat counts it.
    Count,
    /// It passes, and nothing is said.
    Pass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stances {
    /// Fields of a request that no table of its API knows.
    pub unknown_fields: Stance,
    /// Hosted tools of a kind that no table knows.
    pub unknown_tools: Stance,
    /// Known tools and dearer rates that the model's price says nothing of.
    pub unpriced_levers: Stance,
}

impl Default for Stances {
    fn default() -> Self {
        Self { unknown_fields: Stance::Count, unknown_tools: Stance::Refuse, unpriced_levers: Stance::Refuse }
    }
}
