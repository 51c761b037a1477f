//! What was spent before this Envoy began goes into the books before the first request is admitted.
//!
//! Trade-off: each worker does it, for none of them knows what the others have done. Only what is more than the books know is taken
//! over, so it is taken over once, and a configuration that comes again changes nothing.

use super::plugin::Plugin;
use crate::calendar::Calendar;
use crate::host::{cells, clock};
use crate::limit::accounts::Whose;

/// Takes over what each account had spent, as far as the books don't know of it.
pub(super) fn take_over(plugin: &Plugin) {
    let Some(opening) = &plugin.policy.opening else { return };
    let (now, lease) = (clock::now(), plugin.policy.lease_seconds);
    if Calendar::Day.number(opening.at) != Calendar::Day.number(now) {
        log::warn!(
            "`opening` is of another day: what it says of that day counts for nothing. Write it anew before each start"
        );
    }
    for balance in &opening.balances {
        let swap = cells::swap(balance.whose(), cells::SETTLE_ATTEMPTS, |cell| {
            let more = cell.take_over([balance.day, balance.month], opening.at, now, lease);
            (more, more.is_some())
        });
        plugin.stats.swapped(&swap);
        match (swap.outcome, balance.whose()) {
            (Ok(Some([day, month])), Whose::Tenant(name)) => {
                plugin.stats.taken_over(plugin.policy.tenant_label(name), day, month);
            }
            (Ok(_), _) => {}
            (Err(_), whose) => log::error!("what {whose} has spent before could not be taken over"),
        }
    }
}
