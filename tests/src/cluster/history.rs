//! What the cluster's own fencer did, as `stonith_admin --history` tells it.

use std::fmt;

use anyhow::{Context, Result, ensure};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::status::needed;

/// A fencing that a fencer of the cluster was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fence {
    /// `reboot`, `off` or `on`.
    pub action: String,
    /// Whose power.
    pub target: String,
    /// `success`, `failed` or `pending`.
    pub status: String,
}

impl Fence {
    /// Reads the output of `stonith_admin --history=* --verbose --output-as=xml`.
    pub(super) fn parse(xml: &str) -> Result<Vec<Self>> {
        ensure!(xml.contains("<pacemaker-result"), "no result of stonith_admin: {xml}");
        let mut reader = Reader::from_str(xml);
        let mut found = Vec::new();
        loop {
            match reader.read_event().context("parse stonith_admin's output")? {
                Event::Start(element) | Event::Empty(element) if element.name().as_ref() == "fence_event" => {
                    found.push(Self {
                        action: needed(&element, "action")?,
                        target: needed(&element, "target")?,
                        status: needed(&element, "status")?,
                    });
                }
                Event::Eof => return Ok(found),
                _ => {}
            }
        }
    }

    /// Whether it is a reboot of that node which was carried out.
    pub fn rebooted(&self, target: &str) -> bool {
        self.action == "reboot" && self.target == target && self.status == "success"
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.action, self.target, self.status)
    }
}
