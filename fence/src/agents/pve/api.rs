//! What Proxmox VE sends, as far as fencing reads it (API viewer of PVE 7 to 9). Every answer is wrapped in `data`.

use serde::Deserialize;

use crate::http::Reply;

#[derive(Debug, Deserialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

/// `POST /access/ticket`.
#[derive(Deserialize)]
pub(super) struct Ticket {
    pub(super) ticket: String,
    #[serde(rename = "CSRFPreventionToken")]
    pub(super) csrf: Option<String>,
    /// Set where a second factor is wanted before the ticket is good for anything.
    #[serde(rename = "NeedTFA")]
    pub(super) need_tfa: Option<u8>,
}

/// An element of `GET /cluster/resources`: a guest, a node, a storage and more.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Resource {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) vmid: Option<u64>,
    pub(super) name: Option<String>,
    pub(super) node: Option<String>,
    pub(super) status: Option<String>,
    pub(super) template: Option<u8>,
}

impl Resource {
    /// Whether it is a machine that can be started.
    pub(super) fn is_guest(&self) -> bool {
        matches!(self.kind.as_str(), "qemu" | "lxc") && self.vmid.is_some() && self.template.unwrap_or(0) == 0
    }

    /// Whether it is a node which the cluster sees.
    pub(super) fn is_live_node(&self) -> bool {
        self.kind == "node" && self.status.as_deref() == Some("online")
    }
}

/// `GET /nodes/N/qemu/ID/status/current`, and the same of lxc.
#[derive(Debug, Deserialize)]
pub(super) struct Current {
    pub(super) status: String,
    pub(super) vmid: Option<serde_json::Value>,
    /// What QEMU itself says: `running`, `paused`, `io-error`, ...
    pub(super) qmpstatus: Option<String>,
    pub(super) lock: Option<String>,
    pub(super) pid: Option<u64>,
}

/// `GET /nodes/N/tasks/UPID/status`.
#[derive(Debug, Deserialize)]
pub(super) struct Task {
    pub(super) status: String,
    pub(super) exitstatus: Option<String>,
}

/// PVE's own words: per parameter in the body, and everything else in the status line.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let fields = body["errors"].as_object().map(|errors| {
        errors.iter().map(|(name, text)| format!("{name}: {}", text.as_str().unwrap_or_default().trim()))
    });
    match fields.map(Iterator::collect::<Vec<_>>).filter(|fields| !fields.is_empty()) {
        Some(fields) => Some(format!("{} {}", reply.reason, fields.join(", "))),
        None => Some(body["message"].as_str().unwrap_or(&reply.reason).trim().to_owned()),
    }
}
