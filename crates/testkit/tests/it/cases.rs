//! The text cases of `tests/cases`.

use headwater_connect::blackhole::blackhole;
use headwater_connect::collection::collection;
use headwater_testkit::{CaseJob, Cases};

use super::jobs::{self, Counted, Limit, Order, Spent};

fn windowed(
    name: &str,
    build: fn(&mut headwater_api::Job) -> headwater_core::Result<()>,
) -> CaseJob {
    CaseJob::new(name, build)
        .source::<Order>("orders")
        .sink::<Counted>("counts")
        .sink::<Order>("late")
}

fn stateless(
    name: &str,
    build: fn(&mut headwater_api::Job) -> headwater_core::Result<()>,
) -> CaseJob {
    CaseJob::new(name, build).source::<String>("texts").sink::<i64>("numbers").sink::<i64>("odd")
}

#[test]
fn cases_hold() {
    let cases = Cases::new()
        .job(stateless("words", jobs::words).sink::<String>("words"))
        .job(stateless("parse", jobs::parse))
        .job(stateless("parse_or_skip", jobs::parse_or_skip))
        .job(stateless("parse_or_fail", jobs::parse_or_fail))
        .job(stateless("parse_and_split", jobs::parse_and_split))
        .job(
            CaseJob::new("union", jobs::union)
                .source::<Order>("orders")
                .source::<Order>("returns")
                .sink::<Order>("all"),
        )
        .job(
            CaseJob::new("stamped", jobs::stamped)
                .source::<Order>("orders")
                .sink::<Order>("stamped"),
        )
        .job(
            CaseJob::new("stamped_union", jobs::stamped_union)
                .source::<Order>("orders")
                .source::<Order>("returns")
                .sink::<Order>("stamped"),
        )
        .job(
            CaseJob::new("two_sources", jobs::two_sources)
                .source::<Order>("orders")
                .source::<Order>("returns")
                .sink::<Counted>("counts")
                .sink::<Order>("late"),
        )
        .job(windowed("tumbling_count", jobs::tumbling_count))
        .job(windowed("tumbling_lateness", jobs::tumbling_lateness))
        .job(windowed("source_times", jobs::source_times))
        .job(windowed("hopping_sum", jobs::hopping_sum))
        .job(windowed("session_count", jobs::session_count))
        .job(windowed("every_two", jobs::every_two))
        .job(windowed("early_count", jobs::early_count))
        .job(windowed("early_every", jobs::early_every))
        .job(windowed("by_the_clock", jobs::by_the_clock))
        .job(CaseJob::new("totals", jobs::totals).source::<Order>("orders").sink::<Spent>("spent"))
        .job(
            CaseJob::new("watchdog", jobs::watchdog)
                .source::<Order>("orders")
                .sink::<String>("alerts")
                .sink::<Order>("rejected"),
        )
        .job(
            CaseJob::new("limits", jobs::limits)
                .source::<Order>("orders")
                .source::<Limit>("limits")
                .sink::<Spent>("over"),
        );
    let ran = cases.run(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases"));
    assert!(ran >= 25, "{ran} cases");
}

#[test]
#[should_panic(expected = "expect numbers\n    1\n  - 3\n  + 2\n")]
fn a_case_that_does_not_hold_shows_where_and_how() {
    let directory = tempfile::tempdir().unwrap();
    let case = "job same\n\nsend in 1\nsend in 2\nexpect numbers\n1\n3\n";
    std::fs::write(directory.path().join("wrong.case"), case).unwrap();
    run_same(directory.path());
}

#[test]
#[should_panic(expected = "wrong.case:3: nothing expects what is left in \"numbers\"\n  + 1")]
fn what_a_case_does_not_take_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("wrong.case"), "job same\n\nsend in 1\n").unwrap();
    run_same(directory.path());
}

fn run_same(directory: &std::path::Path) {
    let same = CaseJob::new("same", |job| {
        job.source("in", collection(Vec::<u8>::new())).sink("numbers", blackhole());
        Ok(())
    });
    Cases::new().job(same.source::<u8>("in").sink::<u8>("numbers")).check(directory);
}
