//! A registered resource with the operations that are not running.

use std::collections::VecDeque;
use std::time::Duration;

use picket_proto::exec::ExecRequest;
use picket_proto::reply::{RecurringOp, RecurringOps};
use picket_proto::resource::Definition;
use picket_proto::status::{RecurringStatus, ResourceStatus};

use super::op::Op;

/// A recurring operation between two runs.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) op: Op,
    pub(super) due: Duration,
}

/// A resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) definition: Definition,
    pub(super) drop_recurring: bool,
    /// First in, first out.
    pub(super) pending: VecDeque<Op>,
    pub(super) waiting: Vec<Waiting>,
}

impl Resource {
    pub(super) fn new(definition: Definition, drop_recurring: bool) -> Self {
        Self { definition, drop_recurring, pending: VecDeque::new(), waiting: Vec::new() }
    }

    /// Merges a recurring request into the operation of that action and interval which is there already. It keeps
    /// its parameters, and runs at once if it was waiting.
    pub(super) fn merge_duplicate(
        &mut self,
        active: Option<&mut Op>,
        request: &ExecRequest,
        call_id: i64,
        now: Duration,
    ) -> bool {
        let same = |op: &Op| op.is_like(request);
        let op = if let Some(op) = self.pending.iter_mut().find(|op| same(op)) {
            op
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| same(&waiting.op)) {
            waiting.due = now;
            &mut waiting.op
        } else if let Some(op) = active.filter(|op| same(op)) {
            op
        } else {
            return false;
        };
        op.adopt(call_id, request.user_data.clone());
        true
    }

    /// When its next operations may start.
    pub(super) fn starts(&self) -> impl Iterator<Item = Duration> {
        let head = self.pending.front().map(Op::ready);
        head.into_iter().chain(self.waiting.iter().map(|waiting| waiting.due))
    }

    /// Takes a pending operation out, one-shot ones included.
    pub(super) fn take_pending(&mut self, action: &str, interval: u64) -> Option<Op> {
        let at = self.pending.iter().position(|op| op.is(action, interval))?;
        self.pending.remove(at)
    }

    /// Takes a recurring operation out that waits for its interval.
    pub(super) fn take_waiting(&mut self, action: &str, interval: u64) -> Option<Op> {
        let at = self.waiting.iter().position(|waiting| waiting.op.is(action, interval))?;
        Some(self.waiting.remove(at).op)
    }

    /// Takes every recurring operation out, waiting ones first.
    pub(super) fn take_recurring(&mut self) -> Vec<Op> {
        let (recurring, one_shot) = self.pending.drain(..).partition(|op| op.request.interval > 0);
        self.pending = one_shot;
        let recurring: VecDeque<Op> = recurring;
        self.waiting.drain(..).map(|waiting| waiting.op).chain(recurring).collect()
    }

    /// Recurring operations that have started, the active one included.
    fn recurring<'a>(&'a self, active: Option<&'a Op>) -> impl Iterator<Item = &'a Op> {
        let active = active.filter(|op| op.request.interval > 0);
        self.waiting.iter().map(|waiting| &waiting.op).chain(active)
    }

    pub(super) fn recurring_ops(&self, active: Option<&Op>) -> RecurringOps {
        let ops = self.recurring(active).map(|op| RecurringOp {
            action: op.request.action.clone(),
            interval: op.request.interval,
            timeout: op.request.timeout,
        });
        RecurringOps { rsc_id: self.definition.id.clone(), ops: ops.collect() }
    }

    pub(super) fn status(&self, active: Option<&Op>) -> ResourceStatus {
        let recurring = self.recurring(active).map(|op| RecurringStatus {
            action: op.request.action.clone(),
            interval: op.request.interval,
            last_rc: (!op.fresh).then_some(op.last_rc.number().into()),
        });
        ResourceStatus {
            definition: self.definition.clone(),
            active: active.map(|op| op.request.action.clone()),
            pending: self.pending.len() as u64,
            recurring: recurring.collect(),
        }
    }
}
