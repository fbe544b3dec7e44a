//! Messages that are UTF-8 text.

use headwater_core::Result;

use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;

/// A message as a `String`; refused when it is not UTF-8.
pub fn string() -> Utf8 {
    Utf8 { limits: Limits::default() }
}

/// See [`string()`].
#[derive(Clone, Debug)]
pub struct Utf8 {
    limits: Limits,
}

impl Utf8 {
    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Deserializer<String> for Utf8 {
    fn deserialize(&self, bytes: &[u8]) -> Result<String, Refused> {
        self.limits.check("string", bytes)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(e) => {
                Err(Refused::new(format!("string: not UTF-8 from byte {} on", e.valid_up_to())))
            }
        }
    }
}

impl Serializer<String> for Utf8 {
    fn serialize(&self, value: &String, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }
}
