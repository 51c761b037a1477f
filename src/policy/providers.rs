//! Providers and paths: where a request may go, what is spoken there, and who may ask the gateway about it.

use super::flaw::{Checked, flaw, not_reserved, under};
use super::{NONE, OTHER, ProviderPolicy, StatusPages};
use crate::config::{self, Named};
use crate::llm::path::{self, PathPattern, Route};
use crate::llm::schema::{self, Schema};
use crate::network::{Network, loopback};
use crate::order;
use crate::route::Reach;

pub(super) fn read(mut written: Named<config::Provider>) -> Checked<Vec<ProviderPolicy>> {
    // Envoy hands a map over in no order, and not every worker need get the same.
    order::sort_by(&mut written.entries, |(a, _), (b, _)| a.cmp(b));
    let mut providers: Vec<ProviderPolicy> = Vec::with_capacity(written.entries.len());
    for (name, provider) in written.entries {
        let path = || under("providers", &name);
        not_reserved(path, &name, &[OTHER, NONE])?;
        let config::Name(cluster) = provider.cluster;
        if let Some(first) = providers.iter().find(|provider| *provider.cluster == *cluster) {
            let path = format!("{}.cluster", path());
            return flaw(path, format!("the cluster `{cluster}` is that of `{}` already", first.name));
        }
        let mut paths = Vec::with_capacity(provider.paths.entries.len());
        for (api, config::Name(template)) in &provider.paths.entries {
            let path = || under(&format!("{}.paths", path()), api);
            let schema = api_named(path, api)?;
            is_path(path, template)?;
            paths.push((schema, template.to_string()));
        }
        let base_path = provider.base_path.map_or_else(|| "/v1".to_owned(), |config::Name(base)| base.to_string());
        is_path(|| format!("{}.base_path", path()), &base_path)?;
        let account_statuses =
            provider.account_statuses.as_deref().map(|statuses| account(path, statuses)).transpose()?;
        let reach = Reach {
            sensitivity: provider.sensitivity,
            apis: apis(&name, provider.apis.as_deref())?,
            has_key: provider.key == config::Key::Present,
        };
        providers.push(ProviderPolicy {
            name: name.to_string(),
            cluster: cluster.to_string(),
            stream_usage_option: provider.stream_usage_option,
            reported_cost: provider.reported_cost,
            answered_model: provider.answered_model,
            reach,
            base_path: base_path.trim_end_matches('/').to_owned(),
            paths,
            account_statuses,
        });
    }
    Ok(providers)
}

/// 429 has a meaning of its own, and what is not from 400 to 499 is no refusal.
fn account(path: impl Fn() -> String, statuses: &[u16]) -> Checked<Vec<u64>> {
    let status = |(at, status): (usize, &u16)| match status {
        400..=428 | 430..=499 => Ok(u64::from(*status)),
        _ => flaw(
            format!("{}.account_statuses[{at}]", path()),
            format!("{status} is no refusal of an account: expected a status from 400 to 499 other than 429"),
        ),
    };
    statuses.iter().enumerate().map(status).collect()
}

/// The APIs that a provider serves.
fn apis(provider: &str, written: Option<&[config::Name]>) -> Checked<Vec<&'static Schema>> {
    let Some(written) = written else { return Ok(schema::OPENAI.to_vec()) };
    let path = |at: usize| format!("{}.apis[{at}]", under("providers", provider));
    written.iter().enumerate().map(|(at, config::Name(api))| api_named(|| path(at), api)).collect()
}

fn api_named(path: impl FnOnce() -> String, api: &str) -> Checked<&'static Schema> {
    if let Some(schema) = schema::named(api) {
        return Ok(schema);
    }
    let known: Vec<_> = schema::ALL.iter().map(|schema| format!("`{}`", schema.name)).collect();
    flaw(path(), format!("unknown API `{api}`, expected one of {}", known.join(", ")))
}

fn is_path(path: impl FnOnce() -> String, text: &str) -> Checked<()> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Ok(());
    }
    flaw(path(), format!("`{text}` is not a path: it begins with `/`, and has no blanks and no `#`"))
}

/// The operator's paths before the built-in ones.
pub(super) fn paths(written: &[config::ApiPath]) -> Checked<Vec<Route>> {
    let mut routes = Vec::with_capacity(written.len());
    for (at, config::ApiPath { path: config::Name(path), api: config::Name(api), streams }) in
        written.iter().enumerate()
    {
        let Some(pattern) = PathPattern::new(path) else {
            let problem = format!(
                "`{path}` is not a path: `/` or `**/`, then segments, of which `*` stands for any one and `{{model}}` for \
                 the model's name"
            );
            return flaw(format!("paths[{at}].path"), problem);
        };
        let schema = schema::named(api);
        if schema.is_none() && **api != *NONE {
            let known: Vec<_> = schema::ALL.iter().map(|schema| format!("`{}`", schema.name)).collect();
            let problem =
                format!("unknown API `{api}`, expected `{NONE}` (not metered) or one of {}", known.join(", "));
            return flaw(format!("paths[{at}].api"), problem);
        }
        routes.push(Route { pattern, schema, streams: *streams });
    }
    routes.extend(path::built_in());
    Ok(routes)
}

pub(super) fn status(written: config::Status) -> Checked<StatusPages> {
    let config::Status { cluster: config::Name(cluster), filter_chain, allow } = written;
    let network = |(at, config::Name(text)): (usize, &config::Name)| match Network::new(text) {
        Some(network) => Ok(network),
        None => {
            flaw(format!("status.allow[{at}]"), format!("`{text}` is no network, such as `10.0.0.0/8` or `::1/128`"))
        }
    };
    let allow = match &allow {
        Some(networks) => networks.iter().enumerate().map(network).collect::<Checked<_>>()?,
        None if filter_chain.is_some() => loopback(),
        None => Vec::new(),
    };
    let filter_chain = filter_chain.map(|config::Name(name)| (*name).into());
    Ok(StatusPages { cluster: cluster.to_string(), filter_chain, allow })
}
