//! The process function of the job: running totals per key, by timers.
//!
//! Records are counted in buckets of event time, in a map; the timer at the end of a bucket adds it
//! to the totals, in the key's own state, and emits them. So what is emitted does not depend on
//! which records of later buckets have come by then. Late records are counted apart, and told by a
//! last timer at the end of the input.

use headwater_core::{EventTime, Result};
use headwater_operators::process::{Cx, MapState, Process, States};
use serde::{Deserialize, Serialize};

use crate::rows::{Reading, TotalRow};
use crate::workload::WINDOW_MS;

/// By the last millisecond of the bucket: number of records, sum of amounts.
const BUCKETS: MapState<i64, (u64, i64)> = MapState::new("buckets");

/// State of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sums {
    total: u64,
    sum: i64,
    late: u64,
}

/// See the module documentation.
pub struct RunningTotals {
    /// A planted fault: forgets the timer of every so many buckets.
    pub lose_timers: bool,
}

impl RunningTotals {
    fn loses(&self, key: u32, bucket_end: i64) -> bool {
        self.lose_timers && (bucket_end / WINDOW_MS + i64::from(key)) % 97 == 0
    }
}

impl Process for RunningTotals {
    type Key = u32;
    type In = Reading;
    type Out = TotalRow;
    type State = Sums;

    fn declare(&self, states: &mut States<Self>) {
        states.map(&BUCKETS);
    }

    fn process(&self, cx: &mut Cx<'_, Self>, reading: Reading) -> Result<()> {
        cx.timer_at(EventTime::MAX);
        if cx.is_late() {
            cx.state().late += 1;
            return Ok(());
        }
        let bucket_end = reading.time.div_euclid(WINDOW_MS) * WINDOW_MS + WINDOW_MS - 1;
        let mut buckets = cx.map(&BUCKETS);
        let bucket = buckets.or_default(&bucket_end)?;
        bucket.0 += 1;
        bucket.1 += reading.amount;
        if !self.loses(reading.key, bucket_end) {
            cx.timer_at(EventTime(bucket_end));
        }
        Ok(())
    }

    fn on_timer(&self, cx: &mut Cx<'_, Self>, at: EventTime) -> Result<()> {
        let (count, amount) = cx.map(&BUCKETS).remove(&at.0)?.unwrap_or_default();
        let key = *cx.key();
        let state = cx.state();
        state.total += count;
        state.sum += amount;
        let late = if at == EventTime::MAX { state.late } else { 0 };
        let row = TotalRow { key, at: at.0, count, total: state.total, sum: state.sum, late };
        cx.emit(row);
        Ok(())
    }
}
