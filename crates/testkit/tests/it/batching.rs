//! Results that do not depend on batches, barriers and crashes; and some that do.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_testkit::{
    TestJob, assert_same_for_any_batching, assert_same_with_crashes, assert_same_with_seed,
};
use proptest::prelude::*;

use super::jobs::{self, Counted, Limit, Order, Spent};

/// Orders of a few customers, out of order by up to 30 ms: more than is waited for.
fn orders(len: usize) -> impl Strategy<Value = Vec<(u8, Order)>> {
    let order = (0u8..3, 0u8..4, 0i64..30, -1i64..5);
    proptest::collection::vec(order, 0..len).prop_map(|orders| {
        let at = |n: usize, early: i64| n as i64 * 4 - early;
        let with_time = |(n, (split, customer, early, amount)): (usize, (u8, u8, i64, i64))| {
            let customer = format!("c{customer}");
            // Now and then nobody knows when.
            let at = (amount >= 0).then(|| at(n, early));
            (split, Order { customer, at, amount })
        };
        orders.into_iter().enumerate().map(with_time).collect()
    })
}

fn send(t: &mut TestJob, orders: &[(u8, Order)]) {
    t.splits("orders", ["0", "1", "2"]);
    // Runs of records of one split, as a reader gives them.
    for run in orders.chunk_by(|a, b| a.0 == b.0) {
        let split = run[0].0.to_string();
        t.send_to_split("orders", &split, run.iter().map(|(_, order)| order.clone()));
    }
    t.end_all();
}

fn windows(
    orders: &[(u8, Order)],
) -> impl Fn(&mut TestJob) -> (Vec<String>, Vec<String>, Vec<String>) {
    move |t| {
        send(t, orders);
        let letters = t.sorted_lines::<headwater_core::DeadLetter>("dead-letters");
        (t.sorted_lines::<Counted>("counts"), t.sorted_lines::<Order>("late"), letters)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn tumbling_windows_and_late_records(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::tumbling_count, windows(&orders));
    }

    #[test]
    fn hopping_windows_and_late_records(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::hopping_sum, windows(&orders));
    }

    #[test]
    fn sessions_and_late_records(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::session_count, windows(&orders));
    }

    #[test]
    fn count_windows(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::every_two, windows(&orders));
    }

    #[test]
    fn early_panes_by_count(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::early_count, windows(&orders));
    }

    /// Panes depend on batching; what a window comes to, and what is late, do not.
    #[test]
    fn last_panes_of_windows_with_allowed_lateness(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::tumbling_lateness, |t| {
            send(t, &orders);
            let mut last = BTreeMap::new();
            for Counted { customer, start, value, pane, .. } in t.values("counts") {
                let known = last.entry((customer, start)).or_insert((pane, value));
                *known = (*known).max((pane, value));
            }
            let values: Vec<i64> = last.into_values().map(|(_, value)| value).collect();
            (values, t.sorted_lines::<Order>("late"))
        });
    }

    #[test]
    fn all_panes_of_windows_with_allowed_lateness(orders in orders(120), seed: u64) {
        assert_same_with_crashes(seed, jobs::tumbling_lateness, windows(&orders));
    }

    #[test]
    fn timers_and_side_outputs(orders in orders(120), seed: u64) {
        assert_same_with_crashes(seed, jobs::watchdog, |t| {
            t.splits("orders", ["0", "1", "2"]);
            for (split, order) in &orders {
                t.send_to_split("orders", &split.to_string(), [order.clone()]);
                t.advance(Duration::from_millis(100 * u64::from(*split)));
            }
            t.end_all().advance(Duration::from_secs(2));
            (t.sorted_lines::<String>("alerts"), t.timed_lines::<Order>("rejected"))
        });
    }

    #[test]
    fn broadcast_rules(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::limits, |t| {
            for (limit, order) in &orders {
                if *limit == 0 {
                    let (customer, amount) = (order.customer.clone(), order.amount * 3);
                    t.send("limits", [Limit { customer, amount }]);
                } else {
                    t.send("orders", [order.clone()]);
                }
            }
            (t.timed_lines::<Spent>("over"), t.dead_letters(), t.state("limits of customers"))
        });
    }

    #[test]
    fn running_totals(orders in orders(120), seed: u64) {
        assert_same_with_seed(seed, jobs::totals, |t| {
            send(t, &orders);
            let letters = t.dead_letters();
            (t.timed_lines::<Spent>("spent"), letters, t.totals("totals of customers"))
        });
    }
}

#[test]
fn stamps_lateness_and_counters() {
    let order = |n: i64| Order { customer: "c".into(), at: Some(n * 7 % 100), amount: n };
    assert_same_for_any_batching(jobs::stamped, |t| {
        t.send("orders", (0..200).map(order)).end_all();
        (t.timed_lines::<Order>("stamped"), t.totals("times"))
    });
}

#[test]
#[should_panic(expected = "other batches, barriers or crashes give another result")]
fn a_result_that_depends_on_batches_is_found() {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    static CALLS: AtomicU64 = AtomicU64::new(0);
    assert_same_for_any_batching(
        |job| {
            let numbers =
                job.source("in", headwater_connect::collection::collection(Vec::<u64>::new()));
            let numbered = numbers.map(|n| n + CALLS.fetch_add(1, SeqCst));
            numbered.sink("out", headwater_connect::blackhole::blackhole());
            Ok(())
        },
        |t| t.send("in", 0..50u64).values::<u64>("out"),
    );
}
