//! Errors of the text, as they are drawn.

use expect_test::expect;

use super::refuse;

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
        expect![[r#"
            error[HW-S001]: expected the end of the statement, found `c`
              1 │ SELECT a b c FROM t
                ·            ^
              more: headwater error HW-S001
            error[HW-S001]: expected an expression, found `FROM`
              1 │ SELECT FROM t
                ·        ^^^^
              more: headwater error HW-S001
            error[HW-S001]: expected identifier, found the end of the text
              1 │ SELECT 1 FROM
                ·              ^
              more: headwater error HW-S001
            error[HW-S001]: expected `)`, found the end of the text
              1 │ SELECT (1 + 2
                ·              ^
              more: headwater error HW-S001
            error[HW-S001]: expected an expression, found the end of the text
              1 │ SELECT a FROM t WHERE
                ·                      ^
              more: headwater error HW-S001
            error[HW-S001]: expected an expression, found `FROM`
              1 │ SELECT a, FROM t
                ·           ^^^^
              more: headwater error HW-S001
            error[HW-S001]: expected SELECT, VALUES, WITH or a list of columns, found the end of the statement
              1 │ INSERT INTO t
                ·              ^
              more: headwater error HW-S001
            error[HW-S001]: expected INTO, found `t`
              1 │ INSERT t SELECT 1
                ·        ^
              more: headwater error HW-S001
            error[HW-S001]: expected a name, found `)`
              1 │ CREATE TABLE t (a INT,)
                ·                       ^
              more: headwater error HW-S001
            error[HW-S001]: expected `,` or `)`, found `b`
              1 │ CREATE TABLE t (a INT b INT)
                ·                       ^
              more: headwater error HW-S001
            error[HW-S001]: expected a name, found `(`
              1 │ CREATE TABLE (a INT)
                ·              ^
              more: headwater error HW-S001
            error[HW-S001]: expected `(`, found `'connector'`
              1 │ CREATE TABLE t (a INT) WITH 'connector' = 'x'
                ·                             ^^^^^^^^^^^
              more: headwater error HW-S001
            error[HW-S001]: expected a value in quotes, found `)`
              1 │ CREATE TABLE t (a INT) WITH ('connector')
                ·                                         ^
              more: headwater error HW-S001
            error[HW-S001]: expected `,` or `)`, found the end of the statement
              1 │ CREATE TABLE t (a INT) WITH ('connector' = 'x'
                ·                                               ^
              more: headwater error HW-S001
            error[HW-S001]: expected AS, found `SELECT`
              1 │ CREATE VIEW v SELECT 1
                ·               ^^^^^^
              more: headwater error HW-S001
            error[HW-S001]: expected the end of the statement, found `2`
              1 │ SELECT 1; SELECT 2 2; SELECT 3
                ·                    ^
              more: headwater error HW-S001
            error[HW-S001]: expected TABLE, VIEW or FUNCTION, found `t`
              1 │ DROP t
                ·      ^
              more: headwater error HW-S001
            error[HW-S001]: expected TABLES, VIEWS, FUNCTIONS, COLUMNS or CREATE TABLE, found `ME`
              1 │ SHOW ME
                ·      ^^
              more: headwater error HW-S001
            error[HW-S001]: EXPLAIN is for queries and INSERT
              1 │ EXPLAIN DROP TABLE t
                ·         ^^^^
              more: headwater error HW-S001
            error[HW-S001]: expected a value, found the end of the statement
              1 │ SET 'a' =
                ·          ^
              more: headwater error HW-S001"#]],
    );
}

#[test]
fn strings_without_end_and_unknown_signs() {
    refuse(
        &["SELECT 'abc", "SELECT `abc FROM t", "SELECT /* abc", "SELECT 1 ~~~ ", "SELECT a ? b"],
        expect![[r#"
            error[HW-S002]: unterminated string literal
              1 │ SELECT 'abc
                ·        ^
              help: text goes in single quotes, names in backticks; a quote within is doubled
              more: headwater error HW-S002
            error[HW-S002]: expected close delimiter '`' before the end of the text
              1 │ SELECT `abc FROM t
                ·        ^
              help: text goes in single quotes, names in backticks; a quote within is doubled
              more: headwater error HW-S002
            error[HW-S002]: a comment has no end
              1 │ SELECT /* abc
                ·              ^
              help: text goes in single quotes, names in backticks; a quote within is doubled
              more: headwater error HW-S002
            error[HW-S001]: expected an expression, found the end of the text
              1 │ SELECT 1 ~~~ 
                ·             ^
              more: headwater error HW-S001
            error[HW-S001]: expected the end of the statement, found `?`
              1 │ SELECT a ? b
                ·          ^
              more: headwater error HW-S001"#]],
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
        expect![[r#"
            error[HW-S008]: unknown type `STRIN`
              1 │ CREATE TABLE t (a STRIN)
                ·                   ^^^^^ did you mean `STRING`?
              more: headwater error HW-S008
            error[HW-S008]: unknown type `FOO`
              1 │ CREATE TABLE t (a ROW<x FOO>)
                ·                         ^^^
              more: headwater error HW-S008
            error[HW-S001]: expected a type, found one > too many
              1 │ CREATE TABLE t (a ARRAY<INT>>)
                ·                            ^
              more: headwater error HW-S001
            error[HW-S001]: expected `<`, found `INT`
              1 │ CREATE TABLE t (a ARRAY INT)
                ·                         ^^^
              more: headwater error HW-S001
            error[HW-S008]: a precision is from 0 to 9, got 12
              1 │ CREATE TABLE t (a TIMESTAMP(12))
                ·                   ^^^^^^^^^
              more: headwater error HW-S008
            error[HW-S008]: DECIMAL(p, s) has p from 1 to 38 and s from 0 to p, got (40, 2)
              1 │ CREATE TABLE t (a DECIMAL(40, 2))
                ·                           ^^
              more: headwater error HW-S008
            error[HW-S008]: DECIMAL(p, s) has p from 1 to 38 and s from 0 to p, got (5, 6)
              1 │ CREATE TABLE t (a DECIMAL(5, 6))
                ·                           ^
              more: headwater error HW-S008
            error[HW-S001]: expected a type, found `)`
              1 │ CREATE TABLE t (a)
                ·                  ^
              more: headwater error HW-S001
            error[HW-S008]: unknown type `INTT`
              1 │ SELECT CAST(a AS INTT) FROM t
                ·                  ^^^^ did you mean `INT`?
              more: headwater error HW-S008
            error[HW-S001]: expected YEAR, MONTH, DAY, HOUR, MINUTE or SECOND, found `)`
              1 │ CREATE TABLE t (a INTERVAL)
                ·                           ^
              more: headwater error HW-S001"#]],
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
        expect![[r#"
            error[HW-S011]: a table has one watermark
              1 │ CREATE TABLE t (a INT, WATERMARK FOR a AS a, WATERMARK FOR a AS a)
                ·                                              ^^^^^^^^^
              more: headwater error HW-S011
            error[HW-S011]: a table has one primary key
              1 │ CREATE TABLE t (a INT PRIMARY KEY, b INT, PRIMARY KEY (b))
                ·                                           ^^^^^^^
              more: headwater error HW-S011
            error[HW-S011]: option 'x' is there twice
              1 │ CREATE TABLE t (a INT) WITH ('x' = '1', 'x' = '2')
                ·                                         ^^^
              more: headwater error HW-S011
            error[HW-S001]: LIMIT and FETCH are both there
              1 │ SELECT a FROM t LIMIT 5 FETCH FIRST 3 ROWS ONLY
                ·                                                ^
              more: headwater error HW-S001"#]],
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
        expect![[r#"
            error[HW-S010]: the statement set has no END
              1 │ EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;
                ·         ^^^^^^^^^
              help: write EXECUTE STATEMENT SET BEGIN INSERT …; INSERT …; END;
              more: headwater error HW-S010
            error[HW-S010]: the statement set is empty
              1 │ EXECUTE STATEMENT SET BEGIN END
                ·         ^^^^^^^^^
              more: headwater error HW-S010
            error[HW-S010]: only INSERT stands in a statement set
              1 │ EXECUTE STATEMENT SET BEGIN SELECT 1; END
                ·                             ^^^^^^
              more: headwater error HW-S010
            error[HW-S010]: expected `;` behind an INSERT of a statement set
              1 │ EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1 END
                ·                                                    ^^^
              more: headwater error HW-S010
            error[HW-S010]: expected BEGIN behind STATEMENT SET
              1 │ EXECUTE STATEMENT SET INSERT INTO t SELECT 1
                ·                       ^^^^^^
              more: headwater error HW-S010
            error[HW-S010]: expected `;` behind BEGIN STATEMENT SET
              1 │ BEGIN STATEMENT SET INSERT INTO t SELECT 1; END
                ·                     ^^^^^^
              more: headwater error HW-S010"#]],
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
        expect![[r#"
            error[HW-S009]: no query hint `STATE_TTTL`
              1 │ SELECT /*+ STATE_TTTL('a' = '1d') */ a FROM t
                ·        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `STATE_TTL`?
              help: hints are STATE_TTL, BROADCAST, SHUFFLE_HASH, SHUFFLE_MERGE, NEST_LOOP, LOOKUP, MULTI_JOIN, JSON_AGGREGATE_WRAPPED, EARLY_FIRE
              more: headwater error HW-S009
            error[HW-S009]: no query hint `OPTIONS`
              1 │ SELECT /*+ OPTIONS('a' = '1d') */ a FROM t
                ·        ^^^^^^^^^^^^^^^^^^^^^^^^^^ OPTIONS stands behind the table's name
              help: hints are STATE_TTL, BROADCAST, SHUFFLE_HASH, SHUFFLE_MERGE, NEST_LOOP, LOOKUP, MULTI_JOIN, JSON_AGGREGATE_WRAPPED, EARLY_FIRE
              more: headwater error HW-S009
            error[HW-S009]: a hint can't be read: expected an expression, found the end of the text
              1 │ SELECT /*+ STATE_TTL('a' = */ a FROM t
                ·        ^^^^^^^^^^^^^^^^^^^^^^
              help: a hint is written NAME('key' = 'value', …)
              more: headwater error HW-S009
            error[HW-S009]: `STATE_TTL('a' = '1d')` is not a table hint
              1 │ SELECT a FROM t /*+ STATE_TTL('a' = '1d') */
                ·                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              help: a table hint is written /*+ OPTIONS('key' = 'value', …) */
              more: headwater error HW-S009
            error[HW-S009]: a hint follows SELECT or a table's name
              1 │ SELECT a /*+ OPTIONS('a' = 'b') */ FROM t
                ·          ^^^^^^^^^^^^^^^^^^^^^^^^^
              help: FROM t /*+ OPTIONS('key' = 'value') */
              help: SELECT /*+ STATE_TTL('t' = '1d') */ …
              more: headwater error HW-S009
            error[HW-S009]: `OPTIONS('a')` is not a table hint
              1 │ SELECT a FROM t /*+ OPTIONS('a') */
                ·                 ^^^^^^^^^^^^^^^^^^^
              help: a table hint is written /*+ OPTIONS('key' = 'value', …) */
              more: headwater error HW-S009"#]],
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
        expect![[r#"
            error[HW-S013]: `INTERVAL 'x' MINUTE TO SECOND` is not an interval
              1 │ SELECT INTERVAL 'x' MINUTE TO SECOND
                ·                 ^^^
              help: an interval is written INTERVAL '5' SECOND or INTERVAL '1:30' MINUTE TO SECOND
              more: headwater error HW-S013
            error[HW-S013]: `INTERVAL '1:2:3' MINUTE TO SECOND` is not an interval
              1 │ SELECT INTERVAL '1:2:3' MINUTE TO SECOND
                ·                 ^^^^^^^
              help: an interval is written INTERVAL '5' SECOND or INTERVAL '1:30' MINUTE TO SECOND
              more: headwater error HW-S013
            error[HW-S013]: `INTERVAL '1-13' YEAR TO MONTH` is not an interval
              1 │ SELECT INTERVAL '1-13' YEAR TO MONTH
                ·                 ^^^^^^
              help: an interval is written INTERVAL '5' SECOND or INTERVAL '1:30' MINUTE TO SECOND
              more: headwater error HW-S013
            error[HW-S013]: expected an interval, found `5`
              1 │ SELECT a FROM t EMIT EVERY 5
                ·                            ^
              help: an interval is written INTERVAL '5' SECOND
              more: headwater error HW-S013"#]],
    );
}
