//! The plugin as configured on one worker: reads the configuration, hands it to each stream.

use super::downstream::Downstream;
use super::levels::LevelGauges;
use crate::host::densities::Densities;
use crate::host::exchange_facts;
use crate::host::stats::Stats;
use crate::policy::Policy;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use std::rc::Rc;
use std::time::Duration;

/// How old a tenant's gauges may be.
const GAUGE_PERIOD: Duration = Duration::from_secs(1);

/// What every stream of this worker shares. A stream keeps the configuration that it began with.
pub struct Plugin {
    pub policy: Policy,
    pub stats: Stats,
    pub levels: LevelGauges,
    pub densities: Densities,
}

#[derive(Default)]
pub struct Root {
    plugin: Option<Rc<Plugin>>,
}

impl Context for Root {}

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
        match Policy::read(&json) {
            Ok(policy) => {
                let (stats, levels, densities) = (Stats::default(), LevelGauges::default(), Densities::default());
                let plugin = Plugin { policy, stats, levels, densities };
                self.plugin = Some(Rc::new(plugin));
                if let Err(status) = hostcalls::set_tick_period(GAUGE_PERIOD) {
                    log::warn!("Envoy gives no ticks, so the tenants' gauges stand still: {status:?}");
                }
                true
            }
            Err(error) => {
                log::error!("the configuration is refused: {error}");
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.densities.merge(&plugin.stats);
            plugin.stats.memory();
            plugin.levels.publish(&plugin.policy, &plugin.stats, exchange_facts::now());
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let plugin = self.plugin.as_ref()?;
        Some(Box::new(Downstream::new(Rc::clone(plugin))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
