//! The `sql_bridge` example: its lines, at any number of workers.
#![cfg(feature = "sql")]

use headwater::prelude::*;

#[allow(dead_code, reason = "the example's main is not called here")]
#[path = "../examples/sql_bridge.rs"]
mod sql_bridge;

#[test]
fn the_example_gives_the_best_pages_of_each_minute() {
    for workers in [1, 3] {
        let out = collect::<String>();
        let mut job = Job::new("best pages");
        sql_bridge::best_pages(&mut job, out.clone()).unwrap();
        let config = Config { workers, ..Config::default() };
        assert!(matches!(job.start(config).unwrap().wait().unwrap(), Outcome::Finished { .. }));
        // 600 clicks a minute, of which the first 100 of every thousand are left out: 500, 500 and
        // 600 in the three minutes; half of any six are of `home`, a third of `docs`.
        let expected = [
            "1970-01-01T00:00:00.000Z 1. home with 250 clicks",
            "1970-01-01T00:00:00.000Z 2. docs with 167 clicks",
            "1970-01-01T00:01:00.000Z 1. home with 250 clicks",
            "1970-01-01T00:01:00.000Z 2. docs with 166 clicks",
            "1970-01-01T00:02:00.000Z 1. home with 300 clicks",
            "1970-01-01T00:02:00.000Z 2. docs with 200 clicks",
        ];
        assert_eq!(out.sorted(), expected);
    }
}
