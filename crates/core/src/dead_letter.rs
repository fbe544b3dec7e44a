//! Refused records: what is kept of them, and what may be done with them.

use std::sync::Arc;

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

/// A refused record as it came, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// The key, of systems that have one.
    pub key: Option<Vec<u8>>,
    /// The bytes; none if the system says that there is no value.
    pub value: Option<Vec<u8>>,
    /// What the system keeps beside the bytes, its place among it; keys may repeat.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Original {
    /// The bytes; empty if there are none.
    pub fn bytes(&self) -> &[u8] {
        self.value.as_deref().unwrap_or_default()
    }

    /// Bytes of memory that its parts take.
    pub fn size_bytes(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + of(value));
        of(&self.key) + of(&self.value) + headers.sum::<usize>()
    }
}

impl From<Vec<u8>> for Original {
    fn from(value: Vec<u8>) -> Self {
        Original { value: Some(value), ..Original::default() }
    }
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
    /// The record whole, for sinks that take bytes; not part of the serialised form.
    #[serde(skip)]
    pub original: Option<Arc<Original>>,
}

impl DeadLetter {
    /// Longest excerpt of a record that is kept as text; the rest is cut and the cut is noted.
    pub const MAX_RECORD_BYTES: usize = 1 << 20;

    /// Describes a refused record and keeps it whole.
    pub fn whole(
        operator: impl Into<String>,
        position: impl Into<String>,
        reason: impl Into<String>,
        original: impl Into<Original>,
    ) -> Self {
        let original = original.into();
        let letter = DeadLetter::new(operator, position, reason, original.bytes());
        DeadLetter { original: Some(Arc::new(original)), ..letter }
    }

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
            original: None,
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
        let whole = DeadLetter::whole("o", "", "", vec![b'x'; 2 << 20]);
        assert_eq!(whole.original.as_ref().unwrap().bytes().len(), 2 << 20);
        assert!(!serde_json::to_string(&whole).unwrap().contains("original"));
        let long = DeadLetter::new("o", "", "", "ä".repeat(600_000).as_bytes());
        assert!(long.record.ends_with("… (cut, 1200000 bytes in all)"));
    }
}
