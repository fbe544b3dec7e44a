//! The operator that stamps records, judges lateness and generates watermarks per split.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_core::codec::{decode, encode};
use headwater_core::{
    BadRecordPolicy, Batch, Epoch, Error, EventTime, ProcessingTime, Record, Result, SplitTag,
    Watermark,
};

use crate::operator::{OUT, Operator, OperatorContext, OperatorInit, Port, SplitEvent};
use crate::watermarks::split::{Progress, Split};
use crate::watermarks::strategy::{Base, EventTimeOf, WatermarkGenerator, Watermarks};

/// `Stream<T> → Stream<T>` with event time.
///
/// - Time: sets each record's event time; generates the watermarks of everything behind it.
/// - State: greatest time and watermark per split, in the checkpoint.
/// - Errors: a record without a time is refused by the policy.
pub struct GenerateWatermarks<T, F> {
    init: OperatorInit,
    policy: BadRecordPolicy,
    time: Arc<F>,
    watermarks: Watermarks<T>,
    splits: Vec<Member<T>>,
    restored: HashMap<String, Progress>,
    now: ProcessingTime,
}

struct Member<T> {
    tag: SplitTag,
    /// Name of the split; with the operator's name, its name in an alignment.
    id: String,
    aligned_as: String,
    split: Split,
    custom: Option<Box<dyn WatermarkGenerator<T>>>,
}

impl<T: Record, F> GenerateWatermarks<T, F> {
    /// Stamps records by `time` and generates watermarks as declared.
    pub fn new(
        init: &OperatorInit,
        policy: BadRecordPolicy,
        time: Arc<F>,
        watermarks: Watermarks<T>,
    ) -> Self {
        GenerateWatermarks {
            init: init.clone(),
            policy,
            time,
            watermarks,
            splits: Vec::new(),
            restored: HashMap::new(),
            now: ProcessingTime::default(),
        }
    }

    fn member(&mut self, tag: SplitTag) -> usize {
        if let Some(found) = self.splits.iter().position(|m| m.tag == tag) {
            return found;
        }
        // Behind an exchange there are no splits; what arrives at this worker counts as one.
        self.add(tag, &format!("worker {}", self.init.worker));
        self.splits.len() - 1
    }

    fn add(&mut self, tag: SplitTag, id: &str) {
        let custom = match &self.watermarks.base {
            Base::Bounded(_) => None,
            Base::Custom(make) => Some(make()),
        };
        let member = Member {
            tag,
            id: id.to_owned(),
            aligned_as: format!("{}/{id}", self.init.name),
            split: Split::new(self.restored.get(id).copied()),
            custom,
        };
        self.splits.push(member);
        self.publish(self.splits.len() - 1);
    }

    fn publish(&self, member: usize) {
        if let Some(alignment) = &self.watermarks.alignment {
            let member = &self.splits[member];
            let counts = member.split.counts();
            alignment
                .publish(&member.aligned_as, counts.then_some(member.split.progress.watermark));
        }
    }

    fn limit(&self, now: ProcessingTime) -> EventTime {
        now.as_event_time().saturating_add(self.watermarks.max_future)
    }
}

impl<T, O, F> Operator for GenerateWatermarks<T, F>
where
    T: Record,
    O: EventTimeOf,
    F: Fn(&T) -> O + Send + Sync,
{
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        self.now = cx.now();
        let limit = self.limit(cx.now());
        let at = self.member(cx.split());
        let mut records = batch.take::<T>();
        let mut untimed = Vec::new();
        let member = &mut self.splits[at];
        member.split.active();
        cx.at = 0;
        let split = &mut member.split;
        let delay = match &self.watermarks.base {
            Base::Bounded(delay) => headwater_core::time::millis(*delay).saturating_add(1),
            Base::Custom(_) => 0,
        };
        for (i, record) in records.iter_mut().enumerate() {
            cx.at = i;
            let time = (self.time)(&record.value).event_time();
            let Some(time) = time.filter(|t| *t != EventTime::MIN) else {
                untimed.push(i);
                continue;
            };
            record.time = time;
            record.judge(split.progress.watermark);
            if time > limit {
                // One wrong clock must not close everybody's windows.
                cx.counts.future += 1;
                continue;
            }
            split.progress.max_time = split.progress.max_time.max(time);
            match &mut member.custom {
                None if split.progress.max_time != EventTime::MIN => {
                    let watermark = split.progress.max_time.0.saturating_sub(delay);
                    split.raise(EventTime(watermark), limit);
                }
                None => {}
                Some(custom) => {
                    if let Some(watermark) = custom.on_record(&record.value, time) {
                        split.raise(watermark, limit);
                    }
                }
            }
        }
        self.publish(at);
        for i in untimed.into_iter().rev() {
            let record = records.remove(i);
            let e = Error::data("record has no event time");
            cx.refuse(self.policy, &self.init.name, &record, e)?;
        }
        cx.emit(OUT, records);
        Ok(())
    }

    fn watermark(&self, input: Watermark) -> Watermark {
        if input == Watermark::At(EventTime::MAX) {
            return input;
        }
        let splits = self.splits.iter().map(|m| &m.split).filter(|s| s.counts());
        Watermark::min_of(splits.map(|s| Watermark::At(s.progress.watermark)))
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        let w = &self.watermarks;
        let quiet = self
            .splits
            .iter()
            .filter_map(|m| m.split.wake_at(self.now, w.idle_after, w.advance_when_quiet));
        let periodic = matches!(w.base, Base::Custom(_)) && !self.splits.is_empty();
        quiet.chain(periodic.then_some(ProcessingTime(self.now.0 + 20))).min()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.now = cx.now();
        let limit = self.limit(cx.now());
        for at in 0..self.splits.len() {
            let w = &self.watermarks;
            let member = &mut self.splits[at];
            member.split.tick(cx.now(), w.idle_after, w.advance_when_quiet);
            if let Some(custom) = &mut member.custom
                && let Some(watermark) = custom.on_periodic(cx.now())
            {
                member.split.raise(watermark, limit);
            }
            self.publish(at);
        }
        Ok(())
    }

    fn on_split(&mut self, tag: SplitTag, event: SplitEvent<'_>) {
        if let SplitEvent::Added { id } = event {
            self.add(tag, id);
            return;
        }
        let at = self.member(tag);
        let split = &mut self.splits[at].split;
        match event {
            SplitEvent::Added { .. } => {}
            SplitEvent::Quiet { since } => {
                self.now = self.now.max(since);
                split.quiet(since);
            }
            SplitEvent::Active => split.active(),
            SplitEvent::Ended => split.end(),
        }
        self.publish(at);
    }

    fn holds_back(&self, tag: SplitTag) -> bool {
        let Some(alignment) = &self.watermarks.alignment else { return false };
        let member = self.splits.iter().find(|m| m.tag == tag);
        member.is_some_and(|m| alignment.is_ahead(m.split.progress.watermark))
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        let progress: Vec<(&str, Progress)> =
            self.splits.iter().map(|m| (m.id.as_str(), m.split.progress)).collect();
        Ok(vec![encode(&progress)?])
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        for part in parts {
            self.restored.extend(decode::<Vec<(String, Progress)>>(part)?);
        }
        Ok(())
    }
}

impl<T, F> Drop for GenerateWatermarks<T, F> {
    fn drop(&mut self) {
        if let Some(alignment) = &self.watermarks.alignment {
            for member in &self.splits {
                alignment.publish(&member.aligned_as, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_core::{KeyGroupRange, Timed};

    use super::*;

    fn operator() -> GenerateWatermarks<i64, impl Fn(&i64) -> Option<EventTime> + Send + Sync> {
        let init = OperatorInit {
            name: "w".into(),
            worker: 0,
            workers: 1,
            key_groups: KeyGroupRange::all(8),
        };
        let time = |t: &i64| (*t != 13).then_some(EventTime(*t));
        let watermarks = Watermarks::bounded(Duration::from_millis(10))
            .idle_after(Duration::from_secs(1))
            .max_future(Duration::from_secs(1));
        GenerateWatermarks::new(&init, BadRecordPolicy::DeadLetter, Arc::new(time), watermarks)
    }

    fn feed<O: Operator>(
        op: &mut O,
        split: u32,
        times: &[i64],
    ) -> (Vec<Timed<i64>>, OperatorContext) {
        let mut cx = OperatorContext::new(ProcessingTime(0));
        cx.enter(ProcessingTime(0), EventTime::MIN, SplitTag(split));
        let batch = times.iter().map(|t| Timed::new(EventTime::MIN, *t)).collect();
        op.process(0, Batch::new(batch), &mut cx).unwrap();
        let out = cx.emitted.drain(..).flat_map(|(_, b)| b.take::<i64>()).collect();
        (out, cx)
    }

    #[test]
    fn lateness_is_judged_by_the_records_own_split() {
        let mut op = operator();
        op.on_split(SplitTag(0), SplitEvent::Added { id: "a" });
        op.on_split(SplitTag(1), SplitEvent::Added { id: "b" });
        let (out, _) = feed(&mut op, 0, &[100, 89, 90, 120, 109]);
        assert_eq!(out.iter().map(|r| r.late_by).collect::<Vec<_>>(), [0, 1, 0, 0, 1]);
        assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime::MIN));
        let (out, cx) = feed(&mut op, 1, &[50, 13]);
        assert_eq!((out.len(), out[0].late_by, cx.counts.dead_lettered), (1, 0, 1));
        assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime(39)));
        op.on_split(SplitTag(1), SplitEvent::Ended);
        assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime(109)));
        let parts = op.snapshot(Epoch(1)).unwrap();
        let mut next = operator();
        next.restore(&parts).unwrap();
        next.on_split(SplitTag(7), SplitEvent::Added { id: "a" });
        let (out, _) = feed(&mut next, 7, &[109, 110]);
        assert_eq!(out.iter().map(|r| r.late_by).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_record_from_the_far_future_passes_but_does_not_close_windows() {
        let mut op = operator();
        op.on_split(SplitTag(0), SplitEvent::Added { id: "a" });
        let (out, cx) = feed(&mut op, 0, &[100, i64::MAX - 5, -3_000]);
        assert_eq!((out.len(), cx.counts.future), (3, 1));
        assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime(89)));
    }
}
