//! The agent as process 1: thousands of orphans and own children, and what is left of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use picket_proto::outcome::{ExecStatus, OcfRc};

use super::{Engine, Job, Kind, Part, driver, root};
use crate::network::Network;
use crate::report::{Finding, Report};
use crate::wait::wait_until;

const IMAGE: &str = "picket-agent:test";
const NAME: &str = "agent";

/// Resources that run side by side.
const SIDE_BY_SIDE: usize = 16;

/// An agent's run here takes some 20 ms of processor time.
const RUN: Duration = Duration::from_secs(60);

/// A container with the agent as process 1 runs `children` operations, each of which leaves ten orphans.
pub fn reaping(children: usize) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a container starts with the static agent as process 1", || {
        let network = Network::new()?;
        let host = network.host("guest")?;
        let engine = Engine::start(&host, Kind::Docker)?;
        engine.import(&root(&network, NAME, &[Part::Agent, Part::Shell, Part::ResourceAgents])?, IMAGE)?;
        let key = "/etc/pacemaker/authkey:/etc/pacemaker/authkey";
        let options = ["run", "-d", "--net=host", "--name", NAME, "-v", key, "-e", "PCMK_stderr=1", IMAGE];
        engine.cli(&[&options[..], &["/usr/sbin/pacemaker-remoted"]].concat())?;
        let driver = driver(&host).with_context(|| engine.cli(&["logs", NAME]).unwrap_or_default())?;
        let titles = engine.cli(&["top", NAME, "-o", "pid,comm,args"])?;
        ensure!(titles.contains("pcmk-init"), "{titles}");
        stage = Some((engine, driver));
        Ok(Finding::good("it listens, and init is called pcmk-init"))
    });
    let Some((engine, mut driver)) = stage else { return report };
    report.step("no exit status of the agent's own children is lost", || {
        let started = Instant::now();
        let (lost, wrong) = run_all(&mut driver, children)?;
        let took = started.elapsed().as_secs_f64();
        let figure = format!(
            "{children} children beside {} orphans in {took:.1} s: {lost} lost, {wrong} wrong",
            children * 10
        );
        Ok(Finding { figure, holds: lost + wrong == 0 })
    });
    report.step("no zombie is left", || {
        let states = || engine.host.check(&["ps", "-e", "-o", "stat=,comm="]);
        let zombies = |text: &str| text.lines().filter(|line| line.starts_with('Z')).count();
        // The last orphans sleep for a moment still.
        let left = wait_until("orphans are reaped", Duration::from_secs(10), || {
            let text = states()?;
            Ok((zombies(&text) == 0 && !text.contains("sleep")).then_some(text))
        });
        let text = left.or_else(|_| states())?;
        let figure = format!("{} zombies among {} processes", zombies(&text), text.lines().count());
        Ok(Finding { figure, holds: zombies(&text) == 0 })
    });
    report.step("the agent's end is the container's", || {
        engine.cli(&["exec", NAME, "kill", "-KILL", &agent_pid(&engine)?])?;
        let status = engine.cli(&["wait", NAME])?;
        Ok(Finding {
            figure: format!("agent killed: exit status {}", status.trim()),
            holds: status.trim() == "1",
        })
    });
    report
}

/// The agent is the child of process 1 that is not a zombie, so the lowest pid after it.
fn agent_pid(engine: &Engine) -> Result<String> {
    let list = engine.cli(&["exec", NAME, "ps", "-o", "pid,args"])?;
    let line = list.lines().find(|line| line.contains("pacemaker-remoted")).context(list.clone())?;
    Ok(line.split_whitespace().next().context("a pid")?.to_owned())
}

/// Runs them, and counts results that never came and those that are another child's.
fn run_all(driver: &mut super::Driver, children: usize) -> Result<(usize, usize)> {
    let names: Vec<_> = (0..SIDE_BY_SIDE).map(|number| format!("r{number}")).collect();
    for name in &names {
        driver.register(name, "test:exit")?;
    }
    let (mut started, mut ended, mut wrong) = (0, 0, 0);
    let mut expected = vec![String::new(); SIDE_BY_SIDE];
    let mut begin = |driver: &mut super::Driver, at: usize, expected: &mut Vec<String>| -> Result<()> {
        if started < children {
            let (code, word) = ((started % 8).to_string(), format!("child {started}"));
            let params = [("code", code.as_str()), ("word", word.as_str()), ("orphans", "10")];
            driver.begin(&Job {
                rsc: &names[at],
                action: "check",
                params: &params,
                interval: Duration::ZERO,
                timeout: RUN,
            })?;
            expected[at] = format!("{code} {word}");
            started += 1;
        }
        Ok(())
    };
    for at in 0..SIDE_BY_SIDE {
        begin(driver, at, &mut expected)?;
    }
    while ended < children {
        let Some(report) = driver.next_if_any(RUN)? else { break };
        let outcome = &report.outcome;
        let at = names.iter().position(|name| *name == report.request.rsc_id).context("a result of ours")?;
        let seen = format!("{} {}", outcome.rc.number(), outcome.exit_reason.as_deref().unwrap_or_default());
        let good = outcome.status == ExecStatus::Done && outcome.rc != OcfRc::Unknown && seen == expected[at];
        ended += 1;
        wrong += usize::from(!good);
        begin(driver, at, &mut expected)?;
    }
    Ok((children - ended, wrong))
}
