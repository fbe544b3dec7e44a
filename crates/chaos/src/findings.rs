//! Comparing what is there with what should be there: lost, duplicated, wrong.
//!
//! Rows are grouped by identity. Within a group a row that equals an expected one settles it; a
//! further one like it is a duplicate; any other stands for an expected row that has not been found
//! and is wrong; what then is missing is lost.

use crate::history::Found;

/// Examples that are kept of the faults of a sink.
const EXAMPLES: usize = 5;

/// What was found in one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Name of the sink.
    pub sink: String,
    /// Rows expected.
    pub expected: u64,
    /// Rows found.
    pub found: u64,
    /// Expected rows that are not there.
    pub lost: u64,
    /// Rows that are there once more than they should.
    pub duplicated: u64,
    /// Rows that should not be there, or should be different.
    pub wrong: u64,
    /// Faults of the files themselves.
    pub files: u64,
    /// Some of the faults.
    pub examples: Vec<String>,
}

impl Findings {
    /// Number of faults.
    pub fn faults(&self) -> u64 {
        self.lost + self.duplicated + self.wrong + self.files
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text());
        }
    }

    /// Adds faults of files.
    pub fn add_file_faults(&mut self, faults: Vec<String>) {
        self.files += faults.len() as u64;
        for fault in faults {
            self.example(|| fault);
        }
    }
}

/// Compares rows; `identity` is what a row must be the only one with.
pub fn compare<R, I>(
    sink: &str,
    mut expected: Vec<R>,
    mut found: Vec<Found<R>>,
    files: &[String],
    identity: impl Fn(&R) -> I,
) -> Findings
where
    R: Ord + std::fmt::Debug,
    I: Ord,
{
    let mut findings = Findings {
        sink: sink.to_owned(),
        expected: expected.len() as u64,
        found: found.len() as u64,
        ..Findings::default()
    };
    expected.sort_by(|a, b| identity(a).cmp(&identity(b)).then_with(|| a.cmp(b)));
    found.sort_by(|a, b| identity(&a.0).cmp(&identity(&b.0)).then_with(|| a.cmp(b)));
    let (mut e, mut f) = (expected.as_slice(), found.as_slice());
    while let Some(id) = next_identity(e, f, &identity) {
        let of_expected = e.iter().take_while(|row| identity(row) == id).count();
        let of_found = f.iter().take_while(|(row, _)| identity(row) == id).count();
        group(&e[..of_expected], &f[..of_found], files, &mut findings);
        (e, f) = (&e[of_expected..], &f[of_found..]);
    }
    findings
}

fn next_identity<R, I: Ord>(e: &[R], f: &[Found<R>], identity: impl Fn(&R) -> I) -> Option<I> {
    let (e, f) = (e.first().map(&identity), f.first().map(|(row, _)| identity(row)));
    match (e, f) {
        (Some(e), Some(f)) => Some(e.min(f)),
        (e, f) => e.or(f),
    }
}

/// Compares the rows of one identity.
fn group<R: Ord + std::fmt::Debug>(
    expected: &[R],
    found: &[Found<R>],
    files: &[String],
    findings: &mut Findings,
) {
    let mut open: Vec<&R> = expected.iter().collect();
    let mut others = Vec::new();
    for (row, file) in found {
        match open.iter().position(|e| *e == row) {
            Some(at) => _ = open.swap_remove(at),
            None => others.push((row, *file)),
        }
    }
    for (row, file) in others {
        let name = files.get(file as usize).map_or("?", String::as_str);
        if expected.contains(row) {
            findings.duplicated += 1;
            findings.example(|| format!("duplicated: {row:?} in {name}"));
        } else {
            findings.wrong += 1;
            let instead = open.pop();
            findings.example(|| match instead {
                Some(instead) => format!("wrong: {row:?} in {name}, expected {instead:?}"),
                None => format!("wrong: {row:?} in {name}, nothing like it was expected"),
            });
        }
    }
    for row in open {
        findings.lost += 1;
        findings.example(|| format!("lost: {row:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected, found; (lost, duplicated, wrong).
    fn verdict(expected: &[(u8, u8)], found: &[(u8, u8)]) -> (u64, u64, u64) {
        let found = found.iter().map(|row| (*row, 0)).collect();
        let f = compare("s", expected.to_vec(), found, &["part".into()], |row| row.0);
        assert_eq!(f.faults(), f.lost + f.duplicated + f.wrong);
        assert_eq!(f.examples.len() as u64, f.faults().min(5), "{f:?}");
        (f.lost, f.duplicated, f.wrong)
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        let rows = [(1, 1), (2, 2), (3, 3)];
        assert_eq!(verdict(&rows, &[(3, 3), (1, 1), (2, 2)]), (0, 0, 0));
        assert_eq!(verdict(&rows, &[(1, 1), (3, 3)]), (1, 0, 0));
        assert_eq!(verdict(&rows, &[(1, 1), (2, 2), (2, 2), (3, 3), (2, 2)]), (0, 2, 0));
        assert_eq!(verdict(&rows, &[(1, 1), (2, 9), (3, 3)]), (0, 0, 1));
        assert_eq!(verdict(&rows, &[(1, 1), (2, 2), (2, 9), (3, 3)]), (0, 0, 1));
        assert_eq!(verdict(&rows, &[(1, 1), (2, 2), (3, 3), (4, 4)]), (0, 0, 1));
        assert_eq!(verdict(&rows, &[]), (3, 0, 0));
        assert_eq!(verdict(&[], &rows), (0, 0, 3));
    }

    #[test]
    fn rows_that_share_an_identity_are_counted() {
        let rows = [(1, 1), (1, 1), (1, 2)];
        assert_eq!(verdict(&rows, &[(1, 2), (1, 1), (1, 1)]), (0, 0, 0));
        assert_eq!(verdict(&rows, &[(1, 2), (1, 1)]), (1, 0, 0));
        assert_eq!(verdict(&rows, &[(1, 2), (1, 1), (1, 1), (1, 1)]), (0, 1, 0));
        assert_eq!(verdict(&rows, &[(1, 2), (1, 1), (1, 7)]), (0, 0, 1));
    }

    #[test]
    fn nothing_is_hidden_behind_a_few_examples() {
        let expected: Vec<(u8, u8)> = (0..100).map(|n| (n, n)).collect();
        assert_eq!(verdict(&expected, &[]), (100, 0, 0));
    }
}
