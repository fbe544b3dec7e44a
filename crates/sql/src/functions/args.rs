//! A call of a function: typed views of its arguments, and builders of its result.
//!
//! A view gives `None` for NULL, so that `?` in a closure of options makes "NULL in, NULL out" the
//! short way to write a function.

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, Float64Array,
    Int64Array, PrimitiveArray, StringArray, StringBuilder,
};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err};
use datafusion::logical_expr::ColumnarValue;

use super::native::Spec;

/// A call of a function over one batch.
pub(crate) struct Call<'a> {
    /// The function.
    pub spec: &'static Spec,
    /// Its arguments.
    pub args: &'a [ColumnarValue],
    /// How many rows to give.
    pub rows: usize,
    /// Type of the result.
    pub returns: &'a DataType,
    /// Settings of the session.
    pub config: &'a ConfigOptions,
}

/// A column, or one value that stands for all rows.
pub(crate) enum View<C, V> {
    /// One value.
    One(Option<V>),
    /// A column.
    Column(C),
}

/// Strings.
pub(crate) type Texts<'a> = View<&'a StringArray, &'a str>;
/// Integers.
pub(crate) type Ints<'a> = View<&'a Int64Array, i64>;
/// Floats.
pub(crate) type Doubles<'a> = View<&'a Float64Array, f64>;
/// Bytes.
pub(crate) type Blobs<'a> = View<&'a BinaryArray, &'a [u8]>;

macro_rules! at {
    ($view:ident, $value:ty) => {
        impl<'a> $view<'a> {
            /// The value of a row; none: NULL.
            #[inline]
            pub(crate) fn at(&self, row: usize) -> Option<$value> {
                match self {
                    View::One(value) => *value,
                    View::Column(column) => column.is_valid(row).then(|| column.value(row)),
                }
            }
        }
    };
}
at!(Texts, &'a str);
at!(Ints, i64);
at!(Doubles, f64);
at!(Blobs, &'a [u8]);

impl<'a> Call<'a> {
    /// An error of this call.
    pub(crate) fn error(&self, message: impl std::fmt::Display) -> DataFusionError {
        DataFusionError::Execution(format!("function {}: {message}", self.name()))
    }

    /// The function's name as users write it.
    pub(crate) fn name(&self) -> String {
        self.spec.name.to_uppercase()
    }

    /// Whether argument `i` was given.
    pub(crate) fn has(&self, i: usize) -> bool {
        i < self.args.len()
    }

    /// Argument `i` as a column of `rows` values.
    pub(crate) fn array(&self, i: usize) -> Result<ArrayRef> {
        match self.args.get(i) {
            Some(arg) => arg.clone().into_array(self.rows),
            None => internal_err!("function {} has no argument {}", self.name(), i + 1),
        }
    }

    /// Argument `i` as strings.
    pub(crate) fn texts(&self, i: usize) -> Result<Texts<'a>> {
        match self.args.get(i) {
            Some(ColumnarValue::Array(array)) => match array.as_string_opt::<i32>() {
                Some(column) => Ok(View::Column(column)),
                None => self.mistyped(i, array.data_type()),
            },
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(text))) => Ok(View::One(text.as_deref())),
            Some(ColumnarValue::Scalar(other)) if other.is_null() => Ok(View::One(None)),
            other => self.mistyped(i, &data_type(other)),
        }
    }

    /// Argument `i` as integers.
    pub(crate) fn ints(&self, i: usize) -> Result<Ints<'a>> {
        match self.args.get(i) {
            Some(ColumnarValue::Array(array)) => match array.as_primitive_opt::<Int64Type>() {
                Some(column) => Ok(View::Column(column)),
                None => self.mistyped(i, array.data_type()),
            },
            Some(ColumnarValue::Scalar(ScalarValue::Int64(value))) => Ok(View::One(*value)),
            Some(ColumnarValue::Scalar(other)) if other.is_null() => Ok(View::One(None)),
            other => self.mistyped(i, &data_type(other)),
        }
    }

    /// Argument `i` as floats.
    pub(crate) fn doubles(&self, i: usize) -> Result<Doubles<'a>> {
        match self.args.get(i) {
            Some(ColumnarValue::Array(array)) => match array.as_primitive_opt::<Float64Type>() {
                Some(column) => Ok(View::Column(column)),
                None => self.mistyped(i, array.data_type()),
            },
            Some(ColumnarValue::Scalar(ScalarValue::Float64(value))) => Ok(View::One(*value)),
            Some(ColumnarValue::Scalar(other)) if other.is_null() => Ok(View::One(None)),
            other => self.mistyped(i, &data_type(other)),
        }
    }

    /// Argument `i` as bytes.
    pub(crate) fn blobs(&self, i: usize) -> Result<Blobs<'a>> {
        match self.args.get(i) {
            Some(ColumnarValue::Array(array)) => match array.as_binary_opt::<i32>() {
                Some(column) => Ok(View::Column(column)),
                None => self.mistyped(i, array.data_type()),
            },
            Some(ColumnarValue::Scalar(ScalarValue::Binary(bytes))) => {
                Ok(View::One(bytes.as_deref()))
            }
            Some(ColumnarValue::Scalar(other)) if other.is_null() => Ok(View::One(None)),
            other => self.mistyped(i, &data_type(other)),
        }
    }

    fn mistyped<T>(&self, i: usize, got: &DataType) -> Result<T> {
        internal_err!("argument {} of function {} was evaluated as {got}", i + 1, self.name())
    }

    /// Strings, one a row.
    pub(crate) fn to_texts<S: AsRef<str>>(
        &self,
        mut of: impl FnMut(usize) -> Option<S>,
    ) -> Result<ArrayRef> {
        self.try_texts(|row| of(row).map(Ok))
    }

    /// Strings, one a row; stops at the first error.
    pub(crate) fn try_texts<S: AsRef<str>>(
        &self,
        mut of: impl FnMut(usize) -> Option<Result<S>>,
    ) -> Result<ArrayRef> {
        let mut builder = StringBuilder::with_capacity(self.rows, self.rows * 16);
        for row in 0..self.rows {
            match of(row) {
                Some(text) => builder.append_value(text?),
                None => builder.append_null(),
            }
        }
        Ok(std::sync::Arc::new(builder.finish()))
    }

    /// Strings, one a row, each written to a buffer. It holds the last row's string when the next
    /// one is asked for, which may leave it as it is.
    pub(crate) fn write_texts(
        &self,
        mut write: impl FnMut(usize, &mut String) -> Option<Result<()>>,
    ) -> Result<ArrayRef> {
        let mut builder = StringBuilder::with_capacity(self.rows, self.rows * 16);
        let mut text = String::new();
        for row in 0..self.rows {
            match write(row, &mut text) {
                Some(written) => {
                    written?;
                    builder.append_value(&text);
                }
                None => builder.append_null(),
            }
        }
        Ok(std::sync::Arc::new(builder.finish()))
    }

    /// Numbers, dates or times, one a row, typed as the call returns.
    pub(crate) fn to_values<P: ArrowPrimitiveType>(
        &self,
        of: impl FnMut(usize) -> Option<P::Native>,
    ) -> Result<ArrayRef> {
        let values: PrimitiveArray<P> = (0..self.rows).map(of).collect();
        Ok(std::sync::Arc::new(values.with_data_type(self.returns.clone())))
    }

    /// As [`Call::to_values`]; stops at the first error.
    pub(crate) fn try_values<P: ArrowPrimitiveType>(
        &self,
        mut of: impl FnMut(usize) -> Option<Result<P::Native>>,
    ) -> Result<ArrayRef> {
        let values: Result<PrimitiveArray<P>> =
            (0..self.rows).map(|row| of(row).transpose()).collect();
        Ok(std::sync::Arc::new(values?.with_data_type(self.returns.clone())))
    }

    /// Truth values, one a row.
    pub(crate) fn to_bools(&self, of: impl FnMut(usize) -> Option<bool>) -> Result<ArrayRef> {
        Ok(std::sync::Arc::new((0..self.rows).map(of).collect::<BooleanArray>()))
    }

    /// As [`Call::to_bools`]; stops at the first error.
    pub(crate) fn try_bools(
        &self,
        mut of: impl FnMut(usize) -> Option<Result<bool>>,
    ) -> Result<ArrayRef> {
        let values: Result<BooleanArray> = (0..self.rows).map(|row| of(row).transpose()).collect();
        Ok(std::sync::Arc::new(values?))
    }

    /// Bytes, one a row; stops at the first error.
    pub(crate) fn try_blobs(
        &self,
        mut of: impl FnMut(usize) -> Option<Result<Vec<u8>>>,
    ) -> Result<ArrayRef> {
        let blobs: Result<Vec<_>> = (0..self.rows).map(|row| of(row).transpose()).collect();
        Ok(std::sync::Arc::new(blobs?.into_iter().collect::<BinaryArray>()))
    }
}

fn data_type(arg: Option<&ColumnarValue>) -> DataType {
    arg.map_or(DataType::Null, ColumnarValue::data_type)
}
