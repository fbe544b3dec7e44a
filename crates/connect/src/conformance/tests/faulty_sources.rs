use std::time::Duration;

use headwater_core::{Error, EventTime, Result};

use crate::conformance::{live_source_suite, source_suite};
use crate::source::{Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    PositionOneTooFar,
    PositionOneTooNear,
    PositionForgetsRefused,
    PositionOfBatchStart,
    RepeatsOnResume,
    RestartsOnResume,
    ForgetsPositionUntilRead,
    LosesLast,
    SwapsTwo,
    RefusesOnlyOnce,
    TimesDiffer,
    IgnoresMax,
    Blocks,
    NeverWakes,
    NeverEnds,
    SpinsReady,
    Fails,
    Panics,
    UnstableSplits,
    SameNames,
    TakesAnySplit,
    TakesAnyPosition,
    PositionStandsStill,
}

/// 20 numbers in two splits; those that divide by 5 are refused.
struct Faulty(Fault);

const SHARE: usize = 10;

fn expected() -> Vec<u64> {
    (0..20).filter(|n| n % 5 != 0).collect()
}

impl Source for Faulty {
    type Record = u64;

    fn splits(&self) -> Result<Vec<SplitId>> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let names = match self.0 {
            Fault::UnstableSplits => [CALLS.fetch_add(1, Ordering::SeqCst).to_string(), "b".into()],
            Fault::SameNames => ["a".to_owned(), "a".to_owned()],
            _ => ["a".to_owned(), "b".to_owned()],
        };
        Ok(names.map(SplitId).to_vec())
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<u64>>> {
        let fault = self.0;
        let base = match &*split.0 {
            "b" => SHARE,
            "a" => 0,
            _ if matches!(fault, Fault::TakesAnySplit | Fault::UnstableSplits) => 0,
            _ => return Err(Error::state("no such split")),
        };
        let resumed = position.is_some();
        let parsed = position.map_or(Ok(0), |position| position.0.parse::<usize>());
        let mut next = match parsed {
            Ok(next) => next,
            Err(_) if fault == Fault::TakesAnyPosition => 0,
            Err(_) => return Err(Error::state("no such position")),
        };
        if fault == Fault::RepeatsOnResume && next > 3 {
            next -= 1;
        }
        if fault == Fault::RestartsOnResume {
            next = 0;
        }
        if fault == Fault::Panics && resumed {
            panic!("planted");
        }
        Ok(Box::new(FaultyReader { fault, base, next, said: next, read: false, resumed, wake }))
    }
}

struct FaultyReader {
    fault: Fault,
    base: usize,
    next: usize,
    said: usize,
    read: bool,
    resumed: bool,
    wake: Wake,
}

impl Reader<u64> for FaultyReader {
    fn read(&mut self, buffer: &mut ReadBuffer<u64>) -> Result<ReadStatus> {
        let fault = self.fault;
        if !self.read {
            self.read = true;
            // A good reader that has to be woken first.
            if fault != Fault::NeverWakes {
                self.wake.wake();
            }
            return Ok(ReadStatus::Idle);
        }
        if fault == Fault::Blocks && self.next == 7 {
            std::thread::sleep(Duration::from_secs(3600));
        }
        if fault == Fault::Fails && self.next == 7 {
            return Err(Error::connector("planted"));
        }
        let max = if fault == Fault::IgnoresMax { buffer.max + 1 } else { buffer.max };
        self.said = self.next;
        let end = if fault == Fault::LosesLast && self.resumed { SHARE - 1 } else { SHARE };
        while self.next < end && buffer.records.len() + buffer.bad.len() < max {
            let mut n = (self.base + self.next) as u64;
            if fault == Fault::SwapsTwo && self.resumed && (n == 7 || n == 8) {
                n = 15 - n;
            }
            let time = if fault == Fault::TimesDiffer && self.resumed { n + 1 } else { n };
            if !n.is_multiple_of(5) {
                buffer.push_at(EventTime(time as i64), n);
            } else if fault != Fault::RefusesOnlyOnce || !self.resumed {
                buffer.refuse(b"five", format!("number {n}"), "divides by 5");
            }
            self.next += 1;
        }
        Ok(match fault {
            _ if self.next < end => ReadStatus::Ready,
            Fault::NeverEnds => ReadStatus::After(Duration::from_millis(1)),
            Fault::SpinsReady => ReadStatus::Ready,
            _ => ReadStatus::End,
        })
    }

    fn position(&self) -> Position {
        let next = match self.fault {
            Fault::PositionOneTooFar if self.next > 0 => (self.next + 1).min(SHARE),
            Fault::PositionOneTooNear => self.next.saturating_sub(1),
            Fault::PositionForgetsRefused => {
                let last_was_refused = self.next > 0 && (self.next - 1).is_multiple_of(5);
                self.next - usize::from(last_was_refused)
            }
            Fault::PositionOfBatchStart if self.next - self.said > 1 => self.said,
            Fault::ForgetsPositionUntilRead if !self.read => 0,
            Fault::PositionStandsStill => 0,
            _ => self.next,
        };
        Position(next.to_string())
    }
}

fn finding(fault: Fault) -> String {
    source_suite(|| Faulty(fault), &expected()).unwrap_err()
}

#[test]
fn a_good_source_passes() {
    source_suite(|| Faulty(Fault::None), &expected()).unwrap();
}

#[test]
fn other_records_than_expected_are_found() {
    let less: Vec<u64> = expected().into_iter().skip(1).collect();
    let more: Vec<u64> = expected().into_iter().chain([99]).collect();
    for wrong in [less, more] {
        source_suite(|| Faulty(Fault::None), &wrong).unwrap_err();
    }
}

#[test]
fn planted_faults_are_found() {
    let at_fault = [
        (Fault::PositionOneTooFar, "resumed at"),
        (Fault::PositionOneTooNear, "resumed at"),
        (Fault::PositionForgetsRefused, "refused"),
        (Fault::PositionOfBatchStart, "at a time and resumed at"),
        (Fault::RepeatsOnResume, "after 4 of 10 records: number 0 is"),
        (Fault::RestartsOnResume, "resumed at"),
        (Fault::ForgetsPositionUntilRead, "at once again at \"0\""),
        (Fault::LosesLast, "the first that is missing is"),
        (Fault::SwapsTwo, "value: 8"),
        (Fault::RefusesOnlyOnce, "refused"),
        (Fault::TimesDiffer, "EventTime"),
        (Fault::IgnoresMax, "at most 1 were asked for"),
        (Fault::SpinsReady, "gives nothing"),
        (Fault::Fails, "read failed: planted"),
        (Fault::Panics, "open panicked"),
        (Fault::UnstableSplits, "splits, asked for again"),
        (Fault::SameNames, "same name"),
        (Fault::TakesAnySplit, "does not exist"),
        (Fault::TakesAnyPosition, "no such position"),
    ];
    let missed = at_fault.map(|(fault, expected)| (fault, expected, finding(fault)));
    let missed: Vec<_> = missed.iter().filter(|(_, text, found)| !found.contains(text)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn hanging_is_found() {
    let hanging = [
        (Fault::Blocks, "must not block"),
        (Fault::NeverWakes, "no wake-up"),
        (Fault::NeverEnds, "no end"),
    ];
    let found = hanging.map(|(fault, _)| std::thread::spawn(move || finding(fault)));
    for ((fault, expected), found) in hanging.into_iter().zip(found) {
        let found = found.join().unwrap();
        assert!(found.contains(expected), "{fault:?}: {found}");
    }
}

/// One split that counts what it gives, as a live source does.
struct Live(Fault);

impl Source for Live {
    type Record = u64;

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(vec![SplitId("a".into())])
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<u64>>> {
        let reader = Faulty(self.0).open(split, position, wake)?;
        let start = position.map_or(0, |position| position.0.parse().unwrap_or(0));
        let start = if self.0 == Fault::RestartsOnResume { 0 } else { start };
        drop(reader);
        let inner = Faulty(self.0).open(split, None, Wake::none())?;
        Ok(Box::new(LiveReader { inner, start, fault: self.0 }))
    }
}

struct LiveReader {
    inner: Box<dyn Reader<u64>>,
    start: usize,
    fault: Fault,
}

impl Reader<u64> for LiveReader {
    fn read(&mut self, buffer: &mut ReadBuffer<u64>) -> Result<ReadStatus> {
        match self.inner.read(buffer)? {
            ReadStatus::Idle => Ok(ReadStatus::Ready),
            status => Ok(status),
        }
    }

    fn position(&self) -> Position {
        match self.fault {
            Fault::PositionStandsStill => Position("0".into()),
            _ => {
                let read: usize = self.inner.position().0.parse().unwrap();
                Position((self.start + read).to_string())
            }
        }
    }
}

#[test]
fn faults_of_live_sources_are_found() {
    let expected: Vec<u64> = (0..10).filter(|n| n % 5 != 0).collect();
    let suite = |fault| live_source_suite(move || Live(fault), &expected);
    suite(Fault::None).unwrap();
    let at_fault = [
        (Fault::PositionStandsStill, "did not move"),
        (Fault::RestartsOnResume, "stands at \"0\""),
        (Fault::IgnoresMax, "were asked for"),
        (Fault::Fails, "planted"),
        (Fault::TakesAnyPosition, "no such position"),
    ];
    let missed = at_fault.map(|(fault, expected)| (fault, expected, suite(fault)));
    let found = |found: &std::result::Result<(), String>, text| {
        found.as_ref().is_err_and(|found| found.contains(text))
    };
    let missed: Vec<_> = missed.iter().filter(|(_, text, result)| !found(result, text)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}
