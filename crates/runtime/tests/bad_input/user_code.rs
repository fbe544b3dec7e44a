//! User code that panics or returns an error: which step, which record, and what then happens.

use std::path::Path;

use expect_test::{Expect, expect};
use headwater_api::{Job, Stream};
use headwater_connect::callback::callback;
use headwater_connect::collect::collect;
use headwater_connect::collection::collection;
use headwater_connect::generator::generator;
use headwater_core::{BadRecordPolicy, DeadLetter, Error, EventTime, Result, Timed};
use headwater_operators::process::{Cx, Process, process_fn};
use headwater_operators::watermarks::Watermarks;
use headwater_runtime::{Config, RestartStrategy, start};

use crate::support::{config, letters, numbered, quiet_panics, run, show};

/// Reads 0..50 and fails without a restart.
fn fails(workers: usize, build: impl FnOnce(Stream<u64>), expected: &Expect) {
    quiet_panics();
    let mut job = Job::new("user code");
    build(job.source("numbers", collection(0..50u64)));
    let mut config = config(workers, None);
    config.restart = RestartStrategy::None;
    let e = run(job.build().unwrap(), config).unwrap_err();
    expected.assert_eq(&show(&e, Path::new("")));
}

fn check(n: u64) -> u64 {
    assert!(n != 17, "planted at {n}");
    n
}

#[test]
fn a_panic_names_the_step_and_the_record() {
    let out = collect::<u64>;
    fails(
        1,
        |s| s.map(check).sink("out", out()),
        &expect![[r#"
        User: operator "map-1" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]],
    );
    let expected = expect![[r#"
        User: operator "big ones" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]];
    fails(1, |s| s.filter(|n| check(*n) > 3).named("big ones").sink("out", out()), &expected);
    let expected = expect![[r#"
        User: operator "flat_map-1" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]];
    fails(1, |s| s.flat_map(|n| vec![n, check(n)]).sink("out", out()), &expected);
    let expected = expect![[r#"
        User: operator "map-1" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]];
    fails(1, |s| s.try_map(|n| Ok(check(*n))).sink("out", out()), &expected);
    let stamped = |s: Stream<u64>| {
        s.event_time(|n| EventTime(check(*n) as i64), Watermarks::ascending()).sink("out", out());
    };
    fails(
        1,
        stamped,
        &expect![[r#"
        User: operator "event_time-1" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]],
    );
    let expected = expect![[r#"
        User: operator "split-1" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]];
    fails(1, |s| s.split(["a", "b"], |n| check(*n) as usize % 2)[0].sink("out", out()), &expected);
}

#[test]
fn a_panic_behind_an_exchange_names_them_too() {
    let keyed = |s: Stream<u64>| {
        // One key, so that the batch stays as it is.
        s.key_by(|_| 0u8)
            .process(
                "totals",
                process_fn(|cx, n: u64| {
                    *cx.state() += check(n);
                    let total: u64 = *cx.state();
                    cx.emit(total);
                    Ok(())
                }),
            )
            .sink("out", collect());
    };
    let expected = expect![[r#"
        User: operator "totals" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]];
    for workers in [1, 2] {
        fails(workers, keyed, &expected);
    }
    let expected = expect![[r#"
        User: operator "key_by-1" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]];
    let keying = |s: Stream<u64>| {
        s.key_by(|n| check(*n)).process("numbered", numbered()).sink("out", collect());
    };
    fails(2, keying, &expected);
    let windowed = |s: Stream<u64>| {
        let windows = headwater_operators::window::WindowSpec::count(100);
        s.key_by(|_| 0u8)
            .window(windows)
            .fold("sums", 0u64, |sum, n| *sum += check(*n))
            .results()
            .sink("out", collect());
    };
    fails(
        2,
        windowed,
        &expect![[r#"
        User: operator "sums" panicked at record 18 of its batch: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]],
    );
}

#[test]
fn a_panic_in_a_timer_or_a_sink_names_the_step() {
    struct Late;
    impl Process for Late {
        type Key = u8;
        type In = u64;
        type Out = u64;
        type State = ();
        fn process(&self, cx: &mut Cx<'_, Self>, n: u64) -> Result<()> {
            cx.timer_at(EventTime(n as i64));
            Ok(())
        }
        fn on_timer(&self, cx: &mut Cx<'_, Self>, at: EventTime) -> Result<()> {
            cx.emit(check(at.0 as u64));
            Ok(())
        }
    }
    let timed = |s: Stream<u64>| {
        s.event_time(|n| EventTime(*n as i64), Watermarks::ascending())
            .key_by(|_| 0u8)
            .process("alarm", Late)
            .sink("out", collect());
    };
    fails(
        1,
        timed,
        &expect![[r#"
        User: operator "alarm" panicked: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]],
    );
    let sink = callback(|n: &Timed<u64>| {
        check(n.value);
        Ok(())
    });
    fails(
        1,
        |s| s.sink("callback", sink),
        &expect![[r#"
        User: operator "callback" panicked: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]],
    );
}

#[test]
fn a_panic_in_a_source_names_it() {
    quiet_panics();
    let mut job = Job::new("user code");
    job.source("numbers", generator(check)).map(|n| n + 1).sink("out", collect());
    let config = Config { restart: RestartStrategy::None, ..config(2, None) };
    let e = run(job.build().unwrap(), config).unwrap_err();
    expect![[r#"
        User: operator "numbers" panicked: planted at 17
          help: the attempt is restarted from the last checkpoint, if the restart strategy allows"#]].assert_eq(&show(&e, Path::new("")));
}

#[test]
fn a_step_that_cannot_be_built_is_named() {
    let custom = Watermarks::custom(|| -> Never { panic!("planted in the generator") });
    let stamped = |s: Stream<u64>| {
        s.event_time(|n| EventTime(*n as i64), custom).sink("out", collect());
    };
    fails(
        2,
        stamped,
        &expect![[r#"User: step "event_time-1" panicked before it ran: planted in the generator"#]],
    );
}

struct Never;
impl headwater_operators::watermarks::WatermarkGenerator<u64> for Never {
    fn on_record(&mut self, _: &u64, _: EventTime) -> Option<EventTime> {
        None
    }
}

fn odd(n: &u64) -> Result<u64> {
    match n % 2 {
        1 => Ok(*n),
        _ => Err(Error::user(format!("{n} is even")).hint("send odd numbers")),
    }
}

/// The same error under each policy; for closures and for process functions.
#[test]
fn an_error_follows_the_policy() {
    let job = |policy, keyed: bool| {
        let (out, refused) = (collect::<u64>(), collect::<DeadLetter>());
        let mut job = Job::new("odd");
        job.dead_letters(refused.clone());
        let numbers = job.source("numbers", collection(0..5u64)).on_error(policy);
        match keyed {
            false => numbers.try_map(odd).named("odd").sink("out", out.clone()),
            true => {
                let process = process_fn(|cx, n: u64| {
                    // What was emitted before the error is withdrawn.
                    cx.emit(n);
                    *cx.state() += odd(&n)?;
                    let _: u64 = *cx.state();
                    Ok(())
                });
                numbers
                    .key_by(|_| "all".to_owned())
                    .process("odd", process)
                    .sink("out", out.clone());
            }
        }
        (job.build().unwrap(), out, refused)
    };
    let strict = || {
        let mut config = config(1, None);
        config.restart = RestartStrategy::None;
        config
    };
    let expected = [
        (
            expect![[r#"
            User: operator "odd", record 1 of 5 in its batch: 0 is even
              help: send odd numbers"#]],
            expect![[r#"
            odd | event time none | 0 is even | 0
            odd | event time none | 2 is even | 2
            odd | event time none | 4 is even | 4"#]],
        ),
        (
            expect![[r#"
            User: operator "odd", record 1 of 5 in its batch: key "all": 0 is even
              help: send odd numbers"#]],
            expect![[r#"
            odd | event time none | key "all": 0 is even | 0
            odd | event time none | key "all": 2 is even | 2
            odd | event time none | key "all": 4 is even | 4"#]],
        ),
    ];
    for (keyed, (failure, refusals)) in [false, true].into_iter().zip(expected) {
        let (topology, out, _) = job(BadRecordPolicy::Fail, keyed);
        failure.assert_eq(&show(&run(topology, strict()).unwrap_err(), Path::new("")));
        assert!(out.is_empty());

        let (topology, out, refused) = job(BadRecordPolicy::Skip, keyed);
        let mut handle = start(topology, strict()).unwrap();
        handle.wait().unwrap();
        let totals = handle.metrics().operator("odd").unwrap().totals;
        assert_eq!((totals.records_in, totals.dropped, totals.records_out), (5, 3, 2));
        assert_eq!((out.sorted(), refused.len()), (vec![1, 3], 0));

        let (topology, out, refused) = job(BadRecordPolicy::DeadLetter, keyed);
        let mut handle = start(topology, strict()).unwrap();
        handle.wait().unwrap();
        let totals = handle.metrics().operator("odd").unwrap().totals;
        assert_eq!((totals.records_in, totals.dead_lettered, totals.records_out), (5, 3, 2));
        assert_eq!(out.sorted(), [1, 3]);
        refusals.assert_eq(&letters(refused.records()));
    }
}
