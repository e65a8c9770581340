//! The values of an operation's parameters, checked against an agent's table.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table::{Kind, Param};

/// Values by name; an empty one counts as unset. Not to be shown: they may be secrets.
#[derive(Clone, Default)]
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    pub(super) fn new<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let filled = pairs.filter(|(_, value)| !value.trim().is_empty());
        Self(filled.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        self.text(name).map(picket_proto::number::truth)
    }

    pub(super) fn time(&self, name: &str) -> Option<Duration> {
        self.text(name).and_then(time)
    }

    /// What is wrong with them, all together.
    pub(super) fn faults(&self, params: &[Param]) -> Vec<String> {
        let fault = |param: &Param| match self.text(param.name) {
            None => param.required.then(|| format!("{} is not set", param.name)),
            Some(value) => param
                .kind
                .refuses(value)
                .map(|expected| format!("{} is \"{value}\", which is not {expected}", param.name)),
        };
        params.iter().filter_map(fault).collect()
    }
}

impl Kind {
    /// What was expected, where the value is not it.
    fn refuses(self, value: &str) -> Option<String> {
        let no = ["0", "false", "off", "no", "n"];
        match self {
            Self::Boolean => {
                let known = picket_proto::number::truth(value)
                    || no.iter().any(|word| value.eq_ignore_ascii_case(word));
                (!known).then(|| "yes or no".to_owned())
            }
            Self::Choice(words) => (!words.contains(&value)).then(|| format!("one of {}", words.join(", "))),
            Self::Text => None,
            Self::Time => time(value).is_none().then(|| "a time such as 10 or 500ms".to_owned()),
        }
    }
}

fn time(text: &str) -> Option<Duration> {
    crate::watchdog::duration(text).and_then(|time| u64::try_from(time).ok()).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: [Param; 4] = [
        Param::required("image", "", ""),
        Param::new("reuse", Kind::Boolean, None, "", ""),
        Param::new("grace", Kind::Time, None, "", ""),
        Param::new("engine", Kind::Choice(&["docker", "podman"]), None, "", ""),
    ];

    #[test]
    fn all_faults_are_told_at_once() {
        let values = [("image", " "), ("reuse", "maybe"), ("grace", "soon"), ("engine", "lxc")];
        let faults = Values::new(values.into_iter()).faults(&PARAMS);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert_eq!(faults[3], "engine is \"lxc\", which is not one of docker, podman");
        let values =
            [("image", "x"), ("reuse", "No"), ("grace", "2min"), ("engine", "docker"), ("other", "1")];
        assert_eq!(Values::new(values.into_iter()).faults(&PARAMS), [""; 0]);
    }
}
