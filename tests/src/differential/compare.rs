//! Two transcripts, entry by entry and field by field.

use std::collections::BTreeSet;
use std::fmt;

use crate::differential::transcript::{Entry, Transcript};

/// The name under which a missing or additional entry is reported.
pub(super) const WHOLE_ENTRY: &str = "(entry)";

/// One thing that is not the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The entry's head.
    pub entry: String,
    /// Path of the attribute, or [`WHOLE_ENTRY`].
    pub field: String,
    /// The value on the left (the original), if it is there.
    pub left: Option<String>,
    /// The value on the right.
    pub right: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.as_ref().map_or("(absent)".into(), |v| format!("{v:?}"));
        write!(f, "{}: {}: {} | {}", self.entry, self.field, shown(&self.left), shown(&self.right))
    }
}

/// All differences, in order.
pub fn compare(left: &Transcript, right: &Transcript) -> Vec<Difference> {
    align(&left.0, &right.0).into_iter().flat_map(differences).collect()
}

fn differences(pair: (Option<&Entry>, Option<&Entry>)) -> Vec<Difference> {
    let (left, right) = match pair {
        (Some(left), Some(right)) => (left, right),
        (left, right) => {
            let entry = left.or(right).map(|entry| entry.head.clone()).unwrap_or_default();
            let (left, right) = (left.map(ToString::to_string), right.map(ToString::to_string));
            return vec![Difference { entry, field: WHOLE_ENTRY.into(), left, right }];
        }
    };
    let names: BTreeSet<&String> = left.fields.keys().chain(right.fields.keys()).collect();
    names
        .into_iter()
        .filter(|name| left.fields.get(*name) != right.fields.get(*name))
        .map(|name| Difference {
            entry: left.head.clone(),
            field: name.clone(),
            left: left.fields.get(name).cloned(),
            right: right.fields.get(name).cloned(),
        })
        .collect()
}

/// Pairs the entries by their heads along a longest common subsequence; what has no partner stands alone.
fn align<'a>(left: &'a [Entry], right: &'a [Entry]) -> Vec<(Option<&'a Entry>, Option<&'a Entry>)> {
    // common[i][j]: length for left[i..] and right[j..]
    let mut common = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = if left[i].head == right[j].head {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left.len() || j < right.len() {
        let (l, r) = (left.get(i), right.get(j));
        let pair = match (l, r) {
            (Some(a), Some(b)) if a.head == b.head => (l, r),
            (Some(_), Some(_)) if common[i + 1][j] >= common[i][j + 1] => (l, None),
            (Some(_), None) => (l, None),
            _ => (None, r),
        };
        i += usize::from(pair.0.is_some());
        j += usize::from(pair.1.is_some());
        pairs.push(pair);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(heads: &[(&str, &str)]) -> Transcript {
        Transcript(heads.iter().map(|(head, value)| Entry::value((*head).into(), value)).collect())
    }

    #[test]
    fn a_missing_entry_does_not_shift_the_rest() {
        let left = transcript(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let right = transcript(&[("a", "1"), ("c", "4")]);
        let found = compare(&left, &right);
        let fields: Vec<_> = found.iter().map(|d| (d.entry.as_str(), d.field.as_str())).collect();
        assert_eq!(fields, [("b", WHOLE_ENTRY), ("c", "value")]);
        assert_eq!(compare(&left, &left), []);
    }
}
