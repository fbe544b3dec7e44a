//! Statements other than queries.

use expect_test::expect;

use super::check;

#[test]
fn a_table_with_everything() {
    check(
        "CREATE TABLE IF NOT EXISTS events (
            kind INT NOT NULL COMMENT 'what happened',
            who ROW<id BIGINT, `name` VARCHAR(20), tags ARRAY<STRING>, at ROW<x DOUBLE, y DOUBLE>>,
            attributes MAP<STRING, ARRAY<INT NOT NULL>> NOT NULL,
            amount DECIMAL(38, 2), flag BOOLEAN, raw BYTES, day_ DATE, hour_ TIME(0),
            offset_ BIGINT METADATA FROM 'offset' VIRTUAL,
            `timestamp` TIMESTAMP_LTZ(3) METADATA,
            ts AS CASE WHEN kind = 0 THEN `timestamp` ELSE TO_TIMESTAMP_LTZ(offset_, 3) END,
            p AS PROCTIME() COMMENT 'now',
            WATERMARK FOR ts AS ts - INTERVAL '4' SECOND,
            CONSTRAINT pk PRIMARY KEY (kind, day_) NOT ENFORCED
        ) COMMENT 'all of them' PARTITIONED BY (day_, kind)
        WITH ('connector' = 'kafka', 'scan.startup.mode' = 'earliest-offset')",
        expect![[r#"
            table events, if not exists
              kind INT not null -- what happened
              who STRUCT<id BIGINT, `name` VARCHAR(20), tags ARRAY<STRING>, at STRUCT<x DOUBLE, y DOUBLE>>
              attributes Map(STRING, ARRAY<INT>) not null
              amount DECIMAL(38,2)
              flag BOOLEAN
              raw BYTES
              day_ DATE
              hour_ TIME(0)
              offset_ BIGINT from metadata Some("offset") virtual true
              `timestamp` TIMESTAMPTZ(3) from metadata None virtual false
              ts is CASE WHEN kind = 0 THEN `timestamp` ELSE TO_TIMESTAMP_LTZ(offset_, 3) END
              p is PROCTIME() -- now
              watermark ts ts - INTERVAL '4' SECOND
              key ["kind", "day_"]
              by ["day_", "kind"]
              -- all of them
              with [connector = kafka, scan.startup.mode = earliest-offset]"#]],
    );
}

#[test]
fn types_in_all_their_spellings() {
    check(
        "CREATE TABLE t (a INTEGER, b DOUBLE PRECISION, c DEC(5), d NUMERIC, e CHARACTER VARYING(3),
            f TIMESTAMP, g TIMESTAMP(9) WITHOUT TIME ZONE, h TIMESTAMP(3) WITH LOCAL TIME ZONE,
            i TIMESTAMPTZ, j INT ARRAY, k ROW(a INT 'first', b INT COMMENT 'second'),
            l ARRAY<ARRAY<ROW<x ARRAY<INT>>>>, m INTERVAL DAY(2) TO SECOND(3), n INTERVAL YEAR,
            o VARBINARY(7), p CHAR(1), r text)",
        expect![[r#"
            table t
              a INT
              b DOUBLE
              c DECIMAL(5,0)
              d DECIMAL
              e VARCHAR(3)
              f TIMESTAMP
              g TIMESTAMP(9)
              h TIMESTAMPTZ(3)
              i TIMESTAMPTZ
              j ARRAY<INT>
              k STRUCT<a INT, b INT>
              l ARRAY<ARRAY<STRUCT<x ARRAY<INT>>>>
              m INTERVAL DAY TO SECOND
              n INTERVAL YEAR TO MONTH
              o VARBINARY
              p CHAR(1)
              r STRING"#]],
    );
}

#[test]
fn keys_of_options_may_be_bare_and_values_numbers() {
    check(
        "CREATE TABLE t (a INT) WITH (connector = 'kafka', scan.rate-limit = 10, x.y = true)",
        expect![[r#"
            table t
              a INT
              with [connector = kafka, scan.rate-limit = 10, x.y = true]"#]],
    );
}

#[test]
fn a_column_may_be_named_like_a_clause() {
    check(
        "CREATE TABLE t (watermark INT, key INT PRIMARY KEY NOT ENFORCED, `value` STRING, period INT,
            unique_ INT, metadata STRING METADATA FROM 'm')",
        expect![[r#"
            table t
              watermark INT
              key INT
              `value` STRING
              period INT
              unique_ INT
              metadata STRING from metadata Some("m") virtual false
              key ["key"]"#]],
    );
}

#[test]
fn like_and_as() {
    check(
        "CREATE TEMPORARY TABLE t WITH ('a' = 'b')
            LIKE other (EXCLUDING ALL INCLUDING OPTIONS OVERWRITING WATERMARKS);
         CREATE TABLE u (extra INT) LIKE t;
         CREATE TABLE v WITH ('connector' = 'print') AS SELECT 1 AS one;
         CREATE SINK w WITH ('connector' = 'print') AS SELECT * FROM u;
         CREATE SINK x FROM u WITH (connector = 'print');
         CREATE SOURCE y (a INT) WITH (connector = 'datagen')",
        expect![[r#"
            table t, temporary
              with [a = b]
              like other Excluding:All Including:Options Overwriting:Watermarks
            table u
              extra INT
              like t
            table v
              with [connector = print]
              as SELECT 1 AS one
            table w
              with [connector = print]
              as SELECT * FROM u
            table x
              with [connector = print]
              as SELECT * FROM u
            table y
              a INT
              with [connector = datagen]"#]],
    );
}

#[test]
fn views_keep_their_text() {
    check(
        "CREATE VIEW v AS
           SELECT a, 'Ü;--' AS b -- why
           FROM t /* not a hint */ WHERE a > 1;
         CREATE OR REPLACE TEMPORARY VIEW w (x COMMENT 'first', y) COMMENT 'c' AS VALUES (1, 2);
         CREATE VIEW IF NOT EXISTS u AS WITH c AS (SELECT 1) SELECT * FROM c;
         CREATE MATERIALIZED VIEW m AS SELECT 1;",
        expect![[r#"
            view v as SELECT a, 'Ü;--' AS b FROM t WHERE a > 1
              text "SELECT a, 'Ü;--' AS b -- why\n           FROM t /* not a hint */ WHERE a > 1"
            view w, temporary, or replace ["x", "y"] as VALUES (1, 2)
              text "VALUES (1, 2)"
            view u, if not exists as WITH c AS (SELECT 1) SELECT * FROM c
              text "WITH c AS (SELECT 1) SELECT * FROM c"
            view m, materialized as SELECT 1
              text "SELECT 1""#]],
    );
}

#[test]
fn functions() {
    check(
        "CREATE FUNCTION count_char AS 'com.example.CountChar';
         CREATE TEMPORARY SYSTEM FUNCTION IF NOT EXISTS f AS 'my_f' LANGUAGE RUST;
         CREATE FUNCTION g LANGUAGE wasm AS 'g.wasm'",
        expect![[r#"
            function count_char is "com.example.CountChar" in java
            function f is "my_f" in rust, temporary, if not exists
            function g is "g.wasm" in wasm"#]],
    );
}

#[test]
fn inserts() {
    check(
        "INSERT INTO t SELECT 1;
         INSERT INTO TABLE cat.db.t (a, `b c`) VALUES (1, 2), (3, 4);
         INSERT OVERWRITE t PARTITION (day_ = '2026-11-21', h = 1 + 1) (SELECT 1);
         INSERT INTO t WITH c AS (SELECT 1 AS x) SELECT x FROM c UNION ALL SELECT 2;
         INSERT INTO t /*+ OPTIONS('sink.parallelism' = '1') */ SELECT 1;
         EXECUTE INSERT INTO t SELECT 1",
        expect![[r#"
            insert into t SELECT 1
            insert into cat.db.t ["a", "b c"] VALUES (1, 2), (3, 4)
            insert into t, overwrite partition ["day_ = '2026-11-21'", "h = 1 + 1"] (SELECT 1)
            insert into t WITH c AS (SELECT 1 AS x) SELECT x FROM c UNION ALL SELECT 2
            insert into t with [sink.parallelism = 1] SELECT 1
            insert into t SELECT 1"#]],
    );
}

#[test]
fn statement_sets() {
    check(
        "EXECUTE STATEMENT SET BEGIN
           INSERT INTO a SELECT 1; -- one
           INSERT INTO b SELECT CASE WHEN x THEN 1 END FROM t;
         END;
         BEGIN STATEMENT SET; INSERT INTO c SELECT 3; END;
         EXPLAIN CHANGELOG_MODE STATEMENT SET BEGIN INSERT INTO d SELECT 4; END;
         SELECT 5",
        expect![[r#"
            set of
              insert into a SELECT 1
              insert into b SELECT CASE WHEN x THEN 1 END FROM t
            set of
              insert into c SELECT 3
            explain [ChangelogMode] set of
              insert into d SELECT 4
            query SELECT 5"#]],
    );
}

#[test]
fn explain() {
    check(
        "EXPLAIN SELECT 1;
         EXPLAIN PLAN FOR SELECT 1;
         EXPLAIN ESTIMATED_COST, CHANGELOG_MODE, PLAN_ADVICE, JSON_EXECUTION_PLAN INSERT INTO t SELECT 1;
         EXPLAIN (STATE, JSON) (SELECT 1);
         EXPLAIN ANALYZE WITH c AS (SELECT 1) SELECT * FROM c",
        expect![[r#"
            explain [] query SELECT 1
            explain [] query SELECT 1
            explain [EstimatedCost, ChangelogMode, PlanAdvice, Json] insert into t SELECT 1
            explain [State, Json] query (SELECT 1)
            explain analyze [] query WITH c AS (SELECT 1) SELECT * FROM c"#]],
    );
}

#[test]
fn settings() {
    check(
        "SET;
         SET 'table.exec.state.ttl' = '0';
         SET 'a.b';
         SET table.exec.mini-batch.enabled = true;
         SET pipeline.name = my job 1;
         RESET; RESET 'a.b'; RESET a.b-c",
        expect![[r#"
            set None to None
            set Some("table.exec.state.ttl") to Some("0")
            set Some("a.b") to None
            set Some("table.exec.mini-batch.enabled") to Some("true")
            set Some("pipeline.name") to Some("my job 1")
            reset None
            reset Some("a.b")
            reset Some("a.b-c")"#]],
    );
}

#[test]
fn show_describe_drop_use() {
    check(
        "SHOW TABLES; SHOW TABLES FROM db NOT LIKE 'a%'; SHOW VIEWS; SHOW USER FUNCTIONS;
         SHOW FUNCTIONS LIKE 'to_%'; SHOW COLUMNS FROM t LIKE 'x'; SHOW CREATE TABLE `a b`;
         SHOW CREATE VIEW v; SHOW CATALOGS; SHOW CURRENT DATABASE; SHOW JOBS; SHOW CONNECTORS;
         DESCRIBE t; DESC EXTENDED `a`.b; DROP TABLE t; DROP TEMPORARY VIEW IF EXISTS v;
         DROP FUNCTION f; DROP MATERIALIZED VIEW m; DROP SOURCE s; USE CATALOG c; USE c.d",
        expect![[r#"
            show Tables like None
            show Tables like Some(("a%", true))
            show Views like None
            show Functions { user_only: true } like None
            show Functions { user_only: false } like Some(("to_%", false))
            show columns of t like Some(("x", false))
            show create table `a b` like None
            show create view v like None
            show Catalogs like None
            show CurrentDatabase like None
            show Jobs like None
            show Connectors like None
            describe t
            describe `a`.b
            drop table t
            drop view v, if exists, temporary
            drop function f
            drop view m
            drop table s
            use c
            use c.d"#]],
    );
}

#[test]
fn copy_and_subscribe() {
    check(
        "COPY (SELECT * FROM t) TO 'out.csv' WITH ('format' = 'csv');
         COPY t TO 'out.parquet' (format parquet);
         SUBSCRIBE TO v;
         SUBSCRIBE TO (SELECT a FROM t)",
        expect![[r#"
            copy SELECT * FROM t to "out.csv" with [format = csv]
            copy SELECT * FROM t to "out.parquet" with [format = parquet]
            query SELECT * FROM v EMIT CHANGES
            query SELECT a FROM t EMIT CHANGES"#]],
    );
}

#[test]
fn spans_are_the_bytes_of_each_statement() {
    let text = "-- first\n  SELECT 'ä';;\n/* ; */ DROP TABLE `日` ;\n-- end";
    let found: Vec<&str> = super::parse(text).unwrap().into_iter().map(|p| &text[p.span]).collect();
    assert_eq!(found, ["SELECT 'ä'", "DROP TABLE `日`"]);
}

#[test]
fn nothing_is_no_statement() {
    for text in ["", ";", " ;; ", "-- only a comment", "/* and */ ; -- another"] {
        assert!(super::parse(text).unwrap().is_empty(), "{text}");
    }
}

#[test]
fn a_shell_knows_when_to_read_on() {
    let open = super::is_open;
    assert!(open("SELECT 1"));
    assert!(open("SELECT 'a;"));
    assert!(open("SELECT `a"));
    assert!(open("SELECT 1 /* ;"));
    assert!(open("BEGIN STATEMENT SET; INSERT INTO t SELECT 1;"));
    assert!(open("EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;"));
    assert!(!open("SELECT 1;"));
    assert!(!open("SELECT 1; -- done"));
    assert!(!open("BEGIN STATEMENT SET; INSERT INTO t SELECT 1; END;"));
    assert!(!open(""));
}
