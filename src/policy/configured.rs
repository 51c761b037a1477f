//! What a plugin is, by its configuration: the gateway, or who carries out a provider's attempts.

use std::rc::Rc;

use super::{Policy, build};
use crate::config::{Config, ConfigError, Upstream, structure};

#[derive(Debug)]
pub enum Configured {
    Gateway(Box<Policy>),
    /// It stands in the cluster of the provider of this label.
    AttemptsOf(Rc<str>),
}

impl Configured {
    /// Reads and validates a configuration, JSON or an encoded `google.protobuf.Struct`; the first flaw refuses it whole.
    pub fn read(configuration: &[u8]) -> Result<Self, ConfigError> {
        match structure::json_of(configuration) {
            // No bytes at all are an empty struct, too.
            Some(json) => Self::read_json(json.as_bytes()).map_err(ConfigError::without_place),
            None => Self::read_json(configuration),
        }
    }

    fn read_json(json: &[u8]) -> Result<Self, ConfigError> {
        // The gateway's own configuration is no provider's from its first key on, so that it is read once and not twice.
        let as_attempts = match Upstream::read(json) {
            Ok(provider) => return Ok(Self::AttemptsOf(provider)),
            Err(error) => error,
        };
        match Config::read(json) {
            Ok(config) => build::policy(config).map(Box::new).map(Self::Gateway).map_err(|flaw| flaw.in_text(json)),
            Err(_) if Upstream::is_meant(json) => Err(as_attempts),
            Err(as_gateway) => Err(as_gateway),
        }
    }
}

impl Policy {
    /// Of what can only be the gateway's own configuration.
    pub fn read(configuration: &[u8]) -> Result<Self, ConfigError> {
        match Configured::read(configuration)? {
            Configured::Gateway(policy) => Ok(*policy),
            Configured::AttemptsOf(_) => Err(ConfigError::new("attempt_of", "only a provider's cluster has it")),
        }
    }
}
