use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};

use super::*;
use crate::connectors::testing::table;

fn schema(columns: Vec<(&str, DataType)>) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, of)| Field::new(name, of, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn twice(bridge: &Bridge, schema: &SchemaRef, json: &str) -> String {
    let mut columns = Columns::new(schema).unwrap();
    Json::default().read(json.as_bytes(), &mut columns).unwrap();
    let data = columns.finish().unwrap();
    let mut message = Vec::new();
    let rows = encode::Rows::new(bridge.json(), &data).unwrap();
    bridge.write(&rows, 0, &mut message).unwrap();
    bridge.read(&message, &mut columns).unwrap();
    let data = columns.finish().unwrap();
    let mut out = Vec::new();
    encode::Rows::new(Json::default(), &data).unwrap().write(0, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn avro_messages_have_the_columns() {
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let schema = schema(vec![
        ("id", DataType::Int64),
        ("price", DataType::Decimal128(10, 2)),
        ("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("day", DataType::Date32),
        ("list", DataType::List(item)),
        ("row", DataType::Struct(vec![Field::new("x", DataType::Utf8, true)].into())),
    ]);
    let bridge = Bridge::avro(&schema).unwrap();
    let json = concat!(
        r#"{"id":5,"price":-12.30,"at":"2020-12-30 12:13:14.123","day":"2020-12-30","#,
        r#""list":[1,null],"row":{"x":"a"}}"#
    );
    assert_eq!(twice(&bridge, &schema, json), json);
    let nulls = r#"{"id":null,"price":null,"at":null,"day":null,"list":null,"row":null}"#;
    assert_eq!(twice(&bridge, &schema, nulls), nulls);
    let mut columns = Columns::new(&schema).unwrap();
    assert!(bridge.read(b"\x02", &mut columns).is_err());
    assert_eq!(columns.len(), 0);
}

#[test]
fn what_avro_lacks_is_named() {
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let refused = Bridge::avro(&schema(vec![("t", nanos.clone())])).unwrap_err();
    assert_eq!(refused, ("t".to_owned(), nanos));
}

#[test]
fn protobuf_messages_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("order.proto");
    let proto = r#"syntax = "proto3"; package shop;
        message Order { int64 id = 1; string name = 2; repeated int32 parts = 3; }"#;
    std::fs::write(&file, proto).unwrap();
    let file = file.to_str().unwrap();
    let made = |file: &str, name: &str| {
        let options = [
            ("connector", "kafka"),
            ("protobuf.schema-file", file),
            ("protobuf.message-name", name),
        ];
        let table = table(&[], &options);
        Bridge::protobuf(&Options::check(&table, OPTIONS).unwrap(), "")
    };
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let schema = schema(vec![
        ("id", DataType::Int64),
        ("name", DataType::Utf8),
        ("parts", DataType::List(item)),
    ]);
    let bridge = made(file, "shop.Order").unwrap();
    let json = r#"{"id":5,"name":"a","parts":[1,2]}"#;
    assert_eq!(twice(&bridge, &schema, json), json);
    assert!(made(file, "shop.Odrer").unwrap_err().message.contains("Odrer"));
    assert!(made("/no/such.proto", "x").unwrap_err().message.contains("cannot read"));
}
