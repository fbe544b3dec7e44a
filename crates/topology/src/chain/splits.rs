//! What steps are told of the splits of the sources before them.

use headwater_core::SplitTag;
use headwater_operators::SplitEvent;

use super::{Body, Chain};

impl Chain {
    /// Tells the steps behind `source` of a new split; returns the tag that its batches are to
    /// have.
    ///
    /// Tags are unique in a chain, and the steps know the split by `source/id`: there may be more
    /// than one source, and steps behind several of them.
    pub fn add_split(&mut self, source: usize, id: &str) -> SplitTag {
        let tag = SplitTag(self.splits);
        self.splits += 1;
        let id = format!("{}/{id}", self.members[source].name);
        self.on_split_of(source, tag, SplitEvent::Added { id: &id });
        tag
    }

    /// Tells the steps behind `source` what happened to one of its splits.
    pub fn on_split_of(&mut self, source: usize, split: SplitTag, event: SplitEvent<'_>) {
        for at in 0..self.members[source].downstream.len() {
            let member = self.members[source].downstream[at];
            self.current = member;
            if let Body::Operator(op) = &mut self.members[member].body {
                op.on_split(split, event);
            }
        }
    }

    /// Whether some operator asks not to read `split` now.
    pub fn holds_back(&self, split: SplitTag) -> bool {
        self.members.iter().any(|m| m.body.as_operator().is_some_and(|op| op.holds_back(split)))
    }
}
