//! The frame around every JSON file of a checkpoint directory, which makes damage visible.
//!
//! ```text
//! headwater manifest v1
//! { ... }
//! end manifest bytes 1234 xxh3-128 0123456789abcdef0123456789abcdef
//! ```
//! The last line covers every byte before it by length and hash, and is itself compared byte for
//! byte, so any flipped bit, truncation or added byte is found. People can read the file; who edits
//! it by hand has to mean it.

use headwater_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_128;

/// Frames `body` as a file of this kind and format version.
pub fn seal(kind: &str, version: u32, body: &str) -> Vec<u8> {
    let mut text = format!("headwater {kind} v{version}\n{body}\n");
    text.push_str(&end_line(kind, text.as_bytes()));
    text.into_bytes()
}

/// Checks the frame and gives the format version and the body.
///
/// # Errors
/// Kind `State` for damage, naming the file and the byte range; kind `Config` for a version that
/// this build cannot read.
pub fn open<'a>(kind: &str, supported: u32, name: &str, bytes: &'a [u8]) -> Result<&'a str> {
    let body_end = bytes
        .strip_suffix(b"\n")
        .and_then(|rest| rest.iter().rposition(|&b| b == b'\n'))
        .map(|newline| newline + 1)
        .ok_or_else(|| damaged(kind, name, bytes, "its last line is missing"))?;
    let (framed, end) = bytes.split_at(body_end);
    if end != end_line(kind, framed).as_bytes() {
        return Err(damaged(kind, name, bytes, "its checksum does not match"));
    }
    let text = std::str::from_utf8(framed)
        .map_err(|_| damaged(kind, name, bytes, "it is not UTF-8 text"))?;
    let (first, body) = text
        .split_once('\n')
        .ok_or_else(|| damaged(kind, name, bytes, "its first line is missing"))?;
    let version = first
        .strip_prefix("headwater ")
        .and_then(|rest| rest.strip_prefix(kind))
        .and_then(|rest| rest.strip_prefix(" v"))
        .and_then(|v| v.parse::<u32>().ok())
        .ok_or_else(|| damaged(kind, name, bytes, "its first line is not that of this kind"))?;
    if version != supported {
        return Err(Error::config(format!(
            "cannot read {kind} \"{name}\": written with format {version}, \
             this build reads {supported}"
        ))
        .hint("run the version of headwater that wrote it, or a newer one"));
    }
    Ok(body.trim_end_matches('\n'))
}

/// Parses the JSON body of a framed file.
///
/// # Errors
/// Kind `State` for damage, kind `Config` for what this build cannot read, naming the file.
pub fn open_json<T: serde::de::DeserializeOwned>(
    kind: &str,
    supported: u32,
    name: &str,
    bytes: &[u8],
) -> Result<T> {
    serde_json::from_str(open(kind, supported, name, bytes)?).map_err(|e| {
        // The checksum matched: it is as it was written, so not damage.
        Error::config(format!("cannot read {kind} \"{name}\": its JSON does not fit this build"))
            .because(e)
    })
}

/// Renders `value` as pretty JSON and frames it.
///
/// # Errors
/// Kind `Internal` if the value has no JSON form.
pub fn seal_json<T: serde::Serialize>(kind: &str, version: u32, value: &T) -> Result<Vec<u8>> {
    let body = serde_json::to_string_pretty(value)
        .map_err(|e| Error::internal(format!("cannot encode {kind} as JSON")).because(e))?;
    Ok(seal(kind, version, &body))
}

fn end_line(kind: &str, framed: &[u8]) -> String {
    format!("end {kind} bytes {} xxh3-128 {:032x}\n", framed.len(), xxh3_128(framed))
}

fn damaged(kind: &str, name: &str, bytes: &[u8], why: &str) -> Error {
    Error::state(format!("{kind} \"{name}\" is damaged (bytes 0..{}): {why}", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let sealed = seal("thing", 1, "{\n  \"a\": 1\n}");
        assert_eq!(open("thing", 1, "f", &sealed).unwrap(), "{\n  \"a\": 1\n}");
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut bad = sealed.clone();
                bad[at] ^= 1 << bit;
                assert!(open("thing", 1, "f", &bad).is_err(), "byte {at} bit {bit}");
            }
            let e = open("thing", 1, "dir/f", &sealed[..at]).unwrap_err();
            assert!(e.to_string().contains("\"dir/f\" is damaged (bytes 0.."), "{e}");
        }
        let mut longer = sealed.clone();
        longer.push(b'\n');
        assert!(open("thing", 1, "f", &longer).is_err());
    }

    #[test]
    fn another_kind_or_version_is_refused() {
        let sealed = seal("thing", 2, "{}");
        assert!(open("other", 2, "f", &sealed).is_err());
        let e = open("thing", 1, "f", &sealed).unwrap_err();
        assert_eq!(
            e.to_string(),
            "cannot read thing \"f\": written with format 2, this build reads 1"
        );
    }
}
