//! Functions that read the clock or the watermark.
//!
//! A streaming operator says what time it is ([`at_moment`]) around the evaluation of a batch, so
//! that all rows of it see one time and a test sees its own. A query over bounded tables sees the
//! time at which it started: the function becomes a constant when the query is optimised.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::functions::args::Call;
use crate::functions::native::{Native, Spec, Types};
use crate::functions::params::Param::Time;
use crate::functions::returns;

use super::civil::{DAY, Local};
use super::times::Kind;
use super::zone::Zone;

/// When a batch of rows is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Processing time, in ms since 1970.
    pub now_ms: i64,
    /// The operator's watermark, in ms since 1970; none: there is none yet.
    pub watermark_ms: Option<i64>,
}

thread_local! {
    static MOMENT: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// Evaluates something at a moment: PROCTIME(), CURRENT_TIMESTAMP, CURRENT_WATERMARK and the like
/// read it.
pub fn at_moment<T>(moment: Moment, evaluate: impl FnOnce() -> T) -> T {
    struct Restore(Option<Moment>);
    impl Drop for Restore {
        fn drop(&mut self) {
            MOMENT.set(self.0);
        }
    }
    let _restore = Restore(MOMENT.replace(Some(moment)));
    evaluate()
}

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("proctime", &[], returns::timestamp_ltz, clock).volatile(),
    Spec::new("now", &[], returns::timestamp_ltz, clock).volatile(),
    Spec::new("current_timestamp", &[], returns::timestamp_ltz, clock).volatile(),
    Spec::new("current_row_timestamp", &[], returns::timestamp_ltz, clock).volatile(),
    Spec::new("localtimestamp", &[], returns::timestamp, clock).volatile(),
    Spec::new("localtime", &[], returns::time, clock).volatile(),
    Spec::new("current_time", &[], returns::time, clock).volatile(),
    Spec::new("current_date", &[], returns::date, clock).volatile(),
    Spec::new("unix_timestamp", &[], returns::bigint, clock).volatile(),
    Spec::new("current_watermark", &[("rowtime", Time)], watermark_type, watermark).volatile(),
];

fn moment(call: &Call<'_>) -> Result<Moment> {
    MOMENT.get().ok_or_else(|| call.error("there is no time outside of a running query"))
}

/// What the function gives at a time in ms since 1970.
fn value(data_type: &DataType, zone: Zone, now_ms: i64) -> Result<ScalarValue> {
    let now = zone.local(Local::of_millis(now_ms));
    Ok(match data_type {
        DataType::Int64 => ScalarValue::Int64(Some(now_ms.div_euclid(1_000))),
        DataType::Date32 => ScalarValue::Date32(i32::try_from(now.date().days()).ok()),
        DataType::Time32(_) => {
            let seconds = now.seconds.rem_euclid(DAY);
            ScalarValue::Time32Millisecond(i32::try_from(seconds * 1_000).ok())
        }
        other => {
            let zone = match other {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            // a point of time is the same in every zone
            let millis = if zone.is_some() { Some(now_ms) } else { now.millis() };
            ScalarValue::TimestampMillisecond(millis, zone)
        }
    })
}

fn clock(call: &Call<'_>) -> Result<ArrayRef> {
    let now = value(call.returns, Zone::session(call.config)?, moment(call)?.now_ms)?;
    now.to_array_of_size(call.rows)
}

/// The type of the rowtime, in milliseconds.
fn watermark_type(types: &Types<'_>) -> Result<DataType> {
    Ok(match types.args.first() {
        Some(DataType::Timestamp(_, zone)) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        _ => DataType::Timestamp(TimeUnit::Millisecond, None),
    })
}

fn watermark(call: &Call<'_>) -> Result<ArrayRef> {
    let watermark = MOMENT.get().and_then(|moment| moment.watermark_ms);
    let value = match Kind::of(call.returns, Zone::Fixed(0))? {
        Kind::Timestamp(_, _) => watermark,
        _ => None,
    };
    call.try_times(|_| value.map(Ok))
}

/// A function of the clock in a query over bounded tables.
#[derive(Debug, PartialEq, Eq)]
struct Started {
    native: ScalarUDF,
    signature: Signature,
}

impl Hash for Started {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.native.hash(state);
    }
}

/// The function of a spec: for a streaming query, or for one over bounded tables.
pub(crate) fn clock_udf(spec: &'static Spec, streaming: bool) -> ScalarUDF {
    let native = Native::udf(spec);
    if streaming {
        return native;
    }
    ScalarUDF::new_from_impl(Started {
        native,
        signature: Signature::user_defined(Volatility::Stable),
    })
}

impl ScalarUDFImpl for Started {
    fn name(&self) -> &str {
        self.native.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.native.inner().return_type(args)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.native.return_field_from_args(args)
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        self.native.coerce_types(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let (Some(started), true) = (info.query_execution_start_time(), args.is_empty()) else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let zone = Zone::session(info.config_options())?;
        let returned = self.return_type(&[])?;
        let now = value(&returned, zone, started.timestamp_millis())?;
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(now, None)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.native.invoke_with_args(args)
    }
}
