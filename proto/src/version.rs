//! LRMD protocol versions (not Pacemaker releases, not the frame header's version).

/// The version this implementation speaks. 1.2 adds only that a cluster answers schema requests.
pub const LRMD_VERSION: &str = "1.2";

/// Whether a client that announces `version` may register.
///
/// The comparison is numeric and per dot-separated part against 1.0; a missing, empty or unreadable version
/// counts as 0 and is too old, as in Pacemaker 2.1 and 3.0. A bare `1` is accepted as by 3.0.
#[must_use]
pub fn is_supported(version: Option<&str>) -> bool {
    let major = version.unwrap_or_default().split('.').next().and_then(crate::number::leading_int);
    major.is_some_and(|major| major >= 1)
}

/// Whether a cluster that announces `version` can be asked for schemas: 1.2 and later.
#[must_use]
pub fn has_schemas(version: Option<&str>) -> bool {
    let mut parts = version.unwrap_or_default().split('.').map(crate::number::leading_int);
    let (major, minor) = (parts.next().flatten().unwrap_or(0), parts.next().flatten().unwrap_or(0));
    (major, minor) >= (1, 2)
}

#[cfg(test)]
mod tests {
    use super::{has_schemas, is_supported};

    #[test]
    fn versions_from_one_up_are_accepted() {
        for good in ["1", "1.0", "1.1", "1.2", "2.0", "10.3"] {
            assert!(is_supported(Some(good)), "{good}");
        }
        for bad in ["0.9", "", "abc", "-1"] {
            assert!(!is_supported(Some(bad)), "{bad}");
        }
        assert!(!is_supported(None));
    }

    #[test]
    fn schemas_come_with_one_point_two() {
        for (version, expected) in [("1.1", false), ("1.2", true), ("1.10", true), ("2", true), ("1", false)]
        {
            assert_eq!(has_schemas(Some(version)), expected, "{version}");
        }
        assert!(!has_schemas(None));
    }
}
