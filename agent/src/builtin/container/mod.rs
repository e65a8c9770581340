//! `ocf:picket:container`: a container of the local Docker or Podman as a resource.
//!
//! Everything goes through the engine's socket, a check is one request. Three things are kept apart: the container
//! runs, it does not, and the engine did not answer. The last is never taken for the second: a container may well be
//! running under an engine that hangs, and the cluster would start a second one.

mod engine;
mod monitor;
mod options;
mod settings;
mod start;
mod state;
mod stop;

use picket_proto::outcome::{OcfRc, Outcome};

use super::table::{Action, Agent, Kind, Param};
use super::{Call, Work, done, failed};
use engine::Engine;
use settings::Settings;

/// What the agent says of itself.
pub(super) const AGENT: Agent = Agent {
    name: "container",
    summary: "Runs a container of the local Docker or Podman",
    text: "Starts, watches and stops a container through the API socket of the local Docker or Podman. Where this runs \
           in picket-agent no process is started, and a check is one request. An engine that does not answer is an \
           error and never taken for a container that is not running; an engine that restarts within engine_grace is \
           no failure. Keep restart policies off: the cluster restarts the container.",
    params: &PARAMS,
    actions: &[
        Action::once("start", "90s"),
        Action::once("stop", "90s"),
        Action::every("monitor", "30s", "30s"),
        Action::once("validate-all", "30s"),
    ],
    run,
};

const PARAMS: [Param; 15] = [
    Param::required("image", "Image", "The image a new container is made of."),
    Param::new(
        "name",
        Kind::Text,
        None,
        "Name of the container",
        "The container's name; by default the resource's id. One of that name that runs the same image is adopted.",
    ),
    Param::new(
        "engine",
        Kind::Choice(&["auto", "docker", "podman"]),
        Some("auto"),
        "Which engine",
        "Whose socket is used: /run/docker.sock, /run/podman/podman.sock, or with auto the first that exists.",
    ),
    Param::new(
        "socket",
        Kind::Text,
        None,
        "Socket of the engine",
        "Path of the engine's API socket, where it is elsewhere.",
    ),
    Param::new(
        "run_cmd",
        Kind::Text,
        None,
        "Command in the container",
        "Command and arguments in place of the image's own, in words; quotes work as in a shell, nothing is expanded.",
    ),
    Param::new(
        "run_opts",
        Kind::Text,
        None,
        "Options of docker run",
        "Options as docker run takes them, such as -p 80:8080 -v /srv:/srv:ro -e KEY=value --memory 512m. They are checked \
         and handed to the API; one that is not known is a configuration error, see validate-all.",
    ),
    Param::new(
        "mount_points",
        Kind::Text,
        None,
        "Folders to make before the start",
        "Comma-separated folders of this node, made before the container starts where they are missing.",
    ),
    Param::new(
        "allow_pull",
        Kind::Boolean,
        Some("no"),
        "Whether a missing image may be pulled",
        "Have the engine pull an image that it does not have. Takes part of the start's timeout.",
    ),
    Param::new(
        "reuse",
        Kind::Boolean,
        Some("no"),
        "Keep the container when it is stopped",
        "Keep a stopped container and start it again, in place of removing it and making a new one.",
    ),
    Param::new(
        "force_kill",
        Kind::Boolean,
        Some("no"),
        "Kill the container on stop",
        "Stop by killing at once, without a grace time.",
    ),
    Param::new(
        "stop_grace",
        Kind::Time,
        None,
        "Time to stop before it is killed",
        "How long the container gets between the stop signal and the kill; by default the stop's timeout less 10 s.",
    ),
    Param::new(
        "monitor_cmd",
        Kind::Text,
        None,
        "Command that checks the service inside",
        "Run in the container by each recurring check; the check fails where its exit status is not 0.",
    ),
    Param::new(
        "monitor_cmd_timeout",
        Kind::Time,
        None,
        "Time for monitor_cmd",
        "Deadline for monitor_cmd of its own; by default what is left of the check's timeout.",
    ),
    Param::new(
        "query_health",
        Kind::Boolean,
        Some("yes"),
        "Heed the image's HEALTHCHECK",
        "A container that its own HEALTHCHECK calls unhealthy fails the check; a start waits until it is healthy. It \
         comes with the same request.",
    ),
    Param::new(
        "engine_grace",
        Kind::Time,
        Some("10s"),
        "How long the engine may be away",
        "An engine that does not answer is asked again for that long, at most for the operation's timeout.",
    ),
];

fn run(call: Call) -> Work {
    Box::pin(async move {
        let settings = Settings::read(&call);
        // A resource must be able to stop, and to be looked for, whatever else is set.
        let lenient = call.action == "stop" || call.is_probe;
        if !lenient && !settings.faults.is_empty() {
            return failed(OcfRc::NotConfigured, settings.faults.join("; "));
        }
        let engine = Engine::new(settings.socket.clone(), settings.grace, settings.deadline);
        match call.action.as_str() {
            "start" => start::start(&engine, &settings).await,
            "stop" => stop::stop(&engine, &settings).await,
            "validate-all" => validate(&engine, &settings).await,
            _ => monitor::monitor(&engine, &settings, call.is_probe).await,
        }
    })
}

async fn validate(engine: &Engine, settings: &Settings) -> Outcome {
    match engine.has_image(&settings.image).await {
        Ok(true) => done(OcfRc::Ok),
        Ok(false) if settings.allow_pull => done(OcfRc::Ok),
        Ok(false) => failed(OcfRc::NotInstalled, format!("there is no image {} here", settings.image)),
        Err(error) => error.outcome(),
    }
}
