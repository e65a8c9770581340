//! Generates the cases, runs them, and checks what must hold for every driver.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::{FAULTS, Fault, Often};
use super::server::{Injection, Server};
use super::tls::{Flaw, TempFile, identity};
use super::world::{Quirk, World};
use super::{Bench, time};
use crate::core::action::Action;
use crate::core::agent::List;
use crate::core::deadline::Deadline;
use crate::core::driver::Power;
use crate::core::env::Env;
use crate::core::failure::{Exit, Failure};
use crate::core::input::stdin;
use crate::core::report::Report;
use crate::core::request::Request;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::{output, shell, standard};

thread_local! {
    /// One for all cases of a test: starting one costs more than a case.
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
}

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) failure: Option<Failure>,
    pub(crate) report: Report,
    /// Paused time, from start to end.
    pub(crate) elapsed: Duration,
    /// The deadline it had.
    pub(crate) deadline: Duration,
    pub(crate) world: World,
    pub(crate) log: Vec<(String, String)>,
}

/// One run of an agent against its mock.
#[derive(Clone, Copy)]
pub(crate) struct Case<'b> {
    pub(crate) bench: &'b Bench,
    pub(crate) action: Action,
    /// Whether `vm1` is on in the beginning.
    pub(crate) on: bool,
    pub(crate) quirk: Option<Quirk>,
    pub(crate) injection: Option<Injection>,
    /// In place of the bench's plug.
    pub(crate) plug: Option<&'b str>,
    pub(crate) tls: Option<Flaw>,
    /// Further options.
    pub(crate) more: &'b str,
}

impl<'b> Case<'b> {
    pub(crate) fn new(bench: &'b Bench, action: Action, on: bool) -> Self {
        Self { bench, action, on, quirk: None, injection: None, plug: None, tls: None, more: "" }
    }

    /// Runs it with paused time.
    pub(crate) fn run(self) -> Outcome {
        let outcome = RUNTIME.with(|runtime| runtime.block_on(self.inside()));
        time::release();
        outcome
    }

    async fn inside(self) -> Outcome {
        let identity = self.tls.map(identity);
        let acceptor = identity.as_ref().map(|identity| identity.acceptor.clone());
        let world = World::new(self.on, self.quirk);
        let server = Server::start(world, (self.bench.platform)(), self.injection, acceptor).await;
        let mut lines = (self.bench.address)(server.port, identity.is_some()) + self.bench.options + "\n";
        let mut ca = None;
        if let Some(identity) = &identity {
            let file = TempFile::new(&server.port.to_string(), &identity.ca_pem);
            lines += &format!("{}={}\n", self.bench.ca, file.0.display());
            ca = Some(file);
        }
        if let Some(plug) = self.plug.or(self.bench.plug) {
            lines += &format!("plug={plug}\n");
        }
        lines += self.more;
        let agent = self.bench.agent;
        let values = stdin::parse(&agent.table(), &lines).unwrap();
        let request = Request::new(agent, self.action, &values, &Env::default()).unwrap();
        let start = Instant::now();
        let deadline = Deadline::new(start, request.deadline);
        let password = values.text(&standard::PASSWORD).map(Secret::new);
        let settings = Settings::new(agent, agent.name, Env::default(), values, password, deadline);
        let mut report = Report::default();
        let mut driver = (agent.driver)(&settings).unwrap();
        let never = std::future::pending();
        let result = shell::run(driver.as_mut(), &request, deadline, never, &mut report).await;
        let elapsed = start.elapsed();
        let (exit, failure) = report.end(result);
        drop(ca);
        let mut shared = server.state.lock().unwrap();
        let world = std::mem::replace(&mut shared.world, World::new(false, None));
        let log = std::mem::take(&mut shared.log);
        Outcome { exit, failure, report, elapsed, deadline: request.deadline, world, log }
    }
}

/// What must come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// As without the fault.
    Same,
    /// A failure.
    Failure,
    /// Either.
    Any,
}

/// Of the faults of the wire, one in so many is tried where the whole matrix is not asked for. No divisor of the number
/// of faults, so that each fault meets each kind of call in one action or another.
const STRIDE: usize = 5;

/// Runs the cases of a bench and prints their number: all of them with `PICKET_FENCE_MATRIX=full`, else a part.
pub(crate) fn run(bench: &Bench) {
    let full = std::env::var("PICKET_FENCE_MATRIX").is_ok_and(|word| word == "full");
    let stride = if full { 1 } else { STRIDE };
    let mut all = Matrix { bench, stride, wires: 0, count: 0, wrong: Vec::new() };
    for action in actions(bench) {
        all.wires(action);
        all.quirks(action);
        all.certificates(action);
    }
    let (name, count, wrong) = (bench.agent.name, all.count, all.wrong.len());
    output::stdout(&format!("fault matrix of {name}: {count} cases, {wrong} wrong\n"));
    assert!(count > 100, "the matrix of {name} is too small to mean anything");
    assert!(all.wrong.is_empty(), "{}", all.wrong[..all.wrong.len().min(40)].join("\n"));
}

/// The actions to try, and whether the machine is on before.
fn actions(bench: &Bench) -> Vec<(Action, bool)> {
    let mut actions = vec![
        (Action::Off, true),
        (Action::Off, false),
        (Action::On, false),
        (Action::Reboot, true),
        (Action::Status, true),
        (Action::Status, false),
        (Action::Monitor, true),
    ];
    if bench.agent.can.list != List::No {
        actions.extend([(Action::List, true), (Action::ListStatus, true)]);
    }
    if bench.agent.can.cycle {
        actions.push((Action::Cycle, true));
    }
    actions
}

struct Matrix<'b> {
    bench: &'b Bench,
    /// One fault of the wire in so many is tried, and how many have come along.
    stride: usize,
    wires: usize,
    count: usize,
    wrong: Vec<String>,
}

impl Matrix<'_> {
    /// Every fault in every call.
    fn wires(&mut self, (action, on): (Action, bool)) {
        let happy = Case::new(self.bench, action, on).run();
        let expected = match (action, on) {
            (Action::Status, false) => Exit::Off,
            _ => Exit::Success,
        };
        self.check(&format!("{action:?} on={on}: no fault"), &happy, action, expected, Expected::Same);
        let faults = (self.bench.platform)().wire().map_or(FAULTS, |wire| wire.faults);
        let name = |at: usize| format!("{} {}", happy.log[at].0, happy.log[at].1);
        for at in 0..happy.log.len() {
            for &fault in faults {
                for often in [Often::Once, Often::Always] {
                    // A door that is closed stays closed; and 17 MB are sent once for each kind of call only.
                    let costly =
                        fault == Fault::Flood && (often == Often::Always || action != Action::Reboot);
                    if costly || (fault == Fault::Refused && often == Often::Once) {
                        continue;
                    }
                    self.wires += 1;
                    if !self.wires.is_multiple_of(self.stride) {
                        continue;
                    }
                    let injection = Some(Injection { fault, at, often });
                    let outcome = Case { injection, ..Case::new(self.bench, action, on) }.run();
                    let title =
                        format!("{action:?} on={on}: {fault:?} {often:?} at call {at} ({})", name(at));
                    let outlook = self.outlook(action, &happy, fault, often, at);
                    self.check(&title, &outcome, action, expected, outlook);
                }
            }
        }
    }

    /// What a fault in a call of the happy path must lead to.
    fn outlook(&self, action: Action, happy: &Outcome, fault: Fault, often: Often, at: usize) -> Expected {
        let (method, path) = &happy.log[at];
        let optional = |(m, p): &(&str, &str)| m == method && path.starts_with(p);
        if self.bench.optional.iter().any(optional) {
            return Expected::Any;
        }
        let is_command = method != "GET";
        let off_is_proven = action == Action::Reboot && happy.world.first_on.is_some_and(|first| at >= first);
        let machine_decides = action.is_power() && action != Action::Cycle || action == Action::Status;
        match often {
            _ if off_is_proven => Expected::Same,
            // What was told to be accepted is not sent again; what was carried out is, and does no harm.
            _ if is_command && (fault.looks_good() || fault.is_carried_out()) => Expected::Any,
            // A driver may follow it when it checks where it leads.
            _ if fault == Fault::Moved => Expected::Any,
            // A reset is proven by the platform, and does not need the state.
            Often::Always if action == Action::Cycle && !is_command => Expected::Any,
            Often::Always => Expected::Failure,
            Often::Once if !machine_decides => Expected::Any,
            Often::Once if fault.passes() => {
                // A session must be open before it can be opened again.
                let login = is_command && happy.world.first_reading.is_none_or(|first| at < first);
                if login && fault == Fault::Status(409) { Expected::Any } else { Expected::Same }
            }
            Often::Once if matches!(fault, Fault::Status(401) | Fault::Stranger) => {
                let opened = happy.world.first_reading.is_some_and(|first| at > first);
                if opened { Expected::Same } else { Expected::Any }
            }
            Often::Once => Expected::Any,
        }
    }

    /// Machines which do not do what they say.
    fn quirks(&mut self, (action, on): (Action, bool)) {
        let happy = Case::new(self.bench, action, on).run();
        let changes = matches!((action, on), (Action::Off | Action::Reboot, true) | (Action::On, false));
        let mut try_one = |quirk: Quirk, outlook: Expected| {
            let outcome = Case { quirk: Some(quirk), ..Case::new(self.bench, action, on) }.run();
            self.check(&format!("{action:?} on={on}: {quirk:?}"), &outcome, action, happy.exit, outlook);
        };
        if changes {
            try_one(Quirk::Frozen, Expected::Failure);
        }
        let power = action.is_power() && action != Action::Cycle;
        // Status of a machine that is off believes a single "on": that is the harmless direction.
        if power || (action == Action::Status && on) {
            for reading in 0..happy.world.readings {
                try_one(Quirk::LieAt(reading), Expected::Same);
                try_one(Quirk::OddAt(reading), Expected::Same);
            }
            let proven = happy.world.readings.saturating_sub(2);
            let from_the_end = if action == Action::Reboot { Expected::Same } else { Expected::Failure };
            try_one(Quirk::OddFrom(0), Expected::Failure);
            if proven > 0 {
                try_one(Quirk::OddFrom(proven), from_the_end);
            }
        }
        if self.bench.names_repeat && action.needs_plug() {
            let case = Case { quirk: Some(Quirk::SameName), ..Case::new(self.bench, action, on) };
            let outcome = Case { plug: Some("vm1"), ..case }.run();
            self.check_untouched(&format!("{action:?} on={on}: two machines of the name"), &outcome, action);
        }
        if let Some(wildcard) = self.bench.wildcard.filter(|_| action.needs_plug()) {
            let outcome = Case { plug: Some(wildcard), ..Case::new(self.bench, action, on) }.run();
            self.check_untouched(&format!("{action:?} on={on}: plug {wildcard}"), &outcome, action);
        }
    }

    /// Certificates: a bad one ends the run before anything is sent.
    fn certificates(&mut self, (action, on): (Action, bool)) {
        if self.bench.ca.is_empty() {
            return;
        }
        for flaw in [Flaw::None, Flaw::Expired, Flaw::WrongName, Flaw::Stranger] {
            let outcome = Case { tls: Some(flaw), ..Case::new(self.bench, action, on) }.run();
            let title = format!("{action:?} on={on}: certificate {flaw:?}");
            if flaw == Flaw::None {
                let happy = if (action, on) == (Action::Status, false) { Exit::Off } else { Exit::Success };
                self.check(&title, &outcome, action, happy, Expected::Same);
                continue;
            }
            self.check_untouched(&title, &outcome, action);
            if !outcome.log.is_empty() {
                self.wrong.push(format!("{title}: sent {:?}", outcome.log));
            }
        }
    }

    /// Must fail and must not have switched anything.
    fn check_untouched(&mut self, title: &str, outcome: &Outcome, action: Action) {
        self.check(title, outcome, action, Exit::Failure, Expected::Same);
        if outcome.world.machines.iter().any(|machine| machine.switched > 0) {
            self.wrong.push(format!("{title}: a machine was switched"));
        }
    }

    fn check(&mut self, title: &str, outcome: &Outcome, action: Action, happy: Exit, expected: Expected) {
        self.count += 1;
        let mut wrong = |what: &str| {
            let failure = outcome.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            self.wrong.push(format!("{title}: {what} (exit {:?}: {failure})", outcome.exit));
        };
        if outcome.elapsed > outcome.deadline {
            wrong(&format!("took {:?} of {:?}", outcome.elapsed, outcome.deadline));
        }
        let machine = &outcome.world.machines[0];
        let truth = match (action, outcome.exit) {
            (Action::Off, Exit::Success) => !machine.on,
            (Action::On, Exit::Success) => machine.on,
            (Action::Reboot, Exit::Success) => {
                // Where power-on is claimed, it must be true as well.
                machine.was_off && (outcome.report.warning.is_some() || machine.on)
            }
            (Action::Cycle, Exit::Success) => machine.switched > 0,
            (Action::Status, Exit::Success) => machine.on,
            (Action::Status, Exit::Off) => !machine.on,
            (Action::ListStatus, Exit::Success) => {
                let list = outcome.report.list.iter().flatten();
                let shown = |power: Power| list.clone().filter(|entry| entry.power == power.word()).count();
                list.clone().count() == 2 && shown(Power::Off) == 0
            }
            (Action::List, Exit::Success) => outcome.report.list.as_ref().is_some_and(|list| list.len() == 2),
            (_, Exit::Off) => false,
            (_, Exit::Success | Exit::Failure) => true,
        };
        if !truth {
            wrong("LIE");
        }
        if outcome.world.machines[1].switched > 0 {
            wrong("switched the other machine");
        }
        let fits = match expected {
            Expected::Same => outcome.exit == happy,
            Expected::Failure => outcome.exit == Exit::Failure,
            Expected::Any => outcome.exit == happy || outcome.exit == Exit::Failure,
        };
        if !fits {
            wrong(&format!("expected {expected:?} as {happy:?}"));
        }
    }
}
