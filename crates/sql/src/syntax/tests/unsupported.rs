//! Errors of what is understood, but not supported, with the way around.

use expect_test::expect;

use super::refuse;

#[test]
fn statements_that_are_not() {
    refuse(
        &[
            "SELCT 1",
            "FOO",
            "42",
            "INSRT INTO t SELECT 1",
            "ALTER TABLE t ADD a INT",
            "DELETE FROM t",
            "UPDATE t SET a = 1",
            "ADD JAR 'x.jar'",
            "BEGIN",
            "CALL f()",
            "USE MODULES a",
            "COMPILE PLAN 'p' FOR INSERT INTO t SELECT 1",
        ],
        expect![[r#"
            error[HW-S005]: no statement `SELCT`
              1 │ SELCT 1
                · ^^^^^ did you mean `SELECT`?
              help: statements begin with SELECT, INSERT INTO, CREATE, DROP, SHOW, EXPLAIN, SET
              more: headwater error HW-S005
            error[HW-S005]: no statement `FOO`
              1 │ FOO
                · ^^^
              help: statements begin with SELECT, INSERT INTO, CREATE, DROP, SHOW, EXPLAIN, SET
              more: headwater error HW-S005
            error[HW-S001]: expected a statement, found `42`
              1 │ 42
                · ^^
              more: headwater error HW-S001
            error[HW-S005]: no statement `INSRT`
              1 │ INSRT INTO t SELECT 1
                · ^^^^^ did you mean `INSERT`?
              help: statements begin with SELECT, INSERT INTO, CREATE, DROP, SHOW, EXPLAIN, SET
              more: headwater error HW-S005
            error[HW-S006]: the statement ALTER is not supported
              1 │ ALTER TABLE t ADD a INT
                · ^^^^^
              help: DROP it and CREATE it again
              more: headwater error HW-S006
            error[HW-S006]: the statement DELETE is not supported
              1 │ DELETE FROM t
                · ^^^^^^
              help: tables are read and appended to; a sink with a primary key is updated by INSERT INTO
              more: headwater error HW-S006
            error[HW-S006]: the statement UPDATE is not supported
              1 │ UPDATE t SET a = 1
                · ^^^^^^
              help: tables are read and appended to; a sink with a primary key is updated by INSERT INTO
              more: headwater error HW-S006
            error[HW-S006]: the statement ADD is not supported
              1 │ ADD JAR 'x.jar'
                · ^^^
              help: JARs can't be loaded
              more: headwater error HW-S006
            error[HW-S006]: BEGIN of a transaction is not supported
              1 │ BEGIN
                · ^^^^^
              help: BEGIN STATEMENT SET; INSERT …; INSERT …; END; runs inserts as one job
              more: headwater error HW-S006
            error[HW-S006]: the statement CALL is not supported
              1 │ CALL f()
                · ^^^^
              more: headwater error HW-S006
            error[HW-S006]: USE MODULES is not supported
              1 │ USE MODULES a
                ·     ^^^^^^^
              more: headwater error HW-S006
            error[HW-S006]: the statement COMPILE is not supported
              1 │ COMPILE PLAN 'p' FOR INSERT INTO t SELECT 1
                · ^^^^^^^
              help: the plan is kept with the checkpoint
              more: headwater error HW-S006"#]],
    );
}

#[test]
fn clauses_that_are_not_supported() {
    refuse(
        &[
            "SELECT * FROM t TABLESAMPLE BERNOULLI (10)",
            "SELECT * FROM t FOR UPDATE",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY b MEASURES A.x AS y PATTERN (A B) DEFINE B AS B.x > 1)",
            "SELECT TOP 5 * FROM t",
            "SELECT a INTO u FROM t",
            "SELECT * FROM t WITH (NOLOCK)",
            "SELECT * FROM t FETCH FIRST 5 ROWS WITH TIES",
            "SELECT * FROM t PIVOT (SUM(a) FOR b IN ('x'))",
            "SELECT a FROM t SORT BY a",
            "SELECT a FROM t LATERAL VIEW explode(x) y AS z",
            "WITH c AS (SELECT 1) INSERT INTO t SELECT * FROM c",
            "SELECT 1 SETTINGS a = 1",
            "CREATE TABLE t (a INT DEFAULT 5)",
            "CREATE TABLE t (a INT UNIQUE)",
            "CREATE TABLE t (a INT, UNIQUE (a))",
            "CREATE TABLE t (a MULTISET<INT>)",
            "CREATE TABLE t (a INT) DISTRIBUTED BY (a) INTO 4 BUCKETS",
            "CREATE OR REPLACE TABLE t (a INT)",
            "CREATE DATABASE d",
            "CREATE FUNCTION f AS 'x' USING JAR 'y.jar'",
            "CREATE FUNCTION f(a INT) RETURNS INT AS 'x'",
            "SHOW MODULES",
            "SET TIME ZONE 'UTC'",
        ],
        expect![[r#"
            error[HW-S006]: TABLESAMPLE is not supported
              1 │ SELECT * FROM t TABLESAMPLE BERNOULLI (10)
                ·               ^
              more: headwater error HW-S006
            error[HW-S006]: the clause FOR UPDATE is not supported
              1 │ SELECT * FROM t FOR UPDATE
                ·                           ^
              more: headwater error HW-S006
            error[HW-S006]: MATCH_RECOGNIZE is not supported
              1 │ SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY b MEASURES A.x AS y PATTERN (A B) DEFINE B AS B.x > 1)
                ·               ^
              more: headwater error HW-S006
            error[HW-S006]: TOP is not supported
              1 │ SELECT TOP 5 * FROM t
                · ^^^^^^
              help: use LIMIT
              more: headwater error HW-S006
            error[HW-S006]: SELECT INTO is not supported
              1 │ SELECT a INTO u FROM t
                · ^^^^^^
              help: use CREATE TABLE … AS or INSERT INTO
              more: headwater error HW-S006
            error[HW-S006]: WITH (…) behind a table is not supported
              1 │ SELECT * FROM t WITH (NOLOCK)
                ·               ^
              help: options of one query are written /*+ OPTIONS('key' = 'value') */
              more: headwater error HW-S006
            error[HW-S006]: FETCH … WITH TIES or PERCENT is not supported
              1 │ SELECT * FROM t FETCH FIRST 5 ROWS WITH TIES
                ·                                             ^
              more: headwater error HW-S006
            error[HW-S006]: PIVOT is not supported
              1 │ SELECT * FROM t PIVOT (SUM(a) FOR b IN ('x'))
                ·               ^
              more: headwater error HW-S006
            error[HW-S006]: SORT BY is not supported
              1 │ SELECT a FROM t SORT BY a
                · ^^^^^^
              help: use ORDER BY
              more: headwater error HW-S006
            error[HW-S006]: LATERAL VIEW is not supported
              1 │ SELECT a FROM t LATERAL VIEW explode(x) y AS z
                · ^^^^^^
              help: use CROSS JOIN UNNEST(…)
              more: headwater error HW-S006
            error[HW-S001]: WITH stands in front of INSERT
              1 │ WITH c AS (SELECT 1) INSERT INTO t SELECT * FROM c
                ·                                                   ^
              help: write INSERT INTO t WITH x AS (…) SELECT …
              more: headwater error HW-S001
            error[HW-S006]: the clause SETTINGS is not supported
              1 │ SELECT 1 SETTINGS a = 1
                ·                   ^
              more: headwater error HW-S006
            error[HW-S006]: DEFAULT of a column is not supported
              1 │ CREATE TABLE t (a INT DEFAULT 5)
                ·                       ^^^^^^^
              more: headwater error HW-S006
            error[HW-S006]: UNIQUE of a column is not supported
              1 │ CREATE TABLE t (a INT UNIQUE)
                ·                       ^^^^^^
              more: headwater error HW-S006
            error[HW-S006]: UNIQUE is not supported
              1 │ CREATE TABLE t (a INT, UNIQUE (a))
                ·                        ^^^^^^
              help: use PRIMARY KEY
              more: headwater error HW-S006
            error[HW-S006]: the type MULTISET is not supported
              1 │ CREATE TABLE t (a MULTISET<INT>)
                ·                   ^^^^^^^^
              more: headwater error HW-S006
            error[HW-S006]: DISTRIBUTED BY is not supported
              1 │ CREATE TABLE t (a INT) DISTRIBUTED BY (a) INTO 4 BUCKETS
                ·                        ^^^^^^^^^^^
              more: headwater error HW-S006
            error[HW-S006]: CREATE OR REPLACE TABLE is not supported
              1 │ CREATE OR REPLACE TABLE t (a INT)
                ·                   ^^^^^
              help: DROP it first, or write CREATE TABLE IF NOT EXISTS
              more: headwater error HW-S006
            error[HW-S006]: CREATE DATABASE is not supported
              1 │ CREATE DATABASE d
                ·        ^^^^^^^^
              more: headwater error HW-S006
            error[HW-S006]: USING JAR is not supported
              1 │ CREATE FUNCTION f AS 'x' USING JAR 'y.jar'
                ·                          ^^^^^
              help: Java classes can't be loaded; register a Rust function of that name
              more: headwater error HW-S006
            error[HW-S006]: a function with its code in the text is not supported
              1 │ CREATE FUNCTION f(a INT) RETURNS INT AS 'x'
                ·                  ^
              help: register it from Rust, then CREATE FUNCTION f AS 'its name'
              more: headwater error HW-S006
            error[HW-S006]: SHOW MODULES is not supported
              1 │ SHOW MODULES
                ·      ^^^^^^^
              more: headwater error HW-S006
            error[HW-S006]: SET TIME ZONE is not supported
              1 │ SET TIME ZONE 'UTC'
                ·     ^^^^
              help: write SET 'table.local-time-zone' = 'Europe/Berlin'
              more: headwater error HW-S006"#]],
    );
}

#[test]
fn windows_of_other_systems_get_the_right_form() {
    refuse(
        &[
            "SELECT window(ts, '10 minutes', '5 minutes') FROM t",
            "SELECT COUNT(*) FROM t GROUP BY window(t.ts, '1 hour')",
            "SELECT COUNT(*) FROM t GROUP BY session_window(ts, '30 seconds')",
            "SELECT COUNT(*) FROM t WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY a",
            "SELECT COUNT(*) FROM t WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 1 MINUTE) GROUP BY a",
        ],
        expect![[r#"
            error[HW-S007]: window(time, size, slide) is Spark's window
              1 │ SELECT window(ts, '10 minutes', '5 minutes') FROM t
                ·        ^^^^^^
              help: write FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE, INTERVAL '10' MINUTE)) … GROUP BY window_start, window_end; the slide comes first
              more: headwater error HW-S007
            error[HW-S007]: window(time, size) is Spark's window
              1 │ SELECT COUNT(*) FROM t GROUP BY window(t.ts, '1 hour')
                ·                                 ^^^^^^
              help: write FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(t.ts), INTERVAL '1' HOUR)) … GROUP BY window_start, window_end
              more: headwater error HW-S007
            error[HW-S007]: session_window(time, gap) is Spark's window
              1 │ SELECT COUNT(*) FROM t GROUP BY session_window(ts, '30 seconds')
                ·                                 ^^^^^^^^^^^^^^
              help: write FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '30' SECOND))
              more: headwater error HW-S007
            error[HW-S007]: WINDOW TUMBLING, HOPPING and SESSION are ksqlDB's windows
              1 │ SELECT COUNT(*) FROM t WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY a
                ·                        ^^^^^^^^^^^^^^^
              help: write FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), size))
              more: headwater error HW-S007
            error[HW-S007]: WINDOW TUMBLING, HOPPING and SESSION are ksqlDB's windows
              1 │ SELECT COUNT(*) FROM t WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 1 MINUTE) GROUP BY a
                ·                        ^^^^^^^^^^^^^^
              help: write FROM TABLE(HOP(TABLE t, DESCRIPTOR(time), slide, size)): the slide comes first
              more: headwater error HW-S007"#]],
    );
}
