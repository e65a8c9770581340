//! The engine behind a socket: each question is asked again while the engine is away, up to a grace time.

use std::path::PathBuf;
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::InspectContainerOptions;
use bollard::{API_DEFAULT_VERSION, Docker, errors::Error};
use picket_proto::outcome::{OcfRc, Outcome};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use super::super::failed;
use super::state::State;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// What an engine gets for an answer even where it has no grace.
const LEAST: Duration = Duration::from_secs(2);

/// For bollard, whose own limit must not come before ours.
const NEVER: u64 = 24 * 3600;

/// Why there is no answer to go by.
#[derive(Debug, Error)]
pub(super) enum EngineError {
    /// Nothing usable came back, however often it was asked. The container's state is not known.
    #[error("the container engine at {socket} did not answer within {:.1} s: {cause}", .waited.as_secs_f64())]
    NoAnswer {
        /// Where it should be.
        socket: PathBuf,
        /// How long it was asked.
        waited: Duration,
        /// The last attempt's end.
        cause: String,
    },
    /// The thing asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// It answered, and will not.
    #[error("the container engine refuses: {message} ({code})")]
    Refused {
        /// HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
}

impl EngineError {
    /// The result of an operation that ends with it. "Not running" is none of them: nothing here says so.
    pub(super) fn outcome(&self) -> Outcome {
        failed(OcfRc::Error, self.to_string())
    }
}

/// One operation's view of an engine.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    socket: PathBuf,
    grace: Duration,
    deadline: Instant,
}

impl Engine {
    pub(super) fn new(socket: PathBuf, grace: Duration, deadline: Instant) -> Self {
        Self { socket, grace: grace.max(LEAST), deadline }
    }

    /// What there is under that name.
    pub(super) async fn state(&self, name: &str) -> Result<State, EngineError> {
        self.inspect(name).await.map(|answer| answer.map_or(State::Missing, State::of))
    }

    async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, EngineError> {
        let answer = self
            .ask(
                |docker| async move { docker.inspect_container(name, None::<InspectContainerOptions>).await },
            )
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(EngineError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.ask(|docker| async move { docker.inspect_image(image).await }).await {
            Ok(_) => Ok(true),
            Err(EngineError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks something that is answered at once.
    pub(super) async fn ask<T, A>(&self, question: impl Fn(Docker) -> A) -> Result<T, EngineError>
    where
        A: Future<Output = Result<T, Error>>,
    {
        self.ask_for(Duration::ZERO, question).await
    }

    /// Asks something that the engine may take `work` to answer.
    pub(super) async fn ask_for<T, A>(
        &self,
        work: Duration,
        question: impl Fn(Docker) -> A,
    ) -> Result<T, EngineError>
    where
        A: Future<Output = Result<T, Error>>,
    {
        let began = Instant::now();
        let until = self.deadline.min(began + work + self.grace);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let cause = match timeout(left, self.attempt(&question)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Error::DockerResponseServerError { status_code: 404, message })) => {
                    return Err(EngineError::NotFound(message));
                }
                Ok(Err(Error::DockerResponseServerError { status_code: code @ 400..500, message })) => {
                    return Err(EngineError::Refused { code, message });
                }
                // 5xx: an engine that is shutting down, or that has a fault which may pass.
                Ok(Err(error)) => chain(&error),
                Err(_) => "it is silent".to_owned(),
            };
            if Instant::now() + PAUSE >= until {
                return Err(EngineError::NoAnswer {
                    socket: self.socket.clone(),
                    waited: began.elapsed(),
                    cause,
                });
            }
            tracing::debug!(cause, "the container engine does not answer; asking again");
            sleep(PAUSE).await;
        }
    }

    async fn attempt<T, A>(&self, question: &impl Fn(Docker) -> A) -> Result<T, Error>
    where
        A: Future<Output = Result<T, Error>>,
    {
        let path = self.socket.to_string_lossy();
        question(Docker::connect_with_unix(&path, NEVER, API_DEFAULT_VERSION)?).await
    }
}

/// An error with all its causes: the outermost of an HTTP client says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
