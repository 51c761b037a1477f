//! One file for each family of APIs: how its requests are read, how its answers are worded.

pub mod bedrock;
pub mod embeddings;
pub mod gemini;
pub mod messages;
pub mod ollama;
pub mod openai;
pub mod pieces;
pub mod rerank;
pub mod responses;
