//! Limits on everything that comes from outside.

use crate::contract::Refused;

/// What a decoder takes at most.
///
/// The defaults are far above what real messages have; they stop hostile or broken ones. No format
/// here decompresses, so there is no limit for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message: 16 MiB.
    pub message_bytes: usize,
    /// Levels of nesting: 64. JSON has the parser's own 128.
    pub nesting: usize,
    /// Bytes of one schema's text: 1 MiB.
    pub schema_bytes: usize,
    /// Schemas of one registry: 10,000.
    pub schemas: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { message_bytes: 16 << 20, nesting: 64, schema_bytes: 1 << 20, schemas: 10_000 }
    }
}

impl Limits {
    /// Refuses a message that is too long.
    pub(crate) fn check(&self, format: &str, bytes: &[u8]) -> Result<(), Refused> {
        let (len, max) = (bytes.len(), self.message_bytes);
        match len <= max {
            true => Ok(()),
            false => Err(Refused::new(format!(
                "{format}: message of {len} bytes, {max} bytes are allowed"
            ))),
        }
    }
}
