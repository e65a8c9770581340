//! Time and turns: what runs next, what is overdue, what has ended.

use std::time::Duration;

use picket_proto::outcome::Outcome;

use super::op::{Active, Fate, Op};
use super::resource::{Resource, Waiting};
use super::{Effect, Executor, KILL_GRACE, KillScope, Now, RunId, timed_out};

impl Executor {
    /// A run has ended.
    pub fn finished(&mut self, run: RunId, outcome: Outcome, now: Now) {
        let Some(id) = self.active.iter().find(|(_, active)| active.run == run).map(|(id, _)| id.clone())
        else {
            return;
        };
        let Some(mut active) = self.active.remove(&id) else { return };
        if active.fate != Fate::Cancelled {
            let outcome = match active.fate {
                Fate::TimedOut => timed_out(&active.op.request, outcome.output),
                Fate::Cancelled | Fate::Running => outcome,
            };
            let times = active.times(now.mono);
            let news = active.op.record(&outcome, now);
            active.op.fresh = false;
            if news {
                // Not where the same id was registered again: the cluster would forget the new resource.
                let deleted = !self.resources.contains_key(&id);
                self.notify(active.op.report(outcome, times, deleted));
            }
            self.wait_for_interval(&id, active, now);
        }
        self.advance(&id, now);
    }

    /// A run goes on, and this is how it stands: told as a result would be.
    pub fn interim(&mut self, run: RunId, outcome: &Outcome, now: Now) {
        let running = |active: &&mut Active| active.run == run && active.fate == Fate::Running;
        let Some(active) = self.active.values_mut().find(running) else { return };
        let times = active.times(now.mono);
        if active.op.record(outcome, now) {
            let deleted = !self.resources.contains_key(&active.op.request.rsc_id);
            let report = active.op.report(outcome.clone(), times, deleted);
            self.notify(report);
        }
    }

    /// Time has passed: start what is due, kill what is overdue.
    pub fn elapse(&mut self, now: Now) {
        for (id, active) in &mut self.active {
            if active.deadline.is_none_or(|deadline| deadline > now.mono) {
                continue;
            }
            active.deadline = match active.fate {
                Fate::Running => {
                    active.fate = Fate::TimedOut;
                    let block = active.op.request.params.value("CRM_meta_on_fail") == Some("block");
                    let scope = if block { KillScope::Child } else { KillScope::Group };
                    self.effects.push(Effect::Kill { run: active.run, scope });
                    Some(now.mono + KILL_GRACE)
                }
                Fate::Cancelled | Fate::TimedOut => {
                    let action = active.op.request.action.clone();
                    self.effects.push(Effect::Stuck { rsc_id: id.clone(), action });
                    None
                }
            };
        }
        let due = |resource: &Resource| resource.starts().any(|start| start <= now.mono);
        let ids: Vec<_> =
            self.resources.iter().filter(|(_, resource)| due(resource)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.advance(&id, now);
        }
    }

    /// When [`Executor::elapse`] is to be called next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let deadlines = self.active.values().filter_map(|active| active.deadline);
        let idle = self.resources.iter().filter(|(id, _)| !self.active.contains_key(*id));
        deadlines.chain(idle.flat_map(|(_, resource)| resource.starts())).min()
    }

    fn wait_for_interval(&mut self, id: &str, active: Active, now: Now) {
        let interval = active.op.request.interval;
        if interval > 0
            && !active.orphan
            && let Some(resource) = self.resources.get_mut(id)
        {
            let due = now.mono + Duration::from_millis(interval);
            resource.waiting.push(Waiting { op: active.op, due });
        }
    }

    /// Starts the next operation of a resource if it is idle and one may run.
    ///
    /// A due re-run and the head of the queue take turns by the time from which each could have run.
    pub(super) fn advance(&mut self, id: &str, now: Now) {
        if self.active.contains_key(id) {
            return;
        }
        let Some(resource) = self.resources.get_mut(id) else { return };
        let head = resource.pending.front().map(Op::ready).filter(|ready| *ready <= now.mono);
        let waiting = resource.waiting.iter().enumerate().map(|(at, waiting)| (waiting.due, at));
        let due = waiting.min().filter(|(due, _)| *due <= now.mono);
        let op = match (head, due) {
            (Some(ready), Some((due, at))) if due < ready => resource.waiting.remove(at).op,
            (None, Some((_, at))) => resource.waiting.remove(at).op,
            (Some(_), _) => resource.pending.pop_front().expect("it has a head"),
            (None, None) => return,
        };
        self.runs += 1;
        let run = RunId(self.runs);
        let request = Box::new(op.request.clone());
        let definition = Box::new(resource.definition.clone());
        let limit = Some(op.request.timeout).filter(|timeout| *timeout > 0).map(Duration::from_millis);
        let deadline = limit.map(|limit| now.mono + limit);
        let active = Active { run, op, started: now, deadline, fate: Fate::Running, orphan: false };
        self.active.insert(id.to_owned(), active);
        self.effects.push(Effect::Run { run, definition, request });
    }
}
