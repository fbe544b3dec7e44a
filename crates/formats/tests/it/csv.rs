//! CSV.

use headwater_core::ErrorKind;
use headwater_formats::{Deserializer, Serializer, csv};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::hostile::survives;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    sensor: String,
    value: Option<f64>,
    ok: bool,
}

const NAMES: [&str; 3] = ["sensor", "value", "ok"];

fn write(value: &Reading) -> Vec<u8> {
    let mut out = Vec::new();
    csv::<Reading>().columns(NAMES).serialize(value, &mut out).unwrap();
    out
}

#[test]
fn rows_are_quoted_where_they_must_be() {
    let row = Reading { sensor: "a,\"b\"\nc".into(), value: None, ok: true };
    let out = write(&row);
    assert_eq!(out, b"\"a,\"\"b\"\"\nc\",,true");
    assert_eq!(csv::<Reading>().deserialize(&out).unwrap(), row, "by position");
    let shuffled = csv::<Reading>().columns(["ok", "unused", "value", "sensor"]);
    assert_eq!(shuffled.deserialize(b"false,x,-1,s\r\n").unwrap().value, Some(-1.0));
}

#[test]
fn refusals_say_what_is_wrong() {
    let format = csv::<Reading>().columns(NAMES);
    let refused = |bytes: &[u8]| format.deserialize(bytes).unwrap_err().to_string();
    assert_eq!(refused(b"a,1"), "csv: 2 fields, 3 columns");
    assert_eq!(refused(b"a,x,true"), "csv: column \"value\": invalid float literal");
    assert_eq!(refused(b"a,1,true\nb,2,true"), "csv: another row from byte 9 on");
    assert_eq!(refused(&b",".repeat(1 << 17)), "csv: more than 65536 fields");
    assert_eq!(refused(b"\n"), "csv: no row");
    let reason = csv::<Reading>().deserialize(b"a,1,2").unwrap_err().to_string();
    assert_eq!(reason, "csv: field 3: provided string was not `true` or `false`");
}

#[test]
fn columns_in_another_order_than_the_fields_are_not_written() {
    let row = Reading { sensor: "s".into(), value: Some(1.0), ok: true };
    let format = csv::<Reading>().columns(["ok", "value", "sensor"]);
    let error = format.serialize(&row, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(error.to_string(), "csv: the record's fields are not: ok, value, sensor");
    let mut out = Vec::new();
    let tuples = csv::<(u8, u8)>().columns(["a", "b"]);
    tuples.serialize(&(1, 2), &mut out).unwrap();
    assert_eq!(out, b"1,2", "a tuple has no names");
}

#[test]
fn a_delimiter_that_cannot_be_one_is_found_before_the_job_starts() {
    let format = csv::<Reading>().delimiter(b'"');
    let error = Deserializer::validate(&format).unwrap_err();
    assert_eq!(error.to_string(), "csv: '\\\"' cannot separate fields");
    assert!(Serializer::validate(&csv::<Reading>().delimiter(b'\t')).is_ok());
}

#[test]
fn any_bytes_are_survived() {
    let good: &[u8] = b"\"a,\"\"b\"\"\",1.5,true\r\n";
    survives(&csv::<Reading>().columns(NAMES), "csv: ", &[good]);
    survives(&csv::<Vec<String>>(), "csv: ", &[good, &b",".repeat(100)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_row_comes_back(sensor in ".*", value in proptest::option::of(any::<i32>()), ok: bool) {
        let row = Reading { sensor, value: value.map(f64::from), ok };
        let read = csv::<Reading>().columns(NAMES).deserialize(&write(&row));
        prop_assert_eq!(read.map_err(String::from), Ok(row));
    }
}
