//! What a check of a container costs: `ocf:picket:container` and `ocf:heartbeat:docker` on the same engine, through the
//! same picket-agent, in one run.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::unistd::Pid;
use picket_proto::outcome::{ExecStatus, OcfRc};

use super::{Driver, Engine, Job, Kind, Part, driver, root};
use crate::agent::Agent;
use crate::host::Host;
use crate::network::Network;
use crate::peer::Peer;
use crate::program::Program;

const IMAGE: &str = "shell:test";
const TIMEOUT: Duration = Duration::from_secs(30);

/// The two agents and how much they get to do.
const AGENTS: [(&str, usize); 2] = [("picket:container", 400), ("heartbeat:docker", 20)];

/// What one check costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Median from start to end.
    pub time: Duration,
    /// Processor time of the agent and of what it starts.
    pub cpu: Duration,
    /// Processor time of the engine.
    pub engine: Duration,
    /// Processes and threads started by agent, children and engine.
    pub tasks: f64,
}

/// Both agents' costs.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// `ocf:picket:container`.
    pub picket: Cost,
    /// `ocf:heartbeat:docker`.
    pub heartbeat: Cost,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{:.1} ms, {:.2} ms CPU, {:.2} ms CPU of the engine, {:.1} processes and threads started",
            ms(self.time),
            ms(self.cpu),
            ms(self.engine),
            self.tasks
        )
    }
}

/// Checks of one container, one after the other.
pub fn monitors() -> Result<Costs> {
    let stage = Stage::new(1)?;
    let mut driver = driver(&stage.engine.host)?;
    let mut costs = Vec::new();
    for (agent, count) in AGENTS {
        driver.register("one", agent)?;
        costs.push(stage.cost(&mut driver, count).with_context(|| agent.to_owned())?);
    }
    Ok(Costs { picket: costs[0], heartbeat: costs[1] })
}

/// What came of many recurring checks on a busy machine.
#[derive(Clone, Debug)]
pub struct Load {
    /// Whose checks.
    pub agent: &'static str,
    /// Checks that ended.
    pub ended: usize,
    /// Results other than ok, though every container ran.
    pub wrong: usize,
    /// Checks over their deadline.
    pub late: usize,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} checks, {} wrong, {} over the deadline",
            self.agent, self.ended, self.wrong, self.late
        )
    }
}

/// `containers` checked every `interval` for `time` by each agent, while processors and disk are kept busy. A check may
/// take as long as its interval.
pub fn load(containers: usize, interval: Duration, time: Duration) -> Result<Vec<Load>> {
    let stage = Stage::new(containers)?;
    let host = &stage.engine.host;
    let folder = host.output("load");
    let file = folder.with_extension("bin");
    let write = format!(
        "while :; do dd if=/dev/zero of={} bs=1M count=64 conv=fsync 2>/dev/null; done",
        file.display()
    );
    for number in 0..std::thread::available_parallelism().map_or(2, usize::from) {
        host.start(&Program::new(&format!("burn{number}"), &["sh", "-c", "while :; do :; done"]))?;
    }
    host.start(&Program::new("write", &["sh", "-c", &write]))?;
    AGENTS.iter().map(|(agent, _)| stage.load(agent, containers, interval, time)).collect()
}

struct Stage {
    engine: Engine,
    agent: Pid,
    _peer: Peer,
}

impl Stage {
    /// Containers `c0` and so on, made through the API by our own agent.
    fn new(containers: usize) -> Result<Self> {
        let network = Network::new()?;
        let host = network.host("node")?;
        let engine = Engine::start(&host, Kind::Docker)?;
        engine.import(&root(&network, "shell", &[Part::Shell])?, IMAGE)?;
        let peer = Peer::start_on(&network, &host, Agent::Picket, &[])?;
        let mut driver = driver(&host)?;
        for number in 0..containers {
            let name = format!("c{number}");
            let rsc = format!("start{number}");
            driver.register(&rsc, "picket:container")?;
            let params = [
                ("name", name.as_str()),
                ("run_cmd", "sleep 10000"),
                ("run_opts", "--net=host"),
                ("image", IMAGE),
            ];
            let job = Job {
                rsc: &rsc,
                action: "start",
                params: &params,
                interval: Duration::ZERO,
                timeout: TIMEOUT,
            };
            let outcome = driver.run(&job)?.outcome;
            ensure!(outcome.rc == OcfRc::Ok, "start {name}: {outcome:?}");
        }
        let agent = peer.pid()?;
        Ok(Self { engine, agent, _peer: peer })
    }

    fn cost(&self, driver: &mut Driver, count: usize) -> Result<Cost> {
        let params = [("name", "c0"), ("image", IMAGE)];
        let job = Job {
            rsc: "one",
            action: "monitor",
            params: &params,
            interval: Duration::ZERO,
            timeout: TIMEOUT,
        };
        driver.run(&job)?;
        let host = &self.engine.host;
        let idle = tasks(host)?;
        let looking = tasks(host)? - idle;
        let (own, engine, tasks_before) = (cpu(self.agent)?, cpu(self.engine.pid()?)?, tasks(host)?);
        let mut times = Vec::new();
        for _ in 0..count {
            let began = Instant::now();
            let outcome = driver.run(&job)?.outcome;
            ensure!(outcome.rc == OcfRc::Ok, "{outcome:?}");
            times.push(began.elapsed());
        }
        let started = (tasks(host)? - tasks_before - looking).max(0);
        times.sort();
        let each = |before: Duration, after: Duration| (after - before).div_f64(count as f64);
        Ok(Cost {
            time: times[count / 2],
            cpu: each(own, cpu(self.agent)?),
            engine: each(engine, cpu(self.engine.pid()?)?),
            tasks: started as f64 / count as f64,
        })
    }

    fn load(
        &self,
        agent: &'static str,
        containers: usize,
        interval: Duration,
        time: Duration,
    ) -> Result<Load> {
        let mut driver = driver(&self.engine.host)?;
        for number in 0..containers {
            let (rsc, name) = (format!("r{number}"), format!("c{number}"));
            driver.register(&rsc, agent)?;
            let params = [("name", name.as_str()), ("image", IMAGE)];
            driver.begin(&Job {
                rsc: &rsc,
                action: "monitor",
                params: &params,
                interval,
                timeout: interval,
            })?;
        }
        let mut load = Load { agent, ended: 0, wrong: 0, late: 0 };
        let until = Instant::now() + time;
        while let Some(report) = driver.next_if_any(until.saturating_duration_since(Instant::now()))? {
            let late = report.outcome.status == ExecStatus::TimedOut;
            load.ended += 1;
            load.late += usize::from(late);
            load.wrong += usize::from(!late && report.outcome.rc != OcfRc::Ok);
        }
        for number in 0..containers {
            driver.cancel(&format!("r{number}"), "monitor", interval)?;
        }
        Ok(load)
    }
}

/// Processor time of a process, its threads, and the children it has waited for.
fn cpu(pid: Pid) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(4);
    let ticks: u64 = fields.map(|field| field.parse().unwrap_or(0)).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// A number that grows by one with each process and thread that starts in the host.
fn tasks(host: &Host) -> Result<i64> {
    let text = host.check(&["cat", "/proc/loadavg"])?;
    let last = text.split_whitespace().last().and_then(|pid| pid.parse().ok());
    last.with_context(|| format!("last pid in '{}'", text.trim()))
}
