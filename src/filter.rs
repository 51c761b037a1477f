//! Envoy's callbacks, thin: bytes in, one call to the core, its answer applied.

mod books;
pub mod downstream;
mod late;
pub mod levels;
mod opening;
mod plugin;
pub mod root;
pub mod status;
pub mod upstream;
pub mod waiting;
pub mod watched;

#[cfg(test)]
mod tests;
