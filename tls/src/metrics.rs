use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What is counted of certificates. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Put in place of the one before.
    pub(crate) reloaded: Counter,
    /// Changed files that could not be used.
    pub(crate) refused: Counter,
}

impl Metrics {
    /// Metrics in `registry`, under `touchline_tls_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("touchline_tls");
        registry.register(
            "certificates_reloaded",
            "Certificates put in place of the one before",
            metrics.reloaded.clone(),
        );
        registry.register(
            "certificates_refused",
            "Changed certificate files that could not be used",
            metrics.refused.clone(),
        );
        metrics
    }
}
