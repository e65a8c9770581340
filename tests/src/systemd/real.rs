//! Units of a real systemd: started, stopped, failed, masked, reloaded, slow, missing.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::client::{Client, TIMEOUT};
use super::container::Container;
use crate::report::{Finding, Report};
use crate::wait::wait_until;

/// From request to result of a start and a stop of a unit that is quick itself.
const QUICK: Duration = Duration::from_millis(100);

const SOON: Duration = Duration::from_secs(10);

const UNITS: [(&str, &str); 12] = [
    ("kept.service", "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n"),
    ("keeper.service", "[Unit]\nBefore=kept.service\n[Service]\nExecStart=/bin/sleep infinity\n"),
    ("quick.service", "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n"),
    ("failing.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"),
    ("hanging.service", "[Service]\nType=notify\nExecStart=/bin/sleep infinity\nTimeoutStartSec=1\n"),
    ("slow.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 3\n"),
    ("once.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
    (
        "dependent.service",
        "[Unit]\nRequires=failing.service\nAfter=failing.service\n[Service]\nExecStart=/bin/sleep 9\n",
    ),
    ("masked.service", "[Service]\nExecStart=/bin/sleep infinity\n"),
    ("reloading.service", "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/sleep 2\n"),
    ("spare.socket", "[Socket]\nListenStream=/run/spare.sock\n"),
    ("spare.service", "[Service]\nExecStart=/bin/sleep infinity\n"),
];

type Measure = fn(&Container, &mut Client) -> Result<Finding>;

const SCRIPT: &str = "#!/bin/sh\ncase $1 in status) exit 3;; *) exit 0;; esac\n";

/// Checks the class on units of every kind; `rounds` starts and stops are timed.
pub fn units(container: &Container, rounds: usize) -> Report {
    let mut report = Report::default();
    let checks: [(&'static str, Measure); 11] = [
        ("a unit is started and stopped under the cluster's control", start_and_stop),
        ("a unit that fails, or dies, is found not running", failures),
        ("a missing unit is not installed, and stopped", missing),
        ("a masked unit is not started", masked),
        ("a start job's own timeout is reported as one", job_timeout),
        ("a probe during a start waits for its end", slow_probe),
        ("a monitor during a start says pending, then the result", slow_monitor),
        ("a unit that reloads its configuration is running", reloading),
        ("an operation's timeout ends the wait and not the job", operation_timeout),
        ("a script comes before a unit, and a unit before nothing", service),
        ("sockets, restarts, descriptions, other actions", others),
    ];
    let mut client = match prepare(container) {
        Ok(client) => client,
        Err(error) => {
            report.step("units are prepared", || Err(error));
            return report;
        }
    };
    for (name, check) in checks {
        report.step(name, || check(container, &mut client));
    }
    report.step("start plus stop of a quick unit in under 100 ms", || timed(container, &mut client, rounds));
    report
}

fn prepare(container: &Container) -> Result<Client> {
    for (name, content) in UNITS {
        container.unit(name, content)?;
    }
    container.run(&["mkdir", "-p", "/etc/init.d"])?;
    container.write("/etc/init.d/scripted", SCRIPT)?;
    container.unit("scripted.service", "[Service]\nExecStart=/bin/sleep infinity\n")?;
    container.systemctl(&["daemon-reload"])?;
    // Not `systemctl mask`, which refuses where there is a file.
    container.run(&["ln", "-sf", "/dev/null", "/run/systemd/system/masked.service"])?;
    container.run(&["rm", "/etc/systemd/system/masked.service"])?;
    container.systemctl(&["daemon-reload"])?;
    let mut client = container.client()?;
    for agent in
        ["quick", "failing", "hanging", "slow", "once", "dependent", "masked", "nowhere", "spare.socket"]
    {
        client.resource("systemd", agent)?;
    }
    Ok(client)
}

fn start_and_stop(container: &Container, client: &mut Client) -> Result<Finding> {
    let drop_in = container.path("/run/systemd/system/quick.service.d/50-pacemaker.conf");
    client.run("quick", "monitor")?.expect("probe", 7, 0)?;
    client.run("quick", "start")?.expect("start", 0, 0)?;
    ensure!(container.property("quick", "ActiveState")? == "active", "systemd does not think so");
    ensure!(container.property("quick", "Restart")? == "no", "systemd would restart it by itself");
    ensure!(container.property("quick", "Description")? == "Cluster Controlled quick", "no drop-in");
    client.run("quick", "monitor")?.expect("monitor", 0, 0)?;
    client.run("quick", "start")?.expect("start again", 0, 0)?;
    client.run("quick", "stop")?.expect("stop", 0, 0)?;
    ensure!(container.property("quick", "ActiveState")? == "inactive", "systemd does not think so");
    ensure!(!drop_in.exists(), "the drop-in is left behind");
    wait_until("the drop-in does not count any more", SOON, || {
        Ok((container.property("quick", "Restart")? == "always").then_some(()))
    })?;
    client.run("quick", "stop")?.expect("stop again", 0, 0)?;
    kept_loaded(container, client)?;
    let probe = client.run("quick", "monitor")?.expect("probe", 7, 0)?;
    Ok(Finding::good(format!("0, 0, 0, 0, 7 '{}', drop-in written and removed", probe.reason)))
}

/// The drop-in counts for a unit that systemd has loaded and keeps so, too.
fn kept_loaded(container: &Container, client: &mut Client) -> Result<()> {
    container.systemctl(&["start", "keeper"])?;
    client.resource("systemd", "kept")?;
    client.run("kept", "start")?.expect("start of a loaded unit", 0, 0)?;
    ensure!(
        container.property("kept", "Restart")? == "no",
        "systemd would restart the loaded unit by itself"
    );
    client.run("kept", "stop")?.expect("stop of a loaded unit", 0, 0)?;
    wait_until("the loaded unit's drop-in does not count any more", SOON, || {
        Ok((container.property("kept", "Restart")? == "always").then_some(()))
    })
}

fn failures(container: &Container, client: &mut Client) -> Result<Finding> {
    let start = client.run("failing", "start")?.expect("start", 1, 4)?;
    ensure!(start.reason.contains("failed with result 'failed'"), "{start}");
    let failed = client.run("failing", "monitor")?.expect("monitor", 7, 0)?;
    ensure!(failed.reason == "failed", "{failed}");
    client.run("failing", "stop")?.expect("stop", 0, 0)?;
    let dependent = client.run("dependent", "start")?.expect("start with a failing dependency", 1, 4)?;
    ensure!(dependent.reason.contains("'dependency'"), "{dependent}");

    client.run("quick", "start")?.expect("start", 0, 0)?;
    container.systemctl(&["kill", "--signal=KILL", "quick"])?;
    wait_until("systemd has noticed", SOON, || {
        Ok((container.property("quick", "ActiveState")? == "failed").then_some(()))
    })?;
    let found = client.run("quick", "monitor")?.expect("monitor of a killed one", 7, 0)?;
    ensure!(found.reason == "failed", "{found}");
    client.run("quick", "stop")?.expect("stop", 0, 0)?;
    Ok(Finding::good(format!("'{}'; killed: {found}", start.reason)))
}

fn missing(_: &Container, client: &mut Client) -> Result<Finding> {
    client.run("nowhere", "monitor")?.expect("probe", 7, 0)?;
    let start = client.run("nowhere", "start")?.expect("start", 5, 7)?;
    client.run("nowhere", "stop")?.expect("stop", 0, 0)?;
    Ok(Finding { holds: start.reason == "systemd unit nowhere not found", figure: start.to_string() })
}

fn masked(_: &Container, client: &mut Client) -> Result<Finding> {
    client.run("masked", "monitor")?.expect("probe", 7, 0)?;
    let start = client.run("masked", "start")?.expect("start", 1, 4)?;
    client.run("masked", "stop")?;
    Ok(Finding::good(start.to_string()))
}

fn job_timeout(_: &Container, client: &mut Client) -> Result<Finding> {
    // systemd ends the start by itself after 1 s, and the job fails.
    let start = client.run("hanging", "start")?.expect("start", 1, 4)?;
    client.run("hanging", "stop")?.expect("stop", 0, 0)?;
    Ok(Finding { holds: start.took < Duration::from_secs(5), figure: start.to_string() })
}

/// Starts the slow unit; the call, once systemd is at it.
fn starting(container: &Container, client: &mut Client, timeout: Duration) -> Result<i64> {
    let start = client.ask("slow", "start", 0, timeout)?;
    wait_until("systemd starts the unit", SOON, || {
        Ok((container.property("slow", "ActiveState")? == "activating").then_some(()))
    })?;
    Ok(start)
}

fn slow_probe(container: &Container, client: &mut Client) -> Result<Finding> {
    // A second resource for the same unit: operations of one would wait for each other.
    client.resource("systemd", "slow.service")?;
    let started = Instant::now();
    let start = starting(container, client, TIMEOUT)?;
    let probe = client.run("slow.service", "monitor")?.expect("probe", 0, 0)?;
    client.result(start, started)?.expect("start", 0, 0)?;
    client.run("slow", "stop")?.expect("stop", 0, 0)?;
    let figure = format!("0 after {} ms", probe.took.as_millis());
    Ok(Finding { holds: probe.took > Duration::from_millis(500), figure })
}

fn slow_monitor(container: &Container, client: &mut Client) -> Result<Finding> {
    let start = starting(container, client, TIMEOUT)?;
    let started = Instant::now();
    let monitor = client.ask("slow.service", "monitor", 60_000, TIMEOUT)?;
    let pending = client.result(monitor, started)?.expect("monitor", 193, -1)?;
    let settled = client.result(monitor, started)?.expect("monitor", 0, 0)?;
    client.result(start, started)?.expect("start", 0, 0)?;
    client.cancel("slow.service", "monitor", 60_000)?;
    client.result(monitor, started)?.expect("cancelled monitor", 0, 1)?;
    client.run("slow", "stop")?.expect("stop", 0, 0)?;
    let figure = format!("193 at {} ms, 0 at {} ms", pending.took.as_millis(), settled.took.as_millis());
    Ok(Finding { holds: settled.took > Duration::from_millis(500), figure })
}

fn reloading(container: &Container, client: &mut Client) -> Result<Finding> {
    client.resource("systemd", "reloading")?;
    client.run("reloading", "start")?.expect("start", 0, 0)?;
    container.systemctl(&["--no-block", "reload", "reloading.service"])?;
    let mut seen = 0;
    wait_until("the reload is done", SOON, || {
        let before = container.property("reloading", "ActiveState")?;
        client.run("reloading", "monitor")?.expect("monitor", 0, 0)?;
        seen += u32::from(before == "reloading");
        Ok((seen > 0 && before == "active").then_some(()))
    })?;
    client.run("reloading", "stop")?.expect("stop", 0, 0)?;
    Ok(Finding::good(format!("{seen} monitors while it did")))
}

fn operation_timeout(container: &Container, client: &mut Client) -> Result<Finding> {
    let limit = Duration::from_secs(2);
    let started = Instant::now();
    let start = starting(container, client, limit)?;
    let probe = client.run_within("slow.service", "monitor", Duration::from_millis(200))?;
    let probe = probe.expect("probe", 1, 2)?;
    let start = client.result(start, started)?.expect("start", 1, 2)?;
    client.run("slow", "monitor")?.expect("probe with time enough", 0, 0)?;
    ensure!(container.property("slow", "ActiveState")? == "active", "the job was taken back");
    client.run("slow", "stop")?.expect("stop", 0, 0)?;
    let late = start.took.saturating_sub(limit);
    Ok(Finding { holds: late < Duration::from_secs(1), figure: format!("start {start}, probe {probe}") })
}

fn service(container: &Container, client: &mut Client) -> Result<Finding> {
    for agent in ["scripted", "spare", "nothing"] {
        client.resource("service", agent)?;
    }
    client.run("scripted", "start")?.expect("start by script", 0, 0)?;
    ensure!(container.property("scripted", "ActiveState")? == "inactive", "the unit was started");
    client.run("scripted", "monitor")?.expect("status by script", 7, 0)?;
    client.run("spare", "start")?.expect("start by unit", 0, 0)?;
    ensure!(container.property("spare", "ActiveState")? == "active", "the unit was not started");
    client.run("spare", "stop")?.expect("stop by unit", 0, 0)?;
    let nothing = client.run("nothing", "start")?.expect("start of nothing", 5, 7)?;
    // Looked up at each execution.
    container.write("/etc/init.d/spare", SCRIPT)?;
    client.run("spare", "start")?.expect("start by the new script", 0, 0)?;
    ensure!(container.property("spare", "ActiveState")? == "inactive", "the unit was started");
    Ok(Finding::good(format!("nothing: {nothing}")))
}

fn others(container: &Container, client: &mut Client) -> Result<Finding> {
    client.run("spare.socket", "start")?.expect("start of a socket", 0, 0)?;
    let drop_in = "/run/systemd/system/spare.socket.d/50-pacemaker.conf";
    ensure!(!container.run(&["cat", drop_in])?.contains("[Service]"), "a socket has no such section");
    client.run("spare.socket", "stop")?.expect("stop of a socket", 0, 0)?;

    client.run("once", "start")?.expect("start of a unit that ends by itself", 0, 0)?;
    client.run("quick", "start")?.expect("start", 0, 0)?;
    let before = container.property("quick", "MainPID")?;
    client.run("quick", "restart")?.expect("restart", 0, 0)?;
    ensure!(container.property("quick", "MainPID")? != before, "it is the same process");
    container.systemctl(&["daemon-reexec"])?;
    client.run("quick", "monitor")?.expect("monitor after a re-exec", 0, 0)?;
    client.run("quick", "stop")?.expect("stop", 0, 0)?;
    let other = client.run("quick", "promote")?.expect("promote", 3, 4)?;
    let described = client.run("quick", "meta-data")?.expect("meta-data", 0, 0)?;
    ensure!(described.output.contains("<resource-agent"), "{}", described.output);
    Ok(Finding { holds: other.reason.contains("promote not implemented"), figure: other.reason })
}

fn timed(container: &Container, client: &mut Client, rounds: usize) -> Result<Finding> {
    let reloads = || -> Result<i64> {
        Ok(container
            .run(&["sh", "-c", "journalctl -q -o cat _PID=1 | grep -c '^Reloading' || true"])?
            .parse()?)
    };
    let before = reloads()?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = client.run("quick", "start")?.expect("start", 0, 0)?;
        let stop = client.run("quick", "stop")?.expect("stop", 0, 0)?;
        times.push((start.took + stop.took, start.took, stop.took));
    }
    times.sort();
    let (median, start, stop) = times[times.len() / 2];
    let slowest = times.last().map_or(median, |last| last.0);
    let figure = format!(
        "median {} ms ({} + {}), slowest {} ms of {rounds}, {} reloads",
        median.as_millis(),
        start.as_millis(),
        stop.as_millis(),
        slowest.as_millis(),
        reloads()? - before
    );
    Ok(Finding { figure, holds: median < QUICK })
}
