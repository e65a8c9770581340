//! `picketctl watch`: every notification as a line.

use std::time::Duration;

use picket_agent::controller::Controller;
use picket_agent::wire::peek::Found;
use picket_proto::request::{CallOptions, Operation};

use crate::access::{Takeover, observe, register};
use crate::failure::Failure;
use crate::output;
use crate::target::Target;

/// Print what an agent tells its clients, one line each, until Ctrl-C
///
/// Safe for a connected cluster with picket-agent. Another agent tells only its clients, so that --takeover is
/// needed there.
#[derive(clap::Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    takeover: Takeover,
}

/// Between two looks; nothing happens when one ends.
const TURN: Duration = Duration::from_secs(3600);

impl Watch {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut controller = self.enter().await?;
        output::line(&format!("{}  watching {}, Ctrl-C ends it", now(), self.target.address))?;
        loop {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    break;
                }
                notification = controller.notification(TURN) => {
                    if let Some(notification) = notification.map_err(|cause| self.target.lost(cause))? {
                        output::line(&format!("{}  {}", now(), output::notification(&notification)))?;
                    }
                }
            }
        }
        controller.close().await;
        Ok(())
    }

    async fn enter(&self) -> Result<Controller, Failure> {
        let target = &self.target;
        let stream = target.dial().await?;
        let credential = target.credential()?;
        if target.peek(stream, &credential).await? == Found::Other {
            if self.takeover.takeover {
                return register(target, true).await;
            }
            return Err(Failure::InUse(format!(
                "refused, because {} is no picket-agent: it tells only its clients what happens, and a cluster that \
                 is connected to it drops the node when it is told of another client.\n\
                 If no cluster uses this node, say --takeover.",
                target.address
            )));
        }
        let (mut controller, _) = observe(target, &credential).await?;
        let reply = controller.call(Operation::PicketWatch, CallOptions::default()).await;
        let reply = reply.map_err(|cause| target.lost(cause))?;
        if reply.rc.is_ok() {
            Ok(controller)
        } else {
            Err(Failure::Refused {
                target: target.address.to_string(),
                what: "picket_watch".into(),
                rc: reply.rc,
            })
        }
    }
}

fn now() -> String {
    chrono::Local::now().format("%H:%M:%S%.3f").to_string()
}
