//! A random environment that checks the invariants of the protocol's header.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::super::*;
use super::{options, text};

/// The world around the protocol: workers, store and sinks that answer late, twice or with errors.
struct World {
    protocol: Protocol<(Epoch, usize)>,
    workers: usize,
    now: i64,
    /// Reports that are on the way; taken in any order.
    pending: VecDeque<Report>,
    /// Every ack ever sent, for repeats.
    sent: Vec<(usize, Epoch)>,
    opened: Epoch,
    in_flight: bool,
    last: bool,
    writing: Option<Epoch>,
    committing: Option<Epoch>,
    durable: Epoch,
    saved: BTreeSet<(Epoch, usize)>,
    over: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Report {
    Part(usize, Epoch),
    Manifest(Epoch),
    Commit(Epoch),
}

impl World {
    fn new(workers: usize, tolerable_failures: u32) -> World {
        let options = ProtocolOptions { tolerable_failures, ..options() };
        World {
            protocol: Protocol::new(options, workers, ProtocolStart::default()),
            workers,
            now: 0,
            pending: VecDeque::new(),
            sent: Vec::new(),
            opened: Epoch::NONE,
            in_flight: false,
            last: false,
            writing: None,
            committing: None,
            durable: Epoch::NONE,
            saved: BTreeSet::new(),
            over: None,
        }
    }

    fn send(&mut self, event: Event<(Epoch, usize)>) {
        for decision in self.protocol.on(event) {
            self.check(&decision);
        }
    }

    fn check(&mut self, decision: &Decision) {
        assert!(self.over.is_none(), "{} after the end", text(decision));
        match *decision {
            Decision::OpenEpoch { barrier_of, last } => {
                assert_eq!(barrier_of, self.opened.next(), "epochs are consecutive");
                assert!(!self.in_flight && !self.last, "one at a time, none after the last");
                self.in_flight = true;
                self.last = last.is_some();
                self.opened = barrier_of;
                self.pending.extend((0..self.workers).map(|w| Report::Part(w, barrier_of)));
            }
            Decision::WriteManifest { epoch, last } => {
                assert_eq!(epoch, self.opened);
                assert_eq!(last.is_some(), self.last);
                assert_eq!((self.writing, self.committing), (None, None));
                let parts: Vec<_> = self.protocol.parts().map(|(e, w, &p)| (e, w, p)).collect();
                let expected: Vec<_> = (self.durable.0 + 1..=epoch.0)
                    .flat_map(|e| (0..self.workers).map(move |w| (Epoch(e), w, (Epoch(e), w))))
                    .collect();
                assert_eq!(parts, expected, "every part since the last manifest, in order");
                self.writing = Some(epoch);
                self.pending.push_back(Report::Manifest(epoch));
            }
            Decision::Commit { epoch } => {
                assert_eq!(epoch, self.durable, "only what is durable is committed");
                assert_eq!(self.committing, None);
                self.committing = Some(epoch);
                self.pending.push_back(Report::Commit(epoch));
            }
            Decision::Retire { epoch } => {
                assert_eq!(epoch, self.durable);
                self.in_flight = false;
            }
            Decision::CheckpointFailed { .. } => {
                // After a failed commit the checkpoint is still in flight; so is a last epoch.
                self.in_flight = self.opened == self.durable || self.last;
            }
            Decision::Finished { epoch, .. } => {
                assert!(self.last && epoch == self.durable && epoch == self.opened);
                self.over = Some("finished".into());
            }
            Decision::Fail { ref error } => self.over = Some(error.to_string()),
        }
    }

    fn answer(&mut self, at: usize, ok: bool) {
        if self.pending.is_empty() {
            return;
        }
        let report = self.pending.remove(at % self.pending.len()).unwrap();
        let error = Error::transient("no");
        match (report, ok) {
            (Report::Part(worker, epoch), true) => {
                self.sent.push((worker, epoch));
                self.send(Event::Ack { worker, epoch, part: (epoch, worker) });
            }
            (Report::Part(worker, epoch), false) => {
                self.pending.push_back(report);
                self.send(Event::UploadFailed { worker, epoch, error });
            }
            (Report::Manifest(epoch), true) => {
                let saved = self.protocol.parts().map(|(_, _, &part)| part);
                for part in saved.collect::<Vec<_>>() {
                    assert!(self.saved.insert(part), "{part:?} is in two manifests");
                }
                (self.writing, self.durable) = (None, epoch);
                self.send(Event::ManifestWritten { epoch });
            }
            (Report::Manifest(epoch), false) => {
                self.writing = None;
                self.send(Event::ManifestFailed { epoch, error });
            }
            (Report::Commit(epoch), ok) => {
                self.committing = None;
                self.send(match ok {
                    true => Event::Committed { epoch },
                    false => Event::CommitFailed { epoch, error },
                });
            }
        }
    }

    fn repeat(&mut self, at: usize) {
        if !self.sent.is_empty() {
            let (worker, epoch) = self.sent[at % self.sent.len()];
            self.send(Event::Ack { worker, epoch, part: (epoch, worker) });
        }
        if self.durable > Epoch(1) {
            let epoch = Epoch(self.durable.0 - 1);
            self.send(Event::ManifestWritten { epoch });
            self.send(Event::Committed { epoch });
        }
    }

    fn tick(&mut self, millis: i64) {
        self.now += millis;
        self.send(Event::Tick { now: ProcessingTime(self.now) });
    }
}

#[derive(Clone, Debug)]
enum Step {
    Tick(i64),
    Answer(usize, bool),
    Repeat(usize),
    Trigger,
    Stop,
    SourcesDone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..400i64).prop_map(Step::Tick),
        20 => (0..20usize).prop_map(|at| Step::Answer(at, true)),
        2 => (0..20usize).prop_map(|at| Step::Answer(at, false)),
        3 => (0..99usize).prop_map(Step::Repeat),
        1 => Just(Step::Trigger),
        1 => prop_oneof![9 => Just(Step::Trigger), 1 => Just(Step::Stop)],
        1 => prop_oneof![19 => Just(Step::Trigger), 1 => Just(Step::SourcesDone)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn invariants_hold_in_any_order(
        workers in 1..4usize,
        tolerable in 0..6u32,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::new(workers, tolerable);
        for step in steps {
            match step {
                Step::Tick(millis) => world.tick(millis),
                Step::Answer(at, ok) => world.answer(at, ok),
                Step::Repeat(at) => world.repeat(at),
                Step::Trigger => world.send(Event::Trigger),
                Step::Stop => world.send(Event::Stop),
                Step::SourcesDone => world.send(Event::AllSourcesFinished),
            }
        }
        // From here on all goes well: the job must end, and with everything saved.
        world.send(Event::Stop);
        for _ in 0..200 {
            while !world.pending.is_empty() && world.over.is_none() {
                world.answer(0, true);
            }
            world.tick(200);
        }
        let over = world.over.clone();
        prop_assert!(over.is_some(), "stuck: {:?}", world.protocol);
        let failed = over.is_some_and(|text| text.contains("in a row have failed"));
        let all = (1..=world.opened.0).flat_map(|e| (0..workers).map(move |w| (Epoch(e), w)));
        prop_assert!(failed || world.saved == all.collect());
    }
}
