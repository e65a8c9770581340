//! What the Docker Engine API sends, as far as fencing reads it (Docker Engine API v1.24 to v1.51; Podman's
//! compatible API sends the same).

use serde::Deserialize;

use crate::core::driver::Reading;
use crate::http::Reply;

/// `GET /containers/ID/json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Container {
    #[serde(rename = "Id")]
    pub(super) id: String,
    #[serde(rename = "Name")]
    pub(super) name: String,
    #[serde(rename = "State")]
    pub(super) state: State,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct State {
    #[serde(rename = "Status")]
    pub(super) status: String,
    #[serde(rename = "Running")]
    pub(super) running: bool,
    #[serde(rename = "Pid")]
    pub(super) pid: i64,
    #[serde(rename = "StartedAt")]
    pub(super) started_at: String,
}

impl Container {
    /// The name without the slash which Docker puts before it.
    pub(super) fn plain_name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    /// What its state proves. `Running` alone stays true while paused, and says nothing of `restarting`.
    pub(super) fn reading(&self) -> Reading {
        let state = &self.state;
        let reading = by_status(&state.status);
        let alive = state.running || state.pid != 0;
        match reading.power {
            crate::core::driver::Power::Off if alive => {
                Reading::unknown(format!("{} with process {}", state.status, state.pid))
            }
            _ => reading,
        }
    }
}

/// What a status word proves.
pub(super) fn by_status(status: &str) -> Reading {
    match status {
        "created" | "dead" | "exited" => Reading::off(status),
        // Goes on with its old data when it is unpaused.
        "paused" | "running" => Reading::on(status),
        _ => Reading::unknown(status),
    }
}

/// An element of `GET /containers/json`.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    #[serde(rename = "Id")]
    pub(super) id: String,
    #[serde(rename = "Names")]
    pub(super) names: Vec<String>,
    #[serde(rename = "State")]
    pub(super) state: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

/// The engine's own words about an error.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    serde_json::from_slice::<ErrorBody>(&reply.body).ok().map(|error| error.message)
}
