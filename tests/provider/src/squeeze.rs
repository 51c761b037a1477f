//! One gzip stream over many writes. Writing to memory cannot fail.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

pub struct Squeeze(GzEncoder<Vec<u8>>);

impl Default for Squeeze {
    fn default() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }
}

impl Squeeze {
    /// What can be read at once of these bytes and all before them.
    pub fn next(&mut self, bytes: &[u8]) -> Vec<u8> {
        let _ = self.0.write_all(bytes);
        let _ = self.0.flush();
        std::mem::take(self.0.get_mut())
    }

    pub fn last(mut self, bytes: &[u8]) -> Vec<u8> {
        let _ = self.0.write_all(bytes);
        self.0.finish().unwrap_or_default()
    }
}
