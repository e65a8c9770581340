//! The parameters of a container resource, read once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::super::words;
use super::options::RunOptions;
use super::{Call, PARAMS};

const DOCKER: &str = "/run/docker.sock";
const PODMAN: &str = "/run/podman/podman.sock";

/// An engine restart takes a second or two.
const GRACE: Duration = Duration::from_secs(10);

/// For a caller who gives no limit.
const LIMIT: Duration = Duration::from_secs(60);

/// What the engine gets for a kill and the answer, off the time of a stop.
const RESERVE: Duration = Duration::from_secs(10);

/// What one resource asks for.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) socket: PathBuf,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) command: Vec<String>,
    pub(super) options: RunOptions,
    pub(super) mount_points: Vec<PathBuf>,
    pub(super) allow_pull: bool,
    pub(super) reuse: bool,
    pub(super) force_kill: bool,
    pub(super) stop_grace: Duration,
    pub(super) monitor_cmd: Vec<String>,
    pub(super) monitor_limit: Option<Duration>,
    pub(super) heeds_health: bool,
    pub(super) grace: Duration,
    /// When the operation has to have its result: before the caller gives it up, so that there is a reason.
    pub(super) deadline: Instant,
    /// What cannot be used.
    pub(super) faults: Vec<String>,
}

impl Settings {
    pub(super) fn read(call: &Call) -> Self {
        let values = &call.values;
        let mut faults = values.faults(&PARAMS);
        let mut words = |name: &str| {
            let text = values.text(name).unwrap_or_default();
            words::split(text).unwrap_or_else(|error| {
                faults.push(format!("{name} is \"{text}\", and {error}"));
                Vec::new()
            })
        };
        let (command, run_opts, monitor_cmd) = (words("run_cmd"), words("run_opts"), words("monitor_cmd"));
        let options = RunOptions::parse(&run_opts).unwrap_or_else(|unusable| {
            faults.extend(unusable);
            RunOptions::default()
        });
        let name = values.text("name").map_or_else(|| default_name(&call.instance), str::to_owned);
        if !is_name(&name) {
            faults.push(format!("\"{name}\" cannot be a container's name"));
        }
        let limit = call.limit.unwrap_or(LIMIT);
        let folders = values.text("mount_points").unwrap_or_default().split(',').map(str::trim);
        Self {
            socket: socket(values.text("socket"), values.text("engine")),
            name,
            image: values.text("image").unwrap_or_default().to_owned(),
            command,
            options,
            mount_points: folders.filter(|folder| !folder.is_empty()).map(PathBuf::from).collect(),
            allow_pull: values.truth("allow_pull").unwrap_or(false),
            reuse: values.truth("reuse").unwrap_or(false),
            force_kill: values.truth("force_kill").unwrap_or(false),
            stop_grace: values.time("stop_grace").unwrap_or(limit.saturating_sub(RESERVE)),
            monitor_cmd,
            monitor_limit: values.time("monitor_cmd_timeout"),
            heeds_health: values.truth("query_health").unwrap_or(true),
            grace: values.time("engine_grace").unwrap_or(GRACE),
            deadline: Instant::now() + limit - (limit / 10).min(Duration::from_secs(1)),
            faults,
        }
    }

    /// What is left of the operation's time.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Instances of a clone are `db:0`, which no container can be called.
fn default_name(instance: &str) -> String {
    instance.replace(':', "-")
}

/// What both engines accept.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn socket(path: Option<&str>, engine: Option<&str>) -> PathBuf {
    let path = path.map(|path| path.strip_prefix("unix://").unwrap_or(path));
    path.unwrap_or_else(|| match engine {
        Some("podman") => PODMAN,
        Some("docker") => DOCKER,
        _ if !Path::new(DOCKER).exists() && Path::new(PODMAN).exists() => PODMAN,
        _ => DOCKER,
    })
    .into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::values::Values;
    use super::*;

    pub(in super::super) fn settings(params: &[(&str, &str)]) -> Settings {
        Settings::read(&Call {
            action: "monitor".to_owned(),
            instance: "db:0".to_owned(),
            values: Values::new(params.iter().copied()),
            limit: Some(Duration::from_secs(30)),
            is_probe: false,
        })
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let settings = settings(&[("image", "nginx")]);
        assert_eq!((settings.name.as_str(), settings.grace, settings.heeds_health), ("db-0", GRACE, true));
        assert_eq!((settings.stop_grace, settings.faults), (Duration::from_secs(20), vec![]));
    }

    #[test]
    fn every_fault_is_told() {
        let params = [("run_cmd", "sh -c 'x"), ("run_opts", "--rm -p x"), ("name", "a/b"), ("reuse", "?")];
        let faults = settings(&params).faults;
        assert_eq!(faults.len(), 6, "{faults:#?}");
    }

    #[test]
    fn the_result_comes_before_the_caller_gives_up() {
        let left = settings(&[]).left();
        assert!(left <= Duration::from_secs(29) && left > Duration::from_secs(28), "{left:?}");
    }

    #[test]
    fn a_socket_may_be_written_as_an_address() {
        assert_eq!(socket(Some("unix:///x/y.sock"), Some("podman")), Path::new("/x/y.sock"));
        assert_eq!(socket(None, Some("podman")), Path::new(PODMAN));
    }
}
