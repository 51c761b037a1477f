//! Limits that several Envoys share: what the operator wrote, as parts of each limit.

use super::flaw::{Checked, flaw, in_range};
use crate::config::{self, Away};
use crate::limit::Share;
use crate::replicas::Replicas;

pub(super) fn read(written: &config::Shared, has_status: bool) -> Checked<Replicas> {
    let config::Shared { replicas, in_flight_percent, requests_away, budgets_away, cluster } = written;
    in_range("shared.replicas", *replicas, config::REPLICAS)?;
    in_range("shared.in_flight_percent", *in_flight_percent, config::PERCENT)?;
    if [*requests_away, *budgets_away].contains(&Away::Local) && !has_status {
        return flaw("shared", "`local` needs `status`, to know when the service is away");
    }
    let replicas = u32::try_from(*replicas).unwrap_or(u32::MAX);
    let in_flight_percent = u32::try_from(*in_flight_percent).unwrap_or(100);
    let part = |away| if away == Away::Local { Share { part: 1, of: replicas } } else { Share::WHOLE };
    Ok(Replicas {
        in_flight: Share { part: in_flight_percent, of: replicas.saturating_mul(100) },
        requests_away: part(*requests_away),
        budgets_away: part(*budgets_away),
        cluster: (*cluster.0).to_owned(),
    })
}
