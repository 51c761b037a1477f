//! Who serves in a model's place near the end of the money, and the model of a role.

use std::rc::Rc;

/// How many may stand in one after another, each for the one before it.
pub const MOST_LINKS: usize = 4;

/// Serves in another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// A model, or a name that stands for several.
    pub model: Rc<str>,
    /// How much of a budget is spent by then.
    pub from_percent: u64,
}

/// The model of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleModel {
    pub model: Rc<str>,
    /// Before what stands in for the model itself.
    pub instead: Option<StandIn>,
}
