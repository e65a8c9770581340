//! What Incus and LXD send, as far as fencing reads it (REST API 1.0, the same in both). An answer is wrapped in
//! `metadata`; states and operations have numbers, which are the same in every language.

use serde::Deserialize;
use serde_json::Value;

use crate::core::driver::Reading;
use crate::core::fault::Fault;
use crate::http::Reply;

#[derive(Debug, Deserialize)]
pub(super) struct Data<T> {
    pub(super) metadata: T,
}

/// `GET /1.0`.
#[derive(Debug, Deserialize)]
pub(super) struct Server {
    /// `trusted` or `untrusted`.
    pub(super) auth: String,
}

/// `GET /1.0/instances/NAME`, and an element of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Instance {
    pub(super) name: String,
    /// The member of a cluster that it is on; `none` outside of one.
    pub(super) location: Option<String>,
    pub(super) status: String,
    pub(super) status_code: u32,
}

/// `GET /1.0/instances/NAME/state`.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    status: String,
    status_code: u32,
    pid: i64,
}

/// `PUT /1.0/instances/NAME/state`.
#[derive(Debug, Deserialize)]
pub(super) struct Started {
    pub(super) operation: String,
}

/// `GET /1.0/operations/ID/wait`.
#[derive(Debug, Deserialize)]
pub(super) struct Operation {
    pub(super) status_code: u32,
    #[serde(default)]
    pub(super) err: String,
}

/// An operation that failed.
pub(super) const FAILURE: u32 = 400;

/// What a state number proves.
pub(super) fn by_code(code: u32, status: &str) -> Reading {
    match code {
        102 => Reading::off(status),
        // Started, running, freezing, frozen, thawed: it goes on with what it has in memory.
        101 | 103 | 109 | 110 | 111 => Reading::on(status),
        112 => Reading::unknown(status)
            .hint("the cluster member of the instance may be offline: fence that machine"),
        _ => Reading::unknown(status),
    }
}

impl State {
    /// What it proves: a process that is left is not off, whatever the number says.
    pub(super) fn reading(&self) -> Reading {
        let reading = by_code(self.status_code, &self.status);
        match self.pid {
            pid if pid > 0 && self.status_code == 102 => {
                Reading::unknown(format!("{} with process {pid}", self.status))
            }
            _ => reading,
        }
    }
}

/// The server's own words.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    Some(body["error"].as_str()?.to_owned())
}

/// "Already stopped", "already running" and "busy" come with 400 or 500, and mean: look again.
pub(super) fn conflict(fault: Fault) -> Fault {
    let text = fault.to_string();
    if ["already", "Busy running", "not running"].iter().any(|word| text.contains(word)) {
        return fault.into_conflict();
    }
    fault
}
