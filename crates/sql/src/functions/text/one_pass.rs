//! A group of a match found in one pass over the text.
//!
//! The `regex` crate looks for the end of a match, then back for its start, then goes over it a
//! third time for the groups. A pattern that begins with known text (`&id=([^&]*)`) needs less:
//! where that text is a match may start, and from there one automaton finds the groups, if it never
//! has to choose. The first start from which there is a match is the leftmost match.

use std::cell::RefCell;

use regex_automata::dfa::onepass::{Cache, Config, DFA};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, MatchKind, PatternID, Span};

/// How many starts are tried. Each may cost a pass over the text, so more are left to the `regex`
/// crate, whose cost is bounded.
const STARTS: usize = 8;

/// The largest automaton, in bytes.
const MOST_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct OnePass {
    starts: Prefilter,
    automaton: DFA,
    scratch: RefCell<(Cache, Vec<Option<NonMaxUsize>>)>,
}

/// It takes too many tries to tell.
#[derive(Debug, PartialEq)]
pub(super) struct Undecided;

impl OnePass {
    /// The automaton of a pattern; none for one that it cannot be made of.
    pub(super) fn new(pattern: &str) -> Option<OnePass> {
        let hir = regex_syntax::parse(pattern).ok()?;
        let starts = Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &hir)?;
        let config = Config::new().size_limit(Some(MOST_BYTES));
        let automaton = DFA::builder().configure(config).build(pattern).ok()?;
        let slots = 2 * automaton.get_nfa().group_info().group_len(PatternID::ZERO);
        let scratch = RefCell::new((automaton.create_cache(), vec![None; slots]));
        Some(OnePass { starts, automaton, scratch })
    }

    /// A group of the first match, if there is a match and the group takes part in it.
    ///
    /// # Errors
    /// Whether there is a match is not known.
    pub(super) fn group<'a>(
        &self,
        text: &'a str,
        group: usize,
    ) -> Result<Option<&'a str>, Undecided> {
        let (cache, slots) = &mut *self.scratch.borrow_mut();
        let Some(slots) = slots.get_mut(..2 * (group + 1)) else { return Ok(None) };
        let mut from = 0;
        for _ in 0..STARTS {
            let behind = Span { start: from, end: text.len() };
            let Some(start) = self.starts.find(text.as_bytes(), behind) else { return Ok(None) };
            let input = Input::new(text).range(start.start..).anchored(Anchored::Yes);
            let found = self.automaton.try_search_slots(cache, &input, slots);
            if found.map_err(|_| Undecided)?.is_some() {
                let place = slots[2 * group].zip(slots[2 * group + 1]);
                return Ok(place.and_then(|(start, end)| text.get(start.get()..end.get())));
            }
            from = start.start + 1;
        }
        Err(Undecided)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATTERNS: [&str; 6] = [
        "(&|^)id=([^&]*)",
        "id=([0-9]+)(&|$)",
        "a(b)?c",
        "(?:ab|ac)(x*)",
        "(?i)id=(.)",
        r"é(\b)?a",
    ];

    proptest! {
        #[test]
        fn it_finds_what_the_regex_crate_finds(
            pattern in prop::sample::select(&PATTERNS[..]),
            text in "(id=|&|a|b|c|x|é|[0-9]){0,12}",
            group in 0_usize..4,
        ) {
            let regex = regex::Regex::new(pattern).unwrap();
            let wanted = regex.captures(&text).and_then(|c| Some(c.get(group)?.as_str()));
            if let Some(one_pass) = OnePass::new(pattern)
                && let Ok(found) = one_pass.group(&text, group)
            {
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    fn the_usual_patterns_have_one() {
        let of = |pattern: &str| OnePass::new(pattern).is_some();
        assert!(of("(&|^)channel_id=([^&]*)") && of("id=([0-9]+)"));
        // Nothing known to begin with; and a choice that shows later.
        assert!(!of("([^&]*)=1") && !of("a(.*)(b+)"));
    }

    #[test]
    fn many_false_starts_are_left_to_the_other_engine() {
        let one_pass = OnePass::new("(&|^)id=(.)").unwrap();
        assert_eq!(one_pass.group(&"xid=".repeat(STARTS), 2), Err(Undecided));
        assert_eq!(one_pass.group("xid=1&id=5", 2), Ok(Some("5")));
    }
}
