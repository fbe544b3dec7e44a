use std::time::Duration;

use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::{CastExpr, binary, col, lit};
use datafusion::scalar::ScalarValue;
use proptest::prelude::*;

use super::*;
use crate::operators::testing::{chunk, init, int, schema, time};
use datafusion::arrow::datatypes::{DataType, TimeUnit};

/// `WATERMARK FOR t AS t - INTERVAL '0.010' SECOND`.
fn spec(emit: Emit) -> AssignWatermarkSpec {
    let schema = schema(&[time("t"), int("v")]);
    let ms =
        |expr| -> Arc<dyn PhysicalExpr> { Arc::new(CastExpr::new(expr, DataType::Int64, None)) };
    let delayed = binary(ms(col("t", &schema).unwrap()), Op::Minus, lit(10i64), &schema).unwrap();
    let to = DataType::Timestamp(TimeUnit::Millisecond, None);
    AssignWatermarkSpec {
        emit,
        ..AssignWatermarkSpec::new(0, Arc::new(CastExpr::new(delayed, to, None)))
    }
}

fn feed(op: &mut AssignWatermark, split: u32, rows: &str) -> Vec<i64> {
    let mut cx = OperatorContext::new(ProcessingTime(0));
    cx.enter(ProcessingTime(0), EventTime::MIN, SplitTag(split));
    let batch =
        Batch::from(chunk(&schema(&[time("t"), int("v")]), rows)).with_split(SplitTag(split));
    op.process(0, batch, &mut cx).unwrap();
    let (_, batch) = cx.emitted.remove(0);
    assert_eq!(batch.split(), SplitTag(split));
    let chunk = Rows::of(batch).remove(0);
    (0..chunk.len()).map(|row| chunk.watermark(row, EventTime::MIN).0).collect()
}

/// The same, as a query has it.
fn spec_of_interval(emit: Emit) -> AssignWatermarkSpec {
    let schema = schema(&[time("t"), int("v")]);
    let interval = lit(ScalarValue::new_interval_mdn(0, 0, 10_000_000));
    let delayed = binary(col("t", &schema).unwrap(), Op::Minus, interval, &schema).unwrap();
    AssignWatermarkSpec { emit, ..AssignWatermarkSpec::new(0, delayed) }
}

proptest! {
    #[test]
    fn a_constant_delay_gives_what_the_expression_gives(
        batches in prop::collection::vec(prop::collection::vec(0i64..200, 1..6), 1..20),
        ahead in prop::collection::vec(0i64..30, 20),
        periodic: bool,
    ) {
        let emit = if periodic { Emit::OnPeriodic } else { Emit::OnEvent };
        let (slow, quick) = (spec(emit), spec_of_interval(emit));
        prop_assert_eq!((delay(&slow), delay(&quick)), (None, Some(10)));
        let (mut slow, mut quick) =
            (AssignWatermark::new(&init(), slow), AssignWatermark::new(&init(), quick));
        for (number, (batch, ahead)) in batches.iter().zip(&ahead).enumerate() {
            let row = |t: &i64| format!("+I {} 1", number as i64 * 40 + ahead + t / 4);
            let rows = batch.iter().map(row).collect::<Vec<_>>().join(" | ");
            prop_assert_eq!(feed(&mut slow, 0, &rows), feed(&mut quick, 0, &rows));
            prop_assert_eq!(slow.watermark(Watermark::Idle), quick.watermark(Watermark::Idle));
            prop_assert_eq!(slow.snapshot(Epoch(1)).unwrap(), quick.snapshot(Epoch(1)).unwrap());
        }
    }
}

const NOT: i64 = i64::MIN;

#[test]
fn rows_are_judged_by_the_watermark_of_their_split() {
    let mut op = AssignWatermark::new(&init(), spec(Emit::OnEvent));
    op.on_split(SplitTag(0), SplitEvent::Added { id: "a" });
    op.on_split(SplitTag(1), SplitEvent::Added { id: "b" });
    let late = feed(&mut op, 0, "+I 100 1 | +I 90 1 | +I 91 1 | +I 120 1 | +I 110 1");
    assert_eq!(late, [NOT, 90, NOT, NOT, 110]);
    assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime::MIN));
    assert_eq!(feed(&mut op, 1, "+I 50 1"), [NOT]);
    assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime(40)));
    op.on_split(SplitTag(1), SplitEvent::Ended);
    assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime(110)));
    let parts = op.snapshot(Epoch(1)).unwrap();
    let mut next = AssignWatermark::new(&init(), spec(Emit::OnEvent));
    next.restore(&parts).unwrap();
    next.on_split(SplitTag(7), SplitEvent::Added { id: "a" });
    assert_eq!(feed(&mut next, 7, "+I 110 1 | +I 111 1"), [110, NOT]);
    assert_eq!(next.watermark(Watermark::At(EventTime::MAX)), Watermark::At(EventTime::MAX));
}

#[test]
fn on_periodic_moves_after_the_batch() {
    let mut op = AssignWatermark::new(&init(), spec(Emit::OnPeriodic));
    op.on_split(SplitTag(0), SplitEvent::Added { id: "a" });
    assert_eq!(feed(&mut op, 0, "+I 100 1 | +I 90 1"), [NOT, NOT]);
    assert_eq!(feed(&mut op, 0, "+I 90 1 | +I 91 1"), [90, NOT]);
}

#[test]
fn quiet_splits_and_wrong_clocks_do_not_decide() {
    let idle = Some(Duration::from_secs(1));
    let max_future = Some(Duration::from_secs(1));
    let of = AssignWatermarkSpec { idle_after: idle, max_future, ..spec(Emit::OnEvent) };
    let mut op = AssignWatermark::new(&init(), of);
    op.on_split(SplitTag(0), SplitEvent::Added { id: "a" });
    op.on_split(SplitTag(1), SplitEvent::Added { id: "b" });
    feed(&mut op, 0, "+I 100 1 | +I 9999999999 1");
    assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime::MIN));
    op.on_split(SplitTag(1), SplitEvent::Quiet { since: ProcessingTime(0) });
    assert_eq!(op.wake_at(), Some(ProcessingTime(1_000)));
    let mut cx = OperatorContext::new(ProcessingTime(1_000));
    op.on_processing_time(&mut cx).unwrap();
    assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime(90)));
}

#[test]
fn a_watermark_that_is_null_asks_for_nothing_and_a_time_that_is_null_is_an_error() {
    let to = DataType::Timestamp(TimeUnit::Millisecond, None);
    let null = lit(ScalarValue::try_from(&to).unwrap());
    let mut op = AssignWatermark::new(&init(), AssignWatermarkSpec::new(0, null));
    assert_eq!(feed(&mut op, 0, "+I 100 1"), [NOT]);
    assert_eq!(op.watermark(Watermark::Idle), Watermark::At(EventTime::MIN));
    let mut cx = OperatorContext::new(ProcessingTime(0));
    let rows = chunk(&schema(&[time("t"), int("v")]), "+I NULL 1");
    let e = op.process(0, rows.into(), &mut cx).unwrap_err();
    assert_eq!(e.to_string(), "time attribute \"t\" is NULL in a row");
}
