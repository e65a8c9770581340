//! Stopping a container. It is stopped when the engine says so, and not before: a stop that is believed too early is two
//! containers on one disk.

use std::time::Duration;

use bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};
use picket_proto::outcome::{OcfRc, Outcome};

use super::super::{done, failed};
use super::engine::{Engine, EngineError};
use super::settings::Settings;
use super::start::remove;
use super::state::State;

pub(super) async fn stop(engine: &Engine, settings: &Settings) -> Outcome {
    match end(engine, settings).await {
        Ok(outcome) => outcome,
        Err(error) => error.outcome(),
    }
}

async fn end(engine: &Engine, settings: &Settings) -> Result<Outcome, EngineError> {
    let name = &settings.name;
    if !matches!(engine.state(name).await?, State::Missing | State::Stopped { .. }) {
        signal(engine, settings).await?;
    }
    match engine.state(name).await? {
        State::Missing => Ok(done(OcfRc::Ok)),
        State::Stopped { .. } => {
            if !settings.reuse
                && let Err(error) = remove(engine, name).await
            {
                // It does not run, which is what was asked for; the next start removes it.
                tracing::warn!("container {name} is stopped and could not be removed: {error}");
            }
            Ok(done(OcfRc::Ok))
        }
        State::Running(_) => Ok(failed(OcfRc::Error, format!("container {name} still runs"))),
        State::Unsettled(how) => Ok(failed(OcfRc::Error, format!("container {name} is {how}"))),
    }
}

/// Has the engine end it, and kill it where it takes longer than its grace.
async fn signal(engine: &Engine, settings: &Settings) -> Result<(), EngineError> {
    let name = &settings.name;
    let seconds = i32::try_from(settings.stop_grace.as_secs()).unwrap_or(i32::MAX);
    let ended = if settings.force_kill {
        let options = || KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        engine.ask(|docker| async move { docker.kill_container(name, Some(options())).await }).await
    } else {
        let options = || StopContainerOptionsBuilder::new().t(seconds).build();
        let work = Duration::from_secs(seconds.unsigned_abs().into());
        engine.ask_for(work, |docker| async move { docker.stop_container(name, Some(options())).await }).await
    };
    match ended {
        // 409: it has ended by itself meanwhile. What is true is asked next.
        Ok(()) | Err(EngineError::NotFound(_) | EngineError::Refused { code: 409, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
