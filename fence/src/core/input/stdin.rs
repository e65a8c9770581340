//! `key=value` lines, as the fencer writes them (fence-contract, 5.1).

use super::Values;
use crate::core::option::{Kind, Opt};
use crate::core::usage::Usage;

/// What the fencer, or tools around it, add for themselves.
const FOREIGN: [&str; 6] = ["nodename", "nodeid", "agent", "name", "crm_feature_set", "option"];

/// Reads the lines. What cannot be read is a warning where the contract says so.
///
/// # Errors
/// A number is not a number, a word is not a choice.
pub fn parse(table: &[Opt], text: &str) -> Result<Values, Usage> {
    let mut values = Values::default();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim_end(), unquoted(value.trim_start()));
        if key == "nodename" && !value.is_empty() {
            values.nodename = Some(value.to_owned());
        }
        let Some((opt, name)) = find(table, key) else {
            if !is_foreign(key) {
                values.warnings.push(format!("Parse error: Ignoring unknown option '{key}'"));
            }
            continue;
        };
        match values.set(opt, name, value) {
            Err(Usage::NotABoolean { .. }) => {
                values
                    .warnings
                    .push(format!("Parse error: Ignoring '{key}', which is neither true nor false"));
            }
            other => other?,
        }
        if opt.kind == Kind::Flag && values.is_given(opt) && !values.flag(opt) {
            values.warnings.push(format!("{key} is false; older agents only looked whether it was there"));
        }
    }
    Ok(values)
}

/// Long name, then stdin name, then old name; the first two with `-` and `_` alike.
fn find<'t>(table: &'t [Opt], key: &str) -> Option<(&'t Opt, &'static str)> {
    let dashed = key.replace('_', "-");
    let is = |opt: &&Opt| opt.long == Some(key) || opt.long == Some(&dashed) || opt.key == key;
    let current = table.iter().find(is);
    let current = current.map(|opt| (opt, opt.key));
    current.or_else(|| table.iter().find_map(|opt| opt.old.filter(|&old| old == key).map(|old| (opt, old))))
}

fn is_foreign(key: &str) -> bool {
    FOREIGN.contains(&key) || key.starts_with("pcmk_") || key.starts_with("CRM_meta")
}

/// Without the quotes around the whole of it.
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::standard::{ACTION, ALWAYS, HTTP, IP, LOGIN, PASSWORD, PLUG, PLUGS, POWER_TIMEOUT, SSL};

    fn table() -> Vec<Opt> {
        [ALWAYS, LOGIN, HTTP, PLUGS].concat()
    }

    #[test]
    fn reads_what_the_fencer_writes() {
        let text =
            "nodename=node1\n ip=127.0.0.1\naction=validate-all\n\n# no\nport=VMX\npassword=\"a=b # c\"\n";
        let values = parse(&table(), text).unwrap();
        assert_eq!(values.text(&ACTION), Some("validate-all"));
        assert_eq!(values.text(&PASSWORD), Some("a=b # c"));
        assert_eq!((values.under("port"), values.under("plug")), (Some("VMX"), None));
        assert_eq!(values.text(&PLUG), Some("VMX"));
        assert_eq!(values.nodename.as_deref(), Some("node1"));
        assert!(values.warnings.is_empty());
    }

    #[test]
    fn dashes_underscores_and_old_names_work() {
        let values = parse(&table(), "power-timeout=7\nipaddr=h\n").unwrap();
        assert_eq!((values.integer(&POWER_TIMEOUT), values.text(&IP)), (Some(7), Some("h")));
    }

    #[test]
    fn unknown_keys_are_warnings_unless_they_are_the_clusters_own() {
        let text = "frobnicate=1\npcmk_host_map=a:b\ncrm_feature_set=3\nCRM_meta_timeout=20000\nnodeid=1\nverbose=maybe";
        let values = parse(&table(), text).unwrap();
        assert_eq!(values.warnings.len(), 2, "{:?}", values.warnings);
        assert!(values.warnings[0].contains("Ignoring unknown option 'frobnicate'"));
    }

    #[test]
    fn a_false_flag_is_false_and_said_so() {
        let values = parse(&table(), "ssl=0\n").unwrap();
        assert!(!values.flag(&SSL) && values.is_given(&SSL));
        assert_eq!(values.warnings.len(), 1);
    }
}
