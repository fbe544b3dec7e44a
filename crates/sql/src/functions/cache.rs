//! What was made of a constant argument: patterns, paths and formats are compiled once.
//!
//! An argument need not be constant, so what is kept is bounded: a full cache is emptied.

use std::collections::HashMap;
use std::rc::Rc;

/// How many compiled values one thread keeps for one kind of argument.
const KEPT: usize = 128;

/// Compiled values by their text.
pub(crate) struct Cache<T> {
    kept: HashMap<String, Rc<T>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Cache { kept: HashMap::new() }
    }
}

impl<T> Cache<T> {
    /// The value of a text, compiled where it is not there.
    pub(crate) fn get<E>(
        &mut self,
        text: &str,
        compile: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Rc<T>, E> {
        if let Some(value) = self.kept.get(text) {
            return Ok(Rc::clone(value));
        }
        let value = Rc::new(compile(text)?);
        if self.kept.len() >= KEPT {
            self.kept.clear();
        }
        self.kept.insert(text.to_owned(), Rc::clone(&value));
        Ok(value)
    }
}

/// The value that was asked for last: a constant argument is looked up once a batch.
pub(crate) struct Recent<T> {
    last: Option<(String, Rc<T>)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Recent { last: None }
    }
}

impl<T> Recent<T> {
    /// The value of a text, found where it is not the last one.
    pub(crate) fn get<E>(
        &mut self,
        text: &str,
        find: impl FnOnce(&str) -> Result<Rc<T>, E>,
    ) -> Result<Rc<T>, E> {
        if let Some((last, value)) = &self.last
            && last == text
        {
            return Ok(Rc::clone(value));
        }
        let value = find(text)?;
        self.last = Some((text.to_owned(), Rc::clone(&value)));
        Ok(value)
    }
}
