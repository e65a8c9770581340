//! What an engine's answer says about a container.

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum as Status, HealthStatusEnum};

/// A container, as far as a check is concerned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// There is none of that name.
    Missing,
    /// It is there and does not run.
    Stopped {
        /// Why, in words.
        why: String,
    },
    /// Neither: paused, restarting, being removed.
    Unsettled(String),
    /// It runs.
    Running(Running),
}

/// A running container.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Running {
    /// The name of its image, as it was asked for.
    pub(super) image: String,
    /// What its HEALTHCHECK says.
    pub(super) health: Health,
}

/// What a HEALTHCHECK says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Health {
    /// There is none, or it is content.
    #[default]
    Good,
    /// Not known yet.
    Starting,
    /// Unhealthy, with the check's last output.
    Bad(String),
}

impl State {
    /// Reads an answer. One without a status says nothing, so it is taken for neither state.
    pub(super) fn of(answer: ContainerInspectResponse) -> Self {
        let Some(state) = answer.state else { return Self::Unsettled("in an unknown state".to_owned()) };
        let why = || {
            let oom = if state.oom_killed == Some(true) { ", out of memory" } else { "" };
            let error = state.error.as_deref().filter(|error| !error.is_empty());
            let error = error.map(|error| format!(": {error}")).unwrap_or_default();
            format!("it ended with status {}{oom}{error}", state.exit_code.unwrap_or(-1))
        };
        match state.status {
            Some(Status::RUNNING) => Self::Running(Running {
                image: answer.config.and_then(|config| config.image).unwrap_or_default(),
                health: health(state.health),
            }),
            Some(Status::CREATED) => Self::Stopped { why: "it was not started".to_owned() },
            Some(Status::EXITED | Status::DEAD) => Self::Stopped { why: why() },
            Some(other @ (Status::PAUSED | Status::REMOVING | Status::RESTARTING | Status::STOPPING)) => {
                Self::Unsettled(other.to_string())
            }
            Some(Status::EMPTY) | None => Self::Unsettled("in an unknown state".to_owned()),
        }
    }
}

fn health(health: Option<bollard::models::Health>) -> Health {
    let Some(health) = health else { return Health::Good };
    match health.status {
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        Some(HealthStatusEnum::UNHEALTHY) => {
            let last = health.log.and_then(|log| log.into_iter().last()).and_then(|result| result.output);
            Health::Bad(last.unwrap_or_default().trim().to_owned())
        }
        Some(HealthStatusEnum::EMPTY | HealthStatusEnum::HEALTHY | HealthStatusEnum::NONE) | None => {
            Health::Good
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerState, Health as HealthAnswer, HealthcheckResult};

    use super::*;

    fn of(status: Option<Status>, health: Option<HealthAnswer>) -> State {
        let state = ContainerState { status, health, exit_code: Some(3), ..ContainerState::default() };
        State::of(ContainerInspectResponse { state: Some(state), ..ContainerInspectResponse::default() })
    }

    #[test]
    fn only_running_runs_and_only_ended_and_created_do_not() {
        assert_eq!(of(Some(Status::RUNNING), None), State::Running(Running::default()));
        for status in [Status::CREATED, Status::EXITED, Status::DEAD] {
            assert!(matches!(of(Some(status), None), State::Stopped { .. }), "{status}");
        }
        for status in [Status::PAUSED, Status::REMOVING, Status::RESTARTING, Status::STOPPING, Status::EMPTY]
        {
            assert!(matches!(of(Some(status), None), State::Unsettled(_)), "{status}");
        }
        assert!(matches!(of(None, None), State::Unsettled(_)));
        assert!(matches!(State::of(ContainerInspectResponse::default()), State::Unsettled(_)));
    }

    #[test]
    fn an_unhealthy_container_tells_what_its_check_said() {
        let result =
            HealthcheckResult { output: Some("no route\n".to_owned()), ..HealthcheckResult::default() };
        let bad = HealthAnswer {
            status: Some(HealthStatusEnum::UNHEALTHY),
            log: Some(vec![result]),
            ..HealthAnswer::default()
        };
        let State::Running(running) = of(Some(Status::RUNNING), Some(bad)) else { panic!() };
        assert_eq!(running.health, Health::Bad("no route".to_owned()));
    }
}
