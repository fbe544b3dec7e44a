//! What a query's answer is by now: the changes it has given, folded into rows.
//!
//! A row that is taken back leaves its place to the row that comes in its stead, so rows stay where
//! they are while they change. Of a query that only adds rows just the newest are kept, as a
//! terminal shows no more; the answer of one that changes rows is kept as a whole, because any row
//! may be taken back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use headwater_core::RowKind;
use headwater_sql::connectors::ChangelogMode;
use headwater_sql::rows::Chunk;

/// Of a query that only adds rows, as many are kept.
const NEWEST: usize = 1_000;
/// So many changes are remembered to know which rows changed last.
const RECENT: usize = 1_000;

/// See the module documentation.
pub(super) struct Folded {
    schema: SchemaRef,
    converter: RowConverter,
    /// Where rows replace each other by a key: its columns.
    key: Option<(Vec<usize>, RowConverter)>,
    /// The rows by place.
    rows: BTreeMap<u64, Arc<[u8]>>,
    /// The places of rows that are equal, or equal in their key; ascending.
    places: HashMap<Arc<[u8]>, Vec<u64>>,
    /// Places left by rows whose update is still to come.
    vacant: VecDeque<u64>,
    next: u64,
    /// Whether rows may be changed, so that all must be kept.
    changes: bool,
    /// Places in the order in which they changed last; a place may be in it often.
    recent: VecDeque<u64>,
}

impl Folded {
    /// The empty answer of a query whose rows change the answer in this way.
    ///
    /// # Errors
    /// When the columns have a type whose values can't be compared.
    pub(super) fn new(schema: SchemaRef, changelog: &ChangelogMode) -> Result<Folded, ArrowError> {
        let converter = |columns: &mut dyn Iterator<Item = usize>| {
            let fields = columns.map(|c| SortField::new(schema.field(c).data_type().clone()));
            RowConverter::new(fields.collect())
        };
        let key = match changelog {
            ChangelogMode::Upsert(key) => Some((key.clone(), converter(&mut key.iter().copied())?)),
            ChangelogMode::Append | ChangelogMode::WithoutBefore | ChangelogMode::Retract => None,
        };
        Ok(Folded {
            converter: converter(&mut (0..schema.fields().len()))?,
            schema,
            key,
            rows: BTreeMap::new(),
            places: HashMap::new(),
            vacant: VecDeque::new(),
            next: 0,
            changes: *changelog != ChangelogMode::Append,
            recent: VecDeque::new(),
        })
    }

    /// Rows in the answer; of a query that only adds, those that are kept.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether rows may be changed.
    pub(super) fn changes(&self) -> bool {
        self.changes
    }

    /// Takes in what a query gave.
    ///
    /// # Errors
    /// When the chunk has other columns.
    pub(super) fn take(&mut self, chunk: &Chunk) -> Result<(), ArrowError> {
        let skipped = if self.changes { 0 } else { chunk.len().saturating_sub(NEWEST) };
        let data = chunk.data.slice(skipped, chunk.len() - skipped);
        let rows = self.converter.convert_columns(data.columns())?;
        let keys = match &self.key {
            Some((columns, converter)) => {
                Some(converter.convert_columns(data.project(columns)?.columns())?)
            }
            None => None,
        };
        for (at, row) in rows.iter().enumerate() {
            let row: Arc<[u8]> = row.data().into();
            let kind = chunk.kind(skipped + at);
            match &keys {
                Some(keys) => self.replace(keys.row(at).data().into(), row, kind),
                None => self.change(row, kind),
            }
        }
        while !self.changes && self.rows.len() > NEWEST {
            let Some((place, row)) = self.rows.pop_first() else { break };
            self.leave(&row, place);
        }
        Ok(())
    }

    /// A change that says the row it is about.
    fn change(&mut self, row: Arc<[u8]>, kind: RowKind) {
        match kind {
            RowKind::Insert => self.add(Arc::clone(&row), row, None),
            RowKind::UpdateBefore => {
                let place = self.take_away(&row);
                self.vacant.extend(place);
            }
            RowKind::UpdateAfter => {
                let place = self.vacant.pop_front();
                self.add(Arc::clone(&row), row, place);
            }
            RowKind::Delete => _ = self.take_away(&row),
        }
    }

    /// A change that says the key it is about.
    fn replace(&mut self, key: Arc<[u8]>, row: Arc<[u8]>, kind: RowKind) {
        match kind {
            RowKind::Insert | RowKind::UpdateAfter => {
                let place = self.take_away(&key);
                self.add(key, row, place);
            }
            RowKind::UpdateBefore => {}
            RowKind::Delete => _ = self.take_away(&key),
        }
    }

    /// Puts a row at a place, or behind all others.
    fn add(&mut self, key: Arc<[u8]>, row: Arc<[u8]>, place: Option<u64>) {
        let place = place.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        let places = self.places.entry(key).or_default();
        places.insert(places.partition_point(|p| *p < place), place);
        self.rows.insert(place, row);
        self.recent.push_back(place);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Takes a row away and tells its place; none for a row that is not there.
    fn take_away(&mut self, key: &Arc<[u8]>) -> Option<u64> {
        let place = self.places.get(key).and_then(|places| places.last().copied())?;
        self.leave(key, place);
        self.rows.remove(&place);
        Some(place)
    }

    fn leave(&mut self, key: &Arc<[u8]>, place: u64) {
        if let Some(places) = self.places.get_mut(key) {
            places.retain(|p| *p != place);
            if places.is_empty() {
                self.places.remove(key);
            }
        }
    }

    /// At most `most` rows, in order of their places: where there are more, those that changed
    /// last.
    ///
    /// # Errors
    /// None but of the converter, which made the rows itself.
    pub(super) fn rows(&self, most: usize) -> Result<RecordBatch, ArrowError> {
        let shown: Vec<&Arc<[u8]>> = if self.rows.len() <= most {
            self.rows.values().collect()
        } else {
            let mut places = std::collections::BTreeSet::new();
            let recent = self.recent.iter().rev().filter(|place| self.rows.contains_key(place));
            for place in recent.chain(self.rows.keys().rev()) {
                if places.len() == most {
                    break;
                }
                places.insert(*place);
            }
            places.iter().filter_map(|place| self.rows.get(place)).collect()
        };
        let parser = self.converter.parser();
        let columns: Vec<ArrayRef> =
            self.converter.convert_rows(shown.iter().map(|row| parser.parse(row)))?;
        if columns.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`Folded::rows`].
    pub(super) fn all(&self) -> Result<RecordBatch, ArrowError> {
        self.rows(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray, UInt8Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    const KINDS: [&str; 4] = ["+I", "-U", "+U", "-D"];

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("k", DataType::Utf8, true),
            Field::new("n", DataType::Int64, true),
        ]))
    }

    fn data(rows: &[(&str, i64)]) -> RecordBatch {
        let keys: StringArray = rows.iter().map(|(k, _)| Some(*k)).collect();
        let numbers: Int64Array = rows.iter().map(|(_, n)| Some(*n)).collect();
        RecordBatch::try_new(schema(), vec![Arc::new(keys), Arc::new(numbers)]).unwrap()
    }

    fn changed(changes: &[(&str, &str, i64)]) -> Chunk {
        let rows: Vec<(&str, i64)> = changes.iter().map(|(_, k, n)| (*k, *n)).collect();
        let kinds = changes
            .iter()
            .map(|(kind, ..)| KINDS.iter().position(|name| name == kind).map(|code| code as u8));
        Chunk { data: data(&rows), kinds: Some(kinds.collect::<UInt8Array>()), read_at: None }
    }

    fn shown(folded: &Folded, most: usize) -> Vec<(String, i64)> {
        let rows = folded.rows(most).unwrap();
        let keys = rows.column(0).as_string::<i32>().iter().map(|k| k.unwrap().to_owned());
        let numbers = rows.column(1).as_primitive::<Int64Type>().values();
        keys.zip(numbers.iter().copied()).collect()
    }

    fn pairs(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
        rows.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect()
    }

    #[test]
    fn an_updated_row_stays_in_its_place() {
        let mut folded = Folded::new(schema(), &ChangelogMode::Retract).unwrap();
        folded.take(&changed(&[("+I", "a", 1), ("+I", "b", 1), ("+I", "c", 1)])).unwrap();
        folded.take(&changed(&[("-U", "b", 1), ("+U", "b", 2), ("-D", "a", 1)])).unwrap();
        assert_eq!(shown(&folded, 9), pairs(&[("b", 2), ("c", 1)]));
        folded.take(&changed(&[("-U", "c", 1), ("+U", "c", 5)])).unwrap();
        assert_eq!(folded.len(), 2);
    }

    #[test]
    fn equal_rows_are_taken_back_one_by_one() {
        let mut folded = Folded::new(schema(), &ChangelogMode::Retract).unwrap();
        folded.take(&changed(&[("+I", "a", 1), ("+I", "a", 1), ("-D", "a", 1)])).unwrap();
        assert_eq!(shown(&folded, 9), pairs(&[("a", 1)]));
        folded.take(&changed(&[("-D", "a", 1), ("-D", "a", 1), ("+I", "z", 1)])).unwrap();
        assert_eq!(shown(&folded, 9), pairs(&[("z", 1)]));
    }

    #[test]
    fn rows_replace_each_other_by_their_key() {
        let mut folded = Folded::new(schema(), &ChangelogMode::Upsert(vec![0])).unwrap();
        folded.take(&changed(&[("+I", "a", 1), ("+I", "b", 1), ("+U", "a", 2)])).unwrap();
        assert_eq!(shown(&folded, 9), pairs(&[("a", 2), ("b", 1)]));
        folded.take(&changed(&[("-D", "a", 7), ("-D", "z", 7), ("+I", "a", 3)])).unwrap();
        assert_eq!(shown(&folded, 9), pairs(&[("b", 1), ("a", 3)]));
    }

    #[test]
    fn where_there_is_no_room_the_rows_that_changed_last_are_shown() {
        let mut folded = Folded::new(schema(), &ChangelogMode::Retract).unwrap();
        folded.take(&changed(&[("+I", "a", 1), ("+I", "b", 1), ("+I", "c", 1)])).unwrap();
        folded.take(&changed(&[("-U", "a", 1), ("+U", "a", 2)])).unwrap();
        assert_eq!(shown(&folded, 2), pairs(&[("a", 2), ("c", 1)]));
    }

    #[test]
    fn of_rows_that_are_only_added_the_newest_are_kept() {
        let mut folded = Folded::new(schema(), &ChangelogMode::Append).unwrap();
        for from in [0, 2_500] {
            let keys: Vec<(&str, i64)> = (from..from + 2_500).map(|n| ("k", n)).collect();
            folded.take(&Chunk::inserts(data(&keys))).unwrap();
        }
        assert_eq!((folded.len(), folded.changes()), (NEWEST, false));
        assert_eq!(shown(&folded, 2), pairs(&[("k", 4_998), ("k", 4_999)]));
        assert_eq!(folded.all().unwrap().num_rows(), NEWEST);
    }

    #[test]
    fn an_answer_without_columns_or_rows_is_no_trouble() {
        let folded = Folded::new(schema(), &ChangelogMode::Retract).unwrap();
        assert_eq!(folded.all().unwrap().num_rows(), 0);
        assert_eq!(folded.all().unwrap().schema(), schema());
    }
}
