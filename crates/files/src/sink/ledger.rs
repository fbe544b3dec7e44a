//! The marker of committed epochs: up to which epoch each attempt's parts have become visible.
//!
//! It tells a part that was committed and then taken away by its reader from a part that was lost.
//! One entry per attempt that committed anything, as an attempt commits its epochs in order.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use headwater_core::{Epoch, Error, Result};
use serde::{Deserialize, Serialize};

use crate::durable::replace;

const FORMAT: u32 = 1;

pub(crate) struct Ledger {
    path: PathBuf,
    content: Content,
}

#[derive(Serialize, Deserialize)]
struct Content {
    format: u32,
    committed: BTreeMap<u64, Epoch>,
}

impl Ledger {
    /// Reads the ledger; it is empty if there is none.
    pub(crate) fn open(path: PathBuf) -> Result<Ledger> {
        let damaged = || {
            Error::state(format!("cannot read {path:?}, the list of committed epochs"))
                .hint("delete it if no reader has taken parts away since the last checkpoint")
        };
        let content = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| damaged().because(e))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Content { format: FORMAT, committed: BTreeMap::new() }
            }
            Err(e) => return Err(damaged().because(e)),
        };
        if content.format != FORMAT {
            return Err(damaged());
        }
        Ok(Ledger { path, content })
    }

    /// Whether nothing was ever committed.
    pub(crate) fn is_empty(&self) -> bool {
        self.content.committed.is_empty()
    }

    /// Whether this epoch's parts of this attempt have become visible.
    pub(crate) fn has(&self, attempt: u64, epoch: Epoch) -> bool {
        self.content.committed.get(&attempt).is_some_and(|&committed| committed >= epoch)
    }

    /// Notes, durably, that an epoch's parts of these attempts have become visible.
    pub(crate) fn add(&mut self, attempts: &[u64], epoch: Epoch) -> Result<()> {
        let mut news = false;
        for &attempt in attempts {
            if !self.has(attempt, epoch) {
                self.content.committed.insert(attempt, epoch);
                news = true;
            }
        }
        if news {
            let bytes = serde_json::to_vec(&self.content)
                .map_err(|e| Error::internal("cannot encode the committed epochs").because(e))?;
            replace(&self.path, &bytes)?;
        }
        Ok(())
    }
}
