//! The frame of messages written through a schema registry: a zero byte, the schema's id as four
//! bytes in network order, then the record.
//!
//! Source: Confluent's "wire format".

use crate::contract::Refused;

/// Length of the frame before the record.
const HEADER: usize = 5;

/// Takes the schema's id off a message.
pub(crate) fn split<'a>(format: &str, bytes: &'a [u8]) -> Result<(u32, &'a [u8]), Refused> {
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or_else(|| {
        let len = bytes.len();
        Refused::new(format!("{format}: {len} bytes are too few for a schema's id before a record"))
    })?;
    match *header {
        [0, a, b, c, d] => Ok((u32::from_be_bytes([a, b, c, d]), rest)),
        _ => {
            let first = header.first().copied().unwrap_or_default();
            Err(Refused::new(format!(
                "{format}: the first byte is {first}, not 0: not written through a schema registry"
            )))
        }
    }
}

/// Begins a message.
pub(crate) fn begin(id: u32, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&id.to_be_bytes());
}
