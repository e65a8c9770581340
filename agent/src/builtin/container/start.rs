//! Starting a container: one that runs is adopted, one that is kept is started again, else a new one is made.

use std::time::Duration;

use bollard::Docker;
use bollard::models::{RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions,
};
use futures_util::StreamExt as _;
use picket_proto::outcome::{OcfRc, Outcome};
use tokio::time::sleep;

use super::super::{done, failed};
use super::engine::{Engine, EngineError};
use super::monitor::{check_inside, excerpt};
use super::settings::Settings;
use super::state::{Health, Running, State};

/// Between two looks at a container that is coming up.
const STEP: Duration = Duration::from_millis(250);

/// Lines of a container's output that say why it did not come up.
const LAST_WORDS: &str = "5";

pub(super) async fn start(engine: &Engine, settings: &Settings) -> Outcome {
    match begin(engine, settings).await {
        Ok(None) => come_up(engine, settings).await,
        Ok(Some(refused)) => refused,
        Err(error) => error.outcome(),
    }
}

/// Brings the container to run; a result where that cannot be.
async fn begin(engine: &Engine, settings: &Settings) -> Result<Option<Outcome>, EngineError> {
    let (name, image) = (&settings.name, &settings.image);
    match engine.state(name).await? {
        State::Running(running) => return Ok(adopt(settings, &running)),
        State::Unsettled(how) => return Ok(Some(failed(OcfRc::Error, format!("container {name} is {how}")))),
        State::Stopped { .. } if settings.reuse => {}
        State::Stopped { .. } => {
            remove(engine, name).await?;
            create(engine, settings).await?;
        }
        State::Missing => {
            if !engine.has_image(image).await? {
                if !settings.allow_pull {
                    return Ok(Some(failed(OcfRc::NotInstalled, format!("there is no image {image} here"))));
                }
                pull(engine, settings).await?;
            }
            create(engine, settings).await?;
        }
    }
    let start =
        |docker: Docker| async move { docker.start_container(name, None::<StartContainerOptions>).await };
    engine.ask_for(settings.left(), start).await?;
    Ok(None)
}

/// A running container of that name is the resource's, where it runs the resource's image.
fn adopt(settings: &Settings, running: &Running) -> Option<Outcome> {
    let (name, image) = (&settings.name, &settings.image);
    // Podman puts the registry before a name that had none.
    let same = running.image == *image || running.image.ends_with(&format!("/{image}"));
    (!same).then(|| {
        failed(
            OcfRc::Error,
            format!("container {name} runs image {}, not {image}: not taking it over", running.image),
        )
    })
}

async fn create(engine: &Engine, settings: &Settings) -> Result<(), EngineError> {
    for folder in settings.mount_points.clone() {
        // What cannot be made shows when the engine mounts it.
        let made = tokio::fs::create_dir_all(&folder).await;
        made.unwrap_or_else(
            |error| tracing::warn!(%error, "cannot make the mount point {}", folder.display()),
        );
    }
    let mut body = settings.options.body.clone();
    let mut host = settings.options.host.clone();
    // The cluster restarts it, and an engine that does as well would start it where the cluster wants it stopped.
    let never = RestartPolicy { name: Some(RestartPolicyNameEnum::NO), ..RestartPolicy::default() };
    host.restart_policy = Some(never);
    body.host_config = Some(host);
    body.image = Some(settings.image.clone());
    body.cmd = Some(settings.command.clone()).filter(|words| !words.is_empty());
    let options = || CreateContainerOptionsBuilder::new().name(&settings.name).build();
    let body = &body;
    let create = |docker: Docker| async move { docker.create_container(Some(options()), body.clone()).await };
    let made = engine.ask_for(settings.left(), create).await?;
    for warning in made.warnings {
        tracing::warn!("container {}: {warning}", settings.name);
    }
    Ok(())
}

async fn pull(engine: &Engine, settings: &Settings) -> Result<(), EngineError> {
    let (name, tag) = reference(&settings.image);
    let options = || CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
    let pulled = engine.ask_for(settings.left(), |docker| async move {
        let mut progress = docker.create_image(Some(options()), None, None);
        while let Some(step) = progress.next().await {
            step?;
        }
        Ok(())
    });
    pulled.await
}

/// Name and tag of an image; without a tag an engine would pull all of them.
fn reference(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        _ if image.contains('@') => (image, ""),
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

/// Removes a container that does not run.
pub(super) async fn remove(engine: &Engine, name: &str) -> Result<(), EngineError> {
    let options = || RemoveContainerOptionsBuilder::new().force(false).build();
    match engine
        .ask_for(Duration::ZERO, |docker| async move { docker.remove_container(name, Some(options())).await })
        .await
    {
        Ok(()) | Err(EngineError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waits until it runs and is well, as far as that can be asked.
async fn come_up(engine: &Engine, settings: &Settings) -> Outcome {
    let name = &settings.name;
    let mut last = failed(OcfRc::Error, format!("container {name} did not come up"));
    while !settings.left().is_zero() {
        match engine.state(name).await {
            Ok(State::Running(running)) => match running.health {
                Health::Starting if settings.heeds_health => {
                    last = failed(OcfRc::Error, format!("container {name} did not become healthy in time"));
                }
                Health::Bad(output) if settings.heeds_health => {
                    last =
                        failed(OcfRc::Error, format!("container {name} is unhealthy: {}", excerpt(&output)));
                }
                Health::Bad(_) | Health::Good | Health::Starting => {
                    last = check_inside(engine, settings).await;
                    if last.rc == OcfRc::Ok {
                        return done(OcfRc::Ok);
                    }
                }
            },
            Ok(State::Stopped { why }) => {
                let words = last_words(engine, name).await;
                return failed(
                    OcfRc::Error,
                    format!("container {name} did not stay up: {why}; {}", excerpt(&words)),
                );
            }
            Ok(State::Missing) => {
                return failed(OcfRc::Error, format!("container {name} vanished while it started"));
            }
            Ok(State::Unsettled(how)) => last = failed(OcfRc::Error, format!("container {name} is {how}")),
            Err(error) => return error.outcome(),
        }
        sleep(STEP.min(settings.left())).await;
    }
    last
}

async fn last_words(engine: &Engine, name: &str) -> String {
    let options = || LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LAST_WORDS).build();
    let read = engine.ask(|docker| async move {
        let mut text = String::new();
        let mut lines = docker.logs(name, Some(options()));
        while let Some(line) = lines.next().await {
            text.push_str(&line?.to_string());
        }
        Ok(text)
    });
    // Only an explanation: without it the failure is the same.
    read.await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
    use super::*;

    #[test]
    fn only_a_container_of_the_same_image_is_adopted() {
        let settings = settings(&[("image", "web:1")]);
        let adopted =
            |image: &str| adopt(&settings, &Running { image: image.to_owned(), ..Running::default() });
        assert_eq!((adopted("web:1"), adopted("localhost/web:1")), (None, None));
        for other in ["web:2", "myweb:1", "web"] {
            assert_eq!(adopted(other).unwrap().rc, OcfRc::Error, "{other}");
        }
    }

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        let rows = [
            ("web", ("web", "latest")),
            ("web:2", ("web", "2")),
            ("host:5000/web", ("host:5000/web", "latest")),
            ("host:5000/web:2", ("host:5000/web", "2")),
            ("web@sha256:abc", ("web@sha256:abc", "")),
        ];
        for (image, expected) in rows {
            assert_eq!(reference(image), expected, "{image}");
        }
    }
}
