//! Resource agents that are part of picket-agent: provider `picket`.
//!
//! An operation runs inside the agent, with no process. The same code is an ordinary OCF executable under the name of
//! the agent ([`command`]), because clusters ask for metadata on their own nodes, and people try agents by hand.

pub mod command;
mod container;
mod health;
mod metadata;
mod probe;
mod secret;
mod started;
mod table;
mod values;
mod words;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};

use crate::class::Operation;
use secret::Hidden;
use table::Agent;
use values::Values;

/// The provider of these agents.
pub const PROVIDER: &str = "picket";

const AGENTS: [&Agent; 3] = [&container::AGENT, &health::AGENT, &probe::AGENT];

/// What an operation comes to.
type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One operation.
#[derive(Clone)]
struct Call {
    action: String,
    /// The resource's id.
    instance: String,
    values: Values,
    /// The time the caller gives it.
    limit: Option<Duration>,
    /// Whether it asks for the state before anything was started.
    is_probe: bool,
}

/// The work for an operation of a resource; `None` where there is no such agent.
#[must_use]
pub fn work(operation: &Operation) -> Option<impl Future<Output = Outcome> + Send + use<>> {
    let agent = find(&operation.definition.agent)?;
    let operation = operation.clone();
    Some(async move {
        let hidden = match Hidden::read(secret::references(&operation)).await {
            Ok(hidden) => hidden,
            Err(outcome) => return outcome,
        };
        let call = Call {
            action: operation.request.action.clone(),
            instance: operation.definition.id.clone(),
            values: Values::new(hidden.fill(&operation)),
            limit: operation.limit(),
            is_probe: operation.is_probe(),
        };
        hidden.kept_out_of(run(agent, call).await)
    })
}

fn find(name: &str) -> Option<&'static Agent> {
    AGENTS.into_iter().find(|agent| agent.name == name)
}

async fn run(agent: &'static Agent, call: Call) -> Outcome {
    match call.action.as_str() {
        "meta-data" => Outcome { output: Some(metadata::document(agent)), ..done(OcfRc::Ok) },
        action if agent.actions.iter().any(|known| known.name == action) => (agent.run)(call).await,
        action => failed(OcfRc::Unimplemented, format!("{} has no action {action}", agent.name)),
    }
}

fn done(rc: OcfRc) -> Outcome {
    Outcome::new(rc, ExecStatus::Done)
}

fn failed(rc: OcfRc, reason: impl Into<String>) -> Outcome {
    done(rc).because(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(agent: &str, action: &str) -> Operation {
        let mut operation = crate::class::tests::operation("ocf", agent, action, 0);
        operation.definition.provider = Some(PROVIDER.to_owned());
        operation
    }

    #[tokio::test]
    async fn an_unknown_action_is_unimplemented_and_an_unknown_agent_is_nobodys() {
        let outcome = work(&operation("probe", "promote")).unwrap().await;
        assert_eq!((outcome.rc, outcome.status), (OcfRc::Unimplemented, ExecStatus::Done));
        assert!(work(&operation("docker", "start")).is_none());
    }

    #[tokio::test]
    async fn metadata_is_the_output() {
        let outcome = work(&operation("container", "meta-data")).unwrap().await;
        assert!(outcome.output.unwrap().contains("<resource-agent name=\"container\""));
    }
}
