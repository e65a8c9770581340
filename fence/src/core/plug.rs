//! Which machine is meant.
//!
//! The fencer adds the host argument under the name `plug` or `port`, whichever the administrator did *not* use, and
//! in the order of a hash table (fence-contract, 2.1). So both may arrive with different values; guessing would fence
//! the wrong machine.

use super::input::Values;
use super::standard::{PLUG, PLUG_SEPARATOR};
use super::usage::Usage;

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
        let (plug, port) = (values.under("plug"), values.under("port"));
        let nodename = values.nodename.as_deref();
        let (chosen, warning) = match (plug, port) {
            (Some(plug), Some(port)) if plug != port => match nodename {
                Some(node) if node == plug => (port, Some(doubt("port", port, node))),
                Some(node) if node == port => (plug, Some(doubt("plug", plug, node))),
                _ => return Err(Usage::TwoMachines { plug: plug.to_owned(), port: port.to_owned() }),
            },
            (Some(one), _) | (None, Some(one)) => (one, None),
            (None, None) => return Ok(Self::default()),
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

/// Whether the table's `plug` was given at all.
pub fn is_given(values: &Values) -> bool {
    values.text(&PLUG).is_some()
}

fn doubt(name: &str, value: &str, node: &str) -> String {
    format!("plug and port differ; using {name}={value}, since the other is the node's name {node}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
