//! Sources of records as sources of rows: a reader of envelopes, a format, and metadata columns.
//!
//! The source underneath knows splits, positions and bytes; the format knows columns; this puts
//! them together. A record that the format refuses is handed on as it came, with its place, and
//! leaves no row.
//!
//! Invariant: a row never spans two reads, so the position underneath is the position of the rows.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Fields, Schema, SchemaRef};
use headwater_connect::{
    BadRecord, Discovery, Measure, Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake,
};
use headwater_core::{Batch, Error, Original, ProcessingTime, Record, Result, RowKind, SplitTag};
use headwater_topology::erased::{AnyReader, AnySource, Chunk as Given};

use super::Projection;
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::column::Column;
use crate::formats::{Decoder, Format};
use crate::rows::{Chunk, kind_code};

/// A record as a connector hands it out: bytes, and what is known beside them.
pub trait Envelope: Record {
    /// The bytes that the format reads; none: there is no value.
    fn value(&self) -> Option<&[u8]>;
    /// The bytes of the key, of connectors that have one.
    fn key(&self) -> Option<&[u8]> {
        None
    }
    /// Where the record is, in the connector's words.
    fn place(&self) -> String;
    /// The record whole, for the dead letters.
    fn into_original(self) -> Original;
    /// Adds the value of a metadata column.
    ///
    /// # Errors
    /// It is no value of the column's type.
    fn metadata(&self, key: &str, column: &mut Column) -> Result<(), String>;
}

/// How records become rows.
#[derive(Clone)]
pub struct Decoding {
    value: Part,
    /// How keys become columns.
    key: Option<Part>,
    /// A value replaces the row of its key, and no value removes it.
    upsert: bool,
    /// The columns that are given.
    schema: SchemaRef,
    /// The metadata that is wanted, and where it goes.
    metadata: Vec<(usize, String)>,
}

/// How a part of a record becomes columns.
#[derive(Clone)]
struct Part {
    format: Format,
    /// Its fields.
    fields: SchemaRef,
    /// The fields that are wanted, and the columns that they go to.
    wanted: SchemaRef,
    places: Vec<usize>,
}

impl Part {
    /// The fields that `projection` wants, but for columns that are `taken`.
    fn new(
        format: Format,
        fields: SchemaRef,
        prefix: &str,
        projection: &Projection,
        taken: &[usize],
    ) -> SqlResult<Part> {
        let name = |place: usize| projection.schema.field(place).name().strip_prefix(prefix);
        let (mut places, _) = projection.physical();
        places.retain(|place| {
            let of_part = name(*place).is_some_and(|name| fields.column_with_name(name).is_some());
            of_part && !taken.contains(place)
        });
        let wanted = places.iter().map(|place| {
            let field = projection.schema.field(*place).clone();
            Arc::new(field.with_name(name(*place).unwrap_or_default()))
        });
        let wanted = Arc::new(Schema::new(wanted.collect::<Fields>()));
        Ok(Part { format, fields, wanted, places })
    }

    fn decoder(&self) -> Result<Decoder> {
        self.format.decoder(&self.fields, &self.wanted)
    }
}

impl Decoding {
    /// Records of a format, with these fields, as the rows that a projection wants. What is wanted
    /// and no field of the records is metadata by the column's name.
    pub fn new(format: Format, record: SchemaRef, projection: &Projection) -> SqlResult<Decoding> {
        let value = Part::new(format, record, "", projection, &[])?;
        let mut decoding = Decoding {
            value,
            key: None,
            upsert: false,
            schema: Arc::clone(&projection.schema),
            metadata: Vec::new(),
        };
        decoding.find_metadata(projection)?;
        Ok(decoding)
    }

    /// The same with columns that the key has; their names have a prefix in the table. Those in
    /// both are the value's, unless the key alone says which row is meant.
    pub fn with_key(
        mut self,
        format: Format,
        fields: SchemaRef,
        prefix: &str,
        upsert: bool,
        projection: &Projection,
    ) -> SqlResult<Decoding> {
        let taken: &[usize] = if upsert { &[] } else { &self.value.places };
        let key = Part::new(format, fields, prefix, projection, taken)?;
        if upsert {
            let (format, fields) = (self.value.format.clone(), Arc::clone(&self.value.fields));
            self.value = Part::new(format, fields, "", projection, &key.places)?;
        }
        (self.key, self.upsert) = (Some(key), upsert);
        self.find_metadata(projection)?;
        Ok(self)
    }

    /// What no part of a record has is metadata, by the column's name unless it says another.
    fn find_metadata(&mut self, projection: &Projection) -> SqlResult<()> {
        let mut metadata: Vec<(usize, String)> =
            projection.metadata().into_iter().map(|(place, key)| (place, key.to_owned())).collect();
        let of_parts = |place: &usize| {
            let key = self.key.as_ref().is_some_and(|key| key.places.contains(place));
            key || self.value.places.contains(place)
        };
        for place in projection.physical().0.into_iter().filter(|place| !of_parts(place)) {
            metadata.push((place, projection.schema.field(place).name().clone()));
        }
        for (place, key) in &metadata {
            if let Err(found) = Column::new(&self.schema.fields()[*place]) {
                let found = crate::catalog::type_name(&found);
                let message = format!("metadata '{key}' can't be of type {found}");
                return Err(SqlError::new(codes::BAD_SCHEMA, message));
            }
        }
        self.metadata = metadata;
        Ok(())
    }

    /// What puts records together for one reader.
    ///
    /// # Errors
    /// Our bug: a column was not refused earlier.
    pub fn assembler(&self) -> Result<Assembler> {
        let metadata = self.metadata.iter().map(|(place, key)| {
            let column = Column::new(&self.schema.fields()[*place]).map_err(|found| {
                Error::internal(format!("metadata '{key}' of type {found} was not refused"))
            })?;
            Ok((key.clone(), column))
        });
        Ok(Assembler {
            decoder: self.value.decoder()?,
            key: self.key.as_ref().map(Part::decoder).transpose()?,
            kinds: Vec::new(),
            metadata: metadata.collect::<Result<_>>()?,
            constants: Vec::new(),
            decoding: self.clone(),
        })
    }
}

/// Puts records of one split together.
pub struct Assembler {
    /// Reads the values.
    pub decoder: Decoder,
    key: Option<Decoder>,
    /// The kinds of rows where a record replaces the row of its key.
    kinds: Vec<u8>,
    metadata: Vec<(String, Column)>,
    /// Metadata that all records of the split share; none: null.
    pub constants: Vec<(String, Option<String>)>,
    decoding: Decoding,
}

impl Assembler {
    /// Adds the rows of a record.
    ///
    /// # Errors
    /// Why it cannot be read; it has left no row.
    pub fn add(&mut self, record: &impl Envelope) -> Result<(), String> {
        let before = self.decoder.rows();
        let added = self.add_row(record, before);
        if added.is_err() {
            self.decoder.truncate(before);
            self.key.iter_mut().for_each(|key| key.truncate(before));
            self.metadata.iter_mut().for_each(|(_, column)| column.truncate(before));
            self.kinds.truncate(before);
        }
        added
    }

    fn add_row(&mut self, record: &impl Envelope, before: usize) -> Result<(), String> {
        match record.value() {
            Some(value) => self.decoder.decode(value)?,
            // The row of the key is gone; what it was is not told.
            None if self.decoding.upsert => self.decoder.push_nothing(),
            None => {}
        }
        for row in before..self.decoder.rows() {
            if let Some(key) = &mut self.key {
                match record.key() {
                    Some(bytes) => key.decode(bytes).map_err(|reason| format!("key: {reason}"))?,
                    None if self.decoding.upsert => return Err("there is no key".into()),
                    None => key.push_nothing(),
                }
                if key.rows() != row + 1 {
                    return Err("the key is no record".into());
                }
            }
            if self.decoding.upsert {
                let gone = record.value().is_none();
                let kind = if gone { RowKind::Delete } else { RowKind::UpdateAfter };
                self.kinds.push(kind_code(kind));
            }
            for (key, column) in &mut self.metadata {
                match self.constants.iter().find(|(name, _)| name == key) {
                    Some((_, Some(text))) => column.push_text(text),
                    Some((_, None)) => {
                        column.push_null();
                        Ok(())
                    }
                    None => record.metadata(key, column),
                }
                .map_err(|reason| format!("metadata '{key}': {reason}"))?;
            }
        }
        Ok(())
    }

    /// Takes the rows out.
    ///
    /// # Errors
    /// `Data`: a column that is NOT NULL is null.
    pub fn finish(&mut self) -> Result<Chunk> {
        let (data, mut kinds) = self.decoder.finish()?;
        if self.decoding.upsert {
            kinds = Some(std::mem::take(&mut self.kinds).into());
        }
        let bare = self.metadata.is_empty() && self.key.is_none();
        if bare && data.schema_ref() == &self.decoding.schema {
            return Ok(Chunk { data, kinds, read_at: None });
        }
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.decoding.schema.fields().len()];
        for (place, column) in self.decoding.value.places.iter().zip(data.columns()) {
            columns[*place] = Some(Arc::clone(column));
        }
        if let (Some(decoder), Some(part)) = (&mut self.key, &self.decoding.key) {
            let (keys, _) = decoder.finish()?;
            for (place, column) in part.places.iter().zip(keys.columns()) {
                columns[*place] = Some(Arc::clone(column));
            }
        }
        for ((place, _), (key, column)) in self.decoding.metadata.iter().zip(&mut self.metadata) {
            let array = column.finish().map_err(|e| {
                Error::data(format!("metadata '{key}' is null in a NOT NULL column")).because(e)
            })?;
            columns[*place] = Some(array);
        }
        let columns: Vec<ArrayRef> = columns.into_iter().flatten().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(data.num_rows()));
        let schema = Arc::clone(&self.decoding.schema);
        let data = RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|e| Error::internal("columns do not fit the table").because(e))?;
        Ok(Chunk { data, kinds, read_at: None })
    }
}

/// Prepares a reader for its split: tells the decoder what stands at the front, sets constants.
/// Gives the position to begin at when there is none.
pub type Prepare<S> =
    Arc<dyn Fn(&S, &SplitId, &mut Assembler) -> Result<Option<Position>> + Send + Sync>;

/// A source of rows on a source of records.
pub struct Decoded<S> {
    source: S,
    decoding: Decoding,
    prepare: Option<Prepare<S>>,
}

impl<S> Decoded<S> {
    /// Decodes what a source gives.
    pub fn new(source: S, decoding: Decoding) -> Self {
        Decoded { source, decoding, prepare: None }
    }

    /// Calls `prepare` for each reader before it reads, wherever it was opened.
    pub fn prepared_by(mut self, prepare: Prepare<S>) -> Self {
        self.prepare = Some(prepare);
        self
    }
}

impl<S: Source<Record: Envelope>> AnySource for Decoded<S> {
    fn validate(&self) -> Result<()> {
        Source::validate(&self.source)
    }
    fn splits(&self) -> Result<Vec<SplitId>> {
        Source::splits(&self.source)
    }
    fn discovery(&self) -> Discovery {
        Source::discovery(&self.source)
    }
    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn AnyReader>> {
        let mut assembler = self.decoding.assembler()?;
        let start = match &self.prepare {
            Some(prepare) => prepare(&self.source, split, &mut assembler)?,
            None => None,
        };
        let reader = Source::open(&self.source, split, position.or(start.as_ref()), wake)?;
        Ok(Box::new(DecodedReader { reader, assembler }))
    }
    fn first_position(&self) -> Option<Position> {
        Source::first_position(&self.source)
    }
    fn checkpointed(&self, positions: &[(SplitId, Position)]) {
        Source::checkpointed(&self.source, positions);
    }
    fn measures(&self) -> Vec<Measure> {
        Source::measures(&self.source)
    }
    fn transaction_domain(&self) -> Option<String> {
        Source::transaction_domain(&self.source)
    }
}

struct DecodedReader<T> {
    reader: Box<dyn Reader<T>>,
    assembler: Assembler,
}

impl<T: Envelope> AnyReader for DecodedReader<T> {
    fn read(
        &mut self,
        max: usize,
        elapsed: Duration,
        now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Given> {
        let mut buffer = ReadBuffer::new(max, elapsed, now);
        let status: ReadStatus = self.reader.read(&mut buffer)?;
        let mut bad = buffer.bad;
        for record in buffer.records {
            if let Err(reason) = self.assembler.add(&record.value) {
                let position = record.value.place();
                let record = record.value.into_original();
                bad.push(BadRecord { record, position, reason });
            }
        }
        let batch = Batch::from(self.assembler.finish()?).with_split(split);
        Ok(Given { batch, bad, skipped: buffer.skipped, status })
    }
    fn position(&self) -> Position {
        self.reader.position()
    }
}
