//! `ocf:picket:container` while its engine is stopped, restarted, hung and cut off.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use picket_proto::exec::ExecReport;

use super::{Driver, Engine, Job, Kind, Part, Watch, driver, root};
use crate::agent::Agent;
use crate::network::Network;
use crate::peer::Peer;
use crate::report::{Finding, Report};

const IMAGE: &str = "shell:test";
const RSC: &str = "box";
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long the engine may be away in most steps.
const GRACE: Duration = Duration::from_secs(2);
/// What a result may come later on a busy machine.
const SLACK: Duration = Duration::from_secs(4);

struct Stage {
    engine: Engine,
    driver: Driver,
    _peer: Peer,
}

type Step = (&'static str, fn(&mut Stage) -> Result<Finding>);

const STEPS: [Step; 13] = [
    ("probe of what is not there: not running", |s| s.result("monitor", &[], 7, "")),
    ("an image that is not there: not installed", |s| {
        s.result("start", &[("image", "none:0")], 5, "there is no image")
    }),
    ("an option that is not known: not configured", |s| {
        s.result("start", &[("run_opts", "--gpus all")], 6, "--gpus")
    }),
    ("start, and again: ok, the same container", start_twice),
    ("monitor_cmd is heeded, and has its own deadline", monitor_cmd),
    ("engine stopped: error, and ok when it is back", stopped),
    ("engine restarted under a recurring monitor: no failure", restarted),
    ("engine hung (SIGSTOP): error within the grace, and the truth afterwards", hung),
    ("stop while the engine hangs: error, and the truth afterwards", stop_while_hung),
    ("socket removed: error, and the truth when it is back", socket_removed),
    ("container killed: not running, with the reason", killed),
    ("started again in place of the dead one: ok", |s| s.result("start", &[], 0, "")),
    ("stop: ok, and the container is gone", stop),
];

/// Every fault with one engine.
pub fn faults(kind: Kind, watch: Watch) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("an agent runs beside a real engine", || {
        let network = Network::new()?;
        let host = network.host("node")?;
        let engine = Engine::start(&host, kind)?;
        engine.import(&root(&network, "shell", &[Part::Shell])?, IMAGE)?;
        let peer = Peer::start_on(&network, &host, Agent::Picket, &[])?;
        let mut driver = driver(&host)?;
        driver.register(RSC, "picket:container")?;
        stage = Some(Stage { engine, driver, _peer: peer });
        Ok(Finding::good(kind.name()))
    });
    let Some(mut stage) = stage else { return report };
    for (name, step) in STEPS {
        report.step(name, || step(&mut stage));
        watch(report.checks.last().expect("a step adds a check"));
    }
    report
}

impl Stage {
    fn run(&mut self, action: &str, params: &[(&str, &str)]) -> Result<(ExecReport, Duration)> {
        let grace = GRACE.as_secs().to_string();
        let own = [
            ("image", IMAGE),
            ("engine", self.engine.kind.name()),
            ("run_cmd", "sleep 1000"),
            ("run_opts", "--net=host"),
            ("engine_grace", grace.as_str()),
            ("force_kill", "yes"),
        ];
        let defaults = own.iter().filter(|(name, _)| !params.iter().any(|(other, _)| other == name)).copied();
        let params: Vec<_> = defaults.chain(params.iter().copied()).collect();
        let began = Instant::now();
        let report = self.driver.run(&Job {
            rsc: RSC,
            action,
            params: &params,
            interval: Duration::ZERO,
            timeout: TIMEOUT,
        })?;
        Ok((report, began.elapsed()))
    }

    /// Runs an action, which has to end with that code and a reason that says so.
    fn result(&mut self, action: &str, params: &[(&str, &str)], rc: u8, reason: &str) -> Result<Finding> {
        let (report, took) = self.run(action, params)?;
        let said = report.outcome.exit_reason.unwrap_or_default();
        let figure = format!("{action} in {:.0} ms: {} {said}", took.as_secs_f64() * 1e3, report.outcome.rc);
        Ok(Finding { holds: report.outcome.rc.number() == rc && said.contains(reason), figure })
    }

    /// What the engine says of the container is what a monitor has to say. An engine that was hung may take its own
    /// containerd for dead and lose the container over it; it is started again then.
    fn truth(&mut self) -> Result<Finding> {
        if self.id()?.contains("true") {
            return self.result("monitor", &[], 0, "");
        }
        let lost = self.result("monitor", &[], 7, "")?;
        let again = self.result("start", &[], 0, "")?;
        Ok(all(vec![Finding { figure: format!("{}, as the engine says", lost.figure), ..lost }, again]))
    }

    fn id(&self) -> Result<String> {
        self.engine.cli(&["inspect", "--format", "{{.Id}} {{.State.Running}}", RSC])
    }
}

/// Carries out one after the other; the first that falls short is the result.
fn all(findings: Vec<Finding>) -> Finding {
    let holds = findings.iter().all(|finding| finding.holds);
    let figures: Vec<_> = findings.into_iter().map(|finding| finding.figure).collect();
    Finding { figure: figures.join("; "), holds }
}

fn start_twice(stage: &mut Stage) -> Result<Finding> {
    let first = stage.result("start", &[], 0, "")?;
    let id = stage.id()?;
    let second = stage.result("start", &[], 0, "")?;
    let same = Finding { figure: "adopted".to_owned(), holds: id == stage.id()? && id.contains("true") };
    Ok(all(vec![first, second, same, stage.result("monitor", &[], 0, "")?]))
}

fn monitor_cmd(stage: &mut Stage) -> Result<Finding> {
    // A one-shot monitor is a probe, which only asks whether it runs; a start asks everything.
    let hangs = [("monitor_cmd", "sleep 100"), ("monitor_cmd_timeout", "1"), ("engine_grace", "0")];
    let rows = [
        (vec![("monitor_cmd", "true")], 0, ""),
        (vec![("monitor_cmd", "sh -c 'echo no space; exit 3'")], 1, "status 3 in box: no space"),
        (hangs.to_vec(), 1, "did not end within 1.0 s"),
    ];
    let findings = rows.into_iter().map(|(params, rc, reason)| stage.recurring(&params, rc, reason));
    Ok(all(findings.collect::<Result<_>>()?))
}

impl Stage {
    /// The first result of a recurring monitor, which then ends.
    fn recurring(&mut self, params: &[(&str, &str)], rc: u8, reason: &str) -> Result<Finding> {
        let own = [("image", IMAGE), ("engine", self.engine.kind.name())];
        let params: Vec<_> = own.iter().chain(params).copied().collect();
        let job = Job {
            rsc: RSC,
            action: "monitor",
            params: &params,
            interval: Duration::from_secs(5),
            timeout: TIMEOUT,
        };
        self.driver.begin(&job)?;
        let report = self.driver.next(TIMEOUT)?;
        self.driver.cancel(RSC, "monitor", job.interval)?;
        let said = report.outcome.exit_reason.unwrap_or_default();
        let holds = report.outcome.rc.number() == rc && said.contains(reason);
        Ok(Finding { figure: format!("{} {said}", report.outcome.rc), holds })
    }
}

fn stopped(stage: &mut Stage) -> Result<Finding> {
    stage.engine.stop()?;
    let away = stage.result("monitor", &[], 1, "did not answer")?;
    stage.engine.start_again()?;
    stage.engine.answers(TIMEOUT)?;
    Ok(all(vec![away, stage.result("monitor", &[], 0, "")?]))
}

fn restarted(stage: &mut Stage) -> Result<Finding> {
    let params = [("image", IMAGE), ("engine", stage.engine.kind.name()), ("engine_grace", "30")];
    let interval = Duration::from_millis(200);
    let job = Job { rsc: RSC, action: "monitor", params: &params, interval, timeout: TIMEOUT };
    stage.driver.begin(&job)?;
    let first = stage.driver.next(TIMEOUT)?;
    ensure!(first.outcome.rc.number() == 0, "{:?}", first.outcome);
    let began = Instant::now();
    stage.engine.stop()?;
    stage.engine.start_again()?;
    stage.engine.answers(TIMEOUT)?;
    let away = began.elapsed();
    let (mut worst, until) = (Vec::new(), Instant::now() + Duration::from_secs(2));
    while let Some(report) = stage.driver.next_if_any(until.saturating_duration_since(Instant::now()))? {
        if report.outcome.rc.number() != 0 {
            worst.push(report.outcome.exit_reason.unwrap_or_default());
        }
    }
    stage.driver.cancel(RSC, "monitor", interval)?;
    let figure =
        format!("away for {:.1} s: {} failures {}", away.as_secs_f64(), worst.len(), worst.join("; "));
    Ok(Finding { figure, holds: worst.is_empty() })
}

fn hung(stage: &mut Stage) -> Result<Finding> {
    stage.engine.signal(Signal::SIGSTOP)?;
    let silent = stage.run("monitor", &[]);
    stage.engine.signal(Signal::SIGCONT)?;
    let (report, took) = silent?;
    let said = report.outcome.exit_reason.unwrap_or_default();
    let right = report.outcome.rc.number() == 1 && said.contains("silent");
    let figure = format!("{} after {:.1} s: {said}", report.outcome.rc, took.as_secs_f64());
    let silent = Finding { figure, holds: right && took < GRACE + SLACK };
    Ok(all(vec![silent, stage.truth()?]))
}

fn stop_while_hung(stage: &mut Stage) -> Result<Finding> {
    stage.engine.signal(Signal::SIGSTOP)?;
    let silent = stage.result("stop", &[], 1, "did not answer");
    stage.engine.signal(Signal::SIGCONT)?;
    Ok(all(vec![silent?, stage.truth()?]))
}

fn socket_removed(stage: &mut Stage) -> Result<Finding> {
    let socket = stage.engine.kind.socket();
    let aside = format!("{socket}.aside");
    stage.engine.host.check(&["mv", socket, &aside])?;
    let away = stage.result("monitor", &[], 1, "did not answer");
    stage.engine.host.check(&["mv", &aside, socket])?;
    Ok(all(vec![away?, stage.truth()?]))
}

fn killed(stage: &mut Stage) -> Result<Finding> {
    stage.engine.cli(&["kill", RSC])?;
    let probe = stage.result("monitor", &[], 7, "")?;
    Ok(all(vec![probe, stage.recurring(&[], 7, "it ended with status 137")?]))
}

fn stop(stage: &mut Stage) -> Result<Finding> {
    let stopped = stage.result("stop", &[], 0, "")?;
    let list = stage.engine.cli(&["ps", "-a", "--format", "{{.Names}}"]).context("list containers")?;
    let gone = Finding { figure: format!("left: '{}'", list.trim()), holds: list.trim().is_empty() };
    Ok(all(vec![stopped, gone, stage.result("stop", &[], 0, "")?]))
}
