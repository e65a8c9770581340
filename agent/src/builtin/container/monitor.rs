//! Checking a container.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt as _;
use picket_proto::outcome::{OcfRc, Outcome};
use tokio::time::timeout;

use super::super::{done, failed};
use super::engine::{Engine, EngineError};
use super::settings::Settings;
use super::state::{Health, State};

/// How much of a command's output goes into a reason.
const EXCERPT: usize = 400;

/// The result of a check. A probe only asks whether it runs.
pub(super) async fn monitor(engine: &Engine, settings: &Settings, is_probe: bool) -> Outcome {
    let name = &settings.name;
    let state = match engine.state(name).await {
        Ok(state) => state,
        Err(error) => return error.outcome(),
    };
    match state {
        // A reason would be shown as a failure's, and this is none for a probe.
        State::Missing | State::Stopped { .. } if is_probe => done(OcfRc::NotRunning),
        State::Missing => failed(OcfRc::NotRunning, format!("there is no container {name}")),
        State::Stopped { why } => {
            failed(OcfRc::NotRunning, format!("container {name} is not running: {why}"))
        }
        State::Unsettled(how) => failed(OcfRc::Error, format!("container {name} is {how}")),
        State::Running(_) if is_probe => done(OcfRc::Ok),
        State::Running(running) => match running.health {
            Health::Bad(output) if settings.heeds_health => {
                failed(OcfRc::Error, format!("container {name} is unhealthy: {}", excerpt(&output)))
            }
            Health::Bad(_) | Health::Good | Health::Starting => check_inside(engine, settings).await,
        },
    }
}

/// Runs `monitor_cmd`, where there is one.
pub(super) async fn check_inside(engine: &Engine, settings: &Settings) -> Outcome {
    if settings.monitor_cmd.is_empty() {
        return done(OcfRc::Ok);
    }
    let limit = settings.monitor_limit.unwrap_or(Duration::MAX).min(settings.left());
    match timeout(limit, execute(engine, settings)).await {
        Ok(Ok((0, _))) => done(OcfRc::Ok),
        Ok(Ok((status, output))) => failed(
            OcfRc::Error,
            format!("monitor_cmd ended with status {status} in {}: {}", settings.name, excerpt(&output)),
        ),
        Ok(Err(error)) => error.outcome(),
        Err(_) => failed(
            OcfRc::Error,
            format!("monitor_cmd did not end within {:.1} s in {}", limit.as_secs_f64(), settings.name),
        ),
    }
}

/// Exit status and output of `monitor_cmd`. The outer deadline ends the wait, not the command: an engine cannot end
/// one. The recovery of the container does.
async fn execute(engine: &Engine, settings: &Settings) -> Result<(i64, String), EngineError> {
    let options = || CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(settings.monitor_cmd.clone()),
        ..CreateExecOptions::default()
    };
    let id =
        engine.ask(|docker| async move { docker.create_exec(&settings.name, options()).await }).await?.id;
    let id = id.as_str();
    let output = engine
        .ask_for(settings.left(), |docker| async move {
            let mut output = String::new();
            if let StartExecResults::Attached { output: mut stream, .. } = docker.start_exec(id, None).await?
            {
                while let Some(piece) = stream.next().await {
                    collect(&mut output, &piece?);
                }
            }
            Ok(output)
        })
        .await?;
    let end = engine.ask(|docker| async move { docker.inspect_exec(id).await }).await?;
    // Without a status it may have been started and gone: no reason to call that a success.
    Ok((end.exit_code.unwrap_or(-1), output))
}

/// Adds what fits; the rest is read and dropped, so that the command does not block on a full pipe.
fn collect(output: &mut String, piece: &LogOutput) {
    if output.len() < EXCERPT {
        output.push_str(&piece.to_string());
    }
}

/// The beginning, on one line.
pub(super) fn excerpt(text: &str) -> String {
    let line: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    if line.is_empty() { "no output".to_owned() } else { line }
}
