//! JSON, one value a message, for any serde type; [`serde_json::Value`] when there is no type.
//!
//! A thin layer over `serde_json`, which is safe on hostile input: it refuses text nested deeper
//! than 128 levels (its own limit, so [`Limits`] has none for JSON), invalid UTF-8 in texts, what
//! follows the value, and, for structs, duplicate keys. In a `Value` the last of equal keys wins
//! and a message may take up to a hundred times its size in memory (`[{"":0},{"":0},…]`). Integers
//! that fit no 64 bits become floats in a `Value` and are refused for an integer field.

use std::marker::PhantomData;

use headwater_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Deserializer, Refused, Serializer};
use crate::limits::Limits;

/// JSON of any serde type.
pub fn json<T>() -> Json<T> {
    Json { limits: Limits::default(), of: PhantomData }
}

/// See [`json()`].
#[derive(Debug)]
pub struct Json<T> {
    limits: Limits,
    of: PhantomData<fn() -> T>,
}

impl<T> Json<T> {
    /// Other limits than the default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Json { limits: self.limits, of: PhantomData }
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<T> for Json<T> {
    fn deserialize(&self, bytes: &[u8]) -> Result<T, Refused> {
        self.limits.check("json", bytes)?;
        serde_json::from_slice(bytes).map_err(|e| Refused::new(format!("json: {e}")))
    }
}

impl<T: Serialize + 'static> Serializer<T> for Json<T> {
    fn serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value).map_err(|e| Error::data(format!("json: {e}")))
    }
}
