//! The power machine: which step comes next, and when a state counts as reached.
//!
//! Pure: it gets the time with each call and does nothing itself. `shell` carries out its steps.
//!
//! ```text
//!            +--> Judging --> (already there) -------------------------> Done
//!  Opening --+       |
//!            |       +-> Driving(Off) --> Driving(On) ---> Done      reboot: success once off is proven
//!            |       +-> Cycling ----------------------> Done        only where the platform proves the reset
//!            +--> Failed
//! ```
//!
//! Invariants, which the property tests hold against simulated machines that lie, flip and stand still:
//!
//! * off and on are reported only after two readings in a row which say so, [`Limits::confirm`] apart or as far as the
//!   driver asks (`settle`), with no request and no fault in between;
//! * whatever is not proven off is not off: unknown states get the off request too (fence-contract, section 9);
//! * off and on are requests for a state and may be repeated when not accepted; a cycle is sent once;
//! * every step ends before [`Limits::total`].

mod track;

#[cfg(test)]
mod tests;

use std::time::Duration;

use self::track::{Sent, Track};
use super::driver::{Power, Reading};
use super::failure::Failure;
use super::fault::{Class, Fault};
use super::request::Limits;

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// All machines on.
    On,
    /// All machines off.
    Off,
    /// All machines off, then on.
    Reboot,
    /// All machines reset by the platform.
    Cycle,
    /// The state, combined: any machine which is not off decides.
    Status,
}

/// A request to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Cut the power.
    Off,
    /// Start.
    On,
    /// Reset.
    Cycle,
}

/// What the shell does next. Machines are counted from 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Log in and resolve all machines; answer with [`Machine::opened`].
    Open,
    /// Read the state of a machine; answer with [`Machine::read`].
    Read(usize),
    /// Send a request to a machine; answer with [`Machine::sent`].
    Send(Command, usize),
    /// Wait this long.
    Sleep(Duration),
    /// The end.
    Done(End),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The state is proven. `already`: no request was needed.
    Reached {
        /// On or off.
        power: Power,
        /// It was so before.
        already: bool,
    },
    /// Off was proven (or the platform proved its reset). What became of power-on.
    Rebooted {
        /// Why power-on is not confirmed, if it is not.
        on: Option<Failure>,
    },
    /// The answer to [`Goal::Status`].
    Status(Power),
    /// Not reached, or not proven.
    Failed(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Judging,
    Driving { command: Command, round: u32, until: Option<Duration> },
    Cycling { next: usize },
}

/// The machine itself. Times are counted from the start of the process.
#[derive(Debug)]
pub struct Machine {
    goal: Goal,
    limits: Limits,
    plugs: Vec<String>,
    missing_as_off: bool,
    stage: Stage,
    /// Where to go on after logging in again.
    resume: Option<Stage>,
    tracks: Vec<Track>,
    rest: Duration,
    /// Since when the device is no use, and how many calls it has failed since.
    absent: Option<(Duration, u32)>,
    /// When the present step was given out.
    asked: Duration,
    accepted: bool,
    reopened: bool,
    last_fault: Option<Fault>,
    off_proven: bool,
    end: Option<End>,
}

impl Machine {
    /// A machine for these plugs; at least one.
    pub fn new(goal: Goal, plugs: &[String], limits: Limits, missing_as_off: bool) -> Self {
        Self {
            goal,
            limits,
            plugs: plugs.to_vec(),
            missing_as_off,
            stage: Stage::Opening,
            resume: None,
            tracks: plugs.iter().map(|_| Track::new()).collect(),
            rest: Duration::ZERO,
            absent: None,
            asked: Duration::ZERO,
            accepted: false,
            reopened: false,
            last_fault: None,
            off_proven: false,
            end: None,
        }
    }

    /// The state of a machine before the first request, and as last read.
    pub fn readings(&self, at: usize) -> (Option<&Reading>, Option<&Reading>) {
        (self.tracks[at].before.as_ref(), self.tracks[at].last.as_ref())
    }

    /// What to do next.
    pub fn step(&mut self, now: Duration) -> Step {
        self.asked = now;
        if self.end.is_none() && now >= self.limits.total {
            self.expire();
        }
        // A stage that is done leads to the next one, which may have a step at once.
        while self.end.is_none() && self.rest <= now {
            let step = match self.stage {
                Stage::Opening => Some(Step::Open),
                Stage::Judging => self.judge(now),
                Stage::Driving { command, round, until } => self.drive(now, command, round, until),
                Stage::Cycling { next } => Some(Step::Send(Command::Cycle, next)),
            };
            if let Some(step) = step {
                return step;
            }
        }
        match &self.end {
            Some(end) => Step::Done(end.clone()),
            None => Step::Sleep(self.rest.min(self.limits.total).saturating_sub(now)),
        }
    }

    /// The result of [`Step::Open`]; a fault comes with the machine it was about, if any.
    pub fn opened(&mut self, now: Duration, result: Result<(), (Option<usize>, Fault)>) {
        match result {
            Ok(()) => {
                self.absent = None;
                self.stage = self.resume.take().unwrap_or(Stage::Judging);
            }
            Err((at, fault)) => {
                self.note_absence(&fault);
                // Looking for the machine again is right for what may pass; everything else stays wrong.
                let passes = matches!(fault.class(), Class::Passing | Class::Conflict);
                if !passes || self.absence_is_over(now) {
                    return self.give_up(at, fault);
                }
                self.last_fault = Some(fault);
                self.rest = now + self.limits.poll;
            }
        }
    }

    /// The result of [`Step::Read`].
    pub fn read(&mut self, now: Duration, at: usize, result: Result<Reading, Fault>) {
        let result = match result {
            Err(Fault::NotFound { .. }) if self.missing_as_off => Ok(Reading::off("unknown to the device")),
            other => other,
        };
        match result {
            Ok(reading) => {
                self.absent = None;
                self.tracks[at].read(now, reading);
            }
            Err(fault) => {
                self.note_absence(&fault);
                match fault.class() {
                    Class::Session if self.open_again() => {}
                    Class::Passing | Class::Conflict if !self.absence_is_over(now) => {
                        self.tracks[at].failed(now, fault.clone());
                        self.last_fault = Some(fault);
                    }
                    _ => self.give_up(Some(at), fault),
                }
            }
        }
    }

    /// The result of [`Step::Send`].
    pub fn sent(&mut self, now: Duration, at: usize, result: Result<(), Fault>) {
        if let Stage::Cycling { next } = self.stage {
            return self.cycled(at, next, result);
        }
        self.tracks[at].forget();
        self.tracks[at].seen = false;
        match result {
            Ok(()) => {
                self.accepted = true;
                self.absent = None;
                self.tracks[at].sent = Sent::Accepted;
                self.rest = now + self.limits.wait;
            }
            Err(fault) => {
                self.note_absence(&fault);
                match fault.class() {
                    Class::Session if self.open_again() => {}
                    Class::Passing | Class::Conflict if !self.absence_is_over(now) => {
                        self.tracks[at].sent = Sent::Again(now + self.limits.poll);
                        self.tracks[at].fault = Some(fault.clone());
                        self.last_fault = Some(fault);
                    }
                    _ => self.give_up(Some(at), fault),
                }
            }
        }
    }

    /// Reads each machine until it is clear whether requests are needed.
    fn judge(&mut self, now: Duration) -> Option<Step> {
        if let Some(at) = self.tracks.iter().position(|track| !track.seen) {
            return Some(Step::Read(at));
        }
        let (wanted, other) = match self.goal {
            Goal::On => (Power::On, Power::Off),
            Goal::Off | Goal::Reboot | Goal::Cycle | Goal::Status => (Power::Off, Power::On),
        };
        if self.tracks.iter().all(|track| track.proves(wanted, self.limits.confirm)) {
            self.judged(now, wanted);
            return None;
        }
        let differs = self.tracks.iter().any(|track| track.power() == Some(other));
        let unclear = self.tracks.iter().any(|track| track.unclear_since.is_some());
        match self.goal {
            Goal::Status if differs => self.end = Some(End::Status(Power::On)),
            Goal::On if differs => self.drive_to(now, Command::On, 0),
            // What is not proven off is not off, unclear or not.
            Goal::Off | Goal::Reboot if differs || unclear => self.drive_to(now, Command::Off, 0),
            Goal::Cycle if differs || unclear => self.stage = Stage::Cycling { next: 0 },
            _ => {
                let over = |track: &Track| {
                    track.unclear_since.is_some_and(|since| now >= since + self.limits.unclear)
                };
                match self.tracks.iter().position(over) {
                    Some(at) => self.end = Some(End::Failed(self.no_state(at))),
                    None => self.look_again(now, wanted),
                }
            }
        }
        None
    }

    /// All machines are already what is wanted.
    fn judged(&mut self, now: Duration, power: Power) {
        match self.goal {
            Goal::On | Goal::Off => self.end = Some(End::Reached { power, already: true }),
            Goal::Status => self.end = Some(End::Status(power)),
            Goal::Reboot | Goal::Cycle => {
                self.off_proven = true;
                self.drive_to(now, Command::On, 0);
            }
        }
    }

    /// Sends `command` to each machine which is not there yet, and reads until all are.
    fn drive(
        &mut self,
        now: Duration,
        command: Command,
        round: u32,
        until: Option<Duration>,
    ) -> Option<Step> {
        let wanted = if command == Command::On { Power::On } else { Power::Off };
        let confirm = self.limits.confirm;
        if self.tracks.iter().all(|track| track.proves(wanted, confirm)) {
            self.reached(now, command);
            return None;
        }
        // What shows the wanted state, and is only being proven, gets the time for it.
        let proving = self.tracks.iter().all(|track| track.missing_proof(wanted, confirm).is_some());
        if !proving && until.is_some_and(|until| now >= until) {
            if command == Command::On && round + 1 < self.limits.rounds {
                self.drive_to(now, Command::On, round + 1);
            } else {
                self.not_reached(wanted);
            }
            return None;
        }
        for (at, track) in self.tracks.iter().enumerate() {
            let due = match track.sent {
                Sent::Nothing => track.power() != Some(wanted),
                // Whether the device acted on it is read before it is sent again.
                Sent::Again(time) => time <= now && track.seen && track.power() != Some(wanted),
                Sent::Accepted => false,
            };
            if due && !track.proves(wanted, confirm) {
                return Some(Step::Send(command, at));
            }
        }
        if let Some(at) = self.tracks.iter().position(|track| !track.seen) {
            return Some(Step::Read(at));
        }
        self.look_again(now, wanted);
        None
    }

    /// Pauses, then reads every machine again.
    fn look_again(&mut self, now: Duration, wanted: Power) {
        let confirm = self.limits.confirm;
        let proofs = self.tracks.iter().map(|track| track.missing_proof(wanted, confirm));
        // Only proofs are missing: wait just as long as they take.
        let pause = proofs.collect::<Option<Vec<Duration>>>().and_then(|left| left.into_iter().max());
        self.rest = now + pause.unwrap_or(self.limits.poll).max(Duration::from_millis(1));
        for track in &mut self.tracks {
            track.seen = false;
        }
    }

    fn drive_to(&mut self, now: Duration, command: Command, round: u32) {
        let limit = match command {
            Command::On if self.off_proven => Some(self.limits.on_after_off),
            Command::On => self.limits.on,
            Command::Off | Command::Cycle => self.limits.off,
        };
        self.stage = Stage::Driving { command, round, until: limit.map(|limit| now + limit) };
        for track in &mut self.tracks {
            track.sent = Sent::Nothing;
            track.fault = None;
            let wanted = if command == Command::On { Power::On } else { Power::Off };
            if track.power() != Some(wanted) {
                track.forget();
            }
        }
    }

    fn reached(&mut self, now: Duration, command: Command) {
        match (self.goal, command) {
            (Goal::Reboot, Command::Off) => {
                self.off_proven = true;
                self.drive_to(now, Command::On, 0);
            }
            (Goal::Reboot | Goal::Cycle, _) => self.end = Some(End::Rebooted { on: None }),
            (_, Command::On) => self.end = Some(End::Reached { power: Power::On, already: false }),
            _ => self.end = Some(End::Reached { power: Power::Off, already: false }),
        }
    }

    /// A reset which was accepted is proven by the driver; one which was not is never repeated.
    fn cycled(&mut self, at: usize, next: usize, result: Result<(), Fault>) {
        match result {
            Ok(()) if next + 1 < self.tracks.len() => self.stage = Stage::Cycling { next: next + 1 },
            Ok(()) => self.end = Some(End::Rebooted { on: None }),
            Err(fault) if fault.class() == Class::Session && self.open_again() => {}
            Err(fault) => self.give_up(Some(at), fault),
        }
    }

    /// Logs in once more in the middle of a run: sessions expire. A refusal in the beginning is final.
    fn open_again(&mut self) -> bool {
        if self.reopened {
            return false;
        }
        self.reopened = true;
        self.resume = Some(self.stage);
        self.stage = Stage::Opening;
        true
    }

    /// Before any request, trouble of any kind means that the device is no use at present; afterwards only silence
    /// does, since a busy device may still come to obey.
    fn note_absence(&mut self, fault: &Fault) {
        let early = matches!(self.stage, Stage::Opening | Stage::Judging);
        if fault.is_silence() || (early) {
            let (since, calls) = self.absent.unwrap_or((self.asked, 0));
            self.absent = Some((since, calls + 1));
        } else {
            self.absent = None;
        }
    }

    /// Whether to stop hoping. A single call which used up the time by itself deserves a second one.
    fn absence_is_over(&self, now: Duration) -> bool {
        let over = |(since, calls)| calls > 1 && now >= since + self.limits.silence;
        !self.accepted && self.absent.is_some_and(over)
    }

    fn give_up(&mut self, at: Option<usize>, fault: Fault) {
        let failure =
            Failure::device(at.map_or_else(|| self.plugs.join(","), |at| self.plugs[at].clone()), fault);
        self.fail(failure);
    }

    /// A reboot has succeeded once off is proven, whatever becomes of on (fence-contract, section 9).
    fn fail(&mut self, failure: Failure) {
        self.end = Some(match self.off_proven {
            true => End::Rebooted { on: Some(failure) },
            false => End::Failed(failure),
        });
    }

    fn no_state(&self, at: usize) -> Failure {
        let track = &self.tracks[at];
        match &track.fault {
            Some(fault) => Failure::device(self.plugs[at].clone(), fault.clone()),
            None => Failure::NoState {
                plug: self.plugs[at].clone(),
                raw: track.words(),
                hint: track.last.as_ref().and_then(|reading| reading.hint.clone()),
            },
        }
    }

    fn not_reached(&mut self, wanted: Power) {
        let missing = |track: &Track| !track.proves(wanted, self.limits.confirm);
        let at = self.tracks.iter().position(missing).unwrap_or_default();
        let track = &self.tracks[at];
        self.fail(Failure::NotReached {
            wanted,
            plug: self.plugs[at].clone(),
            raw: track.words(),
            cause: track.fault.clone().map(Box::new),
            hint: track.last.as_ref().and_then(|reading| reading.hint.clone()),
        });
    }

    /// The deadline passed.
    fn expire(&mut self) {
        match self.stage {
            Stage::Driving { command: Command::On, .. } => self.not_reached(Power::On),
            Stage::Driving { .. } => self.not_reached(Power::Off),
            Stage::Opening | Stage::Judging | Stage::Cycling { .. } => match self.last_fault.take() {
                Some(fault) => self.give_up(None, fault),
                None => self.fail(Failure::Deadline { doing: self.plugs.join(",") }),
            },
        }
    }
}
