//! Generated rows with Flink's options: random or counted values for every column.
//!
//! Row `n` depends on `n` only, so a restart makes the same rows; but for timestamps, which are
//! those of the clock as in Flink. Row `n` comes from split `n mod splits`. Texts are hexadecimal
//! digits.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use headwater_connect::generator::{NumberedSplit, Numbers};
use headwater_connect::{Discovery, Measure, Position, SplitId, Wake};
use headwater_core::{BadRecordPolicy, Batch, Error, ProcessingTime, Result, SplitTag};
use headwater_topology::erased::{AnyReader, AnySource, Chunk as Given};

use super::options::{OptionKind, OptionSpec, Options};
use super::{ChangelogMode, Connector, ConnectorContext, Projection, TableSource};
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::column::Columns;
use crate::rows::{Chunk, READ_ROWS};

mod make;
#[cfg(test)]
mod tests;

use make::Field;

/// The connector's name.
pub const NAME: &str = "datagen";

/// The connector.
pub const CONNECTOR: Connector = Connector {
    name: NAME,
    help: "generated rows: random values, or counted ones",
    reads: true,
    writes: false,
    options: OPTIONS,
    formats: &[],
};

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new("rows-per-second", OptionKind::Number, "rows per second of the clock")
        .or("10000"),
    OptionSpec::new("number-of-rows", OptionKind::Count, "ends after so many; not set: never"),
    OptionSpec::new(
        "fields.#.kind",
        OptionKind::Choice(&["random", "sequence"]),
        "whether the values of column # are random or counted",
    )
    .or("random"),
    OptionSpec::new("fields.#.min", OptionKind::Number, "the least random value"),
    OptionSpec::new("fields.#.max", OptionKind::Number, "the largest random value"),
    OptionSpec::new(
        "fields.#.max-past",
        OptionKind::Duration,
        "how long ago a random timestamp may be; 0: it is now",
    )
    .or("0 ms"),
    OptionSpec::new(
        "fields.#.length",
        OptionKind::Count,
        "length of random texts and bytes (100), number of items of arrays and maps (3)",
    ),
    OptionSpec::new("fields.#.var-len", OptionKind::Boolean, "lengths are random up to 'length'")
        .or("false"),
    OptionSpec::new("fields.#.start", OptionKind::Integer, "where a sequence begins"),
    OptionSpec::new("fields.#.end", OptionKind::Integer, "where a sequence, and the table, ends"),
    OptionSpec::new("fields.#.null-rate", OptionKind::Number, "how many values are null: 0 to 1")
        .or("0"),
    OptionSpec::new(
        "scan.splits",
        OptionKind::Count,
        "how many splits share the rows; 4 or the number of workers unless set. A restored job \
         needs the number that it was started with",
    ),
];

/// The source of a table.
pub fn source(
    options: &Options<'_>,
    projection: Projection,
    cx: &ConnectorContext,
) -> SqlResult<TableSource> {
    if let Some((place, key)) = projection.metadata().first() {
        let column = projection.schema.field(*place).name();
        let message = format!("'{NAME}' has no metadata '{key}', as column `{column}` wants it");
        return Err(SqlError::new(codes::BAD_OPTION, message));
    }
    check_names(options, &projection.record)?;
    // A sequence ends the table whether its column is wanted or not.
    let all = projection.record.fields().iter();
    let all = all.map(|field| Field::new(options, field, field.name()));
    let all = all.collect::<SqlResult<Vec<Field>>>()?;
    let rows = all.iter().filter_map(Field::rows).chain(options.count("number-of-rows")).min();
    let wanted = projection.schema.fields().iter();
    let fields = wanted.map(|field| Field::new(options, field, field.name()));
    let fields: Arc<[Field]> = fields.collect::<SqlResult<_>>()?;
    let numbers = Numbers::new()
        .limit(rows)
        .rate(options.number("rows-per-second"))
        .splits(cx.splits(options));
    numbers.validate(NAME)?;
    let schema = Arc::clone(&projection.schema);
    Ok(TableSource {
        source: Arc::new(Datagen { numbers, fields, schema: Arc::clone(&schema) }),
        schema,
        bounded: rows.is_some(),
        changelog: ChangelogMode::Append,
        bad_records: BadRecordPolicy::default(),
    })
}

/// Refuses options of columns that are not there.
fn check_names(options: &Options<'_>, record: &SchemaRef) -> SqlResult<()> {
    for (rest, _) in options.with_prefix("fields.") {
        let name = rest.rsplit_once('.').map_or(rest, |(name, _)| name);
        let column = name.split('.').next().unwrap_or(name);
        if record.column_with_name(name).is_none() && record.column_with_name(column).is_none() {
            let message =
                format!("option 'fields.{rest}' is of a column that the table does not have");
            let key = format!("fields.{rest}");
            let error = options.table().key_error(&key, codes::UNKNOWN_OPTION, message);
            let columns = record.fields().iter().map(|field| field.name().as_str());
            return Err(error.names(column, "columns", columns));
        }
    }
    Ok(())
}

struct Datagen {
    numbers: Numbers,
    fields: Arc<[Field]>,
    schema: SchemaRef,
}

impl AnySource for Datagen {
    fn validate(&self) -> Result<()> {
        self.numbers.validate(NAME)
    }
    fn splits(&self) -> Result<Vec<SplitId>> {
        self.numbers.ids(NAME)
    }
    fn batch_size(&self) -> usize {
        READ_ROWS
    }
    fn discovery(&self) -> Discovery {
        Discovery::Once
    }
    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn AnyReader>> {
        let numbers = self.numbers.open(NAME, split, position)?;
        let columns = Columns::new(&self.schema)
            .map_err(|(column, _)| Error::internal(format!("column {column} was not refused")))?;
        Ok(Box::new(DatagenReader { numbers, fields: Arc::clone(&self.fields), columns }))
    }
    fn first_position(&self) -> Option<Position> {
        None
    }
    fn checkpointed(&self, _positions: &[(SplitId, Position)]) {}
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
}

struct DatagenReader {
    numbers: NumberedSplit,
    fields: Arc<[Field]>,
    columns: Columns,
}

impl AnyReader for DatagenReader {
    fn read(
        &mut self,
        max: usize,
        elapsed: Duration,
        now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Given> {
        let (numbers, status) = self.numbers.take(max, elapsed);
        let wrong = |reason: String| Error::internal(format!("{NAME}: {reason}"));
        for n in numbers {
            for (field, column) in self.fields.iter().zip(&mut self.columns.columns) {
                field.push(n, now, column).map_err(wrong)?;
            }
            self.columns.row_done();
        }
        let data = self.columns.finish().map_err(|e| {
            Error::data("a generated value is null in a NOT NULL column").because(e)
        })?;
        let batch = Batch::from(Chunk::inserts(data)).with_split(split);
        Ok(Given { batch, bad: Vec::new(), skipped: 0, status })
    }
    fn position(&self) -> Position {
        self.numbers.position()
    }
}
