//! How values become bytes in state, checkpoints and (later) on the wire: postcard, one place.
//!
//! The format is the published postcard wire format, version 1; what a value looks like is recorded
//! beside it as a [`crate::Schema`], so that a reader can tell before it decodes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Version of the value encoding, written into every manifest.
pub const CODEC_VERSION: u32 = 1;

/// Appends the encoding of `value` to `out`.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    let taken = std::mem::take(out);
    *out = postcard::to_extend(value, taken)
        .map_err(|e| Error::data(format!("cannot encode a {}: {e}", std::any::type_name::<T>())))?;
    Ok(())
}

/// The encoding of `value`.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Decodes a value that fills `bytes` entirely.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let (value, rest) = decode_prefix(bytes)?;
    if !rest.is_empty() {
        return Err(Error::state(format!(
            "{} bytes are left over after a {}",
            rest.len(),
            std::any::type_name::<T>()
        )));
    }
    Ok(value)
}

/// Decodes a value from the front of `bytes` and returns what follows it.
pub fn decode_prefix<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8])> {
    postcard::take_from_bytes(bytes)
        .map_err(|e| Error::state(format!("cannot decode a {}: {e}", std::any::type_name::<T>())))
}
