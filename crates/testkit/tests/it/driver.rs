//! What the driver itself promises, beyond what the cases show.

use std::time::Duration;

use headwater_connect::blackhole::blackhole;
use headwater_connect::collection::collection;
use headwater_core::{Error, EventTime, Result};
use headwater_operators::process::process_fn;
use headwater_operators::watermarks::Watermarks;
use headwater_testkit::{DEFAULT_START, TestJob, expect};

use super::jobs::{self, Counted, Order, Spent};

fn order(customer: &str, at: i64, amount: i64) -> Order {
    Order { customer: customer.into(), at: Some(at), amount }
}

fn error(result: Result<()>) -> String {
    result.err().map(|e| e.report()).unwrap_or_default()
}

#[test]
fn state_and_timers_are_shown_by_their_schema() {
    let mut t = TestJob::new(jobs::watchdog);
    t.send("orders", [order("ana", 7, 1), order("bo", 9, 1)]);
    assert_eq!(t.state_entries("watchdog"), 6);
    let new_at = DEFAULT_START.0 + 1_000;
    let state = t.state("watchdog");
    assert_eq!(
        state,
        format!(
            "state \"ana\" = 7\nstate \"bo\" = 9\ntimers \"ana\" 57\ntimers \"bo\" 59\n\
             processing-timers \"ana\" {new_at}\nprocessing-timers \"bo\" {new_at}\n"
        )
    );
    assert_eq!(t.crash_and_restore().state("watchdog"), state);
    t.send("orders", [order("ana", 100, 1)]).end_all();
    assert_eq!(
        t.timers("watchdog"),
        format!("processing-timers \"ana\" {new_at}\nprocessing-timers \"bo\" {new_at}\n")
    );
    assert_eq!(t.state_entries("watchdog"), 2);
    assert_eq!(t.sorted_lines::<String>("alerts").len(), 2);
}

#[test]
fn window_state_is_shown_with_its_windows() {
    let mut t = TestJob::new(jobs::tumbling_count);
    t.send("orders", [order("a", 5, 0), order("a", 13, 0), order("a", 14, 0)]);
    assert_eq!(
        t.state("count"),
        "windows \"a\" {\"start\":0,\"end\":10} = {\"acc\":1,\"panes\":0}\n\
         windows \"a\" {\"start\":10,\"end\":20} = {\"acc\":2,\"panes\":0}\n"
    );
    assert_eq!(t.end_all().state_entries("count"), 0);
}

#[test]
fn what_was_taken_before_a_crash_does_not_come_again() {
    let mut t = TestJob::new(jobs::totals);
    let spent =
        |t: &mut TestJob| t.values::<Spent>("spent").iter().map(|s| s.amount).collect::<Vec<_>>();
    t.send("orders", [order("a", 0, 1), order("a", 0, 1)]);
    assert_eq!(spent(&mut t), [1, 2]);
    t.crash_and_restore().crash_and_restore();
    assert_eq!(spent(&mut t), [0i64; 0]);
    t.send("orders", [order("a", 0, 5)]).checkpoint().send("orders", [order("a", 0, 1)]);
    t.crash_and_restore();
    assert_eq!(spent(&mut t), [7, 8]);
    t.checkpoint().crash_and_restore();
    assert_eq!(spent(&mut t), [0i64; 0]);
    assert_eq!(t.totals("totals of customers").records_in, 4);
}

#[test]
fn output_that_the_replay_does_not_repeat_is_reported() {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut t = TestJob::new(|job| {
        let numbers = job.source("numbers", collection(Vec::<u64>::new()));
        numbers.map(|n| n + CALLS.fetch_add(1, SeqCst)).sink("out", blackhole());
        Ok(())
    });
    t.send("numbers", [10u64]);
    assert_eq!(t.values::<u64>("out"), [10]);
    let e = error(t.driver().crash_and_restore());
    assert!(e.contains("sink \"out\": the replay did not emit again 10"), "{e}");
}

#[test]
fn the_clock_is_replayed_unless_time_passes_in_the_crash() {
    let mut t = TestJob::starting_at(headwater_core::ProcessingTime(0), jobs::by_the_clock);
    t.send("orders", [order("a", 0, 0)]).advance(Duration::from_millis(150));
    t.send("orders", [order("a", 0, 0)]);
    t.crash_and_restore();
    let windows = |t: &mut TestJob| {
        let counts = t.values::<Counted>("counts").into_iter();
        counts.map(|c| (c.start, c.value)).collect::<Vec<_>>()
    };
    assert_eq!(windows(&mut t), [(0, 1)]);
    t.crash_and_restore_after(Duration::from_millis(1_000));
    assert_eq!(t.driver().now().0, 1_150);
    t.crash_and_restore();
    t.end_all();
    assert_eq!(windows(&mut t), [(1_100, 2)]);
}

#[test]
fn a_forced_watermark_is_kept_by_checkpoints() {
    let mut t = TestJob::new(jobs::source_times);
    t.send("orders", [order("a", 5, 0)]);
    assert_eq!(t.lines::<Counted>("counts").len(), 0);
    t.watermark(9).checkpoint().crash_and_restore();
    assert_eq!(t.lines::<Counted>("counts").len(), 1);
    assert_eq!(t.watermark_at("count"), EventTime(9));
    // Its own split has seen nothing later, but the window is gone.
    t.send("orders", [order("a", 6, 0), order("a", 10, 0)]);
    assert_eq!(t.lines::<Order>("late").len(), 1);
    t.watermark_of("orders", "19").crash_and_restore();
    assert_eq!(t.lines::<Counted>("counts").len(), 1);
}

#[test]
fn a_source_that_stamps_its_records_needs_no_event_time_step() {
    let mut t = TestJob::new(|job| {
        let orders = job.source("orders", collection(Vec::<Order>::new()));
        let add = process_fn(|cx, _: Order| {
            let seen: (EventTime, EventTime) = (cx.event_time(), cx.watermark());
            cx.emit(seen);
            *cx.state() = ();
            Ok(())
        });
        orders.key_by(|o| o.customer.clone()).process("times", add).sink("out", blackhole());
        Ok(())
    });
    t.send_at("orders", [("00:00:01", order("a", 0, 0))]).watermark("00:00:02");
    t.send_at("orders", [(3_000, order("a", 0, 0))]);
    t.expect_timed::<(EventTime, EventTime)>(
        "out",
        expect![[r#"
            @1000 [1000,-9223372036854775808]
            @3000 [3000,2000]
        "#]],
    );
}

#[test]
fn a_split_that_follows_the_clock_is_not_moved_twice_by_a_crash() {
    let mut t = TestJob::new(|job| {
        let orders = job.source("orders", collection(Vec::<Order>::new()));
        let quiet = Duration::from_millis(100);
        let watermarks = Watermarks::ascending().advance_when_quiet(quiet);
        orders.event_time(|o| o.at.map(EventTime), watermarks).sink("out", blackhole());
        Ok(())
    });
    t.send("orders", [order("a", 1_000, 0)]).idle("orders", "0");
    t.advance(Duration::from_millis(300)).checkpoint();
    assert_eq!(t.watermark_at("event_time-1"), EventTime(1_299));
    t.crash_and_restore().advance(Duration::from_millis(200));
    assert_eq!(t.watermark_at("event_time-1"), EventTime(1_499));
    t.send("orders", [order("a", 1_499, 0), order("a", 1_500, 0)]);
    let late: Vec<u32> = t.take::<Order>("out").iter().map(|r| r.late_by).collect();
    assert_eq!(late, [0, 1, 0]);
}

#[test]
fn mistakes_are_named() {
    let mut t = TestJob::new(jobs::stamped);
    let driver = t.driver();
    let e = error(driver.end("order"));
    assert_eq!(e, "no source \"order\"\n  help: the job has: \"orders\"");
    let e = driver.take::<Order>("out").unwrap_err().report();
    assert!(e.contains("no sink \"out\"") && e.contains("\"dead-letters\", \"stamped\""), "{e}");
    let e = driver.totals("nothing").unwrap_err().to_string();
    assert_eq!(e, "no step \"nothing\"");
    driver.add_splits("orders", &["a", "b"]).unwrap();
    let e = error(driver.quiet("orders", None));
    assert!(e.contains("source \"orders\" has splits \"a\", \"b\""), "{e}");
    driver.end_split("orders", "a").unwrap();
    let e = error(driver.quiet("orders", Some("a")));
    assert!(e.contains("split \"a\" of source \"orders\" has ended"), "{e}");
    driver.quiet("orders", None).unwrap();
    t.send("orders", [order("a", 1, 0)]).end_all();
    let e = t.driver().take::<u8>("stamped").unwrap_err().to_string();
    assert!(e.starts_with("sink \"stamped\" was asked for u8, it holds Batch(1 x "), "{e}");
    let e = error(t.driver().end_split("orders", "b"));
    assert_eq!(e, "source \"orders\" has ended");
}

#[test]
fn a_record_that_fails_a_step_fails_it_again_after_the_crash() {
    let mut t = TestJob::new(jobs::parse_or_fail);
    t.send("texts", ["1".to_owned()]).checkpoint();
    let poison = headwater_core::Timed::new(EventTime::MIN, "x".to_owned());
    let e = error(t.driver().send("texts", None, vec![poison]));
    assert!(e.contains("operator \"parse\", record 1 of 1 in its batch"), "{e}");
    assert_eq!(error(t.driver().crash_and_restore()), e);
    assert_eq!(t.values::<i64>("numbers"), [1]);
}

#[test]
fn timers_without_end_are_an_error() {
    let mut t = TestJob::new(|job| {
        let orders = job.source("orders", collection(Vec::<Order>::new()));
        orders.key_by(|o| o.customer.clone()).process("again", Again).sink("out", blackhole());
        Ok(())
    });
    let now = headwater_core::Timed::new(EventTime::MIN, order("a", 0, 0));
    let e = error(t.driver().send("orders", None, vec![now]));
    assert!(e.starts_with("processing-time work does not come to an end"), "{e}");
}

struct Again;

impl headwater_operators::process::Process for Again {
    type Key = String;
    type In = Order;
    type Out = ();
    type State = ();

    fn process(&self, cx: &mut headwater_operators::process::Cx<Self>, _: Order) -> Result<()> {
        cx.processing_timer_after(Duration::ZERO);
        Ok(())
    }
    fn on_processing_timer(
        &self,
        cx: &mut headwater_operators::process::Cx<Self>,
        _: headwater_core::ProcessingTime,
    ) -> Result<()> {
        cx.processing_timer_after(Duration::ZERO);
        Ok(())
    }
}

#[test]
#[should_panic(expected = "no good")]
fn a_job_that_cannot_be_built_fails_the_test() {
    TestJob::new(|_| Err(Error::plan("no good")));
}
