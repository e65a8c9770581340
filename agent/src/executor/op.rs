//! One operation, and its run while it has one.

use std::time::Duration;

use picket_proto::exec::{ExecReport, ExecRequest, Times};
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use picket_proto::request::CallOptions;

use super::{ClientId, Now, Report, RunId};

/// An accepted operation.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) request: ExecRequest,
    pub(super) call_id: i64,
    options: CallOptions,
    client: ClientId,
    pub(super) queued: Duration,
    /// No run has ended yet.
    pub(super) fresh: bool,
    pub(super) last_rc: OcfRc,
    rc_change: i64,
    /// What clients were last told.
    notified: Option<(OcfRc, ExecStatus)>,
}

/// What happened to a run from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// Killed and reported; its end is only waited for.
    Cancelled,
    /// Nothing.
    Running,
    /// Killed at its timeout; reported when it has ended.
    TimedOut,
}

/// An operation that runs.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) run: RunId,
    pub(super) op: Op,
    pub(super) started: Now,
    /// When it is to be killed; then when its survival is worth a warning.
    pub(super) deadline: Option<Duration>,
    pub(super) fate: Fate,
    /// Its resource was unregistered or replaced meanwhile.
    pub(super) orphan: bool,
}

impl Op {
    pub(super) fn new(
        request: ExecRequest,
        options: CallOptions,
        client: ClientId,
        call_id: i64,
        queued: Duration,
    ) -> Self {
        let (last_rc, rc_change, notified) = (OcfRc::Ok, 0, None);
        Self { request, call_id, options, client, queued, fresh: true, last_rc, rc_change, notified }
    }

    /// Whether a cancellation means it. The action is compared letter by letter, as in the original.
    pub(super) fn is(&self, action: &str, interval: u64) -> bool {
        self.request.interval == interval && self.request.action == action
    }

    /// Whether a request is a duplicate of it. Here the original takes any case.
    pub(super) fn is_like(&self, request: &ExecRequest) -> bool {
        self.request.interval == request.interval && self.request.action.eq_ignore_ascii_case(&request.action)
    }

    /// When its start delay is over.
    pub(super) fn ready(&self) -> Duration {
        self.queued + Duration::from_millis(self.request.start_delay)
    }

    /// Takes over a duplicate's identity: its next result is reported, changed or not.
    pub(super) fn adopt(&mut self, call_id: i64, user_data: Option<String>) {
        self.call_id = call_id;
        self.request.user_data = user_data;
        self.notified = None;
    }

    /// Notes a result; whether clients are to be told.
    pub(super) fn record(&mut self, outcome: &Outcome, now: Now) -> bool {
        if outcome.rc != self.last_rc {
            self.last_rc = outcome.rc;
            self.rc_change = now.wall;
        }
        let told = Some((outcome.rc, outcome.status));
        let recurring = self.request.interval > 0;
        let news = !(recurring && self.options.changes_only()) || self.notified != told;
        self.notified = told;
        news
    }

    /// The report that it was cancelled: with the return code of its last run, or 0 where it was killed running.
    pub(super) fn cancelled(&self, running: Option<Times>) -> Report {
        let rc = if running.is_some() { OcfRc::Ok } else { self.last_rc };
        self.report(Outcome::new(rc, ExecStatus::Cancelled), running.unwrap_or_default(), false)
    }

    /// A report, and its only recipient where the request wanted one.
    pub(super) fn report(&self, outcome: Outcome, times: Times, deleted: bool) -> Report {
        let report = ExecReport {
            request: self.request.clone(),
            call_id: self.call_id,
            rsc_deleted: deleted,
            outcome,
            times: Times { rc_change: self.rc_change, ..times },
            origin: "send_cmd_complete_notify".to_owned(),
        };
        (self.options.originator_only().then_some(self.client), report)
    }
}

impl Active {
    /// Times to report: a first run's own, zeros for the re-run of a recurring operation.
    pub(super) fn times(&self, now: Duration) -> Times {
        if !self.op.fresh {
            return Times::default();
        }
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Times {
            run: self.started.wall,
            rc_change: 0,
            exec: ms(now.saturating_sub(self.started.mono)),
            queue: ms(self.started.mono.saturating_sub(self.op.queued)),
        }
    }
}
