//! Settings that cannot be used, and where they come from.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// What service managers load the environment from.
const ENVIRONMENT_FILES: [&str; 4] =
    ["/etc/default/pacemaker", "/etc/sysconfig/pacemaker", "/etc/default/sbd", "/etc/sysconfig/sbd"];

/// Variables of the original that have no effect here, and why.
const WITHOUT_EFFECT: [(&str, &str); 8] = [
    ("PCMK_tls_priorities", "only TLS 1.3 is spoken"),
    ("PCMK_dh_min_bits", "TLS 1.3 has no Diffie-Hellman parameters"),
    ("PCMK_dh_max_bits", "TLS 1.3 has no Diffie-Hellman parameters"),
    ("PCMK_trace_functions", "they name functions of the original; use -V twice"),
    ("PCMK_trace_files", "they name files of the original; use -V twice"),
    ("PCMK_trace_formats", "they name formats of the original; use -V twice"),
    ("PCMK_trace_tags", "they name tags of the original; use -V twice"),
    ("PCMK_blackbox", "there is no flight recorder; use PCMK_debug"),
];

/// Which variables are set and have no effect, each with its reason, for the log.
pub fn without_effect<'a>(is_set: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = String> + 'a {
    let set = WITHOUT_EFFECT.iter().filter(move |(name, _)| is_set(name));
    set.map(|(name, why)| format!("{name} has no effect: {why}"))
}

/// A setting that is not used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{name} is {value:?}, which is not {expected}; using {used}")]
pub struct Fault {
    /// The variable or option.
    pub name: String,
    /// What it says.
    pub value: String,
    /// What it should say.
    pub expected: &'static str,
    /// What is used in its place.
    pub used: String,
}

impl Fault {
    /// File and line that set the variable, where it is one of the files that service managers load. The agent reads
    /// its settings from the environment only; this is to save the administrator the search.
    #[must_use]
    pub fn origin(&self) -> Option<(PathBuf, usize)> {
        ENVIRONMENT_FILES.iter().find_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some((Path::new(path).to_owned(), self.line_in(&text)?))
        })
    }

    /// The last line that sets the variable to the value, counted from 1.
    fn line_in(&self, text: &str) -> Option<usize> {
        let sets = |line: &str| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let value = line.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('='));
            value.is_some_and(|value| value.trim().trim_matches(['"', '\'']) == self.value)
        };
        text.lines().enumerate().filter(|(_, line)| sets(line)).last().map(|(at, _)| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, without_effect};

    #[test]
    fn variables_without_effect_are_named() {
        let lines: Vec<_> = without_effect(|name| name == "PCMK_tls_priorities").collect();
        assert_eq!(lines, ["PCMK_tls_priorities has no effect: only TLS 1.3 is spoken"]);
    }

    #[test]
    fn the_line_that_sets_a_variable_is_found() {
        let fault = |value: &str| Fault {
            name: "PCMK_remote_port".to_owned(),
            value: value.to_owned(),
            expected: "a port",
            used: "3121".to_owned(),
        };
        let text = "# PCMK_remote_port=0\nPCMK_remote_port=0\nexport PCMK_remote_port=\"70000\"\nPCMK_remote_ports=0\n";
        assert_eq!(fault("0").line_in(text), Some(2));
        assert_eq!(fault("70000").line_in(text), Some(3));
        assert_eq!(fault("1").line_in(text), None);
    }
}
