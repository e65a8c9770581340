//! Having systemd read its unit files again, where it has to: it takes much longer than to start a unit, and systemd
//! does nothing else in that time. One task does it for everybody.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::bus::Systemd;
use super::error::ManagerError;
use super::manager::{Args, UNIT_INTERFACE, unusable};

/// When systemd has let go of a stopped unit, with all it had read of it.
const LET_GO: Duration = Duration::from_millis(200);

/// What systemd is to know of a unit.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The unit's object.
    pub(super) path: String,
    /// The drop-in's file.
    pub(super) drop_in: String,
    /// Whether the file is there.
    pub(super) is_there: bool,
}

/// What systemd is to know of a unit, and where to say that it does.
pub(super) type ReloadAsk = (Wanted, oneshot::Sender<Result<(), ManagerError>>);

impl Systemd {
    /// Makes sure that systemd knows of a unit's drop-in, or of its absence.
    pub(super) async fn reload(&self, wanted: Wanted) -> Result<(), ManagerError> {
        let gone = |_| Err(ManagerError::NoBus("the agent is stopping".to_owned()));
        self.reload_later(wanted).await.unwrap_or_else(gone)
    }

    /// The same without waiting for it.
    pub(super) fn reload_later(&self, wanted: Wanted) -> oneshot::Receiver<Result<(), ManagerError>> {
        let (ask, answer) = oneshot::channel();
        // Where nobody receives it, nobody answers either.
        let _ = self.reloads.send((wanted, ask));
        answer
    }

    /// Carries out what [`Systemd::reload`] asks for, one after the other, and once for everybody who asked
    /// meanwhile.
    pub(super) async fn carry_out_reloads(&self, asks: &mut mpsc::UnboundedReceiver<ReloadAsk>) {
        let mut waiting: Vec<ReloadAsk> = Vec::new();
        while asks.recv_many(&mut waiting, usize::MAX).await > 0 {
            if waiting.iter().all(|(wanted, _)| !wanted.is_there) {
                // Nobody waits for these. Whoever comes now goes first.
                let _ = timeout(LET_GO, asks.recv_many(&mut waiting, usize::MAX)).await;
            }
            let latest: BTreeMap<_, _> = waiting.iter().map(|(wanted, _)| (&wanted.path, wanted)).collect();
            let done = self.reload_outdated(latest.into_values()).await;
            for (_, ask) in waiting.drain(..) {
                // Who asked may have been killed, or never wanted to know.
                let _ = ask.send(done.clone());
            }
        }
    }

    async fn reload_outdated(&self, units: impl Iterator<Item = &Wanted>) -> Result<(), ManagerError> {
        for unit in units {
            if self.is_outdated(unit).await? {
                return match self.manager("Reload", Args::None).await {
                    // No reason not to go on, as for the original.
                    Err(ManagerError::Refused { name, message }) => {
                        tracing::warn!("systemd does not read its unit files again: {name}: {message}");
                        Ok(())
                    }
                    other => other.map(drop),
                };
            }
        }
        Ok(())
    }

    /// Whether systemd has read other files of a unit than there are. A unit that nothing refers to is read when it
    /// is asked for, so a drop-in that has just been written is in it already. `NeedDaemonReload` alone misses the
    /// first drop-in of a unit that is kept loaded (systemd 252).
    async fn is_outdated(&self, wanted: &Wanted) -> Result<bool, ManagerError> {
        let asked = async {
            let outdated = self.property(&wanted.path, UNIT_INTERFACE, "NeedDaemonReload").await?;
            let outdated: bool = outdated.try_into().map_err(unusable)?;
            let files = self.property(&wanted.path, UNIT_INTERFACE, "DropInPaths").await?;
            let files: Vec<String> = files.try_into().map_err(unusable)?;
            Ok(outdated || files.contains(&wanted.drop_in) != wanted.is_there)
        };
        match asked.await {
            Err(ManagerError::Refused { .. }) => Ok(true),
            other => other,
        }
    }
}
