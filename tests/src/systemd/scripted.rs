//! Every ugly answer a manager can give, and what the agent makes of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::bus::Bus;
use super::client::{Client, Ended, TIMEOUT};
use super::script::Manager;
use crate::agent::Agent;
use crate::host::Host;
use crate::network::Network;
use crate::peer::Peer;
use crate::report::{Finding, Report};
use crate::wait::wait_until;

const SHORT: Duration = Duration::from_secs(1);

type Measure = fn(&mut Stage) -> Result<Finding>;

/// A bus with a scripted manager, an agent that uses it, a client of the agent.
struct Stage {
    // Dropped in this order.
    client: Client,
    _peer: Peer,
    manager: Option<Manager>,
    bus: Option<Bus>,
    folder: PathBuf,
    host: Arc<Host>,
}

impl Stage {
    fn set(agent: Agent) -> Result<Self> {
        agent.executable()?;
        let network = Network::new()?;
        let host = network.host("guest")?;
        let folder = network.scratch().folder().join("systemd");
        std::fs::create_dir(&folder)?;
        let bus = Bus::start(&folder)?;
        let manager = Manager::start(&bus.address(), host.seen_from_outside("/run/systemd/system")?)?;
        let address = bus.address();
        let environment = [("DBUS_SYSTEM_BUS_ADDRESS", address.as_str()), ("PCMK_debug", "1")];
        let peer = Peer::start_on(&network, &host, agent, &environment)?;
        let client = Client::register(peer.connect()?, &peer.key)?;
        Ok(Self { client, _peer: peer, manager: Some(manager), bus: Some(bus), folder, host })
    }

    fn manager(&self) -> Result<&Manager> {
        self.manager.as_ref().context("there is no manager now")
    }

    fn run(&mut self, unit: &str, action: &str) -> Result<Ended> {
        self.run_within(unit, action, TIMEOUT)
    }

    fn run_within(&mut self, unit: &str, action: &str, timeout: Duration) -> Result<Ended> {
        self.client.resource("systemd", unit)?;
        self.client.run_within(unit, action, timeout)
    }

    fn set_up_manager(&mut self) -> Result<()> {
        let bus = self.bus.as_ref().context("there is no bus now")?;
        self.manager =
            Some(Manager::start(&bus.address(), self.host.seen_from_outside("/run/systemd/system")?)?);
        Ok(())
    }
}

/// Checks what picket-agent makes of a manager's answers.
pub fn answers() -> Report {
    let mut report = Report::default();
    let mut stage = match Stage::set(Agent::Picket) {
        Ok(stage) => stage,
        Err(error) => {
            report.step("the stage is set", || Err(error));
            return report;
        }
    };
    let checks: [(&'static str, Measure); 8] = [
        ("a manager that was never there is not waited for", never_there),
        ("calls come in the original's order, with the drop-in in time", order_of_calls),
        ("each end of a job has its own result", job_results),
        ("refusals: no such unit, not loadable, denied, of another type", refusals),
        ("no answer, no end, between two states for ever: timed out", never_ending),
        ("a job that is over before its reply is seen", hasty),
        ("a manager that vanishes in the middle is waited for", vanishing),
        ("a bus that restarts is connected to again", bus_restarts),
    ];
    for (name, check) in checks {
        report.step(name, || check(&mut stage));
    }
    report.step("a system without D-Bus", || {
        without_bus(Agent::Picket).map(|ended| Finding::good(ended.to_string()))
    });
    report
}

fn never_there(stage: &mut Stage) -> Result<Finding> {
    stage.manager = None;
    let ended = stage.run("good", "monitor")?.expect("monitor", 1, 4)?;
    stage.set_up_manager()?;
    Ok(Finding { holds: ended.took < SHORT, figure: ended.to_string() })
}

fn order_of_calls(stage: &mut Stage) -> Result<Finding> {
    stage.manager()?.calls();
    stage.run("good", "start")?.expect("start", 0, 0)?;
    let start = stage.manager()?.calls();
    stage.run("good", "monitor")?.expect("monitor", 0, 0)?;
    let monitor = stage.manager()?.calls();
    stage.run("good", "stop")?.expect("stop", 0, 0)?;
    let mut stop = stage.manager()?.calls();
    // The reload that nobody waits for.
    wait_until("the manager is asked to reload", SHORT, || {
        stop.extend(stage.manager()?.calls());
        Ok((stop.len() > 4).then_some(()))
    })?;
    let (load, outdated) = ("LoadUnit good.service", "NeedDaemonReload good.service");
    let wanted = [load, outdated, "Reload, drop-in there", "Subscribe", "StartUnit good.service replace"];
    ensure!(start == wanted, "start: {start:?}");
    let wanted = [load, "Subscribe", "StopUnit good.service replace", outdated, "Reload, drop-in gone"];
    ensure!(stop == wanted, "stop: {stop:?}");
    ensure!(monitor == ["LoadUnit good.service", "ActiveState good.service"], "monitor: {monitor:?}");
    Ok(Finding::good(start.join(", ")))
}

fn job_results(stage: &mut Stage) -> Result<Finding> {
    let rows = [("fails", 1, 4), ("late", 1, 2), ("canceled", 1, 4), ("dependency", 1, 4), ("skipped", 1, 4)];
    for (unit, rc, status) in rows {
        stage.run(unit, "start")?.expect(unit, rc, status)?;
        stage.run(unit, "stop")?.expect(unit, rc, status)?;
    }
    Ok(Finding::good(stage.run("fails", "start")?.to_string()))
}

fn refusals(stage: &mut Stage) -> Result<Finding> {
    for unit in ["missing", "late-missing", "unloadable"] {
        let start = stage.run(unit, "start")?.expect(unit, 5, 7)?;
        ensure!(start.reason == format!("systemd unit {unit} not found"), "{start}");
        stage.run(unit, "stop")?.expect(unit, 0, 0)?;
    }
    stage.run("missing", "monitor")?.expect("missing", 5, 7)?;
    for action in ["start", "stop", "monitor"] {
        stage.run("denied", action)?.expect("denied", 1, 4)?;
    }
    let garbled = stage.run("garbled", "monitor")?.expect("garbled", 1, 4)?;
    Ok(Finding::good(garbled.to_string()))
}

fn never_ending(stage: &mut Stage) -> Result<Finding> {
    let limit = Duration::from_millis(700);
    let mut seen = Vec::new();
    for (unit, action) in
        [("mute", "monitor"), ("mute", "start"), ("mute", "stop"), ("stuck", "monitor"), ("endless", "start")]
    {
        let ended = stage.run_within(unit, action, limit)?.expect(unit, 1, 2)?;
        ensure!(ended.took >= limit && ended.took < limit + SHORT, "{unit} {action}: {ended}");
        seen.push(ended.took.as_millis().to_string());
    }
    // The manager is not held responsible by the others.
    stage.run("good", "monitor")?.expect("good", 7, 0)?;
    Ok(Finding::good(format!("1/2 after {} ms", seen.join(", "))))
}

fn hasty(stage: &mut Stage) -> Result<Finding> {
    Ok(Finding::good(stage.run("hasty", "start")?.expect("start", 0, 0)?.to_string()))
}

fn vanishing(stage: &mut Stage) -> Result<Finding> {
    let again = stage.run("vanishing", "start")?.expect("start without a reply", 0, 0)?;
    let lost = stage.run("forgetful", "start")?.expect("start without a JobRemoved", 0, 0)?;
    stage.manager = None;
    stage.client.resource("systemd", "good")?;
    let started = Instant::now();
    let call = stage.client.ask("good", "monitor", 0, TIMEOUT)?;
    std::thread::park_timeout(Duration::from_millis(800));
    stage.set_up_manager()?;
    let late = stage.client.result(call, started)?.expect("monitor meanwhile", 7, 0)?;
    let figure = format!("start {again}, start {lost}, monitor {late}");
    Ok(Finding { holds: late.took < Duration::from_secs(4), figure })
}

fn bus_restarts(stage: &mut Stage) -> Result<Finding> {
    stage.run("good", "start")?.expect("start", 0, 0)?;
    stage.client.resource("systemd", "good")?;
    let started = Instant::now();
    // A job is waited for while the bus goes away, and a monitor is asked for without one.
    stage.client.resource("systemd", "endless")?;
    let start = stage.client.ask("endless", "start", 0, TIMEOUT)?;
    std::thread::park_timeout(Duration::from_millis(200));
    stage.manager = None;
    stage.bus = None;
    let monitor = stage.client.ask("good", "monitor", 0, TIMEOUT)?;
    std::thread::park_timeout(Duration::from_millis(500));
    stage.bus = Some(Bus::start(&stage.folder)?);
    stage.set_up_manager()?;
    // The new manager knows of nothing that is active.
    let monitor = stage.client.result(monitor, started)?.expect("monitor", 7, 0)?;
    let start = stage.client.result(start, started)?.expect("start", 1, 4)?;
    ensure!(start.reason.contains("ended while systemd was away"), "{start}");
    Ok(Finding::good(format!("monitor {monitor}, start {start}")))
}

fn without_bus(agent: Agent) -> Result<Ended> {
    let peer = Peer::start(agent, &[("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/no-such-bus")])?;
    let mut client = Client::register(peer.connect()?, &peer.key)?;
    client.resource("systemd", "good")?;
    let monitor = client.run("good", "monitor")?.expect("monitor", 1, 4)?;
    ensure!(monitor.reason == "No DBus connection", "{monitor}");
    client.resource("service", "nowhere")?;
    client.run("nowhere", "start")?.expect("start of a service", 5, 7)?;
    ensure!(monitor.took < SHORT, "{monitor}");
    Ok(monitor)
}

/// What both agents are asked, as class, unit, action; and why 2.1 answers something else, where it does.
const ASKED: [(&str, &str, &str, Option<&str>); 15] = [
    ("systemd", "good", "monitor", None),
    ("systemd", "good", "start", None),
    ("systemd", "good", "monitor", None),
    ("systemd", "good", "stop", Some(POLLED)),
    ("systemd", "good", "monitor", None),
    ("systemd", "good", "promote", None),
    ("systemd", "late-missing", "monitor", None),
    ("systemd", "late-missing", "start", None),
    ("systemd", "late-missing", "stop", Some(POLLED)),
    ("systemd", "missing", "start", Some(OVERWRITTEN)),
    ("systemd", "missing", "stop", Some(OVERWRITTEN)),
    ("systemd", "missing", "monitor", Some(OVERWRITTEN)),
    ("service", "good", "start", None),
    ("service", "good", "stop", Some(POLLED)),
    ("service", "unknown", "start", None),
];

const POLLED: &str = "2.1 looks at the state after a stop, and its name stays behind as the reason";
const OVERWRITTEN: &str =
    "2.1 forgets why LoadUnit failed, which a real systemd never lets happen: a stop would fail";

/// Asks both agents the same, and compares.
pub fn both_agents() -> Report {
    let mut report = Report::default();
    report.step("both agents answer the same with a scripted manager", || {
        let (original, picket) = (answers_of(Agent::Original)?, answers_of(Agent::Picket)?);
        let unexpected: Vec<_> = ASKED
            .iter()
            .zip(original.iter().zip(&picket))
            .filter(|((.., why), (original, picket))| why.is_some() == (original == picket))
            .map(|((class, unit, action, _), answers)| format!("{class} {unit} {action}: {answers:?}"))
            .collect();
        let meant = ASKED.iter().filter(|(.., why)| why.is_some()).count();
        let figure = match unexpected.is_empty() {
            true => format!("{} operations, {meant} of them different as meant", ASKED.len()),
            false => unexpected.join("; "),
        };
        Ok(Finding { holds: unexpected.is_empty(), figure })
    });
    report.step("both agents without D-Bus", || {
        without_bus(Agent::Original)?;
        Ok(Finding::good(without_bus(Agent::Picket)?.to_string()))
    });
    report
}

fn answers_of(agent: Agent) -> Result<Vec<String>> {
    let mut stage = Stage::set(agent)?;
    let mut ask = |class, unit, action| -> Result<String> {
        stage.client.resource(class, unit)?;
        let ended = stage.client.run(unit, action)?;
        Ok(format!("{}/{} '{}'", ended.rc, ended.status, ended.reason))
    };
    ASKED.iter().map(|(class, unit, action, _)| ask(class, unit, action)).collect()
}
