//! Errors of the text, as they are drawn.

use expect_test::{Expect, expect};

use super::say;

fn refuse(texts: &[&str], expected: Expect) {
    let drawn: Vec<String> = texts.iter().map(|text| say(text)).collect();
    expected.assert_eq(&drawn.join("\n"));
}

#[test]
fn words_out_of_place() {
    refuse(
        &[
            "SELECT a b c FROM t",
            "SELECT FROM t",
            "SELECT 1 FROM",
            "SELECT (1 + 2",
            "SELECT a FROM t WHERE",
            "SELECT a, FROM t",
            "INSERT INTO t",
            "INSERT t SELECT 1",
            "CREATE TABLE t (a INT,)",
            "CREATE TABLE t (a INT b INT)",
            "CREATE TABLE (a INT)",
            "CREATE TABLE t (a INT) WITH 'connector' = 'x'",
            "CREATE TABLE t (a INT) WITH ('connector')",
            "CREATE TABLE t (a INT) WITH ('connector' = 'x'",
            "CREATE VIEW v SELECT 1",
            "SELECT 1; SELECT 2 2; SELECT 3",
            "DROP t",
            "SHOW ME",
            "EXPLAIN DROP TABLE t",
            "SET 'a' =",
        ],
        expect![[]],
    );
}

#[test]
fn strings_without_end_and_unknown_signs() {
    refuse(
        &["SELECT 'abc", "SELECT `abc FROM t", "SELECT /* abc", "SELECT 1 ~~~ ", "SELECT a ? b"],
        expect![[]],
    );
}

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
        expect![[]],
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
        expect![[]],
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
        expect![[]],
    );
}

#[test]
fn types_that_are_not() {
    refuse(
        &[
            "CREATE TABLE t (a STRIN)",
            "CREATE TABLE t (a ROW<x FOO>)",
            "CREATE TABLE t (a ARRAY<INT>>)",
            "CREATE TABLE t (a ARRAY INT)",
            "CREATE TABLE t (a TIMESTAMP(12))",
            "CREATE TABLE t (a DECIMAL(40, 2))",
            "CREATE TABLE t (a DECIMAL(5, 6))",
            "CREATE TABLE t (a)",
            "SELECT CAST(a AS INTT) FROM t",
            "CREATE TABLE t (a INTERVAL)",
        ],
        expect![[]],
    );
}

#[test]
fn clauses_that_are_there_twice() {
    refuse(
        &[
            "CREATE TABLE t (a INT, WATERMARK FOR a AS a, WATERMARK FOR a AS a)",
            "CREATE TABLE t (a INT PRIMARY KEY, b INT, PRIMARY KEY (b))",
            "CREATE TABLE t (a INT) WITH ('x' = '1', 'x' = '2')",
            "SELECT a FROM t LIMIT 5 FETCH FIRST 3 ROWS ONLY",
        ],
        expect![[]],
    );
}

#[test]
fn statement_sets_that_are_not_whole() {
    refuse(
        &[
            "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;",
            "EXECUTE STATEMENT SET BEGIN END",
            "EXECUTE STATEMENT SET BEGIN SELECT 1; END",
            "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1 END",
            "EXECUTE STATEMENT SET INSERT INTO t SELECT 1",
            "BEGIN STATEMENT SET INSERT INTO t SELECT 1; END",
        ],
        expect![[]],
    );
}

#[test]
fn hints_that_are_not() {
    refuse(
        &[
            "SELECT /*+ STATE_TTTL('a' = '1d') */ a FROM t",
            "SELECT /*+ OPTIONS('a' = '1d') */ a FROM t",
            "SELECT /*+ STATE_TTL('a' = */ a FROM t",
            "SELECT a FROM t /*+ STATE_TTL('a' = '1d') */",
            "SELECT a /*+ OPTIONS('a' = 'b') */ FROM t",
            "SELECT a FROM t /*+ OPTIONS('a') */",
        ],
        expect![[]],
    );
}

#[test]
fn wrong_literals() {
    refuse(
        &[
            "SELECT INTERVAL 'x' MINUTE TO SECOND",
            "SELECT INTERVAL '1:2:3' MINUTE TO SECOND",
            "SELECT INTERVAL '1-13' YEAR TO MONTH",
            "SELECT a FROM t EMIT EVERY 5",
        ],
        expect![[]],
    );
}
