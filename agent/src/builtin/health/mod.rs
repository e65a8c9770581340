//! `ocf:picket:health`: how this guest feels, told to the cluster as `#health-*` attributes, for its node-health
//! strategies to act on.
//!
//! The attribute manager is asked what it knows first: only a change is sent, and one that was forgotten (the node was
//! away) is sent again.

mod clock;
mod gauge;
mod readings;

use picket_proto::outcome::OcfRc;

use super::started::Started;
use super::table::{Action, Agent, Kind, Param};
use super::{Call, Work, done, failed};
use crate::ipc::cluster::{self, Change, ClusterError, Nodes, Task};
use clock::Clock;
use gauge::{Color, Limits};

/// What the agent says of itself.
pub(super) const AGENT: Agent = Agent {
    name: "health",
    summary: "Node health of a guest",
    text: "Looks at processors, memory, disks, inodes, pressure and clock of the guest it runs in, and sets the \
           attributes #health-cpu, #health-memory, #health-disk, #health-inodes, #health-pressure and #health-clock of \
           the node to green, yellow or red. What the cluster makes of it says its property node-health-strategy. Clone it over the guests.",
    params: &PARAMS,
    actions: &[
        Action::once("start", "20s"),
        Action::once("stop", "20s"),
        Action::every("monitor", "20s", "15s"),
        Action::once("validate-all", "10s"),
    ],
    run,
};

const LIMITS: &str = "From which percentage on the attribute is yellow, and red, such as 85:95; or off.";

const PARAMS: [Param; 9] = [
    Param::new("cpu", Kind::Text, Some("90:98"), "Limits of processor use", LIMITS),
    Param::new("memory", Kind::Text, Some("90:97"), "Limits of memory in use", LIMITS),
    Param::new("disk", Kind::Text, Some("85:95"), "Limits of disk space in use", LIMITS),
    Param::new("inodes", Kind::Text, Some("85:95"), "Limits of inodes in use", LIMITS),
    Param::new(
        "pressure",
        Kind::Text,
        Some("40:80"),
        "Limits of pressure",
        "As the others, of the last minute in which programs waited for processors, memory or disks (PSI).",
    ),
    Param::new(
        "clock",
        Kind::Text,
        Some("2000:8000"),
        "Limits of the clock's error",
        "From which number of milliseconds on the clock's largest possible error, by the kernel's word, makes the \
         attribute yellow, and red; or off. A clock that nothing synchronizes is yellow.",
    ),
    Param::new(
        "paths",
        Kind::Text,
        Some("/"),
        "Disks",
        "Places of the file systems that are looked at, with spaces in between; the fullest one counts.",
    ),
    Param::new(
        "dampen",
        Kind::Time,
        Some("30s"),
        "Dampening",
        "How long the cluster waits for further changes.",
    ),
    Param::new(
        "state",
        Kind::Text,
        None,
        "State file",
        "Where a start is remembered; below /run by default.",
    ),
];

/// A gauge's name, and what it shows.
type Shown = (&'static str, Color);

fn run(call: Call) -> Work {
    Box::pin(async move {
        let started = Started::of(&call, AGENT.name);
        if call.action == "stop" {
            return started.forget();
        }
        if call.action == "monitor" && !started.is_there() {
            return done(OcfRc::NotRunning);
        }
        let faults = faults(&call);
        if !faults.is_empty() {
            return failed(OcfRc::NotConfigured, faults.join("; "));
        }
        if call.action == "validate-all" || call.is_probe {
            return done(OcfRc::Ok);
        }
        if call.action == "start"
            && let Err(outcome) = started.set()
        {
            return outcome;
        }
        let shown = match look(&call).await {
            Ok(shown) => shown,
            Err(reason) => return failed(OcfRc::Error, reason),
        };
        // A cluster that does not answer now is asked again by the next monitor; that is no fault of this guest.
        match tell(&call, shown).await {
            Ok(()) => done(OcfRc::Ok),
            Err(error) => done(OcfRc::Ok).because(format!("the cluster was not told: {error}")),
        }
    })
}

fn value<'a>(call: &'a Call, name: &str) -> &'a str {
    let default = PARAMS.iter().find(|param| param.name == name).and_then(|param| param.default);
    call.values.text(name).or(default).unwrap_or_default()
}

const GAUGES: [&str; 6] = ["cpu", "memory", "disk", "inodes", "pressure", "clock"];

fn faults(call: &Call) -> Vec<String> {
    let limits = GAUGES
        .iter()
        .filter_map(|name| Limits::parse(value(call, name)).err().map(|fault| format!("{name}: {fault}")));
    call.values.faults(&PARAMS).into_iter().chain(limits).collect()
}

async fn look(call: &Call) -> Result<Vec<Shown>, String> {
    let limits = |name| Limits::parse(value(call, name)).ok().flatten();
    let mut shown = Vec::new();
    let mut show = |name: &'static str, percent: Option<f64>| {
        if let (Some(limits), Some(percent)) = (limits(name), percent) {
            shown.push((name, limits.color(percent)));
        }
    };
    let cpu = if limits("cpu").is_some() { Some(readings::cpu().await) } else { None };
    show("cpu", cpu);
    show("memory", readings::memory());
    let disks = value(call, "paths").split_whitespace().map(readings::disk).collect::<Result<Vec<_>, _>>()?;
    show("disk", disks.iter().map(|(space, _)| *space).max_by(f64::total_cmp));
    show("inodes", disks.iter().map(|(_, inodes)| *inodes).max_by(f64::total_cmp));
    show("pressure", readings::pressure());
    if let (Some(limits), Some(clock)) = (limits("clock"), Clock::read()) {
        shown.push(("clock", clock.color(limits)));
    }
    Ok(shown)
}

/// Sends what the attribute manager does not know yet. Its client blocks, so it has a thread.
async fn tell(call: &Call, shown: Vec<Shown>) -> Result<(), ClusterError> {
    let delay = value(call, "dampen").to_owned();
    let told = tokio::task::spawn_blocking(move || -> Result<(), ClusterError> {
        let own = Nodes::connect("health")?.local()?.name;
        for (name, color) in shown {
            let (name, color) = (format!("#health-{name}"), color.to_string());
            let known = cluster::query("health", &name, Some(&own))?.unwrap_or_default();
            if !known.iter().any(|known| known.node == own && known.value == color) {
                let (value, delay) = (Some(color), Some(delay.clone()));
                cluster::change(
                    "health",
                    &Change { name, value, delay, task: Task::Both, ..Change::default() },
                )?;
            }
        }
        Ok(())
    });
    // It does not panic; if it ever does, the next monitor tells.
    told.await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::values::Values;

    fn call(action: &str, values: &[(&str, &str)]) -> Call {
        Call {
            action: action.to_owned(),
            instance: "health".to_owned(),
            values: Values::new(values.iter().copied()),
            limit: None,
            is_probe: false,
        }
    }

    #[tokio::test]
    async fn wrong_limits_are_a_fault_of_the_configuration() {
        let outcome = run(call("validate-all", &[("cpu", "98:90"), ("dampen", "soon")])).await;
        assert_eq!(outcome.rc, OcfRc::NotConfigured);
        let reason = outcome.exit_reason.unwrap();
        assert!(reason.contains("cpu") && reason.contains("dampen"), "{reason}");
    }

    #[tokio::test]
    async fn what_was_not_started_is_not_running() {
        let outcome = run(call("monitor", &[("state", "/no/such/file")])).await;
        assert_eq!(outcome.rc, OcfRc::NotRunning);
    }

    #[tokio::test]
    async fn a_gauge_that_is_off_shows_nothing() {
        let off = GAUGES.map(|name| (name, if name == "memory" { "0:0" } else { "off" }));
        assert_eq!(look(&call("monitor", &off)).await.unwrap(), [("memory", Color::Red)]);
    }
}
