//! The plugin as configured on one worker: reads the configuration, hands it to each stream.

use super::downstream::Downstream;
use super::opening;
use super::plugin::Plugin;
use super::upstream::Upstream;
use super::watched::Watched;
use crate::breaker;
use crate::host::{admin, attempts, clock};
use crate::policy::{ConfigError, Configured};
use crate::view;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use std::rc::Rc;
use std::time::Duration;

/// How old a tenant's gauges may be.
const GAUGE_PERIOD: Duration = Duration::from_secs(1);

/// What this plugin is, by its configuration.
#[derive(Default)]
enum Mode {
    #[default]
    Unconfigured,
    /// In the listener's chain: once per request.
    Downstream(Rc<Plugin>),
    /// In the cluster of the provider of this name: once per attempt.
    Upstream(Rc<str>),
}

#[derive(Default)]
pub struct Root {
    mode: Mode,
}

impl Root {
    fn configure(&mut self, configuration: &[u8]) -> Result<(), ConfigError> {
        let policy = match Configured::read(configuration)? {
            Configured::Gateway(policy) => policy,
            Configured::AttemptsOf(provider) => {
                attempts::attend(&provider);
                self.mode = Mode::Upstream(provider);
                return Ok(());
            }
        };
        log::info!("configured: {} tenants, {} providers", policy.tenants.len(), policy.providers.len());
        let plugin = Plugin::new(*policy);
        opening::take_over(&plugin);
        self.mode = Mode::Downstream(Rc::new(plugin));
        if let Err(status) = hostcalls::set_tick_period(GAUGE_PERIOD) {
            log::warn!(
                "Envoy gives no ticks ({status:?}): tenants' gauges and breakers' states stand still until a reload"
            );
        }
        Ok(())
    }
}

impl Context for Root {
    /// This configuration is gone, and so is its last stream: no further tick comes.
    fn on_done(&mut self) -> bool {
        if let Mode::Downstream(plugin) = &self.mode {
            plugin.stats.performance();
        }
        true
    }

    /// The admin has said how the providers are, or its time is up.
    fn on_http_call_response(&mut self, _call: u32, headers: usize, size: usize, _trailers: usize) {
        let Mode::Downstream(plugin) = &self.mode else { return };
        let clusters = admin::answer(headers, size, breaker::MOST_BYTES);
        let Some(seen) = clusters.and_then(|clusters| breaker::seen(&plugin.policy, &clusters)) else {
            return plugin.stats.poll_failed();
        };
        let now = clock::now();
        plugin.breakers.learn(&plugin.policy, &seen, now);
        if plugin.policy.replicas.is_some() {
            plugin.stats.service_unavailable(plugin.service_unavailable(now));
        }
        for (provider, seen) in plugin.policy.providers.iter().zip(&seen.providers) {
            if provider.reach.has_key {
                plugin.stats.breaker(&provider.name, seen.state.is_open());
            }
        }
    }
}

impl RootContext for Root {
    /// `false` makes Envoy refuse the whole update and go on with the one before.
    fn on_configure(&mut self, size: usize) -> bool {
        let json = match hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size) {
            Ok(json) => json.unwrap_or_default(),
            Err(status) => {
                log::error!("the plugin's configuration could not be read from Envoy: {status:?}");
                return false;
            }
        };
        let configured = self.configure(&json);
        if let Err(error) = &configured {
            log::error!("the configuration is refused: {error}");
        }
        configured.is_ok()
    }

    fn on_tick(&mut self) {
        if let Mode::Downstream(plugin) = &self.mode {
            plugin.densities.merge(&plugin.stats);
            plugin.stats.memory();
            plugin.stats.performance();
            plugin.served.publish();
            let now = clock::now();
            plugin.canaries.merge(&plugin.stats, now);
            plugin.levels.publish(&plugin.policy, &plugin.stats, now);
            if let Some(status) = &plugin.policy.status
                && plugin.breakers.take_turn_to_ask(&plugin.policy, now)
                && admin::ask(&status.cluster, view::CLUSTERS).is_none()
            {
                plugin.stats.poll_failed();
            }
            plugin.late.tick();
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        match &self.mode {
            Mode::Unconfigured => None,
            Mode::Downstream(plugin) => {
                let plugin = Rc::clone(plugin);
                if plugin.take_turn() {
                    Some(Box::new(Watched::new(plugin, id)))
                } else {
                    Some(Box::new(Downstream::new(plugin, id)))
                }
            }
            Mode::Upstream(provider) => Some(Box::new(Upstream::new(Rc::clone(provider)))),
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
