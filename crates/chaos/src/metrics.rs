//! The counters that the job prints when it has finished, and what they must add up to.
//!
//! The identity: what a step took in, it passed on, filtered, found late or dead-lettered. It holds
//! over all attempts, as counters are part of the checkpoint. A stateful step emits results of its
//! own; for it the numbers must be those of the model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::job::{PARSE, SINKS, SOURCE, STAMP, STATEFUL};
use crate::model::Expected;

/// Name of the step that takes dead letters.
const DEAD_LETTERS: &str = "dead-letters";

/// The counters of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Records taken in.
    pub records_in: u64,
    /// Records emitted.
    pub records_out: u64,
    /// Records filtered out.
    pub filtered: u64,
    /// Records that came too late.
    pub late: u64,
    /// Records dead-lettered.
    pub dead_lettered: u64,
    /// Records dropped by a policy.
    pub dropped: u64,
}

impl Counters {
    fn passed(records: u64) -> Counters {
        Counters { records_in: records, records_out: records, ..Counters::default() }
    }

    fn taken(records: u64) -> Counters {
        Counters { records_in: records, ..Counters::default() }
    }
}

/// What the job prints when it has finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalReport {
    /// The last epoch.
    pub epoch: u64,
    /// Counters by step.
    pub steps: BTreeMap<String, Counters>,
}

/// What the counters must be.
pub fn expected_counters(e: &Expected) -> BTreeMap<String, Counters> {
    let (good, bad) = (e.echo.len() as u64, e.malformed.len() as u64);
    let (late, rows) = (e.late.len() as u64, |rows: usize| rows as u64);
    let stateful = |out: usize, late: u64| Counters {
        // Late records leave at an output of their own.
        records_out: rows(out) + late,
        late,
        ..Counters::taken(good)
    };
    let parse = Counters { records_out: good, dead_lettered: bad, ..Counters::taken(good + bad) };
    let steps = [
        (SOURCE, Counters::passed(good + bad)),
        (PARSE, parse),
        (STAMP, Counters::passed(good)),
        (STATEFUL[0], stateful(e.windows.len(), late)),
        (STATEFUL[1], stateful(e.totals.len(), 0)),
        (STATEFUL[2], stateful(e.sessions.len(), e.late_for_session)),
        (SINKS[0], Counters::taken(good)),
        (SINKS[1], Counters::taken(rows(e.windows.len()))),
        (SINKS[2], Counters::taken(late)),
        (SINKS[3], Counters::taken(rows(e.totals.len()))),
        (SINKS[4], Counters::taken(rows(e.sessions.len()))),
        (DEAD_LETTERS, Counters::taken(bad)),
    ];
    steps.into_iter().map(|(name, counters)| (name.to_owned(), counters)).collect()
}

/// What is wrong with the counters.
pub fn faults(report: &FinalReport, expected: &Expected) -> Vec<String> {
    let expected = expected_counters(expected);
    let mut faults = Vec::new();
    for (step, wanted) in &expected {
        match report.steps.get(step) {
            None => faults.push(format!("step {step:?} has no counters")),
            Some(got) if got != wanted => {
                faults.push(format!("step {step:?} counted {got:?}, expected {wanted:?}"));
            }
            Some(_) => {}
        }
    }
    // The steps without a name of their own: one record in, one record out.
    for (step, c) in report.steps.iter().filter(|(step, _)| !expected.contains_key(*step)) {
        let accounted = c.records_out + c.filtered + c.late + c.dead_lettered + c.dropped;
        if c.records_in != accounted {
            faults
                .push(format!("step {step:?} took in {}, accounts for {accounted}", c.records_in));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn every_counter_matters() {
        let expected = Expected::of(&Workload { records: 2_000, splits: 2, seed: 1 });
        let mut report = FinalReport { epoch: 1, steps: expected_counters(&expected) };
        report.steps.insert("map-1".into(), Counters::passed(7));
        assert_eq!(faults(&report, &expected), [""; 0]);
        for step in report.steps.keys() {
            let mut wrong = report.clone();
            let counters = wrong.steps.get_mut(step).unwrap();
            counters.records_in += 1;
            assert_eq!(faults(&wrong, &expected).len(), 1, "{step}");
        }
        report.steps.remove(PARSE);
        assert!(faults(&report, &expected)[0].contains("no counters"));
    }
}
