//! The bytes of one message, and what may still be taken from them.

use super::plan::{Plan, Step, StepId};

/// Items that take no bytes (nulls, empty records) one message may hold: a count alone could ask
/// for billions of them.
const EMPTY_ITEMS: usize = 1 << 16;

/// Reads values; every length is checked against the bytes that are left before it is believed.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    len: usize,
    levels: usize,
    empty_items: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8], nesting: usize) -> Self {
        Input { bytes, len: bytes.len(), levels: nesting, empty_items: EMPTY_ITEMS }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Where the next byte is in the record.
    pub(super) fn at(&self) -> usize {
        self.len - self.bytes.len()
    }

    /// Goes one level down; `up` comes back.
    pub(super) fn down(&mut self) -> Result<(), String> {
        self.levels = self.levels.checked_sub(1).ok_or("nested too deeply")?;
        Ok(())
    }

    pub(super) fn up(&mut self) {
        self.levels += 1;
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let left = self.bytes.len();
        let (taken, rest) = self
            .bytes
            .split_at_checked(len)
            .ok_or_else(|| format!("{len} bytes expected, {left} left"))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn long(&mut self) -> Result<i64, String> {
        let mut bits = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            bits |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // The tenth byte has room for one bit.
                return match shift == 63 && byte > 1 {
                    true => Err("a number of more than 64 bits".into()),
                    false => Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()),
                };
            }
        }
        Err("a number of more than 64 bits".into())
    }

    pub(super) fn int(&mut self) -> Result<i32, String> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| format!("{long} is no int"))
    }

    pub(super) fn boolean(&mut self) -> Result<bool, String> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [byte] => Err(format!("{byte} is no boolean")),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], String> {
        let len = self.long()?;
        let len = usize::try_from(len).map_err(|_| format!("{len} is no length"))?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, String> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes)
            .map_err(|e| format!("text is not UTF-8 from its byte {} on", e.valid_up_to()))
    }

    /// An index below `len`.
    pub(super) fn index(&mut self, what: &str, len: usize) -> Result<usize, String> {
        let index = self.long()?;
        let found = usize::try_from(index).ok().filter(|index| *index < len);
        found.ok_or_else(|| format!("{what} {index} of {len}"))
    }

    /// Skips a value.
    pub(super) fn skip(&mut self, plan: &Plan, id: StepId) -> Result<(), String> {
        match plan.step(id) {
            Step::Null => {}
            Step::Boolean => {
                self.boolean()?;
            }
            Step::Int | Step::Long => {
                self.long()?;
            }
            Step::Float => {
                self.take(4)?;
            }
            Step::Double => {
                self.take(8)?;
            }
            Step::Bytes | Step::String | Step::BytesAsText | Step::Decimal(None, _) => {
                self.bytes()?;
            }
            Step::Fixed(size) | Step::Decimal(Some(size), _) => {
                self.take(*size)?;
            }
            Step::Enum(symbols) => {
                self.index("symbol", symbols.len())?;
            }
            Step::AsDouble(step) | Step::Branch(_, step) => self.skip(plan, *step)?,
            Step::Union(branches) => {
                let index = self.index("branch", branches.len())?;
                self.skip(plan, branches[index].1)?;
            }
            Step::Array(items) => self.skip_items(plan, *items, false)?,
            Step::Map(values) => self.skip_items(plan, *values, true)?,
            Step::Record { fields, .. } => {
                self.down()?;
                for field in fields {
                    self.skip(plan, field.step)?;
                }
                self.up();
            }
            Step::Impossible(reason) => return Err(reason.clone()),
        }
        Ok(())
    }

    fn skip_items(&mut self, plan: &Plan, step: StepId, keys: bool) -> Result<(), String> {
        self.down()?;
        let mut items = Items::default();
        while items.next(self)? {
            if keys {
                self.bytes()?;
            }
            self.skip(plan, step)?;
        }
        self.up();
        Ok(())
    }
}

/// Where decoding stands in the blocks of an array or map.
#[derive(Default)]
pub(super) struct Items {
    /// Items left in the block.
    left: u64,
    /// Where the item before began.
    began: Option<usize>,
    ended: bool,
}

impl Items {
    /// Whether there is another item, whose bytes come next.
    pub(super) fn next(&mut self, input: &mut Input<'_>) -> Result<bool, String> {
        if self.ended {
            return Ok(false);
        }
        if self.began == Some(input.at()) {
            let left = input.empty_items.checked_sub(1).ok_or("too many empty items")?;
            input.empty_items = left;
        }
        while self.left == 0 && !self.ended {
            let count = input.long()?;
            if count < 0 {
                // The size of the block in bytes, for those who skip it.
                input.long()?;
            }
            self.left = count.unsigned_abs();
            self.ended = count == 0;
        }
        self.began = Some(input.at());
        self.left = self.left.saturating_sub(1);
        Ok(!self.ended)
    }

    /// How many items to make room for: no more than bytes are left.
    pub(super) fn expected(&self, input: &Input<'_>) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX).min(input.left())
    }
}
