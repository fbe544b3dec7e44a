//! Refused records: what is kept of them, and what may be done with them.

use serde::{Deserialize, Serialize};

/// What happens to a record that cannot be read, or whose processing returned an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadRecordPolicy {
    /// The attempt fails; the restart strategy decides what comes next.
    Fail,
    /// The record is counted as dropped and the job goes on.
    Skip,
    /// The record goes to the dead letters with its bytes, position and reason. The default.
    #[default]
    DeadLetter,
}

/// A refused record: enough to find it, understand it and replay it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Name of the operator or source that refused it.
    pub operator: String,
    /// Where it was: split and position within it, or what the operator knows.
    pub position: String,
    /// Why it was refused, one sentence.
    pub reason: String,
    /// The record: as text when it is UTF-8, otherwise as hexadecimal after `hex:`.
    pub record: String,
}

impl DeadLetter {
    /// Longest excerpt of a record that is kept; the rest is cut and the cut is noted.
    pub const MAX_RECORD_BYTES: usize = 1 << 20;

    /// Describes a record that could not be read.
    pub fn new(
        operator: impl Into<String>,
        position: impl Into<String>,
        reason: impl Into<String>,
        record: &[u8],
    ) -> Self {
        DeadLetter {
            operator: operator.into(),
            position: position.into(),
            reason: reason.into(),
            record: printable(record),
        }
    }
}

fn printable(record: &[u8]) -> String {
    let cut = record.len() > DeadLetter::MAX_RECORD_BYTES;
    let kept = &record[..record.len().min(DeadLetter::MAX_RECORD_BYTES)];
    let mut text = match std::str::from_utf8(kept) {
        Ok(text) => text.to_owned(),
        // A cut can fall inside a character; that alone does not make the record binary.
        Err(e) if cut && e.error_len().is_none() => {
            String::from_utf8_lossy(&kept[..e.valid_up_to()]).into_owned()
        }
        Err(_) => {
            let mut hex = String::with_capacity(4 + kept.len() * 2);
            hex.push_str("hex:");
            for byte in kept {
                hex.push_str(&format!("{byte:02x}"));
            }
            hex
        }
    };
    if cut {
        text.push_str(&format!("… (cut, {} bytes in all)", record.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_readable() {
        let text = DeadLetter::new("orders", "line 3", "no", "{\"a\":ä".as_bytes());
        assert_eq!(text.record, "{\"a\":ä");
        assert_eq!(DeadLetter::new("o", "", "", &[0xff, 0x00]).record, "hex:ff00");
        let long = DeadLetter::new("o", "", "", "ä".repeat(600_000).as_bytes());
        assert!(long.record.ends_with("… (cut, 1200000 bytes in all)"));
    }
}
