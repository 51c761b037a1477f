//! Limits that several Envoys share: what the operator wrote, as parts of each limit.

use super::flaw::{Checked, flaw};
use crate::config::{self, WithoutService};
use crate::limit::Share;
use crate::replicas::Replicas;

pub(super) fn read(written: &config::Replicas, has_status: bool) -> Checked<Replicas> {
    let config::Replicas { count, in_flight_percent, requests_without_service, budgets_without_service, cluster } =
        written;
    if [*requests_without_service, *budgets_without_service].contains(&WithoutService::Local) && !has_status {
        return flaw("replicas", "`local` needs `status`, to know when the service is unavailable");
    }
    let replicas = u32::try_from(count.get()).unwrap_or(u32::MAX);
    let in_flight_percent = u32::try_from(in_flight_percent.get()).unwrap_or(100);
    let part = |written| if written == WithoutService::Local { Share { part: 1, of: replicas } } else { Share::WHOLE };
    Ok(Replicas {
        in_flight: Share { part: in_flight_percent, of: replicas.saturating_mul(100) },
        requests_without_service: part(*requests_without_service),
        budgets_without_service: part(*budgets_without_service),
        cluster: (*cluster.0).to_owned(),
    })
}
