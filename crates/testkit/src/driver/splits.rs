//! The splits of the sources, as a reader would report them.

use headwater_core::{Error, ProcessingTime, Result, SplitTag};
use headwater_operators::SplitEvent;
use headwater_topology::NodeId;

use super::{DEFAULT_SPLIT, Driver, no_such};

/// One source, as far as a checkpoint would know it.
#[derive(Clone)]
pub(super) struct SourceState {
    pub(super) node: NodeId,
    pub(super) name: String,
    pub(super) splits: Vec<SplitState>,
    pub(super) ended: bool,
    /// Whether the only split is one that no test has named.
    implicit: bool,
}

/// One split.
#[derive(Clone)]
pub(super) struct SplitState {
    pub(super) id: String,
    pub(super) tag: SplitTag,
    pub(super) quiet_since: Option<ProcessingTime>,
    pub(super) ended: bool,
}

impl SourceState {
    pub(super) fn new(node: NodeId, name: &str) -> Self {
        let split = SplitState {
            id: DEFAULT_SPLIT.to_owned(),
            tag: SplitTag::NONE,
            quiet_since: None,
            ended: false,
        };
        let name = name.to_owned();
        SourceState { node, name, splits: vec![split], ended: false, implicit: true }
    }

    pub(super) fn split(&self, id: &str) -> Option<&SplitState> {
        self.splits.iter().find(|s| s.id == id)
    }

    pub(super) fn open_splits(&self) -> impl Iterator<Item = SplitTag> {
        self.splits.iter().filter(|s| !s.ended).map(|s| s.tag)
    }
}

impl Driver {
    pub(super) fn source_names(&self) -> Vec<String> {
        self.sources.iter().map(|s| s.name.clone()).collect()
    }

    pub(super) fn source_at(&self, name: &str) -> Result<usize> {
        self.sources.iter().position(|s| s.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.sources.iter().map(|s| s.name.as_str()).collect();
            no_such("source", name, &names)
        })
    }

    /// The source of that name and its split, or the only split it has.
    pub(super) fn place(&self, name: &str, split: Option<&str>) -> Result<(usize, String)> {
        let at = self.source_at(name)?;
        let source = &self.sources[at];
        if source.ended {
            return Err(Error::config(format!("source {name:?} has ended")));
        }
        let split = match split {
            Some(split) => split.to_owned(),
            None => {
                let mut open = source.splits.iter().filter(|s| !s.ended);
                match (open.next(), open.next()) {
                    (Some(only), None) => only.id.clone(),
                    _ => return Err(ambiguous(source)),
                }
            }
        };
        match source.split(&split) {
            Some(known) if known.ended => {
                Err(Error::config(format!("split {split:?} of source {name:?} has ended")))
            }
            _ => Ok((at, split)),
        }
    }

    /// The tag of a split, which becomes known now if it was not.
    pub(super) fn split_tag(&mut self, source: usize, id: &str) -> SplitTag {
        let state = &mut self.sources[source];
        if let Some(known) = state.split(id) {
            let tag = known.tag;
            state.implicit = false;
            return tag;
        }
        // The split nobody named was only there until the real ones are.
        let unused = if state.implicit { state.splits.pop() } else { None };
        state.implicit = false;
        let member = state.node.0;
        if let Some(unused) = unused {
            self.chain.on_split_of(member, unused.tag, SplitEvent::Ended);
        }
        let tag = self.chain.add_split(member, id);
        state.splits.push(SplitState { id: id.to_owned(), tag, quiet_since: None, ended: false });
        tag
    }

    /// The tag of a split that gives records.
    pub(super) fn active_split(&mut self, source: usize, id: &str) -> SplitTag {
        let tag = self.split_tag(source, id);
        let splits = &mut self.sources[source].splits;
        let quiet = splits.iter_mut().find(|s| s.tag == tag).and_then(|s| s.quiet_since.take());
        if quiet.is_some() {
            self.chain.on_split_of(self.sources[source].node.0, tag, SplitEvent::Active);
        }
        tag
    }

    pub(super) fn set_quiet(&mut self, source: usize, id: &str) {
        let (tag, now) = (self.split_tag(source, id), self.now);
        let splits = &mut self.sources[source].splits;
        if let Some(split) = splits.iter_mut().find(|s| s.tag == tag)
            && split.quiet_since.is_none()
        {
            split.quiet_since = Some(now);
            let member = self.sources[source].node.0;
            self.chain.on_split_of(member, tag, SplitEvent::Quiet { since: now });
        }
    }

    /// A new attempt: tells the steps of all splits, in another order than before and so with other
    /// tags, as these mean nothing beyond an attempt.
    pub(super) fn announce_splits(&mut self, quiet_since: Option<ProcessingTime>) {
        for source in &mut self.sources {
            let member = source.node.0;
            for split in source.splits.iter_mut().rev() {
                split.tag = self.chain.add_split(member, &split.id);
                if let Some(since) = &mut split.quiet_since {
                    *since = quiet_since.unwrap_or(*since);
                    let quiet = SplitEvent::Quiet { since: *since };
                    self.chain.on_split_of(member, split.tag, quiet);
                }
                if split.ended {
                    self.chain.on_split_of(member, split.tag, SplitEvent::Ended);
                }
            }
        }
    }
}

fn ambiguous(source: &SourceState) -> Error {
    let splits: Vec<String> = source.splits.iter().map(|s| format!("{:?}", s.id)).collect();
    Error::config(format!("source {:?} has splits {}", source.name, splits.join(", ")))
        .hint("say which one is meant")
}
