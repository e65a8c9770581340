//! Class `systemd`: units, by way of systemd's manager on the system bus, as Pacemaker 3.0.1 and later.
//!
//! ```text
//! start:  LoadUnit - drop-in written - Reload if needed - Subscribe - StartUnit - JobRemoved
//! stop:   LoadUnit - drop-in removed - Subscribe - StopUnit - JobRemoved - Reload if needed, not waited for
//! status: LoadUnit - Get ActiveState, again at each change while the unit is between two states
//! ```
//!
//! The original reloads before each start and stop. That is most of the time of either, and it stalls every unit of
//! the system; so it is left out where systemd says that it knows the unit's files as they are, and a stop, to which
//! the drop-in makes no difference, comes first.
//!
//! A bus or a manager that is away (re-executing, restarted) is waited for, within the operation's time: no answer
//! is never "not running".

mod bus;
mod drop_in;
mod error;
mod job;
mod manager;
mod metadata;
mod patience;
mod reload;
mod unit;

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use tokio::time::{Duration, timeout};

use super::{Launch, Operation, Surroundings};
use bus::Signal;
pub use bus::{Owner, Systemd};
use error::ManagerError;
use manager::Order;
use reload::Wanted;
use unit::State;

/// How often a unit between two states is looked at again where no signal tells of a change.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(super) fn launch(operation: &Operation, surroundings: &Surroundings) -> Launch {
    let (operation, systemd) = (operation.clone(), surroundings.systemd.clone());
    Launch::Task(Box::pin(async move { carry_out(operation, systemd).await }))
}

/// Whether there is such a unit; `masked` ones count. Where nobody can tell, there is none.
pub(super) async fn exists(agent: &str, systemd: &Systemd) -> bool {
    let name = unit::instantiated(&unit::name(agent));
    match systemd.load_state(&name).await {
        Ok(state) => matches!(state.as_str(), "loaded" | "masked"),
        Err(error) => {
            tracing::debug!("cannot find out whether there is a unit {name}: {error}");
            false
        }
    }
}

async fn carry_out(operation: Operation, systemd: Systemd) -> Launch {
    let agent = operation.definition.agent.as_str();
    let name = unit::name(agent);
    let action = operation.request.action.as_str();
    let done = match action {
        "monitor" | "status" => return monitor(operation, name, systemd).await,
        "start" => start(agent, &name, &systemd).await,
        "stop" => stop(&name, &systemd).await,
        "restart" => restart(&name, &systemd).await,
        "meta-data" | "metadata" => describe(agent, &name, &systemd).await,
        _ => unimplemented(action, &name, &systemd).await,
    };
    Launch::Immediate(done.unwrap_or_else(|error| failed(&operation, &error)))
}

async fn start(agent: &str, name: &str, systemd: &Systemd) -> Result<Outcome, ManagerError> {
    let path = systemd.load_unit(name).await?;
    drop_in::write(agent, name).await;
    systemd.reload(wanted(name, &path, true)).await?;
    job::run(systemd, Order::Start, name, &path).await
}

async fn stop(name: &str, systemd: &Systemd) -> Result<Outcome, ManagerError> {
    let path = systemd.load_unit(name).await?;
    drop_in::remove(name).await;
    let stopped = job::run(systemd, Order::Stop, name, &path).await;
    drop(systemd.reload_later(wanted(name, &path, false)));
    stopped
}

async fn describe(agent: &str, name: &str, systemd: &Systemd) -> Result<Outcome, ManagerError> {
    drop(systemd.connection().await?);
    let description = systemd.description(&unit::instantiated(name)).await.ok();
    let output = Some(metadata::document(agent, description.as_deref()));
    Ok(Outcome { output, ..Outcome::new(OcfRc::Ok, ExecStatus::Done) })
}

/// Only a unit that could be asked for something else is refused for what is asked.
async fn unimplemented(action: &str, name: &str, systemd: &Systemd) -> Result<Outcome, ManagerError> {
    systemd.load_unit(name).await?;
    let reason = format!("Action {action} not implemented for systemd resources");
    Ok(Outcome::new(OcfRc::Unimplemented, ExecStatus::Error).because(reason))
}

fn wanted(name: &str, path: &str, is_there: bool) -> Wanted {
    Wanted { path: path.to_owned(), drop_in: drop_in::file(name).display().to_string(), is_there }
}

async fn restart(name: &str, systemd: &Systemd) -> Result<Outcome, ManagerError> {
    let path = systemd.load_unit(name).await?;
    job::run(systemd, Order::Restart, name, &path).await
}

/// A probe tells the state that the unit settles in; a recurring monitor first tells that it has not settled.
async fn monitor(operation: Operation, name: String, systemd: Systemd) -> Launch {
    match systemd.state(&name).await {
        Err(error) => Launch::Immediate(failed(&operation, &error)),
        Ok(State::Settled(outcome)) => Launch::Immediate(outcome),
        Ok(State::Between) if operation.is_probe() => settle(operation, name, systemd).await,
        Ok(State::Between) => {
            let settling = settle(operation, name, systemd);
            Launch::Interim(Outcome::new(OcfRc::Unknown, ExecStatus::Pending), Box::pin(settling))
        }
    }
}

fn failed(operation: &Operation, error: &ManagerError) -> Outcome {
    error.outcome(&operation.request.action, &operation.definition.agent)
}

/// Waits until the unit is in a state to be reported. The operation's timeout ends this.
async fn settle(operation: Operation, name: String, systemd: Systemd) -> Launch {
    // Heard from before the state is read, so that no change falls in between.
    let mut signals = systemd.listen();
    let watched = systemd.watch(&name).await;
    loop {
        match systemd.state(&name).await {
            Ok(State::Settled(outcome)) => return Launch::Immediate(outcome),
            Ok(State::Between) => {}
            Err(error) => return Launch::Immediate(failed(&operation, &error)),
        }
        let changed = async {
            loop {
                match signals.recv().await {
                    Ok(Signal::Changed { path }) if !watched.is(&path) => {}
                    Ok(Signal::JobRemoved { .. }) => {}
                    Ok(Signal::Appeared | Signal::Changed { .. } | Signal::Lost) | Err(_) => return,
                }
            }
        };
        // Either way the state is read again.
        let _ = timeout(LOOK_AGAIN, changed).await;
    }
}
