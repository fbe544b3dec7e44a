//! A column of dates, times or timestamps, read as what a clock on the wall shows, and built from
//! that.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, internal_err};

use crate::functions::args::Call;

use super::civil::{DAY, Local};
use super::zone::Zone;

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A date.
    Date,
    /// A time of day, in so many parts of a second.
    Time(i64),
    /// A timestamp, in so many parts of a second; with a zone where it is a point of time.
    Timestamp(i64, Option<Zone>),
}

fn parts(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

impl Kind {
    /// What a type holds, shown in a zone where it is a point of time.
    pub(crate) fn of(data_type: &DataType, zone: Zone) -> Result<Self> {
        Ok(match data_type {
            DataType::Date32 => Kind::Date,
            DataType::Time32(unit) | DataType::Time64(unit) => Kind::Time(parts(*unit)),
            DataType::Timestamp(unit, None) => Kind::Timestamp(parts(*unit), None),
            DataType::Timestamp(unit, Some(_)) => Kind::Timestamp(parts(*unit), Some(zone)),
            other => return internal_err!("{other} is no date or time"),
        })
    }

    /// What the clock shows for a stored value.
    #[inline]
    pub(crate) fn show(self, value: i64) -> Local {
        let of = |parts: i64| Local {
            seconds: value.div_euclid(parts),
            nanos: value.rem_euclid(parts) * (1_000_000_000 / parts),
        };
        match self {
            Kind::Date => Local { seconds: value * DAY, nanos: 0 },
            Kind::Time(parts) | Kind::Timestamp(parts, None) => of(parts),
            Kind::Timestamp(parts, Some(zone)) => zone.local(of(parts)),
        }
    }

    /// The stored value of what the clock shows; none where it is out of range.
    pub(crate) fn store(self, local: Local) -> Option<i64> {
        let to = |local: Local, parts: i64| {
            local.seconds.checked_mul(parts)?.checked_add(local.nanos / (1_000_000_000 / parts))
        };
        match self {
            Kind::Date => Some(local.seconds.div_euclid(DAY)),
            Kind::Time(parts) => to(Local { seconds: local.second_of_day(), ..local }, parts),
            Kind::Timestamp(parts, None) => to(local, parts),
            Kind::Timestamp(parts, Some(zone)) => to(zone.utc(local), parts),
        }
    }
}

/// A column as [`Local`]s.
pub(crate) struct Times {
    values: Int64Array,
    /// What is stored.
    pub kind: Kind,
}

impl Times {
    /// Argument `i` of a call.
    pub(crate) fn of(call: &Call<'_>, i: usize) -> Result<Self> {
        Self::of_array(&call.array(i)?, Zone::session(call.config)?)
    }

    /// A column, shown in a zone.
    pub(crate) fn of_array(array: &ArrayRef, zone: Zone) -> Result<Self> {
        let kind = Kind::of(array.data_type(), zone)?;
        let array = match array.data_type() {
            DataType::Date32 | DataType::Time32(_) => {
                &datafusion::arrow::compute::cast(array, &DataType::Int32)?
            }
            _ => array,
        };
        let values = datafusion::arrow::compute::cast(array, &DataType::Int64)?;
        Ok(Times { values: values.as_primitive::<Int64Type>().clone(), kind })
    }

    /// What the clock shows in a row; none: NULL.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> Option<Local> {
        self.values.is_valid(row).then(|| self.kind.show(self.values.value(row)))
    }
}

impl Call<'_> {
    /// Dates, times or timestamps, one a row, typed as the call returns.
    pub(crate) fn to_times(&self, mut of: impl FnMut(usize) -> Option<Local>) -> Result<ArrayRef> {
        let kind = Kind::of(self.returns, Zone::session(self.config)?)?;
        self.try_times(|row| {
            let local = of(row)?;
            Some(kind.store(local).ok_or_else(|| self.error("the result is out of range")))
        })
    }

    /// Stored values of dates, times or timestamps, one a row, typed as the call returns.
    pub(crate) fn try_times(
        &self,
        mut of: impl FnMut(usize) -> Option<Result<i64>>,
    ) -> Result<ArrayRef> {
        let mut small = |row| {
            let value = match of(row)? {
                Ok(value) => i32::try_from(value),
                Err(error) => return Some(Err(error)),
            };
            Some(value.map_err(|_| self.error("the result is out of range")))
        };
        match self.returns {
            DataType::Date32 => self.try_values::<Date32Type>(small),
            DataType::Time32(unit) => {
                let values: Result<datafusion::arrow::array::PrimitiveArray<Int32Type>> =
                    (0..self.rows).map(|row| small(row).transpose()).collect();
                let values: ArrayRef = std::sync::Arc::new(values?);
                Ok(datafusion::arrow::compute::cast(&values, &DataType::Time32(*unit))?)
            }
            DataType::Timestamp(TimeUnit::Second, _) => self.try_values::<TimestampSecondType>(of),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                self.try_values::<TimestampMillisecondType>(of)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.try_values::<TimestampMicrosecondType>(of)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                self.try_values::<TimestampNanosecondType>(of)
            }
            DataType::Time64(unit) => {
                let values: Result<Int64Array> =
                    (0..self.rows).map(|row| of(row).transpose()).collect();
                let values: ArrayRef = std::sync::Arc::new(values?);
                Ok(datafusion::arrow::compute::cast(&values, &DataType::Time64(*unit))?)
            }
            other => internal_err!("{other} is no date or time"),
        }
    }
}
