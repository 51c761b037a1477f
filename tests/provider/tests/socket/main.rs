//! The provider over real sockets, and the ledger after each.

mod apis;
mod chat;
mod client;
mod large;
mod manners;
mod played;
