//! Alerts: programs that tell somebody about an event. Clusters send them to their own nodes only, yet the request
//! is part of the protocol. The result is nobody's but the log's.

use std::sync::Arc;
use std::time::Duration;

use picket_proto::outcome::{ExecStatus, OcfRc};
use picket_proto::request::Alert;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::executor::KillScope;
use crate::process::{self, Environment, Program, Secrets};

/// The user that alerts run as, with its group `haclient`.
const USER: &str = "hacluster";

/// Variables that number the alerts of this process; the second is the name from before alerts.
const SEQUENCE: [&str; 2] = ["CRM_alert_node_sequence", "CRM_notify_node_sequence"];

/// What the longest alert gets on top of its own time when the agent stops; the original's.
const GRACE: Duration = Duration::from_secs(5);

/// All alerts of this process.
#[derive(Debug, Default)]
pub struct Alerts {
    started: u64,
    running: JoinSet<()>,
    /// When the last of those with a limit is over.
    latest: Option<Instant>,
}

impl Alerts {
    /// Starts one.
    pub fn start(&mut self, alert: Alert, env: Arc<Environment>) {
        while self.running.try_join_next().is_some() {}
        self.started += 1;
        let limit = Some(alert.timeout).filter(|timeout| *timeout > 0).map(Duration::from_millis);
        let deadline = limit.map(|limit| Instant::now() + limit);
        self.latest = self.latest.max(deadline);
        let program = program(&alert, self.started);
        self.running.spawn(run(alert.id, program, env, deadline));
    }

    /// Waits for those that run, though not for ever.
    pub async fn finish(&mut self) {
        if !self.running.is_empty() {
            tracing::info!("waiting for {} alerts to end", self.running.len());
        }
        let latest = self.latest.unwrap_or_else(Instant::now).max(Instant::now()) + GRACE;
        let ended = timeout_at(latest, async { while self.running.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("{} alerts do not end; leaving them behind", self.running.len());
        }
    }
}

fn program(alert: &Alert, number: u64) -> Program {
    let params = alert.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Program {
        path: alert.path.clone().into(),
        name: alert.path.clone(),
        args: Vec::new(),
        env: params.chain(SEQUENCE.map(|name| (name.to_owned(), number.to_string()))).collect(),
        secrets: Secrets::default(),
        user: Some(USER),
        exit_code: OcfRc::from_ocf_exit,
        gives_reason: false,
    }
}

async fn run(id: String, program: Program, env: Arc<Environment>, deadline: Option<Instant>) {
    let (kill, mut kills) = mpsc::unbounded_channel();
    let mut running = std::pin::pin!(process::run(program, env, &mut kills));
    let outcome = match deadline {
        None => running.await,
        Some(deadline) => match timeout_at(deadline, &mut running).await {
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::warn!("alert {id} is killed: it did not end in time");
                // Open while the run is ours.
                let _ = kill.send(KillScope::Group);
                running.await
            }
        },
    };
    let output = outcome.output.as_deref().unwrap_or_default().trim_end();
    if (outcome.rc, outcome.status) == (OcfRc::Ok, ExecStatus::Done) {
        tracing::debug!(output, "alert {id} ended");
    } else {
        let reason = outcome.exit_reason.as_deref().unwrap_or_default();
        tracing::warn!(reason, output, "alert {id} ended: {}, {}", outcome.rc, outcome.status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_gets_its_parameters_by_their_own_names_and_a_number() {
        let params = [("CRM_alert_kind", "node"), ("mail_to", "root")].into_iter().collect();
        let alert = Alert { id: "a".into(), path: "/usr/local/bin/tell".into(), timeout: 1, params };
        let program = program(&alert, 7);
        let expected = [
            ("CRM_alert_kind", "node"),
            ("mail_to", "root"),
            ("CRM_alert_node_sequence", "7"),
            ("CRM_notify_node_sequence", "7"),
        ];
        assert_eq!(program.env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!((program.args.len(), program.user), (0, Some("hacluster")));
    }
}
