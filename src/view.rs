//! What operators ask the gateway itself, made of what Envoy's admin answers: health and metrics. And what a caller asks of its own
//! accounts: usage.
//!
//! Envoy knows the state of each endpoint and holds all counters; nothing of that is kept twice. What is here
//! only reads its answers, and tells them in the gateway's own names and units. No call is made from here.

pub mod health;
pub mod metrics;
pub mod usage;

/// A page of the gateway's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Health,
    Metrics,
}

impl Page {
    /// By the method and the exact path; a query changes nothing.
    pub fn called(method: &[u8], path: &[u8]) -> Option<Self> {
        // Envoy itself leaves the body out of an answer to HEAD.
        if !matches!(method, b"GET" | b"HEAD") {
            return None;
        }
        match path.split(|byte| matches!(byte, b'?' | b'#')).next()? {
            b"/api/ai/health" => Some(Self::Health),
            b"/api/ai/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    /// What Envoy's admin is asked for it.
    pub const fn asks(self) -> &'static str {
        match self {
            Self::Health => CLUSTERS,
            Self::Metrics => "/stats/prometheus?filter=ai_gateway",
        }
    }
}

/// Where the admin tells the state of every endpoint.
pub const CLUSTERS: &str = "/clusters?format=json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_path() {
        assert_eq!(Page::called(b"GET", b"/api/ai/health"), Some(Page::Health));
        assert_eq!(Page::called(b"GET", b"/api/ai/metrics?x=1"), Some(Page::Metrics));
        assert_eq!(Page::called(b"HEAD", b"/api/ai/health"), Some(Page::Health));
        for (method, path) in [("POST", "/api/ai/health"), ("GET", "/api/ai/health/"), ("GET", "/x/api/ai/health")] {
            assert_eq!(Page::called(method.as_bytes(), path.as_bytes()), None, "{method} {path}");
        }
    }
}
