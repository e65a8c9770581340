//! `lrmd_rsc_exec`: the request for an operation and the report of its result.

use crate::number::millis;
use crate::outcome::{ExecStatus, OcfRc, Outcome};
use crate::params::Params;
use crate::xml::Element;

/// One operation as requested.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExecRequest {
    /// The registered resource.
    pub rsc_id: String,
    /// `start`, `monitor`, ...; never validated, an unknown one reaches the agent.
    pub action: String,
    /// The controller's transition key, returned unchanged.
    pub user_data: Option<String>,
    /// 0 for a one-shot operation, else the pause between two runs, in ms.
    pub interval: u64,
    /// Limit of one run in ms; 0 for none.
    pub timeout: u64,
    /// Delay before the first run, from receipt, in ms.
    pub start_delay: u64,
    /// Parameters for the agent.
    pub params: Params,
}

impl ExecRequest {
    /// Reads an `lrmd_rsc` element; `None` where id or action is missing.
    #[must_use]
    pub fn from_element(element: &Element) -> Option<Self> {
        let filled = |name| element.attr(name).filter(|value| !value.is_empty()).map(str::to_owned);
        Some(Self {
            rsc_id: filled("lrmd_rsc_id")?,
            action: filled("lrmd_rsc_action")?,
            user_data: element.attr("lrmd_rsc_userdata_str").map(str::to_owned),
            interval: millis(element.attr("lrmd_rsc_interval")),
            timeout: millis(element.attr("lrmd_timeout")),
            start_delay: millis(element.attr("lrmd_rsc_start_delay")),
            params: element.first("attributes").map(Params::from_element).unwrap_or_default(),
        })
    }

    /// The `lrmd_rsc` element as a controller writes it.
    #[must_use]
    pub fn to_element(&self) -> Element {
        Element::new("lrmd_rsc")
            .with("lrmd_origin", "lrmd_api_exec")
            .with("lrmd_rsc_id", &self.rsc_id)
            .with("lrmd_rsc_action", &self.action)
            .with_some("lrmd_rsc_userdata_str", self.user_data.as_ref())
            .with("lrmd_rsc_interval", self.interval)
            .with("lrmd_timeout", self.timeout)
            .with("lrmd_rsc_start_delay", self.start_delay)
            .child(self.params.to_element())
    }
}

/// When things happened to an operation. Re-runs of a recurring operation report zeros but for the change time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Times {
    /// When the run started, seconds since the epoch; 0 if it did not run.
    pub run: i64,
    /// When the return code last changed, seconds since the epoch; 0 if it never did.
    pub rc_change: i64,
    /// Wall time of the run in ms.
    pub exec: u64,
    /// Time from receipt to start in ms.
    pub queue: u64,
}

/// `lrmd_notify` with the result of an operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExecReport {
    /// The request, its parameters echoed.
    pub request: ExecRequest,
    /// The call id of the request (the latest one of merged duplicates).
    pub call_id: i64,
    /// Whether the resource was unregistered meanwhile.
    pub rsc_deleted: bool,
    /// The result.
    pub outcome: Outcome,
    /// Times of the run.
    pub times: Times,
    /// Sender's internal name, informational.
    pub origin: String,
}

impl ExecReport {
    /// The document, without the envelope's closing attributes.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let request = &self.request;
        Element::new("lrmd_notify")
            .with("lrmd_origin", &self.origin)
            .with("lrmd_timeout", request.timeout)
            .with("lrmd_rsc_interval", request.interval)
            .with("lrmd_rsc_start_delay", request.start_delay)
            .with("lrmd_exec_rc", self.outcome.rc.number())
            .with("lrmd_exec_op_status", self.outcome.status.number())
            .with("lrmd_callid", self.call_id)
            .with("lrmd_rsc_deleted", u8::from(self.rsc_deleted))
            .with("lrmd_run_time", self.times.run)
            .with("lrmd_rcchange_time", self.times.rc_change)
            .with("lrmd_exec_time", self.times.exec)
            .with("lrmd_queue_time", self.times.queue)
            .with("lrmd_op", "lrmd_rsc_exec")
            .with("lrmd_rsc_id", &request.rsc_id)
            .with("lrmd_rsc_action", &request.action)
            .with_some("lrmd_rsc_userdata_str", request.user_data.as_ref())
            .with_some("lrmd_rsc_exit_reason", self.outcome.exit_reason.as_ref())
            .with_some("lrmd_rsc_output", self.outcome.output.as_ref())
            .child(request.params.to_element())
    }

    /// Reads the document; `None` where an id, the return code or the status is missing or has no meaning.
    #[must_use]
    pub fn from_element(element: &Element) -> Option<Self> {
        let number = |name| element.attr(name).and_then(crate::number::leading_int);
        Some(Self {
            request: ExecRequest::from_element(element)?,
            call_id: number("lrmd_callid")?,
            rsc_deleted: number("lrmd_rsc_deleted") == Some(1),
            outcome: Outcome {
                rc: OcfRc::from_wire(number("lrmd_exec_rc")?)?,
                status: ExecStatus::from_wire(number("lrmd_exec_op_status")?)?,
                exit_reason: element.attr("lrmd_rsc_exit_reason").map(str::to_owned),
                output: element.attr("lrmd_rsc_output").map(str::to_owned),
            },
            times: Times {
                run: number("lrmd_run_time").unwrap_or(0),
                rc_change: number("lrmd_rcchange_time").unwrap_or(0),
                exec: millis(element.attr("lrmd_exec_time")),
                queue: millis(element.attr("lrmd_queue_time")),
            },
            origin: element.attr("lrmd_origin").unwrap_or_default().to_owned(),
        })
    }
}
