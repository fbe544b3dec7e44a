//! The form of rows is pinned: checkpoints depend on it.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::*;
use headwater_core::codec::{decode, encode};
use headwater_core::key_group::hash_key;
use proptest::prelude::*;

use super::sort::{SortCodec, SortColumn};
use super::*;

fn encoded(columns: &[ArrayRef]) -> Vec<Vec<u8>> {
    let codec = RowCodec::new(columns.iter().map(|c| c.data_type().clone()).collect()).unwrap();
    let rows = codec.encode(columns, columns[0].len()).unwrap();
    (0..rows.len()).map(|row| rows.row(row).to_vec()).collect()
}

fn round_trip(columns: &[ArrayRef]) {
    let codec = RowCodec::new(columns.iter().map(|c| c.data_type().clone()).collect()).unwrap();
    let rows = codec.encode(columns, columns[0].len()).unwrap();
    let back = codec.decode((0..rows.len()).map(|row| rows.row(row))).unwrap();
    for (column, back) in columns.iter().zip(&back) {
        assert_eq!(column.data_type(), back.data_type());
        assert_eq!(column, back);
    }
}

#[test]
fn the_form_is_pinned() {
    assert_eq!(ROW_FORMAT, 1);
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(-1), Some(300), None]));
    assert_eq!(encoded(&[ints]), [vec![0, 0], vec![0, 1], vec![0, 0xd8, 4], vec![1]]);
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("ab"), None]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(-0.0)]));
    let two: Vec<Vec<u8>> =
        vec![vec![0, 2, b'a', b'b', 0, 0, 0, 0, 0, 0, 0xf0, 0x3f], vec![1, 0, 0, 0, 0, 0, 0, 0, 0]];
    assert_eq!(encoded(&[text, floats]), two);
    let decimal: ArrayRef =
        Arc::new(Decimal128Array::from(vec![-5]).with_precision_and_scale(20, 2).unwrap());
    let bools: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![19_000]));
    assert_eq!(encoded(&[decimal, bools, dates]), [[0, 9, 1, 0xf0, 0xa8, 2]]);
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        Some(vec![]),
        None,
    ]));
    assert_eq!(encoded(&[list]), [vec![0, 2, 0, 2, 1], vec![0, 0], vec![1]]);
    assert_eq!(hash_row(&[0, 0xd8, 4]), 8_118_224_080_597_469_585);
}

#[test]
fn a_row_has_the_same_bytes_whatever_other_rows_there_are() {
    let ints = [0, -1, 63, 64, 1 << 20, i64::MIN, i64::MAX];
    let column = |nulls: Option<i64>| -> ArrayRef {
        Arc::new(ints.into_iter().map(Some).chain(nulls.map(|_| None)).collect::<Int64Array>())
    };
    let texts = |nulls: Option<i64>| -> ArrayRef {
        let texts = ints.map(|i| Some(format!("text {i}")));
        Arc::new(texts.into_iter().chain(nulls.map(|_| None)).collect::<StringArray>())
    };
    type Columns<'a> = &'a dyn Fn(Option<i64>) -> ArrayRef;
    let of: [Columns<'_>; 2] = [&column, &texts];
    for wanted in [&[0][..], &[1], &[0, 0], &[0, 1], &[1, 0], &[0, 0, 1]] {
        let of = |null| wanted.iter().map(|i| of[*i](null)).collect::<Vec<_>>();
        let (without, with) = (encoded(&of(None)), encoded(&of(Some(0))));
        assert_eq!(without[..], with[..ints.len()], "{wanted:?}");
    }
}

#[test]
fn hashes_are_those_of_keys_at_any_length() {
    for len in [0usize, 1, 15, 16, 17, 62, 63, 64, 65, 126, 127, 128, 129, 20_000] {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x".to_owned(), "y".repeat(len)]));
        let codec = RowCodec::new(vec![DataType::Utf8]).unwrap();
        let rows = codec.encode(&[text], 2).unwrap();
        let key = RowKey::new(rows.row(1));
        assert_eq!((rows.hash(1), key.hash()), (hash_key(&key), hash_key(&key)), "{len}");
        assert_eq!(decode::<RowKey>(&encode(&key).unwrap()).unwrap(), key);
        assert_eq!(rows.hashes()[0], hash_row(rows.row(0)));
    }
}

#[test]
fn equal_as_sql_groups_is_equal_in_bytes() {
    let nan = f64::from_bits(0x7ff8_0000_0000_0001);
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, nan, -nan]));
    let rows = encoded(&[floats]);
    assert_eq!(rows[0], rows[1]);
    assert!(rows[2] == rows[3] && rows[3] == rows[4] && rows[0] != rows[2]);
    let floats: ArrayRef = Arc::new(Float32Array::from(vec![0.0, -0.0, 1.5]));
    let rows = encoded(&[floats]);
    assert!(rows[0] == rows[1] && rows[1] != rows[2]);
}

#[test]
fn every_type_comes_back() {
    let nulls = || Some(NullBuffer::from(vec![true, false, true]));
    let ltz = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let structs = StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Int8, true)),
            Arc::new(Int8Array::from(vec![-1, 0, 1])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("x"), None, None])) as ArrayRef,
        ),
    ]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("k");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(false).unwrap();
    map.append(true).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::new(vec![u64::MAX, 0, 1].into(), nulls())),
        Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, -1])),
        Arc::new(Int32Array::from(vec![i32::MIN, i32::MAX, -1])),
        Arc::new(UInt8Array::from(vec![0, 255, 7])),
        Arc::new(TimestampNanosecondArray::from(vec![1, -1, 0]).with_data_type(ltz)),
        Arc::new(Time32MillisecondArray::from(vec![1, 2, 3])),
        Arc::new(Float32Array::from(vec![1.5, f32::INFINITY, -2.5])),
        Arc::new(Decimal128Array::from(vec![i128::MAX, i128::MIN, 0])),
        Arc::new(Decimal256Array::from(vec![i256::MAX, i256::MIN, i256::ONE])),
        Arc::new(IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, -2, 3); 3])),
        Arc::new(LargeStringArray::from(vec!["", "a", "é"])),
        Arc::new(StringViewArray::from(vec!["", "a", "longer than twelve bytes"])),
        Arc::new(BinaryArray::from(vec![&b""[..], b"\0", b"\xff"])),
        Arc::new(NullArray::new(3)),
        Arc::new(structs),
        Arc::new(map.finish()),
    ];
    round_trip(&columns);
    for column in &columns {
        round_trip(std::slice::from_ref(column));
    }
    round_trip(&[columns[0].slice(1, 2), columns[15].slice(1, 2)]);
}

#[test]
fn damaged_bytes_and_other_types_are_errors() {
    let codec = RowCodec::new(vec![DataType::Int64, DataType::Utf8]).unwrap();
    for bad in [&[0u8, 2][..], &[0, 2, 5, b'a'], &[0, 2, 1, b'a', 0], &[], &[0, 0x80, 0x80]] {
        assert!(codec.decode(std::iter::once(bad)).is_err(), "{bad:?}");
    }
    let wrong: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    assert!(codec.encode(&[Arc::clone(&wrong), wrong], 1).is_err());
    let union = DataType::Union(UnionFields::empty(), UnionMode::Sparse);
    let e = RowCodec::new(vec![union]).unwrap_err();
    assert!(e.to_string().contains("cannot be a key"), "{e}");
}

fn sorted(columns: &[ArrayRef], by: &[(usize, bool, bool)]) -> Vec<Vec<u8>> {
    let fields = columns.iter().map(|c| Field::new("c", c.data_type().clone(), true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let by = by.iter().map(|&(column, descending, nulls_first)| SortColumn {
        column,
        descending,
        nulls_first,
    });
    let codec = SortCodec::new(&schema, by.collect()).unwrap();
    let keys = codec.encode(columns, columns[0].len()).unwrap();
    (0..keys.len()).map(|row| keys.row(row).to_vec()).collect()
}

#[test]
fn sort_keys_are_pinned() {
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a\0", "b"]));
    let keys = sorted(&[ints, text], &[(0, true, false), (1, false, true)]);
    assert_eq!(keys[0], [1, 0x7f, 255, 255, 255, 255, 255, 255, 254, 1, b'a', 0, 255, 0, 0]);
    assert_eq!(keys[1], [2, 1, b'b', 0, 0]);
}

proptest! {
    #[test]
    fn sort_keys_compare_like_rows(
        rows in prop::collection::vec(
            (prop::option::of(-3i64..3), prop::option::of("[ab\\x00]{0,3}"), any::<f64>()), 2..20,
        ),
        descending: [bool; 3],
        nulls_first: [bool; 3],
    ) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| r.1.clone()).collect::<StringArray>()),
            Arc::new(rows.iter().map(|r| Some(r.2)).collect::<Float64Array>()),
        ];
        let by: Vec<_> = (0..3).map(|c| (c, descending[c], nulls_first[c])).collect();
        let keys = sorted(&columns, &by);
        let options = |c: usize| datafusion::arrow::compute::SortOptions {
            descending: descending[c], nulls_first: nulls_first[c],
        };
        let sort: Vec<_> = (0..3).map(|c| datafusion::arrow::compute::SortColumn {
            values: Arc::clone(&columns[c]), options: Some(options(c)),
        }).collect();
        let by_arrow = datafusion::arrow::compute::lexsort_to_indices(&sort, None).unwrap();
        for pair in by_arrow.values().windows(2) {
            prop_assert!(keys[pair[0] as usize] <= keys[pair[1] as usize]);
        }
    }

    #[test]
    fn rows_come_back(
        rows in prop::collection::vec(
            (prop::option::of(any::<i64>()), prop::option::of(".{0,20}"), prop::option::of(any::<i128>())),
            1..20,
        ),
    ) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| r.1.clone()).collect::<StringArray>()),
            Arc::new(rows.iter().map(|r| r.2).collect::<Decimal128Array>()),
        ];
        round_trip(&columns);
        let bytes = encoded(&columns);
        for (a, x) in rows.iter().zip(&bytes) {
            for (b, y) in rows.iter().zip(&bytes) {
                prop_assert_eq!(a == b, x == y);
            }
        }
    }

    #[test]
    fn words_keep_the_order_of_floats(a: f64, b: f64) {
        prop_assert_eq!(words::order_f64(a).cmp(&words::order_f64(b)), a.total_cmp(&b));
        prop_assert_eq!(words::unorder_f64(words::order_f64(a)).to_bits(), a.to_bits());
    }
}
