//! A file as a table: `FROM 'orders.csv'`.
//!
//! The columns are those of the file: a Parquet file says them, those of CSV (whose first line names
//! them) and JSON lines are told from the first thousand records. The table is an ordinary one over
//! the connector `filesystem`, named by the path; `SHOW CREATE TABLE` prints what was told, as a
//! start for one's own.
//!
//! A path that leads nowhere is left to the planner, which knows no such table.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Schema};
use headwater_sql::catalog::type_name;
use headwater_sql::error::{SqlError, SqlResult, codes};
use headwater_sql::session::Session;
use headwater_sql::syntax::parse;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::scan::{Kind, tokens};

/// So many records are looked at.
const LOOKED_AT: usize = 1_000;

/// Makes tables of the files that a text reads.
///
/// # Errors
/// When the columns of a file can't be told.
pub(super) fn declare(session: &mut Session, text: &str) -> SqlResult<()> {
    for path in paths(text) {
        let Some(file) = a_file(Path::new(&path)) else { continue };
        let Some(format) = Format::of(&file) else { continue };
        let schema = format.schema(&file).map_err(|why| {
            SqlError::new(codes::BAD_SCHEMA, format!("cannot tell the columns of '{path}': {why}"))
                .help("CREATE TABLE … WITH ('connector' = 'filesystem', …) says them")
        })?;
        let name = path.replace('`', "``");
        run(session, &format!("DROP TABLE IF EXISTS `{name}`"))?;
        run(session, &statement(&path, format, &schema))?;
    }
    Ok(())
}

fn run(session: &mut Session, text: &str) -> SqlResult<()> {
    for parsed in &parse(text)? {
        // The place would be one in a text that nobody wrote.
        session.run(parsed).map_err(|e| SqlError { span: None, ..e })?;
    }
    Ok(())
}

/// The texts in a statement that stand where tables do.
fn paths(text: &str) -> Vec<String> {
    let tokens: Vec<_> = tokens(text).into_iter().filter(|t| t.kind != Kind::Comment).collect();
    let pairs = tokens.windows(2).filter(|pair| pair[0].is("FROM") || pair[0].is("JOIN"));
    let texts = pairs.filter(|pair| pair[1].kind == Kind::Text && pair[1].closed);
    texts.map(|pair| pair[1].bare().replace("''", "'")).collect()
}

/// The file of a path; of a directory the first one.
fn a_file(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let entries = std::fs::read_dir(path).ok()?;
    let files = entries.flatten().map(|entry| entry.path());
    files.filter(|file| file.is_file() && Format::of(file).is_some()).min()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv { delimiter: char },
    Json,
    Parquet,
}

impl Format {
    fn of(file: &Path) -> Option<Format> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv { delimiter: ',' }),
            "tsv" => Some(Format::Csv { delimiter: '\t' }),
            "json" | "jsonl" | "ndjson" => Some(Format::Json),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }

    fn options(self) -> String {
        match self {
            Format::Csv { delimiter: ',' } => "'format' = 'csv', 'csv.header' = 'true'".to_owned(),
            Format::Csv { delimiter } => format!(
                "'format' = 'csv', 'csv.header' = 'true', 'csv.field-delimiter' = '{delimiter}'"
            ),
            Format::Json => "'format' = 'json'".to_owned(),
            Format::Parquet => "'format' = 'parquet'".to_owned(),
        }
    }

    fn schema(self, file: &Path) -> Result<Schema, Box<dyn std::error::Error>> {
        let opened = File::open(file)?;
        let schema = match self {
            Format::Csv { delimiter } => {
                let format = arrow::csv::reader::Format::default().with_header(true);
                let format = format.with_delimiter(u8::try_from(delimiter)?);
                format.infer_schema(opened, Some(LOOKED_AT))?.0
            }
            Format::Json => {
                arrow::json::reader::infer_json_schema(BufReader::new(opened), Some(LOOKED_AT))?.0
            }
            Format::Parquet => {
                let builder = ParquetRecordBatchReaderBuilder::try_new(opened)?;
                return Ok(builder.schema().as_ref().clone());
            }
        };
        if schema.fields().is_empty() {
            return Err("it is empty".into());
        }
        Ok(schema)
    }
}

/// The statement that makes the table of a file.
fn statement(path: &str, format: Format, schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            // Nothing but NULL was seen.
            DataType::Null => "STRING".to_owned(),
            data_type => type_name(data_type),
        };
        format!("`{}` {data_type}", field.name().replace('`', "``"))
    });
    format!(
        "CREATE TEMPORARY TABLE `{}` ({}) WITH ('connector' = 'filesystem', 'path' = '{}', {})",
        path.replace('`', "``"),
        columns.collect::<Vec<_>>().join(", "),
        path.replace('\'', "''"),
        format.options(),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn paths_stand_where_tables_do() {
        assert_eq!(
            paths("SELECT 'x.csv' FROM 'a.csv' JOIN /* b */ 'it''s.json' WHERE c = 'd.csv'"),
            ["a.csv", "it's.json"]
        );
        assert_eq!(paths("SELECT * FROM 'a"), [""; 0]);
    }

    fn told(name: &str, content: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        std::fs::write(&file, content).unwrap();
        let format = Format::of(&a_file(&file).unwrap()).unwrap();
        statement(name, format, &format.schema(&file).unwrap())
    }

    #[test]
    fn columns_are_told_from_the_records() {
        let csv = "id,price,day,at,ok,some name\n1,2.5,2026-11-21,2026-11-21 12:00:00,true,x\n\
                   2,3,2026-11-22,,false,\n";
        expect!["CREATE TEMPORARY TABLE `a.csv` (`id` BIGINT, `price` DOUBLE, `day` DATE, `at` TIMESTAMP(0), `ok` BOOLEAN, `some name` STRING) WITH ('connector' = 'filesystem', 'path' = 'a.csv', 'format' = 'csv', 'csv.header' = 'true')"].assert_eq(&told("a.csv", csv));
        expect!["CREATE TEMPORARY TABLE `a.tsv` (`a` BIGINT, `b` STRING) WITH ('connector' = 'filesystem', 'path' = 'a.tsv', 'format' = 'csv', 'csv.header' = 'true', 'csv.field-delimiter' = '	')"].assert_eq(&told("a.tsv", "a\tb\n1\tx,y\n"));
        let json = "{\"a\": 1, \"b\": {\"c\": [1.5]}, \"d\": null}\n{\"a\": 2, \"e\": \"x\"}\n";
        expect!["CREATE TEMPORARY TABLE `it's.jsonl` (`a` BIGINT, `b` ROW<`c` ARRAY<DOUBLE>>, `d` STRING, `e` STRING) WITH ('connector' = 'filesystem', 'path' = 'it''s.jsonl', 'format' = 'json')"].assert_eq(&told("it's.jsonl", json));
    }

    #[test]
    fn what_is_no_file_of_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(a_file(&dir.path().join("missing.csv")), None);
        assert_eq!(a_file(dir.path()), None);
        std::fs::write(dir.path().join("b.csv"), "").unwrap();
        std::fs::write(dir.path().join("a.txt"), "").unwrap();
        let found = a_file(dir.path()).unwrap();
        assert_eq!(found, dir.path().join("b.csv"));
        assert!(Format::of(&found).unwrap().schema(&found).is_err(), "it is empty");
    }
}
