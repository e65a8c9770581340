//! Runs the table's checks, several agents at a time, and counts.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::agent::Agent;
use crate::parity::bench::Bench;
use crate::parity::cluster;
use crate::parity::conformance::behavior::{Behavior, Cost, Original, Shown, test_exists};

/// Agents that work at a time. Checks wait more than they compute.
const WORKERS: usize = 4;

/// One line of the report.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The behavior.
    pub behavior: Behavior,
    /// Which agent was asked; `None` where no check was run.
    pub agent: Option<Agent>,
    /// What came of it.
    pub verdict: Verdict,
    /// What was measured, or why not.
    pub figure: String,
    /// How long it took.
    pub took: Duration,
}

/// What came of a behavior.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// As it should be.
    Holds,
    /// Not as it should be, or not there.
    FallsShort,
    /// It does not apply, or the agent is not asked.
    NotApplicable,
    /// The original is known to be otherwise, and it is.
    Differs,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Summary {
    /// In the order of the table; the original's outcome follows picket-agent's.
    pub outcomes: Vec<Outcome>,
}

impl Summary {
    /// What picket-agent falls short of, or the table itself does.
    pub fn shortfalls(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::FallsShort)
    }

    fn count(&self, verdict: Verdict, original: bool) -> usize {
        let counts = |outcome: &&Outcome| {
            outcome.verdict == verdict && (outcome.agent == Some(Agent::Original)) == original
        };
        self.outcomes.iter().filter(counts).count()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = |verdict| self.count(verdict, false);
        let theirs = |verdict| self.count(verdict, true);
        write!(
            f,
            "{} hold, {} fall short, {} not applicable; the original: {} hold, {} known differences, \
             {} unexpected, {} not asked",
            ours(Verdict::Holds),
            ours(Verdict::FallsShort),
            ours(Verdict::NotApplicable),
            theirs(Verdict::Holds),
            theirs(Verdict::Differs),
            theirs(Verdict::FallsShort),
            theirs(Verdict::NotApplicable),
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Holds => "holds",
            Verdict::FallsShort => "falls short",
            Verdict::NotApplicable => "not applicable",
            Verdict::Differs => "differs",
        };
        let Behavior { number, words, .. } = self.behavior;
        let agent = self.agent.map_or("", Agent::name);
        let took = self.took.as_secs_f64();
        write!(f, "{number:3} {agent:8} {verdict}  {words}: {} ({took:.1} s)", self.figure)
    }
}

/// Runs the checks of these behaviors against these agents; `full` has time for what takes half a minute, and asks
/// the original everything it can be asked. `tell` learns of each outcome as it comes.
pub fn run(
    table: &[Behavior],
    agents: &[Agent],
    full: bool,
    tell: &(dyn Fn(&Outcome) + Sync),
) -> Result<Summary> {
    let mut jobs: Vec<_> =
        agents.iter().flat_map(|agent| table.iter().map(move |behavior| (*agent, *behavior))).collect();
    // What takes long starts first, or all would wait for it in the end.
    jobs.sort_by_key(|(_, behavior)| !matches!(behavior.shown, Shown::By { cost: Cost::Time, .. }));
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(|| {
                    let benches = agents.iter().map(|agent| Bench::new(*agent, full)).collect::<Vec<_>>();
                    while let Some((agent, behavior)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let bench = benches.iter().find(|bench| bench.agent == *agent).expect("one a kind");
                        if let Some(outcome) = examine(*behavior, bench) {
                            tell(&outcome);
                            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked")))
    })?;
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| (outcome.behavior.number, outcome.agent == Some(Agent::Original)));
    Ok(Summary { outcomes })
}

fn examine(behavior: Behavior, bench: &Bench) -> Option<Outcome> {
    let is_original = bench.agent == Agent::Original;
    let told = |verdict, figure: String| {
        let agent = is_original.then_some(Agent::Original);
        Some(Outcome { behavior, agent, verdict, figure, took: Duration::ZERO })
    };
    match behavior.shown {
        Shown::By { check, original, cost } => match original {
            _ if is_original && !bench.full && cost != Cost::Little => {
                told(Verdict::NotApplicable, "not asked: in full only".into())
            }
            Original::NotAsked(why) if is_original => {
                told(Verdict::NotApplicable, format!("not asked: {why}"))
            }
            _ => Some(carry_out(behavior, check, original, bench)),
        },
        // What is not a check here is told once.
        _ if is_original => None,
        Shown::InCluster(step) => match cluster::has(step) {
            true => told(Verdict::Holds, format!("shown in a cluster, \"{step}\"")),
            false => told(Verdict::FallsShort, format!("no cluster scenario has a step \"{step}\"")),
        },
        Shown::Test(file, name) => match test_exists(file, name) {
            Ok(()) => told(Verdict::Holds, format!("shown by {name} in {file}")),
            Err(e) => told(Verdict::FallsShort, format!("{e:#}")),
        },
        Shown::Missing(what) => told(Verdict::FallsShort, what.into()),
        Shown::NotApplicable(why) => told(Verdict::NotApplicable, why.into()),
    }
}

fn carry_out(
    behavior: Behavior,
    check: fn(&Bench) -> Result<String>,
    original: Original,
    bench: &Bench,
) -> Outcome {
    let started = Instant::now();
    let result = check(bench);
    bench.tidy(result.is_err());
    let known = match original {
        Original::FallsShort(why) if bench.agent == Agent::Original => Some(why),
        _ => None,
    };
    let (verdict, figure) = match (result, known) {
        (Ok(figure), None) => (Verdict::Holds, figure),
        (Err(e), None) => (Verdict::FallsShort, format!("{e:#}")),
        (Err(_), Some(why)) => (Verdict::Differs, why.to_owned()),
        (Ok(_), Some(why)) => (Verdict::FallsShort, format!("it passes, so this is wrong: {why}")),
    };
    Outcome { behavior, agent: Some(bench.agent), verdict, figure, took: started.elapsed() }
}
