//! Dates and times.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimestampMillisecondType};

use super::*;

#[test]
fn fields() {
    check(&[
        ("YEAR(DATE '1994-09-27')", "1994"),
        ("QUARTER(DATE '1994-09-27')", "3"),
        ("MONTH(DATE '1994-09-27')", "9"),
        ("WEEK(DATE '1994-09-27')", "39"),
        ("DAYOFYEAR(DATE '1994-09-27')", "270"),
        ("DAYOFMONTH(DATE '1994-09-27')", "27"),
        ("DAYOFWEEK(DATE '1994-09-27')", "3"),
        ("HOUR(TIMESTAMP '1994-09-27 13:14:15')", "13"),
        ("MINUTE(TIMESTAMP '1994-09-27 13:14:15')", "14"),
        ("SECOND(TIMESTAMP '1994-09-27 13:14:15')", "15"),
        ("HOUR(TIME '13:14:15')", "13"),
        ("HOUR(TIMESTAMP '1969-12-31 23:00:00')", "23"),
        ("YEAR(TIMESTAMP '1969-12-31 23:59:59.999')", "1969"),
        ("EXTRACT(DAY FROM DATE '2006-06-05')", "5"),
        ("EXTRACT(DOW FROM DATE '2024-06-02')", "1"),
        ("EXTRACT(ISODOW FROM DATE '2024-06-02')", "7"),
        ("EXTRACT(CENTURY FROM DATE '2000-01-01')", "20"),
        ("EXTRACT(DECADE FROM DATE '1999-01-01')", "199"),
        ("EXTRACT(EPOCH FROM TIMESTAMP '1970-01-02 00:00:00')", "86400"),
        ("EXTRACT(MILLISECOND FROM TIMESTAMP '2000-01-01 00:00:01.234')", "234"),
        ("HOUR(CAST(NULL AS TIMESTAMP))", "NULL"),
        ("TYPEOF(HOUR(TIME '13:14:15'))", "BIGINT"),
    ]);
}

#[test]
fn formats() {
    let of =
        |pattern: &str| format!("DATE_FORMAT(TIMESTAMP '2024-03-05 14:07:09.012345', '{pattern}')");
    let cases = [
        (of("yyyy-MM-dd"), "2024-03-05"),
        (of("HH:mm"), "14:07"),
        (of("yyyy-MM-dd HH:mm:ss.SSS"), "2024-03-05 14:07:09.012"),
        (of("yy/M/d h:m a"), "24/3/5 2:7 PM"),
        (of("EEE, d MMM yyyy"), "Tue, 5 Mar 2024"),
        (of("EEEE d MMMM"), "Tuesday 5 March"),
        (of("DDD k K SSSSSS"), "065 14 2 012345"),
        (format!("!{}", of("yyyy''MM''''dd''")), "2024MM'dd"),
        (of("yyyy''T''HH"), "2024T14"),
        (of("QQQ G"), "Q1 AD"),
        ("DATE_FORMAT('2024-03-05 14:07:09', 'HH')".into(), "14"),
        ("DATE_FORMAT(DATE '2024-03-05', 'yyyyMMdd')".into(), "20240305"),
        ("DATE_FORMAT(CAST(NULL AS TIMESTAMP), 'yyyy')".into(), "NULL"),
        ("DATE_FORMAT(TIMESTAMP '1969-12-31 23:59:59', 'HH:mm:ss')".into(), "23:59:59"),
    ];
    let cases: Vec<_> = cases.iter().map(|(expr, value)| (expr.as_str(), *value)).collect();
    check(&cases);
    check_errors(&[
        (
            "DATE_FORMAT(TIMESTAMP '2024-01-01 00:00:00', 'yyyy-ww')",
            "date pattern 'yyyy-ww': the letter w depends on a locale",
        ),
        (
            "DATE_FORMAT(TIMESTAMP '2024-01-01 00:00:00', 'yyyy-bb')",
            "date pattern 'yyyy-bb': the letter b is none",
        ),
    ]);
}

#[test]
fn parsing() {
    check(&[
        ("CAST(TO_TIMESTAMP('2024-01-02 03:04:05') AS STRING)", "2024-01-02 03:04:05.000"),
        ("CAST(TO_TIMESTAMP('2024-1-2 3:4:5.678') AS STRING)", "2024-01-02 03:04:05.678"),
        ("CAST(TO_TIMESTAMP('2024-01-02') AS STRING)", "2024-01-02 00:00:00.000"),
        ("TO_TIMESTAMP('2024-02-30')", "NULL"),
        ("TO_TIMESTAMP('nonsense')", "NULL"),
        (
            "CAST(TO_TIMESTAMP('20240102030405', 'yyyyMMddHHmmss') AS STRING)",
            "2024-01-02 03:04:05.000",
        ),
        (
            "CAST(TO_TIMESTAMP('02/Jan/2024 3 PM', 'dd/MMM/yyyy h a') AS STRING)",
            "2024-01-02 15:00:00.000",
        ),
        ("TO_TIMESTAMP('2024-1-2', 'yyyy-MM-dd')", "NULL"),
        (
            "CAST(TO_TIMESTAMP('2024-01-02 03:04', 'yyyy-MM-dd HH:mm[:ss]') AS STRING)",
            "2024-01-02 03:04:00.000",
        ),
        ("TO_TIMESTAMP(CAST(NULL AS STRING))", "NULL"),
        ("TO_DATE('2024-01-02')", "2024-01-02"),
        ("TO_DATE('02.01.2024', 'dd.MM.yyyy')", "2024-01-02"),
        ("TO_DATE('x')", "NULL"),
        ("CAST(TO_TIMESTAMP_LTZ(4001, 3) AS STRING)", "1970-01-01 00:00:04.001"),
        ("CAST(TO_TIMESTAMP_LTZ(100, 0) AS STRING)", "1970-01-01 00:01:40.000"),
        ("CAST(TO_TIMESTAMP_LTZ(-1, 3) AS STRING)", "1969-12-31 23:59:59.999"),
        (
            "CAST(TO_TIMESTAMP_LTZ('2024-01-02 03:04:05', 'yyyy-MM-dd HH:mm:ss', 'Asia/Shanghai') AS STRING)",
            "2024-01-01 19:04:05.000",
        ),
        ("TO_TIMESTAMP_LTZ(CAST(NULL AS BIGINT), 3)", "NULL"),
        ("FROM_UNIXTIME(44)", "1970-01-01 00:00:44"),
        ("FROM_UNIXTIME(44, 'HH:mm')", "00:00"),
        ("UNIX_TIMESTAMP('1970-01-01 00:01:00')", "60"),
        ("UNIX_TIMESTAMP('x')", "-9223372036854775808"),
        ("UNIX_TIMESTAMP('1970-01-01 08:00:01.001 +0800', 'yyyy-MM-dd HH:mm:ss.SSS X')", "1"),
        (
            "UNIX_TIMESTAMP('1970-01-01 08:00:01.001', 'yyyy-MM-dd HH:mm:ss.SSS X')",
            "-9223372036854775808",
        ),
        ("CONVERT_TZ('1970-01-01 00:00:00', 'UTC', 'America/Los_Angeles')", "1969-12-31 16:00:00"),
        ("CONVERT_TZ('1970-01-01 00:00:00', 'GMT-08:00', 'UTC')", "1970-01-01 08:00:00"),
        (
            "CAST(CAST('2024-01-02 03:04:05.123456' AS TIMESTAMP(3)) AS STRING)",
            "2024-01-02 03:04:05.123",
        ),
        ("TRY_CAST('x' AS TIMESTAMP(3))", "NULL"),
        ("CAST(TIMESTAMP '2024-01-02 03:04:05' AS DATE)", "2024-01-02"),
        ("CAST(DATE '2024-01-02' AS TIMESTAMP(3)) = TIMESTAMP '2024-01-02 00:00:00'", "TRUE"),
    ]);
    check_errors(&[
        ("CAST('x' AS TIMESTAMP(3))", "can't cast 'x' to TIMESTAMP(3); TRY_CAST makes NULL of it"),
        ("CAST(1 AS TIMESTAMP(3))", "can't cast BIGINT to TIMESTAMP(3); TO_TIMESTAMP_LTZ"),
        ("TIMESTAMP '2024-13-01'", "'2024-13-01' is no TIMESTAMP"),
        ("TO_TIMESTAMP_LTZ(1, 5)", "argument 2 (precision) must be 0 (seconds) or 3"),
        ("CONVERT_TZ('1970-01-01 00:00:00', 'Nowhere', 'UTC')", "no time zone 'Nowhere'"),
    ]);
}

#[test]
fn zones() {
    check_in(
        "Asia/Tokyo",
        &[
            ("FROM_UNIXTIME(44)", "1970-01-01 09:00:44"),
            ("CAST(TO_TIMESTAMP_LTZ(0, 3) AS STRING)", "1970-01-01 09:00:00.000"),
            ("HOUR(TO_TIMESTAMP_LTZ(0, 3))", "9"),
            ("DATE_FORMAT(TO_TIMESTAMP_LTZ(0, 3), 'HH:mm XXX')", "09:00 +09:00"),
            ("CAST(FLOOR(TO_TIMESTAMP_LTZ(0, 3) TO DAY) AS STRING)", "1970-01-01 00:00:00.000"),
            ("UNIX_TIMESTAMP('1970-01-01 09:00:00')", "0"),
            ("HOUR(CAST(TO_TIMESTAMP_LTZ(0, 3) AS TIMESTAMP(3)))", "9"),
            (
                "CAST(TIMESTAMP '1970-01-01 09:00:00' AS TIMESTAMP_LTZ(3)) = TO_TIMESTAMP_LTZ(0, 3)",
                "TRUE",
            ),
            ("CAST('1970-01-01T00:00:00Z' AS TIMESTAMP_LTZ(3)) = TO_TIMESTAMP_LTZ(0, 3)", "TRUE"),
        ],
    );
    // the clock is put forward on 2024-03-31 at 2:00, and back on 2024-10-27 at 3:00
    check_in(
        "Europe/Berlin",
        &[
            ("UNIX_TIMESTAMP('1970-01-01 08:00:01.001', 'yyyy-MM-dd HH:mm:ss.SSS')", "25201"),
            ("FROM_UNIXTIME(UNIX_TIMESTAMP('2024-03-31 02:30:00'))", "2024-03-31 03:30:00"),
            (
                "UNIX_TIMESTAMP('2024-10-27 02:30:00') - UNIX_TIMESTAMP('2024-10-27 01:30:00')",
                "3600",
            ),
            (
                "UNIX_TIMESTAMP('2024-10-27 03:30:00') - UNIX_TIMESTAMP('2024-10-27 02:30:00')",
                "7200",
            ),
        ],
    );
}

#[test]
fn rounding_and_adding() {
    let of = |name: &str, unit: &str, time: &str| {
        format!("CAST({name}(TIMESTAMP '{time}' TO {unit}) AS STRING)")
    };
    let time = "2024-05-15 14:37:45.678";
    let cases = [
        (of("FLOOR", "YEAR", time), "2024-01-01 00:00:00.000"),
        (of("FLOOR", "QUARTER", time), "2024-04-01 00:00:00.000"),
        (of("FLOOR", "MONTH", time), "2024-05-01 00:00:00.000"),
        (of("FLOOR", "WEEK", time), "2024-05-12 00:00:00.000"),
        (of("FLOOR", "DAY", time), "2024-05-15 00:00:00.000"),
        (of("FLOOR", "HOUR", time), "2024-05-15 14:00:00.000"),
        (of("FLOOR", "MINUTE", time), "2024-05-15 14:37:00.000"),
        (of("FLOOR", "SECOND", time), "2024-05-15 14:37:45.000"),
        (of("FLOOR", "CENTURY", time), "2001-01-01 00:00:00.000"),
        (of("CEIL", "YEAR", time), "2025-01-01 00:00:00.000"),
        (of("CEIL", "MONTH", time), "2024-06-01 00:00:00.000"),
        (of("CEIL", "HOUR", time), "2024-05-15 15:00:00.000"),
        (of("CEIL", "HOUR", "2024-05-15 14:00:00"), "2024-05-15 14:00:00.000"),
        (of("FLOOR", "MINUTE", "1969-12-31 23:59:59"), "1969-12-31 23:59:00.000"),
        ("FLOOR(DATE '2024-05-15' TO MONTH)".into(), "2024-05-01"),
        ("FLOOR(TIME '12:44:31' TO MINUTE) = TIME '12:44:00'".into(), "TRUE"),
        ("CEIL(TIME '12:44:31' TO MINUTE) = TIME '12:45:00'".into(), "TRUE"),
        ("CAST(TIMESTAMPADD(MONTH, 1, TIMESTAMP '2024-01-31 10:00:00') AS STRING)".into(), "2024-02-29 10:00:00.000"),
        ("CAST(TIMESTAMPADD(SECOND, -1, TIMESTAMP '1970-01-01 00:00:00') AS STRING)".into(), "1969-12-31 23:59:59.000"),
        ("TIMESTAMPADD(WEEK, 1, DATE '2003-01-02')".into(), "2003-01-09"),
        ("CAST(TIMESTAMPADD(HOUR, 1, DATE '2003-01-02') AS STRING)".into(), "2003-01-02 01:00:00.000"),
        ("TIMESTAMPADD(DAY, CAST(NULL AS INT), DATE '2003-01-02')".into(), "NULL"),
        ("TIMESTAMPDIFF(DAY, TIMESTAMP '2003-01-02 10:00:00', TIMESTAMP '2003-01-03 10:00:00')".into(), "1"),
        ("TIMESTAMPDIFF(DAY, TIMESTAMP '2003-01-02 10:00:00', TIMESTAMP '2003-01-03 09:59:59')".into(), "0"),
        ("TIMESTAMPDIFF(MONTH, DATE '2024-01-31', DATE '2024-02-29')".into(), "0"),
        ("TIMESTAMPDIFF(MONTH, DATE '2024-03-31', DATE '2024-01-31')".into(), "-2"),
        ("TIMESTAMPDIFF(YEAR, DATE '2020-02-29', DATE '2024-02-28')".into(), "3"),
        ("TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', TIMESTAMP '1970-01-01 00:01:00')".into(), "60"),
    ];
    let cases: Vec<_> = cases.iter().map(|(expr, value)| (expr.as_str(), *value)).collect();
    check(&cases);
    check_errors(&[
        ("TIMESTAMPADD(FORTNIGHT, 1, DATE '2003-01-02')", "no unit of time FORTNIGHT"),
        ("TIMESTAMPADD(DAY, 9999999999999, DATE '2003-01-02')", "out of range"),
    ]);
}

#[test]
fn intervals() {
    check(&[
        (
            "CAST(TIMESTAMP '2024-01-31 00:00:00' + INTERVAL '1' MONTH AS STRING)",
            "2024-02-29 00:00:00.000",
        ),
        (
            "CAST(TIMESTAMP '2024-01-31 00:00:00' - INTERVAL '5' SECOND AS STRING)",
            "2024-01-30 23:59:55.000",
        ),
        (
            "(TIMESTAMP '2024-01-01 00:00:00', INTERVAL '1' HOUR) OVERLAPS \
             (TIMESTAMP '2024-01-01 00:30:00', INTERVAL '2' HOUR)",
            "TRUE",
        ),
        (
            "(TIMESTAMP '2024-01-01 09:00:00', TIMESTAMP '2024-01-01 10:00:00') OVERLAPS \
             (TIMESTAMP '2024-01-01 10:15:00', INTERVAL '3' HOUR)",
            "FALSE",
        ),
        ("TYPEOF(TIMESTAMP '2024-01-01 00:00:00' - INTERVAL '5' SECOND)", "TIMESTAMP(3)"),
    ]);
}

/// Evaluates an expression at a moment, as an operator does.
fn at(expr: &str, zone: &str, moment: Option<Moment>) -> Result<String, String> {
    match moment {
        Some(moment) => at_moment(moment, || constant(expr, zone)),
        None => constant(expr, zone),
    }
}

#[test]
fn the_clock_is_the_operators() {
    let moment = Moment { now_ms: 1_700_000_000_123, watermark_ms: Some(1_699_999_990_000) };
    let value = |expr: &str| at(expr, "Asia/Tokyo", Some(moment)).unwrap();
    assert_eq!(value("CAST(PROCTIME() AS STRING)"), "2023-11-15 07:13:20.123");
    assert_eq!(value("CAST(CURRENT_TIMESTAMP AS STRING)"), "2023-11-15 07:13:20.123");
    assert_eq!(value("CAST(NOW() AS STRING)"), "2023-11-15 07:13:20.123");
    assert_eq!(value("CAST(LOCALTIMESTAMP AS STRING)"), "2023-11-15 07:13:20.123");
    assert_eq!(value("CURRENT_DATE"), "2023-11-15");
    assert_eq!(value("HOUR(LOCALTIME)"), "7");
    assert_eq!(value("UNIX_TIMESTAMP()"), "1700000000");
    assert_eq!(value("TYPEOF(PROCTIME())"), "TIMESTAMP_LTZ(3)");
    assert_eq!(
        value("CAST(CURRENT_WATERMARK(TIMESTAMP '2024-01-01 00:00:00') AS STRING)"),
        "2023-11-14 22:13:10.000"
    );
    let before = Moment { watermark_ms: None, ..moment };
    let watermark = "CURRENT_WATERMARK(TIMESTAMP '2024-01-01 00:00:00')";
    assert_eq!(at(watermark, "UTC", Some(before)).unwrap(), "NULL");
    let error = at("PROCTIME()", "UTC", None).unwrap_err();
    assert!(error.contains("there is no time outside of a running query"), "{error}");
}

#[test]
fn in_a_batch_query_the_clock_stands_still() {
    let context = session("UTC", Mode::Batch);
    let sql = "SELECT PROCTIME() = NOW(), CURRENT_DATE >= DATE '2024-01-01' FROM (VALUES (1), (2)) AS t(x)";
    let batches = run(&context, parse(sql).unwrap()).unwrap();
    assert_eq!(values(&batches, "UTC"), ["TRUE", "TRUE"]);
}

#[test]
fn a_column_is_evaluated_row_by_row() {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let numbers = Int64Array::from(vec![Some(0), None, Some(86_400_000)]);
    let batch = RecordBatch::try_new(schema, vec![Arc::new(numbers)]).unwrap();
    let context = session("UTC", Mode::Streaming);
    context.register_batch("t", batch).unwrap();
    let sql = "SELECT TO_TIMESTAMP_LTZ(n, 3) FROM t";
    let batches = run(&context, parse(sql).unwrap()).unwrap();
    let times: Vec<_> =
        batches[0].column(0).as_primitive::<TimestampMillisecondType>().iter().collect();
    assert_eq!(times, [Some(0), None, Some(86_400_000)]);
}

#[test]
fn a_format_is_written_anew_where_it_shows_something_else() {
    let times = [0_i64, 59_999, 60_000, 60_500, 86_400_000, 86_399_999, -1];
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(times.to_vec()))]);
    let context = session("UTC", Mode::Streaming);
    context.register_batch("t", batch.unwrap()).unwrap();
    let shown = |pattern: &str| {
        let sql = format!("SELECT DATE_FORMAT(TO_TIMESTAMP_LTZ(n, 3), '{pattern}') FROM t");
        values(&run(&context, parse(&sql).unwrap()).unwrap(), "UTC")
    };
    assert_eq!(shown("HH:mm"), ["00:00", "00:00", "00:01", "00:01", "00:00", "23:59", "23:59"]);
    assert_eq!(shown("dd"), ["01", "01", "01", "01", "02", "01", "31"]);
    assert_eq!(shown("ss"), ["00", "59", "00", "00", "00", "59", "59"]);
    assert_eq!(shown("SSS"), ["000", "999", "000", "500", "000", "999", "999"]);
}
