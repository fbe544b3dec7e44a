//! Avro and Protobuf by way of their JSON forms: [`headwater_formats`] turns messages into JSON
//! values, and these are read as JSON records are.
//!
//! An Avro schema is made from the table's columns, as Flink makes it: every column is a union
//! with null, timestamps are numbers of their unit, decimals are bytes. A Protobuf message is found
//! by its name in a `.proto` file.
//!
//! What it does not do: be fast. A message is decoded twice.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use headwater_core::{Error, Result};
use headwater_formats::{Avro, Deserializer, ProtobufJson, Serializer, avro, protobuf_json};
use serde_json::{Value, json};

use super::column::Columns;
use super::json::{Json, encode};
use crate::connectors::options::{OptionKind, OptionSpec, Options};
use crate::error::{SqlError, SqlResult};

/// The options of Avro and Protobuf.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "protobuf.schema-file",
        OptionKind::Text,
        "path of the .proto file that has the message",
    ),
    OptionSpec::new(
        "protobuf.message-name",
        OptionKind::Text,
        "full name of the message: package.Message",
    ),
];

/// A format that has a JSON form.
#[derive(Clone, Debug)]
pub struct Bridge(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Avro(Avro<Value>),
    Protobuf(ProtobufJson),
}

impl Bridge {
    /// Avro of these columns.
    ///
    /// # Errors
    /// The name and type of a column that Avro cannot carry.
    pub fn avro(schema: &SchemaRef) -> Result<Bridge, (String, DataType)> {
        let fields = schema.fields().iter().map(|field| {
            let of = avro_type(field.data_type(), &format!("record_{}", field.name()));
            let of = of.ok_or_else(|| (field.name().clone(), field.data_type().clone()))?;
            Ok(json!({"name": field.name(), "type": ["null", of], "default": null}))
        });
        let fields = fields.collect::<Result<Vec<Value>, _>>()?;
        let record = json!({"type": "record", "name": "record", "fields": fields});
        Ok(Bridge(Arc::new(Kind::Avro(avro(&record.to_string())))))
    }

    /// Protobuf of the message that the options name.
    ///
    /// # Errors
    /// The file or the message is not there.
    pub fn protobuf(options: &Options<'_>, prefix: &str) -> SqlResult<Bridge> {
        let file_key = format!("{prefix}protobuf.schema-file");
        let name_key = format!("{prefix}protobuf.message-name");
        let why = "which format 'protobuf' needs";
        let file = options.text(&file_key).ok_or_else(|| options.missing(&file_key, why))?;
        let name = options.text(&name_key).ok_or_else(|| options.missing(&name_key, why))?;
        let schema = std::fs::read_to_string(file)
            .map_err(|e| options.wrong(&file_key, format!("cannot read {file:?}: {e}")))?;
        let format = protobuf_json(&schema, name);
        Deserializer::<Value>::validate(&format).map_err(SqlError::from)?;
        Ok(Bridge(Arc::new(Kind::Protobuf(format))))
    }

    /// The format's name.
    pub fn name(&self) -> &'static str {
        match *self.0 {
            Kind::Avro(_) => "avro",
            Kind::Protobuf(_) => "protobuf",
        }
    }

    /// How rows are written on their way.
    pub fn json(&self) -> Json {
        Json {
            numeric: matches!(*self.0, Kind::Avro(_)),
            // A field that is not there has its default; null is no value of Protobuf.
            ignore_null_fields: matches!(*self.0, Kind::Protobuf(_)),
            ..Json::default()
        }
    }

    /// Reads a record into columns.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(&self, record: &[u8], columns: &mut Columns) -> Result<(), String> {
        let value: Result<Value, _> = match &*self.0 {
            Kind::Avro(format) => format.deserialize(record),
            Kind::Protobuf(format) => format.deserialize(record),
        };
        let text = value.map_err(String::from)?.to_string();
        self.json().read(text.as_bytes(), columns)
    }

    /// Writes a row.
    ///
    /// # Errors
    /// `Data`: the message has no such field, or none of that type.
    pub fn write(&self, rows: &encode::Rows<'_>, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let mut text = Vec::new();
        rows.write(row, &mut text);
        let value: Value = serde_json::from_slice(&text)
            .map_err(|e| Error::internal("a row is no JSON").because(e))?;
        match &*self.0 {
            Kind::Avro(format) => format.serialize(&value, out),
            Kind::Protobuf(format) => format.serialize(&value, out),
        }
    }
}

/// The Avro schema of a type; none if there is none.
fn avro_type(of: &DataType, name: &str) -> Option<Value> {
    let nullable = |of: &DataType, name: &str| Some(json!(["null", avro_type(of, name)?]));
    Some(match of {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Decimal128(precision, scale) => json!({
            "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale
        }),
        DataType::Date32 => json!({"type": "int", "logicalType": "date"}),
        DataType::Time32(TimeUnit::Millisecond) => {
            json!({"type": "int", "logicalType": "time-millis"})
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            json!({"type": "long", "logicalType": "timestamp-millis"})
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            json!({"type": "long", "logicalType": "timestamp-micros"})
        }
        DataType::List(item) => {
            json!({"type": "array", "items": nullable(item.data_type(), name)?})
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if *entry[0].data_type() == DataType::Utf8 => {
                json!({"type": "map", "values": nullable(entry[1].data_type(), name)?})
            }
            _ => return None,
        },
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let name = format!("{name}_{}", field.name());
                let of = nullable(field.data_type(), &name)?;
                Some(json!({"name": field.name(), "type": of, "default": null}))
            });
            json!({"type": "record", "name": name, "fields": fields.collect::<Option<Vec<_>>>()?})
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
