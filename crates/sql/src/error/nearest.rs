//! The name that was probably meant.

/// The name nearest to `wanted`: equal but for case, or few enough letters apart.
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 128;
    let wanted: Vec<char> = wanted.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    // A third of the letters may differ: `chanel` finds `channel`, `id` does not find `url`.
    let bound = (wanted.len() / 3).max(1);
    names
        .filter_map(|name| {
            let letters: Vec<char> =
                name.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
            let apart = distance(&wanted, &letters);
            (apart <= bound && apart < wanted.len().max(letters.len())).then_some((apart, name))
        })
        .min_by_key(|(apart, _)| *apart)
        .map(|(_, name)| name)
}

/// ``did you mean `name`?`` for the nearest name, if one is near.
pub fn did_you_mean<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(wanted, names).map(|name| format!("did you mean `{name}`?"))
}

/// Letters inserted, left out, replaced, or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_near() {
        let names = ["auction", "bidder", "price", "channel", "url", "dateTime", "extra"];
        let find = |wanted| nearest(wanted, names.iter().copied());
        assert_eq!(find("chanel"), Some("channel"));
        assert_eq!(find("datetime"), Some("dateTime"));
        assert_eq!(find("pirce"), Some("price"));
        assert_eq!(find("ulr"), Some("url"));
        assert_eq!(find("id"), None);
        assert_eq!(find("customer"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn one_letter_names_match_by_case_only() {
        assert_eq!(nearest("a", ["b", "A"].into_iter()), Some("A"));
        assert_eq!(nearest("a", ["b"].into_iter()), None);
    }
}
