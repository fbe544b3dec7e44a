//! Queries: what sqlparser makes of Flink's texts, in the main spelling.

use expect_test::expect;

use super::check;
use crate::syntax::{Statement, parse, query_hints, table_options};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, TableFactor};

pub(super) fn query(text: &str) -> Box<Query> {
    match parse(text).unwrap().pop().unwrap().statement {
        Statement::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

pub(super) fn from(query: &Query) -> &TableFactor {
    let SetExpr::Select(select) = query.body.as_ref() else { panic!("{query}") };
    &select.from[0].relation
}

#[test]
fn backticks_and_case() {
    check(
        "SELECT `dateTime`, itemName, \"Quoted\", `a``b` FROM `t`.`u` AS T2",
        expect![[r#"query SELECT `dateTime`, itemName, "Quoted", `a``b` FROM `t`.`u` AS T2"#]],
    );
}

#[test]
fn filters_on_aggregates() {
    check(
        "SELECT COUNT(*) FILTER (WHERE price < 10000) AS rank1,
            COUNT(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000)
         FROM bid GROUP BY DATE_FORMAT(`dateTime`, 'yyyy-MM-dd')",
        expect![
            "query SELECT COUNT(*) FILTER (WHERE price < 10000) AS rank1, COUNT(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) FROM bid GROUP BY DATE_FORMAT(`dateTime`, 'yyyy-MM-dd')"
        ],
    );
}

#[test]
fn literals_and_constructors() {
    check(
        "SELECT ARRAY[1, 2], MAP['a', 1, 'b', 2], ROW(1, 'x'), DATE '2026-11-21', TIME '10:00:00',
            TIMESTAMP '2026-11-21 10:00:00.123', INTERVAL '1' DAY, 1.5e3, 0.908, U&'\\00e4', 'it''s',
            NULL, TRUE, x'ff', CURRENT_TIMESTAMP, LOCALTIME, a[1], m['k'], r.f.g",
        expect![[r#"query SELECT ARRAY[1, 2], make_map('a', 1, 'b', 2), ROW(1, 'x'), DATE '2026-11-21', TIME '10:00:00', TIMESTAMP '2026-11-21 10:00:00.123', INTERVAL '1' DAY, 1.5e3, 0.908, U&'\00E4', 'it''s', NULL, true, X'ff', CURRENT_TIMESTAMP, LOCALTIME, a[1], m['k'], r.f.g"#]],
    );
}

#[test]
fn casts_to_all_types() {
    check(
        "SELECT CAST(a AS ROW<x INT, y ARRAY<STRING>>), TRY_CAST(b AS TIMESTAMP_LTZ(3)), c::INT,
            CAST(d AS MAP<STRING, INT>), CAST(e AS BYTES), CAST(NULL AS VARCHAR(10)),
            CAST(f AS TIMESTAMP(3) WITH LOCAL TIME ZONE)",
        expect![
            "query SELECT CAST(a AS ROW<`x` INT, `y` ARRAY<STRING>>), TRY_CAST(b AS TIMESTAMP_LTZ(3)), CAST(c AS INT), CAST(d AS MAP<STRING, INT>), CAST(e AS BYTES), CAST(NULL AS VARCHAR(10)), CAST(f AS TIMESTAMP_LTZ(3))"
        ],
    );
}

#[test]
fn functions_with_words_within() {
    check(
        "SELECT EXTRACT(HOUR FROM ts), TRIM(BOTH 'x' FROM a), SUBSTRING(a FROM 1 FOR 2),
            POSITION('a' IN b), OVERLAY(a PLACING 'b' FROM 1), FLOOR(ts TO HOUR), HOUR(ts),
            CEIL(x), LISTAGG(DISTINCT a, ','), FIRST_VALUE(x), COALESCE(a, b), IF(a, b, c),
            a IS NOT DISTINCT FROM b, a SIMILAR TO 'x', a NOT LIKE 'b' ESCAPE 'c', NOT a IN (1, 2),
            a BETWEEN 1 AND 2 AND b, ts AT TIME ZONE 'UTC', JSON_VALUE(a, '$.x'), a % 2, a || b",
        expect![
            "query SELECT EXTRACT(HOUR FROM ts), TRIM(BOTH 'x' FROM a), SUBSTRING(a FROM 1 FOR 2), POSITION('a' IN b), OVERLAY(a PLACING 'b' FROM 1), FLOOR(ts TO HOUR), HOUR(ts), CEIL(x), LISTAGG(DISTINCT a, ','), FIRST_VALUE(x), COALESCE(a, b), IF(a, b, c), a IS NOT DISTINCT FROM b, a SIMILAR TO 'x', a NOT LIKE 'b' ESCAPE 'c', NOT a IN (1, 2), a BETWEEN 1 AND 2 AND b, ts AT TIME ZONE 'UTC', json_value_of(a, '$.x', 'NULL', NULL, 'NULL', NULL), a % 2, a || b"
        ],
    );
}

#[test]
fn over_windows() {
    check(
        "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS rn,
            SUM(x) OVER w, COUNT(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING
            AND CURRENT ROW)
         FROM t WINDOW w AS (PARTITION BY a ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
         QUALIFY rn <= 10",
        expect![
            "query SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS rn, SUM(x) OVER w, COUNT(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) FROM t WINDOW w AS (PARTITION BY a ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) QUALIFY rn <= 10"
        ],
    );
}

#[test]
fn grouping_sets() {
    check(
        "SELECT a, b, COUNT(*), GROUPING(a) FROM t
         GROUP BY GROUPING SETS ((a), (a, b), ()), ROLLUP (a, b), CUBE (a, b) HAVING COUNT(*) > 1",
        expect![
            "query SELECT a, b, COUNT(*), GROUPING(a) FROM t GROUP BY GROUPING SETS ((a), (a, b), ()), ROLLUP (a, b), CUBE (a, b) HAVING COUNT(*) > 1"
        ],
    );
}

#[test]
fn joins_of_all_kinds() {
    check(
        "SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING (x) CROSS JOIN d, e
         JOIN side FOR SYSTEM_TIME AS OF a.p_time AS S ON mod(a.k, 10) = S.key
         LEFT JOIN LATERAL TABLE(split(a.s)) AS T (word) ON TRUE
         CROSS JOIN UNNEST(a.tags) AS u (tag)
         CROSS JOIN UNNEST(a.tags) WITH ORDINALITY AS v (tag, n)
         ASOF JOIN r MATCH_CONDITION (a.t >= r.t) ON a.k = r.k",
        expect![
            "query SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING(x) CROSS JOIN d, e JOIN side AS S FOR SYSTEM_TIME AS OF a.p_time ON mod(a.k, 10) = S.key LEFT JOIN LATERAL split(a.s) AS T (word) ON true CROSS JOIN UNNEST(a.tags) AS u (tag) CROSS JOIN UNNEST(a.tags) WITH ORDINALITY AS v (tag, n) ASOF JOIN r MATCH_CONDITION (a.t >= r.t) ON a.k = r.k"
        ],
    );
}

#[test]
fn sets_ctes_and_limits() {
    check(
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)
         SELECT DISTINCT n FROM c UNION (SELECT 2 EXCEPT ALL SELECT 3) INTERSECT SELECT 4 MINUS SELECT 5
         ORDER BY n DESC NULLS LAST LIMIT 10 OFFSET 5;
         SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY;
         VALUES (1, 'a'), (2, 'b');
         (SELECT 1) UNION ALL (SELECT 2);
         SELECT * FROM (VALUES (1), (2)) AS t (x)",
        expect![[r#"
            query WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT DISTINCT n FROM c UNION (SELECT 2 EXCEPT ALL SELECT 3) INTERSECT SELECT 4 EXCEPT SELECT 5 ORDER BY n DESC NULLS LAST LIMIT 10 OFFSET 5
            query SELECT a FROM t ORDER BY a LIMIT 3
            query VALUES (1, 'a'), (2, 'b')
            query (SELECT 1) UNION ALL (SELECT 2)
            query SELECT * FROM (VALUES (1), (2)) AS t (x)"#]],
    );
}

#[test]
fn files_by_path() {
    check(
        "SELECT COUNT(*) FROM 'orders/2026.csv' AS o JOIN 'b.json' ON TRUE",
        expect!["query SELECT COUNT(*) FROM 'orders/2026.csv' AS o JOIN 'b.json' ON true"],
    );
}

#[test]
fn emit() {
    check(
        "SELECT a, COUNT(*) FROM t GROUP BY a EMIT CHANGES;
         SELECT a FROM t WHERE b LIMIT 3 EMIT ON WINDOW CLOSE;
         INSERT INTO s SELECT a FROM t EMIT FINAL;
         CREATE VIEW v AS SELECT a FROM t emit every INTERVAL '90' SECOND;
         SELECT emit FROM emit WHERE emit > 1",
        expect![[r#"
            query SELECT a, COUNT(*) FROM t GROUP BY a EMIT CHANGES
            query SELECT a FROM t WHERE b LIMIT 3 EMIT FINAL
            insert into s SELECT a FROM t EMIT FINAL
            view v as SELECT a FROM t EMIT EVERY INTERVAL '90' SECOND
              text "SELECT a FROM t emit every INTERVAL '90' SECOND"
            query SELECT emit FROM emit WHERE emit > 1"#]],
    );
}

#[test]
fn query_hints_stay_with_the_select() {
    let query = query(
        "SELECT /*+ STATE_TTL('o' = '1d', 'p' = '2 h'), BROADCAST(dim) */ a FROM t -- not one\n",
    );
    let SetExpr::Select(select) = query.body.as_ref() else { panic!() };
    expect![[r#"
        [
            QueryHint {
                name: "STATE_TTL",
                args: [
                    (
                        "o",
                        Some(
                            "1d",
                        ),
                    ),
                    (
                        "p",
                        Some(
                            "2 h",
                        ),
                    ),
                ],
            },
            QueryHint {
                name: "BROADCAST",
                args: [
                    (
                        "dim",
                        None,
                    ),
                ],
            },
        ]
    "#]]
    .assert_debug_eq(&query_hints(select).unwrap());
}

#[test]
fn table_hints_go_to_their_tables() {
    let query = query(
        "SELECT * FROM db.t /*+ OPTIONS('a' = '1', 'b.c' = 'x y') */ AS x
         JOIN u /* no hint */ ON TRUE",
    );
    let TableFactor::Table { with_hints, alias, .. } = from(&query) else { panic!() };
    let options: Vec<_> =
        table_options(with_hints).unwrap().into_iter().map(|o| (o.key, o.value)).collect();
    assert_eq!(options, [("a".into(), "1".into()), ("b.c".into(), "x y".into())]);
    assert_eq!(alias.as_ref().unwrap().name.value, "x");
}

#[test]
fn intervals_get_one_unit() {
    check(
        "SELECT INTERVAL '1:30' MINUTE TO SECOND, INTERVAL '10 02:03:04.005' DAY TO SECOND,
            INTERVAL '1-2' YEAR TO MONTH, INTERVAL '-5 10' DAY TO HOUR, INTERVAL '7' SECOND(3),
            INTERVAL '5' MINUTE, INTERVAL '2 days', INTERVAL -'3' HOUR",
        expect![
            "query SELECT INTERVAL '90' SECOND, INTERVAL '871384.005000000' SECOND, INTERVAL '14' MONTH, INTERVAL '-468000' SECOND, INTERVAL '7' SECOND, INTERVAL '5' MINUTE, INTERVAL '2 days', INTERVAL '-10800' SECOND"
        ],
    );
}
