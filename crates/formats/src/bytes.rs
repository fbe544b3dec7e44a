//! Messages as they are.

use headwater_core::Result;

use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;

/// The bytes of a message, unchanged, as a `Vec<u8>`.
pub fn bytes() -> Bytes {
    Bytes { limits: Limits::default() }
}

/// See [`bytes()`].
#[derive(Clone, Debug)]
pub struct Bytes {
    limits: Limits,
}

impl Bytes {
    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Deserializer<Vec<u8>> for Bytes {
    fn deserialize(&self, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
        self.limits.check("bytes", bytes)?;
        Ok(bytes.to_vec())
    }
}

impl Serializer<Vec<u8>> for Bytes {
    fn serialize(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(value);
        Ok(())
    }
}
