//! Agent classes: what an operation of a resource means on this system.

pub mod lsb;
pub mod nagios;
pub mod ocf;
pub mod service;
pub mod stonith;
pub mod systemd;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use picket_proto::exec::ExecRequest;
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use picket_proto::resource::Definition;
use tokio::sync::mpsc;

use crate::executor::KillScope;
use crate::process::{self, Environment, Program};
use systemd::Systemd;

/// The classes by name, and what each does with an operation.
const CLASSES: [(&str, Class); 6] = [
    ("lsb", lsb::launch),
    ("nagios", nagios::launch),
    ("ocf", ocf::launch),
    ("service", service::launch),
    ("stonith", stonith::launch),
    ("systemd", systemd::launch),
];

type Class = fn(&Operation, &Surroundings) -> Launch;

/// One operation of one resource.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The resource.
    pub definition: Definition,
    /// What is to be done.
    pub request: ExecRequest,
}

/// What classes need of this system.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The environment of every child.
    pub env: Arc<Environment>,
    /// The way to systemd.
    pub systemd: Systemd,
}

/// How an operation is carried out.
pub enum Launch {
    /// Nothing is to be run: this is the result.
    Immediate(Outcome),
    /// This is how it stands, to be reported at once; the work goes on.
    Interim(Outcome, Task),
    /// By a program.
    Program(Program),
    /// By a program that is run again until it succeeds; the time is the operation's, in which that must happen.
    Repeated(Program, Duration),
    /// By work that leads to one of the above. A kill drops it.
    Task(Task),
}

/// Work of a class.
pub type Task = Pin<Box<dyn Future<Output = Launch> + Send>>;

/// Longest pause before a program is run again.
const PAUSE: Duration = Duration::from_secs(2);

impl Operation {
    /// Whether it asks for the state of a resource.
    #[must_use]
    pub fn is_monitor(&self) -> bool {
        matches!(self.request.action.as_str(), "monitor" | "status")
    }

    /// Whether it asks for the state before anything was started.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.is_monitor() && self.request.interval == 0
    }

    /// The operation's time; `None` where it has no limit.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        Some(self.request.timeout).filter(|timeout| *timeout > 0).map(Duration::from_millis)
    }
}

/// Carries an operation out, to its end or until a kill has ended it. What is to be reported before goes to `interim`.
pub async fn execute(
    operation: &Operation,
    surroundings: &Surroundings,
    mut kills: mpsc::UnboundedReceiver<KillScope>,
    interim: mpsc::Sender<Outcome>,
) -> Outcome {
    let mut launch = launch(operation, surroundings);
    loop {
        launch = match launch {
            Launch::Immediate(outcome) => return outcome,
            Launch::Interim(outcome, task) => {
                // Closed only where nobody wants the end either.
                let _ = interim.send(outcome).await;
                Launch::Task(task)
            }
            Launch::Program(program) => {
                return process::run(program, surroundings.env.clone(), &mut kills).await;
            }
            Launch::Repeated(program, limit) => {
                return repeat(&program, limit, surroundings, &mut kills).await;
            }
            Launch::Task(task) => tokio::select! {
                launch = task => launch,
                Some(_) = kills.recv() => return killed(),
            },
        }
    }
}

/// Looks the class up, in any case of letters.
fn launch(operation: &Operation, surroundings: &Surroundings) -> Launch {
    let class = CLASSES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&operation.definition.class));
    match class {
        Some((_, launch)) => launch(operation, surroundings),
        None => missing(&operation.definition.agent),
    }
}

/// The result where there is no such agent.
fn missing(name: &str) -> Launch {
    Launch::Immediate(
        Outcome::new(OcfRc::NotInstalled, ExecStatus::NotInstalled)
            .because(format!("{name}: No such file or directory")),
    )
}

/// What a killed task leaves. The executor knows why it was killed, and reports that.
fn killed() -> Outcome {
    Outcome::new(OcfRc::Error, ExecStatus::Error).because("Killed")
}

async fn repeat(
    program: &Program,
    limit: Duration,
    surroundings: &Surroundings,
    kills: &mut mpsc::UnboundedReceiver<KillScope>,
) -> Outcome {
    let started = tokio::time::Instant::now();
    loop {
        let outcome = process::run(program.clone(), surroundings.env.clone(), kills).await;
        let left = limit.saturating_sub(started.elapsed());
        let pause = (limit / 10).min(left / 2).min(PAUSE);
        if outcome.rc == OcfRc::Ok || pause.is_zero() {
            return outcome;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Some(_) = kills.recv() => return killed(),
        }
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Immediate(outcome) => f.debug_tuple("Immediate").field(outcome).finish(),
            Self::Interim(outcome, _) => f.debug_tuple("Interim").field(outcome).finish(),
            Self::Program(program) => f.debug_tuple("Program").field(program).finish(),
            Self::Repeated(program, limit) => f.debug_tuple("Repeated").field(program).field(limit).finish(),
            Self::Task(_) => f.write_str("Task"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An operation without parameters.
    pub(crate) fn operation(class: &str, agent: &str, action: &str, interval: u64) -> Operation {
        let (class, agent) = (class.to_owned(), agent.to_owned());
        Operation {
            definition: Definition { id: "db:0".to_owned(), class, provider: None, agent },
            request: ExecRequest { action: action.to_owned(), interval, ..ExecRequest::default() },
        }
    }

    pub(crate) fn surroundings() -> Surroundings {
        Surroundings { env: Arc::new([]), systemd: Systemd::new().0 }
    }

    /// What is run for an operation.
    pub(crate) fn program(operation: &Operation) -> Program {
        match launch(operation, &surroundings()) {
            Launch::Program(program) => program,
            other => panic!("{operation:?} leads to {other:?}"),
        }
    }

    /// The result of an operation for which nothing is run.
    pub(crate) fn immediate(operation: &Operation) -> (u8, i8, Option<String>) {
        match launch(operation, &surroundings()) {
            Launch::Immediate(outcome) => (outcome.rc.number(), outcome.status.number(), outcome.exit_reason),
            other => panic!("{operation:?} leads to {other:?}"),
        }
    }

    #[test]
    fn class_names_are_known_in_any_case_and_others_are_not_installed() {
        assert_eq!(program(&operation("LSB", "x", "start", 0)).name, "/etc/init.d/x");
        let reason = Some("x: No such file or directory".to_owned());
        assert_eq!(immediate(&operation("upstart", "x", "start", 0)), (5, 7, reason));
    }

    fn repeated(script: &str) -> Program {
        Program {
            path: "/bin/sh".into(),
            name: "sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: Vec::new(),
            secrets: process::Secrets::default(),
            user: None,
            exit_code: OcfRc::from_ocf_exit,
            gives_reason: false,
        }
    }

    #[tokio::test]
    async fn a_repeated_program_ends_with_its_first_success_or_when_its_time_is_over() {
        let (_keep, mut kills) = mpsc::unbounded_channel();
        let flag = std::env::temp_dir().join(format!("picket-repeat-{}", std::process::id()));
        let script = format!("test -e {0} && rm {0} || {{ touch {0}; exit 1; }}", flag.display());
        let outcome = repeat(&repeated(&script), Duration::from_secs(5), &surroundings(), &mut kills).await;
        assert_eq!((outcome.rc, flag.exists()), (OcfRc::Ok, false));
        let outcome =
            repeat(&repeated("exit 1"), Duration::from_millis(50), &surroundings(), &mut kills).await;
        assert_eq!(outcome.rc, OcfRc::Error);
    }
}
