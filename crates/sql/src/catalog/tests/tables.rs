//! Tables, views and functions: made, printed, dropped.

use expect_test::expect;

use super::*;

#[test]
fn a_table_with_all_kinds_of_columns() {
    let catalog = catalog(
        "CREATE TABLE bids (
            id BIGINT, price DECIMAL(10, 2), who ROW<name STRING, at TIMESTAMP(3)>,
            part INT METADATA FROM 'partition' VIRTUAL, `offset` BIGINT METADATA,
            millis BIGINT, ts AS TO_TIMESTAMP_LTZ(millis, 3), p AS PROCTIME(), day_ STRING,
            WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (id) NOT ENFORCED
        ) PARTITIONED BY (day_) WITH ('connector' = 'kafka', 'format' = 'json')",
    );
    let table = catalog.tables().next().unwrap();
    expect![[r#"
        bids
          id Int64 not null
          price Decimal128(10, 2)
          who Struct("name": Utf8, "at": Timestamp(ms))
          part Int32 metadata partition virtual
          offset Int64 metadata offset
          millis Int64
          ts Timestamp(ms, "UTC") is TO_TIMESTAMP_LTZ(millis, 3)
          p Timestamp(ms, "UTC") not null is PROCTIME()
          day_ Utf8
          key [0] by [8]
          watermark 6 ts - INTERVAL '5' SECOND
          {"connector": "kafka", "format": "json"}"#]]
    .assert_eq(&describe(table));
    assert_eq!(table.physical(), [0, 1, 2, 5, 8]);
    assert_eq!(table.read_columns(), [0, 1, 2, 3, 4, 5, 8]);
    assert_eq!(table.written_columns(), [0, 1, 2, 4, 5, 8]);
    assert_eq!(table.connector().unwrap(), "kafka");
    assert_eq!(&*table.column("prize").unwrap_err().label.unwrap(), "did you mean `price`?");
    let error = table.value_error("format", codes::UNKNOWN_FORMAT, "no format 'json'");
    assert_eq!(error.span.unwrap().start.line, 6);
}

#[test]
fn the_statement_of_a_table_in_the_main_spelling() {
    expect![[r#"
        CREATE TEMPORARY TABLE `my table` (
          `id` INT NOT NULL,
          `name` STRING COMMENT 'it''s',
          `d` DECIMAL(5, 0),
          `who` ROW<`a``b` INT, `c` ARRAY<DOUBLE>>,
          `m` MAP<STRING, BYTES> NOT NULL,
          `at` TIMESTAMP(6) METADATA FROM 'timestamp' VIRTUAL,
          `k` STRING METADATA,
          `ts` AS CAST(id AS TIMESTAMP_LTZ(3)) COMMENT 'when',
          `r` AS CAST(id AS ROW<`x` INT>),
          WATERMARK FOR `ts` AS ts - INTERVAL '4' SECOND,
          PRIMARY KEY (`id`) NOT ENFORCED
        )
        COMMENT 'a table'
        PARTITIONED BY (`name`)
        WITH (
          'connector' = 'kafka',
          'properties.sasl.jaas.config' = '****',
          'ssl.key.password' = '****'
        )"#]].assert_eq(&round_trip(
        "CREATE TEMPORARY SOURCE `my table` (
            id INTEGER PRIMARY KEY NOT ENFORCED, name VARCHAR(10) COMMENT 'it''s', d DEC(5),
            who ROW(`a``b` INT, c DOUBLE PRECISION ARRAY), m MAP<STRING, BYTES> NOT NULL,
            at TIMESTAMP METADATA FROM 'timestamp' VIRTUAL, k STRING METADATA,
            ts AS id::TIMESTAMP_LTZ(3) COMMENT 'when', r AS CAST(id AS ROW<x INT>),
            WATERMARK FOR ts AS ts - INTERVAL '4' SECOND
        ) COMMENT 'a table' PARTITIONED BY (name)
        WITH (connector = kafka, 'properties.sasl.jaas.config' = 'user/pass', 'ssl.key.password' = 'x')",
    ));
}

#[test]
fn views_are_printed_as_written_or_in_the_main_spelling() {
    let said: Vec<String> = [
        "CREATE VIEW v AS SELECT  a,\n  b -- as it is\nFROM t",
        "CREATE TEMPORARY VIEW v (x, `y z`) COMMENT 'c' AS SELECT a::INT, b FROM t",
        "CREATE VIEW v AS SELECT * FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE) AS w",
        "CREATE VIEW v AS SELECT a FROM t EMIT ON WINDOW CLOSE",
        "CREATE VIEW v AS SELECT * FROM TABLE(SESSION(TABLE bid PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE x::INT = 1",
        "CREATE MATERIALIZED VIEW v AS SELECT a FROM (SELECT * FROM HOP((SELECT 1), ts, INTERVAL '1' SECOND, INTERVAL '2' SECOND)) EMIT EVERY INTERVAL '1' MINUTE",
    ]
    .into_iter()
    .map(round_trip)
    .collect();
    expect![[r#"
        CREATE VIEW `v`
        AS SELECT  a,
          b -- as it is
        FROM t

        CREATE TEMPORARY VIEW `v` (`x`, `y z`)
        COMMENT 'c'
        AS SELECT CAST(a AS INT), b FROM t

        CREATE VIEW `v`
        AS SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) AS w

        CREATE VIEW `v`
        AS SELECT a FROM t EMIT FINAL

        CREATE VIEW `v`
        AS SELECT * FROM TABLE(SESSION(TABLE bid PARTITION BY (k), DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE CAST(x AS INT) = 1

        CREATE MATERIALIZED VIEW `v`
        AS SELECT a FROM (SELECT * FROM TABLE(HOP((SELECT 1), DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '2' SECOND))) EMIT EVERY INTERVAL '1' MINUTE"#]].assert_eq(&said.join("\n\n"));
}

#[test]
fn functions_are_found_in_any_case() {
    let mut catalog = catalog("CREATE FUNCTION Count_Char AS 'com.example.CountChar'");
    assert_eq!(catalog.function("COUNT_CHAR").unwrap().class, "com.example.CountChar");
    assert_eq!(
        catalog.functions().next().unwrap().show_create(),
        "CREATE FUNCTION `Count_Char` AS 'com.example.CountChar'"
    );
    run(&mut catalog, "DROP FUNCTION count_char").unwrap();
    assert!(catalog.function("count_char").is_none());
}

#[test]
fn names_with_the_one_catalog_and_database() {
    let catalog = catalog("CREATE TABLE default_catalog.default_database.t (a INT)");
    assert!(catalog.get("t").is_some());
    assert!(catalog.get("T").is_none());
    errors(
        &["CREATE TABLE other.t (a INT)", "CREATE TABLE a.b.c.d (a INT)"],
        expect![[r#"
        error[HW-C002]: no catalog or database of `other.t`
          1 │ CREATE TABLE other.t (a INT)
            ·              ^^^^^^^
          help: there is one: default_catalog.default_database
          more: headwater error HW-C002
        error[HW-C002]: no catalog or database of `a.b.c.d`
          1 │ CREATE TABLE a.b.c.d (a INT)
            ·              ^^^^^^^
          help: there is one: default_catalog.default_database
          more: headwater error HW-C002"#]],
    );
}

#[test]
fn if_not_exists_and_if_exists() {
    let catalog = catalog(
        "CREATE TABLE t (a INT); CREATE TABLE IF NOT EXISTS t (b INT);
         CREATE VIEW v AS SELECT 1; CREATE OR REPLACE VIEW v AS SELECT 2;
         CREATE VIEW IF NOT EXISTS v AS SELECT 3; DROP TABLE IF EXISTS u; DROP VIEW IF EXISTS u;
         DROP FUNCTION IF EXISTS t",
    );
    let Some(Relation::Table(table)) = catalog.get("t") else { panic!() };
    assert_eq!(table.field(0).name(), "a");
    let Some(Relation::View(view)) = catalog.get("v") else { panic!() };
    assert_eq!(view.text, "SELECT 2");
}

#[test]
fn the_columns_of_a_query_follow_those_declared() {
    use datafusion::arrow::datatypes::{Field, Schema};
    let parsed = parse(
        "CREATE TABLE t (a BIGINT, p AS PROCTIME()) WITH ('connector' = 'print') AS SELECT 1",
    )
    .unwrap();
    let Statement::CreateTableAs(create, _) = &parsed[0].statement else { panic!() };
    let query = Schema::new(vec![
        Field::new("a", DataType::Int32, false),
        Field::new("b", DataType::Utf8, true),
    ]);
    expect![[r#"
        t
          a Int64
          p Timestamp(ms, "UTC") not null is PROCTIME()
          b Utf8
          key [] by []
          {"connector": "print"}"#]]
    .assert_eq(&describe(&table_as(create, &query, &type_of).unwrap()));
}

#[test]
fn wrong_tables() {
    errors(
        &[
            "CREATE TABLE t (a INT, b INT, a STRING)",
            "CREATE TABLE t (a ROW<x INT, x INT>)",
            "CREATE TABLE t WITH ('a' = 'b')",
            "CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED)",
            "CREATE TABLE t (a INT, b AS a + 1, PRIMARY KEY (b) NOT ENFORCED)",
            "CREATE TABLE t (a INT, b INT METADATA VIRTUAL, PRIMARY KEY (b) NOT ENFORCED)",
            "CREATE TABLE t (a INT, PRIMARY KEY (a, a) NOT ENFORCED)",
            "CREATE TABLE t (amount INT) PARTITIONED BY (amuont)",
            "CREATE TABLE t (a INT, b AS a + 1) PARTITIONED BY (b)",
            "CREATE TABLE t (a INT, b AS nope + 1)",
            "CREATE TABLE t (a INT, b AS a + 1, c AS b + 1)",
        ],
        expect![[r#"
            error[HW-C003]: table `t` has two columns `a`
              1 │ CREATE TABLE t (a INT, b INT, a STRING)
                ·                               ^
              more: headwater error HW-C003
            error[HW-C003]: column `a`: a ROW has two fields `x`
              1 │ CREATE TABLE t (a ROW<x INT, x INT>)
                ·                 ^
              more: headwater error HW-C003
            error[HW-C006]: table `t` has no columns
              1 │ CREATE TABLE t WITH ('a' = 'b')
                ·              ^
              more: headwater error HW-C006
            error[HW-C005]: no column `b` in table t
              1 │ CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED)
                ·                                     ^
              help: columns are a
              more: headwater error HW-C005
            error[HW-C005]: column `b` of the primary key is computed
              1 │ CREATE TABLE t (a INT, b AS a + 1, PRIMARY KEY (b) NOT ENFORCED)
                ·                                                 ^
              more: headwater error HW-C005
            error[HW-C005]: column `b` of the primary key is virtual
              1 │ CREATE TABLE t (a INT, b INT METADATA VIRTUAL, PRIMARY KEY (b) NOT ENFORCED)
                ·                                                             ^
              more: headwater error HW-C005
            error[HW-C005]: column `a` of the primary key is there twice
              1 │ CREATE TABLE t (a INT, PRIMARY KEY (a, a) NOT ENFORCED)
                ·                                        ^
              more: headwater error HW-C005
            error[HW-C006]: no column `amuont` in table t
              1 │ CREATE TABLE t (amount INT) PARTITIONED BY (amuont)
                ·                                             ^^^^^^ did you mean `amount`?
              help: columns are amount
              more: headwater error HW-C006
            error[HW-C006]: a table can't be partitioned by `b`
              1 │ CREATE TABLE t (a INT, b AS a + 1) PARTITIONED BY (b)
                ·                                                    ^
              help: PARTITIONED BY names physical columns, each once
              more: headwater error HW-C006
            error[HW-P004]: no column `nope`
              1 │ CREATE TABLE t (a INT, b AS nope + 1)
                ·                             ^^^^
              more: headwater error HW-P004
            error[HW-P004]: no column `b`
              1 │ CREATE TABLE t (a INT, b AS a + 1, c AS b + 1)
                ·                                         ^
              help: a computed column can't use another computed column
              more: headwater error HW-P004"#]],
    );
}

#[test]
fn wrong_watermarks() {
    errors(
        &[
            "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR tz AS tz)",
            "CREATE TABLE t (ts TIMESTAMP, WATERMARK FOR ts AS ts)",
            "CREATE TABLE t (ts TIMESTAMP_LTZ(9), WATERMARK FOR ts AS ts)",
            "CREATE TABLE t (ts BIGINT, WATERMARK FOR ts AS ts)",
            "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS 5)",
            "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS st - INTERVAL '5' SECOND)",
            "CREATE TABLE t (r ROW<ts TIMESTAMP(3)>, WATERMARK FOR r.ts AS r.ts)",
        ],
        expect![[r#"
            error[HW-C004]: no column `tz` for the watermark
              1 │ CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR tz AS tz)
                ·                                                ^^ did you mean `ts`?
              help: columns are ts
              more: headwater error HW-C004
            error[HW-C004]: column `ts` of the watermark is TIMESTAMP(6), it must be TIMESTAMP(3) or less
              1 │ CREATE TABLE t (ts TIMESTAMP, WATERMARK FOR ts AS ts)
                ·                                             ^^
              help: declare it as TIMESTAMP(3)
              more: headwater error HW-C004
            error[HW-C004]: column `ts` of the watermark is TIMESTAMP_LTZ(9), it must be TIMESTAMP_LTZ(3) or less
              1 │ CREATE TABLE t (ts TIMESTAMP_LTZ(9), WATERMARK FOR ts AS ts)
                ·                                                    ^^
              help: declare it as TIMESTAMP_LTZ(3)
              more: headwater error HW-C004
            error[HW-C004]: column `ts` of the watermark is BIGINT, it must be TIMESTAMP(3) or TIMESTAMP_LTZ(3)
              1 │ CREATE TABLE t (ts BIGINT, WATERMARK FOR ts AS ts)
                ·                                          ^^
              help: a computed column makes one: ts AS TO_TIMESTAMP_LTZ(millis, 3)
              more: headwater error HW-C004
            error[HW-C004]: the watermark's expression is BIGINT, it must be a timestamp
              1 │ CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS 5)
                ·                                                      ^
              help: write ts - INTERVAL '5' SECOND
              more: headwater error HW-C004
            error[HW-P004]: no column `st`
              1 │ CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS st - INTERVAL '5' SECOND)
                ·                                                      ^^
              more: headwater error HW-P004
            error[HW-S006]: a watermark for a field of a row is not supported
              1 │ CREATE TABLE t (r ROW<ts TIMESTAMP(3)>, WATERMARK FOR r.ts AS r.ts)
                ·                                                       ^
              help: make it a computed column: ts AS row.ts
              more: headwater error HW-S006"#]],
    );
}

#[test]
fn names_that_are_there_or_are_not() {
    errors(
        &[
            "CREATE TABLE t (a INT); CREATE TABLE t (a INT)",
            "CREATE TABLE t (a INT); CREATE OR REPLACE VIEW t AS SELECT 1",
            "CREATE VIEW t AS SELECT 1; CREATE TABLE t (a INT)",
            "CREATE VIEW t AS SELECT 1; CREATE VIEW t AS SELECT 1",
            "CREATE VIEW v (a, a) AS SELECT 1, 2",
            "CREATE FUNCTION f AS 'x'; CREATE FUNCTION F AS 'y'",
            "CREATE TABLE orders (a INT); DROP TABLE order_s",
            "CREATE VIEW v AS SELECT 1; DROP TABLE v",
            "CREATE TABLE t (a INT); DROP VIEW IF EXISTS t",
            "DROP FUNCTION f",
            "CREATE TABLE events (a INT); CREATE TABLE t LIKE event",
            "CREATE VIEW v AS SELECT 1; CREATE TABLE t LIKE v",
        ],
        expect![[r#"
            error[HW-C001]: there is already a table `t`
              1 │ CREATE TABLE t (a INT); CREATE TABLE t (a INT)
                ·                                      ^
              help: write CREATE … IF NOT EXISTS, or DROP it first
              more: headwater error HW-C001
            error[HW-C001]: there is already a table `t`
              1 │ CREATE TABLE t (a INT); CREATE OR REPLACE VIEW t AS SELECT 1
                ·                                                ^
              help: write CREATE … IF NOT EXISTS, or DROP it first
              more: headwater error HW-C001
            error[HW-C001]: there is already a view `t`
              1 │ CREATE VIEW t AS SELECT 1; CREATE TABLE t (a INT)
                ·                                         ^
              help: write CREATE OR REPLACE VIEW, or DROP VIEW first
              more: headwater error HW-C001
            error[HW-C001]: there is already a view `t`
              1 │ CREATE VIEW t AS SELECT 1; CREATE VIEW t AS SELECT 1
                ·                                        ^
              help: write CREATE OR REPLACE VIEW, or DROP VIEW first
              more: headwater error HW-C001
            error[HW-C003]: view `v` has two columns `a`
              1 │ CREATE VIEW v (a, a) AS SELECT 1, 2
                ·                   ^
              more: headwater error HW-C003
            error[HW-C001]: there is already a function `F`
              1 │ CREATE FUNCTION f AS 'x'; CREATE FUNCTION F AS 'y'
                ·                                           ^
              help: write CREATE … IF NOT EXISTS, or DROP it first
              more: headwater error HW-C001
            error[HW-C002]: no table `order_s`
              1 │ CREATE TABLE orders (a INT); DROP TABLE order_s
                ·                                         ^^^^^^^ did you mean `orders`?
              help: tables are orders
              more: headwater error HW-C002
            error[HW-C007]: `v` is a view
              1 │ CREATE VIEW v AS SELECT 1; DROP TABLE v
                ·                                       ^
              help: write DROP VIEW v
              more: headwater error HW-C007
            error[HW-C007]: `t` is a table
              1 │ CREATE TABLE t (a INT); DROP VIEW IF EXISTS t
                ·                                             ^
              help: write DROP TABLE t
              more: headwater error HW-C007
            error[HW-C002]: no function `f`
              1 │ DROP FUNCTION f
                ·               ^
              help: there are no functions
              more: headwater error HW-C002
            error[HW-P003]: no table `event`
              1 │ CREATE TABLE events (a INT); CREATE TABLE t LIKE event
                ·                                                  ^^^^^ did you mean `events`?
              help: tables are events
              more: headwater error HW-P003
            error[HW-C007]: `v` is a view
              1 │ CREATE VIEW v AS SELECT 1; CREATE TABLE t LIKE v
                ·                                                ^
              more: headwater error HW-C007"#]],
    );
}

#[test]
fn a_table_without_connector_says_so() {
    let catalog = catalog("CREATE TABLE t (a INT)");
    let error = catalog.tables().next().unwrap().connector().unwrap_err();
    assert_eq!(error.code, codes::MISSING_OPTION);
    assert_eq!(error.message, "table `t` has no option 'connector'");
}

#[test]
fn secrets() {
    for key in ["properties.sasl.jaas.config", "password", "ssl.key.password", "s3.secret-key"] {
        assert!(is_secret(key), "{key}");
    }
    for key in ["topic", "key.format", "primary.key", "format"] {
        assert!(!is_secret(key), "{key}");
    }
}
