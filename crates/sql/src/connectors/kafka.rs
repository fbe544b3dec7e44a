//! Kafka topics as tables: `kafka`, records as they come, and `upsert-kafka`, the last record of
//! each key.
//!
//! A partition is a split, a position is an offset. Key and value have formats of their own;
//! topic, partition, offset, timestamp, headers and the key's bytes are metadata columns. An
//! `upsert-kafka` row replaces the row of its key, and a record without a value removes it.
//!
//! What it does not do: formats that ask a schema registry; a partitioner written in Java.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Fields, Schema, SchemaRef};
use headwater_core::BadRecordPolicy;
use headwater_kafka::Cluster;

use super::options::{OptionKind, OptionSpec, Options};
use super::{ChangelogMode, Connector, Projection, TableSink, TableSource};
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::{self, Format};

mod client;
mod reading;
mod records;
#[cfg(test)]
mod tests;

/// The connector's name.
pub const NAME: &str = "kafka";
/// The name of the connector of the last record of each key.
pub const UPSERT_NAME: &str = "upsert-kafka";

/// The connector.
pub const CONNECTOR: Connector = Connector {
    name: NAME,
    help: "the records of Kafka topics",
    reads: true,
    writes: true,
    options: OPTIONS,
    formats: &["", "key.", "value."],
};

/// The connector of the last record of each key.
pub const UPSERT: Connector = Connector {
    name: UPSERT_NAME,
    help: "the last record of each key of a Kafka topic",
    reads: true,
    writes: true,
    options: OPTIONS,
    formats: &["", "key.", "value."],
};

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new("topic", OptionKind::Text, "the topic; several to read, separated by ;"),
    OptionSpec::new("topic-pattern", OptionKind::Text, "a regular expression of topics to read"),
    OptionSpec::new("properties.bootstrap.servers", OptionKind::Text, "brokers: host:port, …")
        .required(),
    OptionSpec::new(
        "properties.group.id",
        OptionKind::Text,
        "the consumer group that offsets are committed to after each checkpoint",
    ),
    OptionSpec::new("properties.#", OptionKind::Text, "an option of the Kafka client"),
    formats::FORMAT,
    OptionSpec::new("value.format", OptionKind::Text, "the same as 'format'"),
    OptionSpec::new("key.format", OptionKind::Text, "what keys look like"),
    OptionSpec::new("key.fields", OptionKind::Text, "columns that the key has, separated by ;"),
    OptionSpec::new(
        "key.fields-prefix",
        OptionKind::Text,
        "what names of the key's columns begin with in the table",
    ),
    OptionSpec::new(
        "value.fields-include",
        OptionKind::Choice(&["all", "except_key"]),
        "whether values have the key's columns too",
    )
    .or("all"),
    OptionSpec::new(
        "scan.startup.mode",
        OptionKind::Choice(&[
            "earliest-offset",
            "latest-offset",
            "group-offsets",
            "timestamp",
            "specific-offsets",
        ]),
        "where reading begins without a checkpoint; group-offsets if there is a group.id, \
         otherwise earliest-offset",
    ),
    OptionSpec::new(
        "scan.startup.specific-offsets",
        OptionKind::Text,
        "partition:0,offset:42;partition:1,offset:300",
    ),
    OptionSpec::new(
        "scan.startup.timestamp-millis",
        OptionKind::Integer,
        "milliseconds since 1970 of the first record",
    ),
    OptionSpec::new(
        "scan.bounded.mode",
        OptionKind::Choice(&["unbounded", "latest-offset", "timestamp", "specific-offsets"]),
        "where the table ends; latest-offset: at what is the end when the job starts",
    )
    .or("unbounded"),
    OptionSpec::new(
        "scan.bounded.specific-offsets",
        OptionKind::Text,
        "partition:0,offset:42;partition:1,offset:300",
    ),
    OptionSpec::new(
        "scan.bounded.timestamp-millis",
        OptionKind::Integer,
        "milliseconds since 1970 before which records are read",
    ),
    OptionSpec::new(
        "scan.topic-partition-discovery.interval",
        OptionKind::Duration,
        "how often new partitions are looked for; 0: only at the start",
    )
    .or("30 s"),
    OptionSpec::new(
        "scan.on-gap",
        OptionKind::Choice(&["fail", "continue"]),
        "what happens when records before the position are gone",
    )
    .or("fail"),
    OptionSpec::new(
        "sink.partitioner",
        OptionKind::Choice(&["default"]),
        "how partitions are chosen: by the key as the Java client does, or spread",
    )
    .or("default"),
    OptionSpec::new(
        "sink.delivery-guarantee",
        OptionKind::Choice(&["at-least-once", "exactly-once"]),
        "whether records may be there twice after a failure",
    )
    .or("at-least-once"),
    OptionSpec::new(
        "sink.transactional-id-prefix",
        OptionKind::Text,
        "accepted for compatibility; names are made from the job's and the sink's",
    ),
];

/// The parts of a table's records.
struct Layout {
    value: Format,
    /// The fields of values.
    value_fields: SchemaRef,
    key: Option<Key>,
    upsert: bool,
}

struct Key {
    format: Format,
    /// The fields of keys, by their own names.
    fields: SchemaRef,
    /// What their names begin with in the table.
    prefix: String,
}

impl Layout {
    /// What the options say about records with these columns.
    fn of(options: &Options<'_>, columns: &SchemaRef) -> SqlResult<Layout> {
        let table = options.table();
        let upsert = table.connector()? == UPSERT_NAME;
        let prefix = options.text("key.fields-prefix").unwrap_or_default();
        let names: Vec<&str> = if upsert {
            if table.primary_key.is_empty() {
                let message = format!("table `{}` has no primary key", table.name);
                return Err(SqlError::new(codes::KEY_NEEDED, message)
                    .help("connector 'upsert-kafka' needs PRIMARY KEY (…) NOT ENFORCED"));
            }
            table.primary_key.iter().map(|i| table.field(*i).name().as_str()).collect()
        } else {
            let fields = options.text("key.fields").unwrap_or_default();
            fields.split(';').filter(|name| !name.is_empty()).collect()
        };
        let key = if options.is_set("key.format") || upsert {
            if names.is_empty() {
                return Err(options.missing("key.fields", "which 'key.format' needs"));
            }
            Some(key(options, columns, &names, prefix)?)
        } else if names.is_empty() {
            None
        } else {
            return Err(options.missing("key.format", "which 'key.fields' needs"));
        };
        let except = options.choice("value.fields-include").as_deref() == Some("except_key");
        if !prefix.is_empty() && !except {
            let message = "'key.fields-prefix' needs 'value.fields-include' = 'EXCEPT_KEY'";
            return Err(options.wrong("key.fields-prefix", message));
        }
        let inside = |field: &&Arc<Field>| !except || !names.contains(&field.name().as_str());
        let fields: Fields = columns.fields().iter().filter(inside).cloned().collect();
        let value_fields = Arc::new(Schema::new(fields));
        let (format_key, prefix) = match options.is_set("value.format") {
            true => ("value.format", "value."),
            false => ("format", ""),
        };
        let value = Format::of(options, format_key, prefix, &value_fields)?;
        if matches!(value, Format::Parquet) {
            let message = "records of Kafka can't be Parquet";
            return Err(table.value_error(format_key, codes::BAD_OPTION, message));
        }
        if upsert && value.is_changelog() {
            let message = "'upsert-kafka' can't have a format that tells changes by itself";
            return Err(table.value_error(format_key, codes::BAD_OPTION, message));
        }
        Ok(Layout { value, value_fields, key, upsert })
    }
}

fn key(options: &Options<'_>, columns: &SchemaRef, names: &[&str], prefix: &str) -> SqlResult<Key> {
    let fields = names.iter().map(|name| {
        let field = columns.field_with_name(name).map_err(|_| {
            let message = format!("option 'key.fields' names `{name}`, which is no column");
            let names = columns.fields().iter().map(|field| field.name().as_str());
            options.wrong("key.fields", message).names(name, "columns", names)
        })?;
        match name.strip_prefix(prefix) {
            Some(own) if !own.is_empty() => Ok(Arc::new(field.clone().with_name(own))),
            _ => {
                let message = format!("column `{name}` does not begin with '{prefix}'");
                Err(options.wrong("key.fields-prefix", message))
            }
        }
    });
    let fields = Arc::new(Schema::new(fields.collect::<SqlResult<Fields>>()?));
    let format = Format::of(options, "key.format", "key.", &fields)?;
    if format.is_changelog() || matches!(format, Format::Parquet) {
        let message = format!("format '{}' is not for keys", format.name());
        return Err(options.table().value_error("key.format", codes::BAD_OPTION, message));
    }
    Ok(Key { format, fields, prefix: prefix.to_owned() })
}

/// The source of a table.
pub fn source(options: &Options<'_>, projection: Projection) -> SqlResult<TableSource> {
    let table = options.table();
    let layout = Layout::of(options, &projection.record)?;
    reading::check_metadata(&projection)?;
    let changelog = if layout.upsert {
        let key = projection.places_of(&table.primary_key);
        ChangelogMode::Upsert(key.ok_or_else(|| {
            SqlError::internal(format!("the key of table `{}` was not wanted", table.name))
        })?)
    } else if layout.value.is_changelog() {
        ChangelogMode::Retract
    } else {
        ChangelogMode::Append
    };
    let bad_records = match layout.value.leaves_out_bad_records() {
        true => BadRecordPolicy::Skip,
        false => BadRecordPolicy::default(),
    };
    let schema = Arc::clone(&projection.schema);
    let (source, bounded) = reading::source(options, layout, &projection)?;
    Ok(TableSource { source, schema, bounded, changelog, bad_records })
}

/// The sink of a table.
pub fn sink(options: &Options<'_>) -> SqlResult<TableSink> {
    let table = options.table();
    let written = table.written_columns();
    let columns: SchemaRef = Arc::new(table.schema.project(&table.physical())?);
    let layout = Layout::of(options, &columns)?;
    let accepts = if layout.upsert {
        let key = table.primary_key.iter();
        let place = |column: &usize| written.iter().position(|w| w == column);
        ChangelogMode::Upsert(key.filter_map(place).collect())
    } else if layout.value.is_changelog() {
        ChangelogMode::Retract
    } else {
        ChangelogMode::Append
    };
    let schema: SchemaRef = Arc::new(table.schema.project(&written)?);
    let sink = records::sink(options, layout, &written)?;
    Ok(TableSink { sink, schema, accepts })
}

/// The brokers of a table.
fn cluster(options: &Options<'_>) -> SqlResult<Cluster> {
    client::cluster(options)
}

/// The topics of a table.
fn topics<'a>(options: &Options<'a>) -> SqlResult<Vec<&'a str>> {
    let Some(topics) = options.text("topic") else {
        return Err(options.missing("topic", "which connector 'kafka' needs"));
    };
    let topics: Vec<&str> = topics.split(';').map(str::trim).filter(|t| !t.is_empty()).collect();
    if topics.is_empty() {
        return Err(options.wrong("topic", "option 'topic' is empty"));
    }
    Ok(topics)
}
