//! The typed forms: window functions, group windows, EMIT.

use expect_test::expect;

use super::queries::{from, query};
use crate::syntax::{
    Emit, Statement, group_window, interval_ms, parse, parse_expr, window_property, window_tvf,
};

/// What the first table of a query is as a window.
fn window(text: &str) -> String {
    let text = format!("SELECT * FROM {text}");
    let parsed = match parse(&text) {
        Ok(parsed) => parsed,
        Err(error) => return error.render(&text, false),
    };
    let Statement::Query(query) = &parsed[0].statement else { panic!() };
    match window_tvf(from(query)) {
        Ok(None) => "none".into(),
        Ok(Some(w)) => {
            let alias = w.alias.map(|a| format!(" as {}", a.name)).unwrap_or_default();
            format!(
                "{:?} of {} by {} offset {}{alias}",
                w.kind, w.input, w.time_column.value, w.offset_ms
            )
        }
        Err(error) => error.render(&text, false),
    }
}

#[test]
fn windows_in_all_forms() {
    let texts = [
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))",
        "TABLE(TUMBLE(TABLE db.bid, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '-8' HOUR)) AS w",
        "TUMBLE(bid, ts, INTERVAL '10' SECOND) w",
        "TUMBLE((SELECT a, ts FROM bid), ts, INTERVAL '10' SECOND)",
        "TABLE(TUMBLE(TABLE (SELECT a, ts FROM bid), DESCRIPTOR(ts), INTERVAL '1:30' MINUTE TO SECOND))",
        "TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))",
        "HOP(bid, ts, INTERVAL '2' SECOND, INTERVAL '10' SECOND, INTERVAL '1' SECOND)",
        "TABLE(HOP(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), size => INTERVAL '10' SECOND, slide => INTERVAL '5' SECOND))",
        "TABLE(CUMULATE(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES))",
        "TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '5' MINUTE))",
        "TABLE(SESSION(TABLE bid PARTITION BY (bidder, channel), DESCRIPTOR(ts), INTERVAL '5' MINUTE))",
        "TABLE(SESSION(TABLE bid, DESCRIPTOR(ts), INTERVAL '5' MINUTE))",
        "TABLE(TUMBLE(TABLE bid /*+ OPTIONS('k' = 'v') */, DESCRIPTOR(ts), INTERVAL '1' HOUR))",
        "bid",
        "TABLE(split(x))",
    ];
    let said: Vec<String> = texts.iter().map(|text| window(text)).collect();
    expect![[r#"
        Tumble { size_ms: 10000 } of bid by dateTime offset 0
        Tumble { size_ms: 86400000 } of db.bid by ts offset -28800000 as w
        Tumble { size_ms: 10000 } of bid by ts offset 0 as w
        Tumble { size_ms: 10000 } of (SELECT a, ts FROM bid) by ts offset 0
        Tumble { size_ms: 90000 } of (SELECT a, ts FROM bid) by ts offset 0
        Hop { slide_ms: 2000, size_ms: 10000 } of bid by ts offset 0
        Hop { slide_ms: 2000, size_ms: 10000 } of bid by ts offset 1000
        Hop { slide_ms: 5000, size_ms: 10000 } of bid by ts offset 0
        Cumulate { step_ms: 120000, size_ms: 600000 } of bid by ts offset 0
        Session { gap_ms: 300000, partition_by: [Ident { value: "bidder", quote_style: None, span: Span(Location(1,52)..Location(1,58)) }] } of bid by ts offset 0
        Session { gap_ms: 300000, partition_by: [Ident { value: "bidder", quote_style: None, span: Span(Location(1,53)..Location(1,59)) }, Ident { value: "channel", quote_style: None, span: Span(Location(1,61)..Location(1,68)) }] } of bid by ts offset 0
        Session { gap_ms: 300000, partition_by: [] } of bid by ts offset 0
        Tumble { size_ms: 3600000 } of bid WITH (OPTIONS('k' = 'v')) by ts offset 0
        none
        none"#]].assert_eq(&said.join("\n"));
}

#[test]
fn wrong_windows() {
    let texts = [
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts)))",
        "TABLE(TUMBLE(TABLE bid, ts + 1, INTERVAL '1' HOUR))",
        "TABLE(TUMBLE(1, DESCRIPTOR(ts), INTERVAL '1' HOUR))",
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '0' HOUR))",
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MONTH))",
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), '1 hour'))",
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '1' HOUR, 5))",
        "TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '2' SECOND))",
        "TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '3' SECOND, INTERVAL '10' SECOND))",
        "TABLE(TUMBLE(TABLE bid PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' HOUR))",
        "TABLE(TUMBLE(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '1' HOUR))",
    ];
    let said: Vec<String> = texts.iter().map(|text| window(text)).collect();
    expect![[r#"
        error[HW-P013]: TUMBLE needs its argument 3 (size)
          1 │ SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts)))
            ·                     ^^^^^^
          help: it is written TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: the second argument of TUMBLE is DESCRIPTOR(time column), found `ts + 1`
          1 │ SELECT * FROM TABLE(TUMBLE(TABLE bid, ts + 1, INTERVAL '1' HOUR))
            ·                                       ^^^^^^
          help: it is written TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: the first argument of TUMBLE is a table, found `1`
          1 │ SELECT * FROM TABLE(TUMBLE(1, DESCRIPTOR(ts), INTERVAL '1' HOUR))
            ·                            ^
          help: it is written TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: the size of TUMBLE must be positive, got 0 ms
          1 │ SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '0' HOUR))
            ·                                                                ^^^
          help: it is written TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: size of TUMBLE: `INTERVAL '1' MONTH` is not of one length: months differ; use days
          1 │ SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MONTH))
            ·                                                                ^^^
          more: headwater error HW-P013
        error[HW-P013]: size of TUMBLE: expected an interval, found `'1 hour'`
          1 │ SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), '1 hour'))
            ·                                                       ^^^^^^^^
          help: an interval is written INTERVAL '5' SECOND
          more: headwater error HW-P013
        error[HW-P013]: TUMBLE takes at most 4 arguments, got 5
          1 │ SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '1' HOUR, 5))
            ·                                                                                             ^
          help: it is written TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: the slide of HOP (10000 ms) is longer than its size (2000 ms)
          1 │ SELECT * FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '2' SECOND))
            ·                     ^^^ slide comes before size
          help: it is written TABLE(HOP(TABLE t, DESCRIPTOR(time), slide => INTERVAL '10' SECOND, size => INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: the size of HOP (10000 ms) must be a multiple of its slide (3000 ms)
          1 │ SELECT * FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '3' SECOND, INTERVAL '10' SECOND))
            ·                     ^^^
          help: it is written TABLE(HOP(TABLE t, DESCRIPTOR(time), slide => INTERVAL '10' SECOND, size => INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: PARTITION BY is for SESSION; TUMBLE has the same windows for all rows
          1 │ SELECT * FROM TABLE(TUMBLE(TABLE bid PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' HOUR))
            ·                     ^^^^^^
          help: it is written TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))
          more: headwater error HW-P013
        error[HW-P013]: TUMBLE has no argument `GAP`
          1 │ SELECT * FROM TABLE(TUMBLE(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '1' HOUR))
            ·                                                                          ^^^
          help: it is written TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))
          more: headwater error HW-P013"#]].assert_eq(&said.join("\n"));
}

#[test]
fn group_windows() {
    let said: Vec<String> = [
        "TUMBLE(ts, INTERVAL '1' MINUTE)",
        "HOP(p.ts, INTERVAL '1' MINUTE, INTERVAL '1' HOUR)",
        "SESSION(`dateTime`, INTERVAL '10' SECOND)",
        "tumble(PROCTIME(), INTERVAL '10' SECOND)",
        "TUMBLE_START(ts, INTERVAL '1' MINUTE)",
        "SESSION_ROWTIME(ts, INTERVAL '1' MINUTE)",
        "HOP_END(ts, INTERVAL '2' MINUTE, INTERVAL '1' MINUTE)",
        "TUMBLE(ts)",
        "SESSION(ts, 5)",
        "COUNT(ts)",
        "DATE_START(ts)",
    ]
    .into_iter()
    .map(|text| {
        let expr = parse_expr(text).unwrap();
        let window = |r: crate::error::SqlResult<Option<crate::syntax::GroupWindow>>| match r {
            Ok(Some(w)) => format!("{:?} over {}", w.kind, w.time),
            Ok(None) => "no window".into(),
            Err(e) => e.render(text, false),
        };
        match window_property(&expr) {
            Ok(Some((property, w))) => format!("{property:?} of {}", window(Ok(Some(w)))),
            Ok(None) => window(group_window(&expr)),
            Err(e) => e.render(text, false),
        }
    })
    .collect();
    expect![[r#"
        Tumble { size_ms: 60000 } over ts
        Hop { slide_ms: 60000, size_ms: 3600000 } over p.ts
        Session { gap_ms: 10000, partition_by: [] } over `dateTime`
        Tumble { size_ms: 10000 } over PROCTIME()
        Start of Tumble { size_ms: 60000 } over ts
        Rowtime of Session { gap_ms: 60000, partition_by: [] } over ts
        error[HW-P013]: the slide of HOP (120000 ms) is longer than its size (60000 ms)
          1 │ HOP_END(ts, INTERVAL '2' MINUTE, INTERVAL '1' MINUTE)
            · ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ slide comes before size
          help: in GROUP BY it is written HOP(time, slide, size)
          more: headwater error HW-P013
        error[HW-P013]: TUMBLE takes 2 arguments in GROUP BY, got 1
          1 │ TUMBLE(ts)
            · ^^^^^^^^^
          help: in GROUP BY it is written TUMBLE(time, size)
          more: headwater error HW-P013
        error[HW-P013]: SESSION: expected an interval, found `5`
          1 │ SESSION(ts, 5)
            ·             ^
          help: an interval is written INTERVAL '5' SECOND
          more: headwater error HW-P013
        no window
        no window"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn emit_is_read_back() {
    let when = |text: &str| crate::syntax::emit(&query(&format!("SELECT 1 {text}"))).unwrap();
    assert_eq!(when(""), None);
    assert_eq!(when("EMIT FINAL"), Some(Emit::Final));
    assert_eq!(when("EMIT ON WINDOW CLOSE"), Some(Emit::Final));
    assert_eq!(when("EMIT CHANGES"), Some(Emit::Changes));
    assert_eq!(when("EMIT EVERY INTERVAL '1' SECOND"), Some(Emit::Every { ms: 1_000 }));
}

#[test]
fn intervals_in_milliseconds() {
    let ms = |text: &str| parse_expr(text).and_then(|e| interval_ms(&e)).map_err(|e| e.message);
    assert_eq!(ms("INTERVAL '5' SECOND"), Ok(5_000));
    assert_eq!(ms("INTERVAL 5 MINUTE"), Ok(300_000));
    assert_eq!(ms("INTERVAL '0.25' SECOND"), Ok(250));
    assert_eq!(ms("INTERVAL '-1' WEEK"), Ok(-604_800_000));
    assert_eq!(ms("INTERVAL '1 00:00:01' DAY TO SECOND"), Ok(86_401_000));
    assert_eq!(ms("INTERVAL '10 minutes 5 s'"), Ok(605_000));
    let failed = |text: &str| ms(text).unwrap_err();
    assert!(failed("INTERVAL '1' MONTH").contains("months differ"));
    assert!(failed("INTERVAL '0.0001' SECOND").contains("finer"));
    assert!(failed("INTERVAL 'x' SECOND").contains("is not an interval"));
    assert!(failed("INTERVAL '999999999999999' DAY").contains("too long"));
    assert!(failed("1").contains("expected an interval"));
}
