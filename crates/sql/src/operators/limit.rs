//! `LIMIT n OFFSET m` over rows that are only added: passes `n` rows after the first `m`.
//!
//! Runs on one worker. Which rows these are depends on arrival, as no order is asked for.

use headwater_core::codec::{decode, encode};
use headwater_core::{Batch, Epoch, Result};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, Port};

use crate::rows::{Chunk, Rows};

/// See the module.
///
/// - Time: rows keep their place in time; watermarks pass.
/// - State: the number of rows seen.
pub struct Limit {
    offset: u64,
    limit: Option<u64>,
    seen: u64,
}

impl Limit {
    /// Passes `limit` rows (none: all) after the first `offset`.
    pub fn new(offset: u64, limit: Option<u64>) -> Self {
        Limit { offset, limit, seen: 0 }
    }

    /// The part of a chunk that passes.
    fn pass(&mut self, chunk: &Chunk) -> Chunk {
        let rows = chunk.len() as u64;
        let end = self.limit.map_or(u64::MAX, |limit| self.offset.saturating_add(limit));
        let first = self.offset.saturating_sub(self.seen).min(rows);
        let last = end.saturating_sub(self.seen).min(rows).max(first);
        self.seen = self.seen.saturating_add(rows).min(end);
        let (at, len) = (first as usize, (last - first) as usize);
        Chunk {
            data: chunk.data.slice(at, len),
            kinds: chunk.kinds.as_ref().map(|kinds| kinds.slice(at, len)),
            read_at: chunk.read_at.as_ref().map(|times| times.slice(at, len)),
        }
    }
}

impl Operator for Limit {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let mut out = Batch::default();
        for chunk in Rows::of(batch) {
            let passed = self.pass(&chunk);
            if !passed.is_empty() {
                Rows::push_to(&mut out, passed);
            }
        }
        cx.emit_batch(OUT, out);
        Ok(())
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        Ok(vec![encode(&self.seen)?])
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        // One worker has seen all rows, the others none.
        for part in parts {
            self.seen = self.seen.max(decode(part)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::testing::{Driver, chunk, int, schema};

    #[test]
    fn passes_a_range_of_rows_across_batches_and_restarts() {
        let input = schema(&[int("v")]);
        let mut driver = Driver::new(|| Limit::new(2, Some(3)));
        assert_eq!(driver.send(chunk(&input, "+I 1")), [""; 0]);
        driver.restart();
        assert_eq!(driver.send(chunk(&input, "+I 2 | +I 3 | +I 4")), ["+I 3", "+I 4"]);
        driver.restart();
        assert_eq!(driver.send(chunk(&input, "+I 5 | +I 6")), ["+I 5"]);
        assert_eq!(driver.send(chunk(&input, "+I 7")), [""; 0]);
        let mut all = Driver::new(|| Limit::new(0, None));
        assert_eq!(all.send(chunk(&input, "+I 7 | +I 8")), ["+I 7", "+I 8"]);
    }
}
