//! Many monitored units while systemd reads its files again, and executes itself again, over and over. Every
//! monitor's result is looked at: none may be wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::client::TIMEOUT;
use super::container::Container;
use crate::report::Finding;

/// Pause between two monitors of one unit.
const INTERVAL: u64 = 250;

/// What is done to systemd.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Units that are monitored; every fifth of them is stopped, and has to stay so.
    pub units: usize,
    /// `systemctl daemon-reload`, so many times.
    pub reloads: usize,
    /// `systemctl daemon-reexec`, so many times.
    pub reexecs: usize,
}

/// Counts results that are not what the unit is.
pub fn storm(container: &Container, storm: Storm) -> Result<Finding> {
    container.unit("calm@.service", "[Service]\nExecStart=/bin/sleep infinity\n")?;
    container.systemctl(&["daemon-reload"])?;
    let mut client = container.client()?;
    let mut expected = BTreeMap::new();
    for number in 0..storm.units {
        let agent = format!("calm@{number}");
        client.resource("systemd", &agent)?;
        let stopped = number % 5 == 4;
        if !stopped {
            client.run(&agent, "start")?.expect("start", 0, 0)?;
        }
        let call = client.ask(&agent, "monitor", INTERVAL, TIMEOUT)?;
        expected.insert(call, if stopped { 7 } else { 0 });
    }

    let started = Instant::now();
    let (mut answers, mut wrong, mut first) = (0_u64, 0_u64, None);
    let mut latest = BTreeMap::new();
    let mut longest = Duration::ZERO;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let blowing = scope.spawn(|| {
            let blown = blow(container, storm);
            over.store(true, Ordering::Relaxed);
            blown
        });
        // One more second, in which every unit answers again.
        let mut until = None;
        while until.is_none_or(|until| Instant::now() < until) {
            if until.is_none() && over.load(Ordering::Relaxed) {
                until = Some(Instant::now() + Duration::from_secs(1));
            }
            let Some(report) = client.hear(Duration::from_millis(100))? else { continue };
            let Some(rc) = expected.get(&report.call_id) else { continue };
            let now = Instant::now();
            let before = latest.insert(report.call_id, now).unwrap_or(now);
            longest = longest.max(now - before);
            answers += 1;
            let outcome = report.outcome;
            if (outcome.rc.number(), outcome.status.number()) != (*rc, 0) {
                wrong += 1;
                first.get_or_insert_with(|| format!("; the first: {} {outcome:?}", report.request.rsc_id));
            }
        }
        blowing.join().map_err(|_| anyhow::anyhow!("the storm panicked"))?
    })
    .with_context(|| container.log())?;
    ensure!(latest.len() == storm.units, "only {} of {} units answered", latest.len(), storm.units);

    let figure = format!(
        "{wrong} wrong of {answers} answers from {} units, {} reloads and {} re-execs in {:.0} s, longest pause of a \
         unit {} ms{}",
        storm.units,
        storm.reloads,
        storm.reexecs,
        started.elapsed().as_secs_f64(),
        longest.as_millis(),
        first.unwrap_or_default()
    );
    Ok(Finding { figure, holds: wrong == 0 && answers > 0 })
}

/// Mixes the two evenly.
fn blow(container: &Container, storm: Storm) -> Result<()> {
    let (mut reloads, mut reexecs) = (0, 0);
    while reloads < storm.reloads || reexecs < storm.reexecs {
        if reloads * storm.reexecs <= reexecs * storm.reloads && reloads < storm.reloads
            || reexecs == storm.reexecs
        {
            container.systemctl(&["daemon-reload"])?;
            reloads += 1;
        } else {
            container.systemctl(&["daemon-reexec"])?;
            reexecs += 1;
        }
    }
    Ok(())
}
