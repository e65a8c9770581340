//! Which machine is meant.
//!
//! The fencer adds the host argument under the name `plug` or `port`, whichever the administrator did *not* use, and
//! in the order of a hash table (fence-contract, 2.1). So both may arrive with different values; guessing would fence
//! the wrong machine.

use super::input::Values;
use super::standard::PLUG_SEPARATOR;
use super::usage::Usage;

/// All names of the option: those of all agents, and what some had before.
const NAMES: [&str; 4] = ["plug", "port", "uuid", "domain"];

/// The machines of a run, in the caller's order and without repetition.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plugs {
    /// What was given as plug, split.
    pub names: Vec<String>,
    /// The name came from the cluster and not from the configuration, so it may be a stand-in.
    pub is_nodename: bool,
    /// What the caller should know.
    pub warning: Option<String>,
}

impl Plugs {
    /// Reads `plug` and `port`.
    ///
    /// # Errors
    /// They name different machines, and neither is the one which the fencer added.
    pub fn read(values: &Values) -> Result<Self, Usage> {
        let nodename = values.nodename.as_deref();
        let mut given: Vec<(&'static str, &str)> = Vec::new();
        for name in NAMES {
            if let Some(value) = values.under(name)
                && !given.iter().any(|(_, known)| *known == value)
            {
                given.push((name, value));
            }
        }
        let (chosen, warning) = match given.as_slice() {
            [] => return Ok(Self::default()),
            [(_, one)] => (*one, None),
            [(_, node), (name, other)] | [(name, other), (_, node)] if nodename == Some(*node) => {
                (*other, Some(doubt(name, other, node)))
            }
            [(one, plug), (other, port), ..] => {
                let (plug, port) = (format!("{one} is '{plug}'"), format!("{other} is '{port}'"));
                return Err(Usage::TwoMachines { plug, port });
            }
        };
        let separator = values.text(&PLUG_SEPARATOR).unwrap_or(",");
        let mut names: Vec<String> = Vec::new();
        for name in chosen.split(separator).map(str::trim).filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        Ok(Self { names, is_nodename: nodename == Some(chosen), warning })
    }
}

/// Whether a machine was given at all.
pub fn is_given(values: &Values) -> bool {
    NAMES.iter().any(|name| values.under(name).is_some())
}

/// Whether it has the form of a UUID.
pub fn is_uuid(plug: &str) -> bool {
    let groups: Vec<&str> = plug.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn doubt(name: &str, value: &str, node: &str) -> String {
    format!("plug and port differ; using {name}={value}, since the other is the node's name {node}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::standard::PLUG;

    fn read(lines: &str) -> Result<Plugs, Usage> {
        Plugs::read(&crate::core::input::stdin::parse(&[PLUG, PLUG_SEPARATOR], lines).unwrap())
    }

    #[test]
    fn the_configured_name_wins_over_the_added_one_in_any_order() {
        for lines in ["plug=n1\nport=vm1\nnodename=n1", "port=vm1\nnodename=n1\nplug=n1"] {
            assert_eq!(read(lines).unwrap().names, ["vm1"]);
        }
        let other = read("plug=vm1\nport=n1\nnodename=n1").unwrap();
        assert_eq!(other.names, ["vm1"]);
        assert!(other.warning.is_some() && !other.is_nodename);
    }

    #[test]
    fn two_machines_are_refused() {
        assert!(matches!(read("plug=a\nport=b\nnodename=n1"), Err(Usage::TwoMachines { .. })));
        assert!(matches!(read("plug=a\nport=b"), Err(Usage::TwoMachines { .. })));
    }

    #[test]
    fn several_plugs_are_split_and_named_once() {
        assert_eq!(read("plug=a, b,,a").unwrap().names, ["a", "b"]);
        assert_eq!(read("plug_separator=;\nport=a,b;c").unwrap().names, ["a,b", "c"]);
        assert_eq!(read("").unwrap(), Plugs::default());
    }

    #[test]
    fn a_plug_that_is_the_nodes_name_may_be_a_stand_in() {
        assert!(read("plug=node1\nnodename=node1").unwrap().is_nodename);
    }
}
