//! Every error code, with the page that `headwater error CODE` prints.
//!
//! Invariants: a code, once published, keeps its meaning; the constants are the only place where
//! a code is spelled.

/// An error code and its page.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The code, such as `HW-P004`.
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why it happens and what to do.
    pub page: &'static str,
}

/// The page of a code; letters may be of any case, and the `HW-` may be left out.
pub fn explain(code: &str) -> Option<&'static Code> {
    let wanted = code.trim().to_ascii_uppercase();
    CODES.iter().find(|c| c.code == wanted || c.code.strip_prefix("HW-") == Some(wanted.as_str()))
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $page:literal;)*) => {
        $(#[doc = concat!("`", $code, "`: ", $title, ".")] pub const $name: &str = $code;)*
        /// All codes, in order.
        pub const CODES: &[Code] = &[$(Code { code: $code, title: $title, page: $page }),*];
    };
}

codes! {
    // The text.
    SYNTAX = "HW-S001", "the text is not SQL as Headwater reads it",
        "The parser met a word or sign that can't stand at this place. The carets show it; what is \
         missing is often just before: a comma, a closing parenthesis, a keyword. Names that are \
         also keywords go in backticks: `order`. Text goes in single quotes, 'like this'.";
    TOKEN = "HW-S002", "a string, name or comment has no end, or a sign is not known",
        "A quote that opens must close: '…' around text, `…` or \"…\" around names, /* … */ around \
         comments. A single quote within text is written twice: 'it''s'.";
    TOO_LARGE = "HW-S003", "the text is too long",
        "A statement may have 1 MB at most. Put long lists of values into a file and read it as a \
         table.";
    TOO_DEEP = "HW-S004", "the text is nested too deep",
        "Parentheses, subqueries and types may be nested 200 deep, and 500 operators other than \
         AND, OR and || may follow one another. Generated text often nests without need: \
         a AND b AND c needs no parentheses.";
    UNKNOWN_STATEMENT = "HW-S005", "not a statement that Headwater knows",
        "Statements begin with SELECT, WITH, VALUES, INSERT, EXECUTE STATEMENT SET, CREATE, DROP, \
         SHOW, DESCRIBE, EXPLAIN, SET, RESET, USE, COPY or SUBSCRIBE.";
    UNSUPPORTED = "HW-S006", "a clause or statement that is not supported",
        "Headwater knows what is meant but does not do it, and says so instead of leaving it out \
         silently. The help names another way where there is one.";
    FOREIGN_WINDOW = "HW-S007", "a window in another system's spelling",
        "Window functions differ in the order of their arguments between systems: Spark writes \
         window(time, size, slide), Flink SQL writes HOP(TABLE t, DESCRIPTOR(time), slide, size). \
         Because a wrong order would give wrong windows silently, only Flink's form is read:\n\
         \n  FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE))\
         \n  FROM TABLE(HOP(TABLE t, DESCRIPTOR(time), INTERVAL '10' SECOND, INTERVAL '1' MINUTE))\
         \n  FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(time), INTERVAL '30' SECOND))";
    UNKNOWN_TYPE = "HW-S008", "a type that Headwater does not know",
        "The types are BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p, s), \
         STRING, CHAR(n), VARCHAR(n), BYTES, BINARY(n), VARBINARY(n), DATE, TIME(p), \
         TIMESTAMP(p), TIMESTAMP_LTZ(p), INTERVAL, ARRAY<t>, MAP<k, v> and ROW<name t, …>.";
    HINT = "HW-S009", "a hint that can't be read or stands at the wrong place",
        "A table hint follows the table's name: FROM t /*+ OPTIONS('key' = 'value') */. A query \
         hint follows SELECT: SELECT /*+ STATE_TTL('t' = '1d') */ …";
    STATEMENT_SET = "HW-S010", "a statement set is not whole",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO …; INSERT INTO …; END; runs several INSERTs as \
         one job that reads each source once. Only INSERT statements go into it, each ends with a \
         semicolon, and END closes it. BEGIN STATEMENT SET; … END; is the same.";
    REPEATED_CLAUSE = "HW-S011", "a clause is there twice",
        "A table has one watermark, one primary key and each option once.";
    UNSET_VARIABLE = "HW-S012", "a variable of the text has no value",
        "${NAME} in a text stands for a value given beside it, by --var NAME=VALUE or by the \
         environment.";
    BAD_LITERAL = "HW-S013", "a literal can't be read",
        "Intervals are written INTERVAL '5' SECOND, INTERVAL '1:30' MINUTE TO SECOND, \
         INTERVAL '1-2' YEAR TO MONTH; points in time DATE '2026-11-21', TIME '12:00:00', \
         TIMESTAMP '2026-11-21 12:00:00.5'.";

    // What tables, views and functions there are.
    EXISTS = "HW-C001", "there is already something of this name",
        "DROP it first, or write CREATE … IF NOT EXISTS, or CREATE OR REPLACE VIEW.";
    UNKNOWN_OBJECT = "HW-C002", "there is nothing of this name to drop, show or describe",
        "SHOW TABLES, SHOW VIEWS and SHOW FUNCTIONS list what there is. Names are case-sensitive. \
         DROP … IF EXISTS does nothing where there is nothing.";
    DUPLICATE_COLUMN = "HW-C003", "a table has two columns of one name",
        "Give each column its own name; names that differ by case only are different names.";
    BAD_WATERMARK = "HW-C004", "the watermark clause does not fit its table",
        "WATERMARK FOR names a column of type TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3, \
         and its expression gives a timestamp as well: \
         WATERMARK FOR ts AS ts - INTERVAL '5' SECOND. A column of the wrong type becomes one by a \
         computed column: ts AS TO_TIMESTAMP_LTZ(millis, 3).";
    BAD_KEY = "HW-C005", "the primary key does not fit its table",
        "PRIMARY KEY (a, b) NOT ENFORCED names columns of the table that are not computed. \
         Headwater does not check uniqueness; NOT ENFORCED says so.";
    BAD_COLUMN = "HW-C006", "a column is declared wrongly",
        "A column is name TYPE, name AS expression, or \
         name TYPE METADATA [FROM 'key'] [VIRTUAL]. A computed column may use the table's \
         physical and metadata columns.";
    WRONG_KIND = "HW-C007", "the name belongs to another kind of thing",
        "DROP TABLE drops tables and DROP VIEW drops views; nothing is inserted into a view.";
    BAD_LIKE = "HW-C008", "a LIKE clause can't be followed",
        "CREATE TABLE t (…) WITH (…) LIKE other takes over the other table's columns, keys, \
         watermark and options; (EXCLUDING OPTIONS), (OVERWRITING WATERMARKS) and so on say \
         which.";
    UNKNOWN_CLASS = "HW-C009", "no function is known for this class or name",
        "CREATE FUNCTION f AS 'name' takes a function registered from Rust, or a Java class of the \
         published benchmarks that Headwater has its own version of. Java classes can't be loaded.";

    // The plan.
    PLAN = "HW-P001", "the query can't be planned",
        "The sentence says which part of the query does not fit the others.";
    NOT_IMPLEMENTED = "HW-P002", "the planner does not do this yet",
        "The query is SQL, but the planner has no way to run this part of it.";
    UNKNOWN_TABLE = "HW-P003", "no such table",
        "SHOW TABLES lists tables and views. Names are case-sensitive. A file is a table by its \
         path in quotes: FROM 'orders.csv'.";
    UNKNOWN_COLUMN = "HW-P004", "no such column",
        "DESCRIBE t lists a table's columns. Names are case-sensitive: itemName and itemname are \
         two names. A column of an outer query, or an alias given in the same SELECT list, can't \
         be used everywhere.";
    UNKNOWN_FUNCTION = "HW-P005", "no such function",
        "SHOW FUNCTIONS lists them all; case does not matter. The help names the nearest one.";
    AMBIGUOUS_COLUMN = "HW-P006", "a column name that several tables have",
        "Write the table's name or alias in front: bid.price.";
    TYPE_MISMATCH = "HW-P007", "types do not fit",
        "An operator, function or column got a value of a type it does not take. CAST(x AS type) \
         changes a value's type; TRY_CAST gives NULL where it can't.";
    NO_TIME_ATTRIBUTE = "HW-P008", "a window needs a time column with a watermark",
        "A window closes when the watermark passes its end, so its time column must be the one \
         that the table's WATERMARK clause names, handed on unchanged, or PROCTIME(). Add \
         WATERMARK FOR ts AS ts - INTERVAL '5' SECOND to the table.";
    UNBOUNDED_STATE = "HW-P009", "state that could never be freed",
        "The query must remember something for every key it ever sees, and nothing says when it \
         may forget. As a job this is refused, because it would grow until the disk is full. Ways \
         out: a window; SET 'table.exec.state.ttl' = '1 d', after which an idle key is forgotten; \
         or consent: SET 'table.exec.state.ttl' = '0' in a session file, or \
         --allow-unbounded-state.";
    SINK_NEEDS_APPEND = "HW-P010", "the sink can't take updates",
        "The query changes rows that it gave out earlier, and the sink only takes new rows. Use a \
         window, which gives each row once; a format that carries changes, 'format' = \
         'debezium-json'; or a sink with a primary key.";
    KEY_NEEDED = "HW-P011", "an upsert sink needs the key of the query",
        "The sink replaces rows by its primary key. Its PRIMARY KEY must be columns that are \
         unique in the query, such as the GROUP BY columns.";
    INSERT_MISMATCH = "HW-P012", "the query's columns do not fit the table's",
        "INSERT INTO matches columns by position. Number and types must fit; \
         INSERT INTO t (a, c) SELECT … leaves the other columns NULL.";
    BAD_WINDOW = "HW-P013", "a window function is called wrongly",
        "TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset]); HOP(…, slide, size [, offset]); \
         CUMULATE(…, step, size [, offset]); SESSION(TABLE t [PARTITION BY k], DESCRIPTOR(time), \
         gap). Sizes are intervals of days or less; size is a multiple of slide or step.";
    UNBOUNDED_SORT = "HW-P014", "sorting without end",
        "Unbounded rows can't be sorted, because the last is never there. ORDER BY works by a time \
         column with a watermark, ascending; with LIMIT it keeps the first rows; over bounded \
         tables it works as ever.";
    NOT_GROUPED = "HW-P015", "a column is neither grouped nor aggregated",
        "With GROUP BY, SELECT gives one row per group: every column in it must be grouped by, or \
         be within an aggregate such as MAX(x) or FIRST_VALUE(x).";
    BAD_OVER = "HW-P016", "an OVER window that can't run on unbounded rows",
        "On unbounded rows OVER is ordered by the table's time column, ascending, and its frame \
         ends at CURRENT ROW. ROW_NUMBER() is filtered by rn <= n in the query around it.";
    BAD_CALL = "HW-P017", "a function is called with wrong arguments",
        "The help shows how the function is called. Some arguments, such as patterns and units, \
         must be literals.";
    PLAN_CHANGED = "HW-P018", "the query does not fit the state of its checkpoint",
        "The job was restarted with a query whose state is another. The message lists what would \
         be kept, new or lost. Start it with a new checkpoint directory, or say that what is lost \
         may be lost.";
    CHANGELOG_INPUT = "HW-P019", "an operation that takes new rows only got changes",
        "Windows, OVER and ORDER BY time read rows that are only ever added. Their input here \
         changes rows that it gave out before.";
    NOT_BOUNDED = "HW-P020", "batch mode needs bounded tables",
        "SET 'execution.runtime-mode' = 'batch' runs a query to its end, so all its tables must \
         have one. Set 'scan.bounded.mode' on a topic, or run in 'streaming' mode.";
    NOT_A_SINK = "HW-P021", "nothing can be written to this table",
        "The connector is a source only, or what is named is a view.";
    NOT_A_SOURCE = "HW-P022", "nothing can be read from this table",
        "The connector is a sink only, such as print and blackhole.";

    // Options.
    UNKNOWN_OPTION = "HW-O001", "an option that the connector or format does not have",
        "headwater connectors show NAME prints all options. Options of a format have its name in \
         front: 'json.ignore-parse-errors'.";
    BAD_OPTION = "HW-O002", "an option's value can't be used",
        "The message says which values are. Durations are written '5 s', '1 min', '500 ms'; sizes \
         '64 mb'; booleans 'true' and 'false'.";
    MISSING_OPTION = "HW-O003", "an option must be set",
        "The connector can't work without it. headwater connectors show NAME prints all options.";
    UNKNOWN_CONNECTOR = "HW-O004", "no such connector",
        "The connectors are kafka, filesystem, datagen, nexmark, print and blackhole.";
    UNKNOWN_FORMAT = "HW-O005", "no such format",
        "The formats are json, csv, avro, protobuf, parquet, raw and debezium-json.";
    UNKNOWN_SETTING = "HW-O006", "no such setting",
        "SET alone lists all settings with their values.";
    BAD_SETTING = "HW-O007", "a setting's value can't be used",
        "The message says which values are. RESET 'key' takes the default back.";
    BAD_SCHEMA = "HW-O008", "the format can't carry these columns",
        "Some formats have fewer types than tables do: raw has one column, csv has no nested ones.";

    // Running.
    EVALUATION = "HW-R001", "an expression failed on a row",
        "A number too large for its type, a division by zero, a text that is not a number. \
         TRY_CAST gives NULL instead; a WHERE or CASE keeps such rows away.";
    BAD_RECORD = "HW-R002", "a record can't be read",
        "The input has a record that is not in its format. 'json.ignore-parse-errors' = 'true' \
         and its like leave such records out, and they are counted.";
    CONNECTOR = "HW-R003", "a source or sink failed",
        "The cause is in the message. The job can be started again from its checkpoint.";
    STATE = "HW-R004", "state or a checkpoint can't be read, or does not match",
        "The message names the file and what does not match.";
    FENCED = "HW-R005", "another attempt runs this job",
        "Two attempts ran on one checkpoint directory; this one stopped.";
    TRANSIENT = "HW-R006", "a failure that a retry may mend",
        "Run the job again: it goes on from its last checkpoint.";
    USER_CODE = "HW-R007", "a user function failed",
        "The function returned an error or panicked.";
    RESOURCES = "HW-R008", "memory or disk is used up",
        "Sorts and joins over bounded tables keep rows in memory up to a limit.";
    CONFIG = "HW-R009", "the configuration is wrong",
        "An option, path or flag beside the SQL text is wrong.";
    CANCELLED = "HW-R010", "the statement was cancelled",
        "Ctrl-C, or the program that runs the session, ended the statement before it was done. A \
         query that ends gives all of its rows or none.";

    INTERNAL = "HW-X001", "our bug",
        "This should not happen whatever the text is. Please report it with the statement.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_have_pages() {
        let mut seen = std::collections::BTreeSet::new();
        for code in CODES {
            assert!(seen.insert(code.code), "{} is there twice", code.code);
            assert!(code.page.len() > 30, "{} has no page", code.code);
            let form = code.code.strip_prefix("HW-").unwrap();
            assert!(form.len() == 4 && form[1..].chars().all(|c| c.is_ascii_digit()), "{form}");
        }
    }

    #[test]
    fn a_code_is_found_however_written() {
        assert_eq!(explain("hw-p004").unwrap().code, UNKNOWN_COLUMN);
        assert_eq!(explain(" P004").unwrap().code, UNKNOWN_COLUMN);
        assert!(explain("P999").is_none());
    }
}
