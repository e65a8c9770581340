//! The executor's decisions: which operation of which resource runs when, and who is told what.
//!
//! Pure: requests, finished runs and the time go in, [`Effect`]s come out. It mirrors what `pacemaker-remoted`
//! does; where releases differ it follows 3.0. An operation's life:
//!
//! ```text
//!            exec                head of its resource's queue,
//!   request ------> pending  --- start delay over, nothing active ---> active ---> reported  (one-shot)
//!                      |                                               |    ^
//!                cancel|stop                                  recurring|    |interval over, or merged duplicate
//!                      v                                               v    |
//!                  cancelled <------------- cancel|stop ------------ waiting
//! ```
//!
//! Invariants: at most one active operation a resource id, even across unregistering and registering again;
//! pending operations run first in, first out; resources never wait for each other; no report of an operation
//! follows the reply that confirms its cancellation.

mod op;
mod queue;
mod resource;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use picket_proto::errno::Rc;
use picket_proto::exec::{ExecReport, ExecRequest};
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use picket_proto::reply::RecurringOps;
use picket_proto::request::{CallOptions, CancelRequest};
use picket_proto::resource::Definition;
use picket_proto::status::ResourceStatus;

use op::{Active, Fate, Op};
use resource::Resource;

/// A connected client, by the hub's count.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientId(pub u64);

/// One execution of one operation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RunId(pub u64);

/// The time, as the shell read it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// Monotonic, since the agent's start.
    pub mono: Duration,
    /// Wall clock, seconds since the epoch.
    pub wall: i64,
}

/// Whom a kill reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KillScope {
    /// The child alone: `on-fail=block` keeps what the agent started for inspection.
    Child,
    /// The child's process group.
    Group,
}

/// What the shell has to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send SIGKILL to a run, once it has a process.
    Kill {
        /// Which.
        run: RunId,
        /// How far.
        scope: KillScope,
    },
    /// Send a report.
    Notify {
        /// The only recipient; every named client where there is none.
        only: Option<ClientId>,
        /// What.
        report: Box<ExecReport>,
    },
    /// Start a run, and report its end with [`Executor::finished`].
    Run {
        /// Which.
        run: RunId,
        /// The agent.
        definition: Box<Definition>,
        /// The operation.
        request: Box<ExecRequest>,
    },
    /// A killed run has not ended for 5 s: its resource's queue is blocked. Worth a warning.
    Stuck {
        /// The resource.
        rsc_id: String,
        /// What hangs.
        action: String,
    },
}

/// How long a killed child may take to go away before that is worth a warning; the original's time.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// A report and its only recipient, where the request named one.
type Report = (Option<ClientId>, ExecReport);

/// All resources and operations.
#[derive(Debug, Default)]
pub struct Executor {
    resources: BTreeMap<String, Resource>,
    /// By resource id, so that a re-registered resource waits for its predecessor's last run.
    active: BTreeMap<String, Active>,
    runs: u64,
    effects: Vec<Effect>,
}

impl Executor {
    /// Registers a resource. The same definition again changes nothing; another one takes the old one's place.
    pub fn register(&mut self, definition: Definition, options: CallOptions, now: Now) {
        if self.resources.get(&definition.id).is_some_and(|known| known.definition == definition) {
            return;
        }
        let id = definition.id.clone();
        self.discard(&id, false, now);
        self.resources.insert(id, Resource::new(definition, options.drop_recurring()));
    }

    /// The definition of a registered resource.
    #[must_use]
    pub fn definition(&self, id: &str) -> Option<&Definition> {
        self.resources.get(id).map(|resource| &resource.definition)
    }

    /// Removes a resource and cancels what waits. An operation in flight goes on and is reported as deleted.
    pub fn unregister(&mut self, id: &str, now: Now) -> Rc {
        // The original does not count the re-run of a recurring operation as in flight.
        let in_flight = self.live(id).is_some_and(|op| op.fresh);
        self.discard(id, true, now);
        if in_flight { Rc::IN_PROGRESS } else { Rc::OK }
    }

    /// Accepts an operation: its call id, or why not.
    pub fn exec(
        &mut self,
        request: ExecRequest,
        options: CallOptions,
        client: ClientId,
        call_id: i64,
        now: Now,
    ) -> Rc {
        let id = request.rsc_id.clone();
        let Some(resource) = self.resources.get_mut(&id) else { return Rc::NO_RESOURCE };
        let active =
            self.active.get_mut(&id).filter(|active| !active.orphan && active.fate != Fate::Cancelled);
        let merged = request.interval > 0
            && resource.merge_duplicate(active.map(|active| &mut active.op), &request, call_id, now.mono);
        if !merged {
            if request.action.eq_ignore_ascii_case("stop") {
                let reports = self.cancel_recurring(&id, now);
                reports.into_iter().for_each(|report| self.notify(report));
            }
            let op = Op::new(request, options, client, call_id, now.mono);
            if let Some(resource) = self.resources.get_mut(&id) {
                resource.pending.push_back(op);
            }
        }
        self.advance(&id, now);
        Rc(call_id)
    }

    /// Cancels one operation, found by action and interval.
    pub fn cancel(&mut self, cancel: &CancelRequest, now: Now) -> Rc {
        let id = &cancel.rsc_id;
        let Some(resource) = self.resources.get_mut(id) else { return Rc::NO_RESOURCE };
        if let Some(op) = resource.take_pending(&cancel.action, cancel.interval) {
            self.notify(op.cancelled(None));
            self.advance(id, now);
        } else if cancel.interval == 0 {
            return Rc::NOT_SUPPORTED;
        } else if let Some(op) = resource.take_waiting(&cancel.action, cancel.interval) {
            self.notify(op.cancelled(None));
        } else if let Some(report) = self.kill_active(id, now, |op| op.is(&cancel.action, cancel.interval)) {
            self.notify(report);
        } else {
            return Rc::NOT_SUPPORTED;
        }
        Rc::OK
    }

    /// The recurring operations of one resource, or of all.
    ///
    /// # Errors
    /// [`Rc::NO_RESOURCE`] where the one is not registered.
    pub fn recurring(&self, id: Option<&str>) -> Result<Vec<RecurringOps>, Rc> {
        if let Some(id) = id
            && !self.resources.contains_key(id)
        {
            return Err(Rc::NO_RESOURCE);
        }
        let wanted = self.resources.iter().filter(|(known, _)| id.is_none_or(|id| id == *known));
        Ok(wanted.map(|(id, resource)| resource.recurring_ops(self.live(id))).collect())
    }

    /// An account of every resource, for observers.
    #[must_use]
    pub fn status(&self) -> Vec<ResourceStatus> {
        self.resources.iter().map(|(id, resource)| resource.status(self.live(id))).collect()
    }

    /// How many operations are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.active.len()
    }

    /// The last client is gone: recurring operations of resources registered with "drop recurring" end. Nobody is
    /// left to be told.
    pub fn last_client_left(&mut self, now: Now) {
        let dropping: Vec<_> = self
            .resources
            .iter()
            .filter(|(_, resource)| resource.drop_recurring)
            .map(|(id, _)| id.clone())
            .collect();
        for id in dropping {
            self.cancel_recurring(&id, now);
            self.advance(&id, now);
        }
    }

    /// The agent stops: recurring operations end, one in flight is killed; one-shot operations in flight go on.
    pub fn shut_down(&mut self, now: Now) {
        let ids: Vec<_> = self.resources.keys().cloned().collect();
        for id in ids {
            self.cancel_recurring(&id, now);
        }
    }

    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The active operation of a resource that is registered now, unless it was cancelled.
    fn live(&self, id: &str) -> Option<&Op> {
        let active = self.active.get(id)?;
        (!active.orphan && active.fate != Fate::Cancelled).then_some(&active.op)
    }

    /// Takes a resource out. Its waiting operations are cancelled with a report, pending ones first; its active one
    /// becomes an orphan. The cluster forgets what it is told was `deleted`, so a resource that another definition
    /// replaces is not.
    fn discard(&mut self, id: &str, deleted: bool, now: Now) {
        let active = self.kill_active(id, now, |_| true);
        if let Some(active) = self.active.get_mut(id) {
            active.orphan = true;
        }
        let Some(resource) = self.resources.remove(id) else { return };
        let recurring = resource.waiting.into_iter().map(|waiting| waiting.op);
        let waiting = resource.pending.into_iter().chain(recurring);
        let reports = waiting.map(|op| op.cancelled(None)).chain(active);
        for (only, mut report) in reports.collect::<Vec<_>>() {
            report.rsc_deleted = deleted;
            self.notify((only, report));
        }
    }

    /// Ends every recurring operation of a resource; the reports are the caller's to send.
    fn cancel_recurring(&mut self, id: &str, now: Now) -> Vec<Report> {
        let waiting = self.resources.get_mut(id).map(Resource::take_recurring).unwrap_or_default();
        let active = self.kill_active(id, now, |_| true);
        waiting.iter().map(|op| op.cancelled(None)).chain(active).collect()
    }

    /// Kills the active operation of a resource if it is recurring and `wanted`; the report is the caller's to send.
    fn kill_active(&mut self, id: &str, now: Now, wanted: impl Fn(&Op) -> bool) -> Option<Report> {
        let active = self.active.get_mut(id)?;
        let recurring = active.op.request.interval > 0;
        if !recurring || active.orphan || active.fate == Fate::Cancelled || !wanted(&active.op) {
            return None;
        }
        active.fate = Fate::Cancelled;
        active.deadline = Some(now.mono + KILL_GRACE);
        let report = active.op.cancelled(Some(active.times(now.mono)));
        self.effects.push(Effect::Kill { run: active.run, scope: KillScope::Group });
        Some(report)
    }

    fn notify(&mut self, (only, report): Report) {
        self.effects.push(Effect::Notify { only, report: Box::new(report) });
    }
}

/// The result of a run that was killed at its timeout.
fn timed_out(request: &ExecRequest, output: Option<String>) -> Outcome {
    let reason = format!("Resource agent did not complete within {}", readable(request.timeout));
    Outcome { output, ..Outcome::new(OcfRc::Error, ExecStatus::TimedOut).because(reason) }
}

/// Milliseconds as Pacemaker 3 prints them: `400ms`, `1s`, `1.500s`, `1m30s`.
fn readable(ms: u64) -> String {
    let (mut rest, mut text) = (ms, String::new());
    for (unit, letter) in [(86_400_000, 'd'), (3_600_000, 'h'), (60_000, 'm')] {
        if rest >= unit {
            text += &format!("{}{letter}", rest / unit);
            rest %= unit;
        }
    }
    match (rest / 1000, rest % 1000) {
        (0, 0) if !text.is_empty() => text,
        (0, ms) if ms > 0 => text + &format!("{ms}ms"),
        (s, 0) => text + &format!("{s}s"),
        (s, ms) => text + &format!("{s}.{ms:03}s"),
    }
}
