//! For agents with nothing that runs: that they were started is what a start leaves behind, in a file below /run.

use std::io;
use std::path::{Path, PathBuf};

use picket_proto::outcome::{OcfRc, Outcome};

use super::{Call, done, failed};

/// The memory of a start.
pub(super) struct Started(PathBuf);

impl Started {
    /// Of the resource that is called upon; `agent` is the agent's name. The parameter `state` says where else it is.
    pub(super) fn of(call: &Call, agent: &str) -> Self {
        let default =
            || Path::new("/run/resource-agents").join(format!("picket-{agent}-{}.state", call.instance));
        Self(call.values.text("state").map_or_else(default, PathBuf::from))
    }

    /// Whether there was a start, and no stop after it.
    pub(super) fn is_there(&self) -> bool {
        self.0.exists()
    }

    /// Remembers a start.
    ///
    /// # Errors
    /// The outcome of the operation.
    pub(super) fn set(&self) -> Result<(), Outcome> {
        std::fs::write(&self.0, "").map_err(|error| self.cannot(&error))
    }

    /// Forgets it: the outcome of a stop.
    pub(super) fn forget(&self) -> Outcome {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.cannot(&error),
            _ => done(OcfRc::Ok),
        }
    }

    fn cannot(&self, error: &io::Error) -> Outcome {
        failed(OcfRc::Error, format!("cannot change {}: {error}", self.0.display()))
    }
}
