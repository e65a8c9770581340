//! What an oVirt engine sends, as far as fencing reads it (oVirt REST API 4, JSON representation; the login is the
//! engine's single sign-on, OAuth 2.0).

use serde::Deserialize;

use crate::core::driver::Reading;
use crate::http::Reply;

/// `GET vms` and `GET vms?search=`. The engine leaves `vm` out where there is none.
#[derive(Debug, Deserialize)]
pub(super) struct Vms {
    #[serde(default)]
    pub(super) vm: Vec<Vm>,
}

/// `GET vms/ID`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Vm {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) host: Option<Host>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Host {
    pub(super) id: Option<String>,
}

impl Vm {
    /// The id of the host it runs on.
    pub(super) fn host(&self) -> Option<String> {
        self.host.as_ref().and_then(|host| host.id.clone())
    }

    /// What its state proves.
    pub(super) fn reading(&self) -> Reading {
        let reading = by_status(&self.status);
        match self.status.as_str() {
            "not_responding" | "unknown" | "unassigned" => {
                let host = self.host().unwrap_or_else(|| "its host".to_owned());
                reading.hint(format!("the engine has lost host {host}: fence the host first"))
            }
            _ => reading,
        }
    }
}

/// What a status word proves (type `VmStatus`).
pub(super) fn by_status(status: &str) -> Reading {
    match status {
        "down" => Reading::off(status),
        "migrating" | "paused" | "powering_up" | "reboot_in_progress" | "restoring_state"
        | "saving_state" | "suspended" | "up" | "wait_for_launch" => Reading::on(status),
        _ => Reading::unknown(status),
    }
}

/// `POST sso/oauth/token`. A refusal comes with 200 or 400, and is told by its fields alone.
#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: Option<String>,
    pub(super) error: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) error_description: Option<String>,
}

impl Token {
    /// The engine's words about a refusal, if it is one.
    pub(super) fn refusal(&self) -> Option<String> {
        let code = self.error.clone().or_else(|| self.error_code.clone())?;
        Some(match &self.error_description {
            Some(text) => format!("{code}: {text}"),
            None => code,
        })
    }
}

#[derive(Deserialize)]
struct FaultBody {
    #[serde(default)]
    fault: Option<Box<FaultBody>>,
    reason: Option<String>,
    detail: Option<String>,
}

/// The engine's own words: a fault, sometimes in an action.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    let body: FaultBody = serde_json::from_slice(&reply.body).ok()?;
    let fault = body.fault.map_or((body.reason, body.detail), |fault| (fault.reason, fault.detail));
    match fault {
        (Some(reason), Some(detail)) => Some(format!("{reason}: {detail}")),
        (reason, detail) => reason.or(detail),
    }
}
