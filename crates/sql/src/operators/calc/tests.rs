//! However a step is arranged, its rows are those of the plain way.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::{binary, col, lit};
use datafusion::prelude::SessionContext;
use headwater_core::{ProcessingTime, SplitTag};
use proptest::prelude::*;

use super::*;
use crate::functions::{Mode, register};
use crate::operators::testing::{chunk, drain, int, lines, schema, show, text};

/// A filter, or none, and a projection.
const STEPS: &[(&str, &[&str])] = &[
    ("a > 1", &["CASE WHEN a = 2 THEN b WHEN a = 3 THEN a END", "lower(s)", "lower(s)"]),
    ("", &["CASE WHEN lower(s) = 'x' THEN '0' WHEN lower(s) = 'y' THEN s ELSE lower(s) END"]),
    ("", &["CASE WHEN a IS NULL THEN 'none' WHEN a > b THEN s END", "a", "a"]),
    ("lower(s) = 'x' OR lower(s) IN ('y', 'xy')", &["lower(s)", "a", "upper(s)"]),
    ("lower(s) = 'x' OR a > 0", &["CASE WHEN lower(s) = 'x' THEN a ELSE b END", "1"]),
    ("a / 2 > 0 AND b > 0", &["a / 2 + b", "a / 2"]),
    ("b <> 0", &["a / b", "a / b + 1"]),
    (
        "a > 0 OR b = 0",
        &["CASE WHEN b <> 0 THEN a / b ELSE 0 END", "CASE WHEN b <> 0 THEN a / b END"],
    ),
    ("split_index(s, 'x', 0) = ''", &["split_index(s, 'x', 1)", "split_index(s, 'x', 0)"]),
    (
        "regexp_extract(s, '(x|y)+', 1) IS NOT NULL",
        &["CASE WHEN s = 'x' THEN '0' ELSE regexp_extract(s, '(x|y)+', 1) END"],
    ),
    ("a > 100", &["lower(s)"]),
    ("true", &["2"]),
];

fn physical(text: &str, input: &SchemaRef) -> PhysExpr {
    let mut context = SessionContext::new();
    register(&mut context, Mode::Streaming).unwrap();
    let input = DFSchema::try_from(input.as_ref().clone()).unwrap();
    let expr = context.parse_sql_expr(text, &input).unwrap();
    context.create_physical_expr(expr, &input).unwrap()
}

fn plainly(
    filter: Option<&PhysExpr>,
    project: &[PhysExpr],
    data: &RecordBatch,
    output: &SchemaRef,
) -> Result<Vec<String>, DataFusionError> {
    let kept = match filter {
        None => data.clone(),
        Some(filter) => {
            let keep = filter.evaluate(data)?.into_array(data.num_rows())?;
            filter_record_batch(data, keep.as_boolean())?
        }
    };
    let value = |e: &PhysExpr| e.evaluate(&kept)?.into_array(kept.num_rows());
    let columns = project.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    Ok(lines(&Chunk::inserts(RecordBatch::try_new(Arc::clone(output), columns)?)))
}

proptest! {
    #[test]
    fn rows_are_those_of_the_plain_way(
        rows in prop::collection::vec(
            (prop::option::of(-1i64..5), prop::option::of(-1i64..3), prop::option::of("[xyXY]{1,2}")),
            1..12,
        ),
    ) {
        let input = schema(&[int("a"), int("b"), text("s")]);
        let row = |(a, b, s): &(Option<i64>, Option<i64>, Option<String>)| {
            format!("+I {} {} {}", show(*a), show(*b), show(s.clone()))
        };
        let chunk = chunk(&input, &rows.iter().map(row).collect::<Vec<_>>().join(" | "));
        for (filter, project) in STEPS {
            let filter = (!filter.is_empty()).then(|| physical(filter, &input));
            let project: Vec<PhysExpr> = project.iter().map(|e| physical(e, &input)).collect();
            let fields: Vec<_> = project.iter().map(|e| {
                Field::new("c", e.data_type(&input).unwrap(), true)
            }).collect();
            let output: SchemaRef = Arc::new(Schema::new(fields));
            let Ok(expected) = plainly(filter.as_ref(), &project, &chunk.data, &output) else {
                continue;
            };
            let mut calc = Calc::new(filter, Some(project), output);
            let mut cx = OperatorContext::new(ProcessingTime(0));
            calc.process(0, chunk.clone().into(), &mut cx).unwrap();
            prop_assert_eq!(drain(&mut cx), expected);
        }
    }
}

#[test]
fn filters_projects_and_keeps_kinds_and_splits() {
    let input = schema(&[int("a"), int("b")]);
    let positive = binary(col("a", &input).unwrap(), Op::Gt, lit(0i64), &input).unwrap();
    let sum =
        binary(col("a", &input).unwrap(), Op::Plus, col("b", &input).unwrap(), &input).unwrap();
    let output = schema(&[int("sum")]);
    let mut calc = Calc::new(Some(positive), Some(vec![sum]), output);
    let mut cx = OperatorContext::new(ProcessingTime(0));
    let batch = Batch::from(chunk(&input, "+I 1 2 | -U -1 5 | +U NULL 3 | -D 7 NULL"));
    calc.process(0, batch.with_split(SplitTag(3)), &mut cx).unwrap();
    assert_eq!((cx.emitted[0].1.split(), cx.counts.filtered), (SplitTag(3), 2));
    assert_eq!(drain(&mut cx), ["+I 3", "-D NULL"]);
}

#[test]
fn processing_time_is_a_column_and_errors_name_what_failed() {
    let input = schema(&[int("a")]);
    let ltz = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let fields = [input.field(0).clone(), Field::new("now", ltz.clone(), false)];
    let with_now: SchemaRef = Arc::new(Schema::new(fields.to_vec()));
    let output: SchemaRef = Arc::new(Schema::new(vec![Field::new("p", ltz, false)]));
    let project = vec![col("now", &with_now).unwrap()];
    let mut calc = Calc::new(None, Some(project), output).with_processing_time(with_now);
    let mut cx = OperatorContext::new(ProcessingTime(0));
    cx.enter(ProcessingTime(1_500), EventTime::MIN, SplitTag::NONE);
    calc.process(0, chunk(&input, "+I 1").into(), &mut cx).unwrap();
    assert_eq!(drain(&mut cx), ["+I 1970-01-01T00:00:01.500Z"]);

    let zero = binary(lit(1i64), Op::Divide, col("a", &input).unwrap(), &input).unwrap();
    let mut calc = Calc::new(None, Some(vec![zero]), schema(&[int("q")]));
    let e = calc.process(0, chunk(&input, "+I 0").into(), &mut cx).unwrap_err();
    assert_eq!(e.to_string(), "division by zero");
}
