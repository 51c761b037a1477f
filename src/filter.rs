//! Envoy's callbacks, thin: bytes in, one call to the core, its answer applied.

pub mod downstream;
pub mod levels;
pub mod root;

#[cfg(test)]
mod tests;
pub mod upstream;
