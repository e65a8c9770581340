//! Replies: the one acknowledgement of a request, sent before it is executed.

use crate::errno::Rc;
use crate::number::{leading_int, millis};
use crate::resource::Definition;
use crate::status::AgentStatus;
use crate::xml::Element;

/// `lrmd_reply`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// Copy of the request's id.
    pub msg_id: i64,
    /// Return code, or the call id of an accepted execution.
    pub rc: Rc,
    /// The agent-wide number of this request.
    pub call_id: i64,
    /// What else the operation returns.
    pub body: ReplyBody,
    /// Sender's internal name, informational.
    pub origin: String,
}

/// Operation-specific part of a reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReplyBody {
    /// To `register`.
    Hello(HelloReply),
    /// Nothing more.
    Plain,
    /// To `lrmd_get_recurring`.
    Recurring(Vec<RecurringOps>),
    /// To `lrmd_rsc_info`.
    Resource(Definition),
    /// To `picket_status`.
    Status(AgentStatus),
}

/// The agent's answer to a client's hello.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HelloReply {
    /// Random UUID of the connection.
    pub client_id: String,
    /// LRMD protocol version of the agent; absent means 1.0.
    pub version: Option<String>,
    /// Whole seconds since the agent started (Pacemaker 2.1.6 and later). A cluster keeps the node's transient
    /// attributes across a lost connection only if this covers the time since the loss.
    pub uptime: Option<u64>,
    /// `standby`, `online` or `default` (2.1.7 and later).
    pub node_start_state: Option<String>,
}

/// A resource's recurring operations in a `lrmd_get_recurring` reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecurringOps {
    /// The resource.
    pub rsc_id: String,
    /// Its operations.
    pub ops: Vec<RecurringOp>,
}

/// One recurring operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecurringOp {
    /// Action as requested.
    pub action: String,
    /// Interval in ms.
    pub interval: u64,
    /// Limit of one run in ms.
    pub timeout: u64,
}

impl Reply {
    /// The document.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let root = Element::new("lrmd_reply")
            .with("lrmd_origin", &self.origin)
            .with("lrmd_rc", self.rc.0)
            .with("lrmd_callid", self.call_id);
        let root = match &self.body {
            ReplyBody::Hello(hello) => root
                .with("lrmd_op", "register")
                .with("lrmd_clientid", &hello.client_id)
                .with_some("lrmd_protocol_version", hello.version.as_ref())
                .with_some("uptime", hello.uptime)
                .with_some("node_start_state", hello.node_start_state.as_ref()),
            ReplyBody::Resource(definition) => definition.write(root),
            ReplyBody::Plain | ReplyBody::Recurring(_) | ReplyBody::Status(_) => root,
        };
        let root = root.with("lrmd_remote_msg_id", self.msg_id).with("lrmd_remote_msg_type", "reply");
        match &self.body {
            ReplyBody::Recurring(resources) => {
                resources.iter().fold(root, |root, resource| root.child(resource.to_element()))
            }
            ReplyBody::Status(status) => root.child(status.to_element()),
            ReplyBody::Hello(_) | ReplyBody::Plain | ReplyBody::Resource(_) => root,
        }
    }

    /// Reads a reply; `None` where the return code is missing.
    #[must_use]
    pub fn from_element(root: &Element) -> Option<Self> {
        let number = |name| root.attr(name).and_then(leading_int);
        let body = if let Some(client_id) = root.attr("lrmd_clientid") {
            ReplyBody::Hello(HelloReply {
                client_id: client_id.to_owned(),
                version: root.attr("lrmd_protocol_version").map(str::to_owned),
                uptime: root.attr("uptime").map(|uptime| millis(Some(uptime))),
                node_start_state: root.attr("node_start_state").map(str::to_owned),
            })
        } else if let Some(definition) = Definition::from_element(root) {
            ReplyBody::Resource(definition)
        } else if let Some(status) = root.first("picket_status") {
            ReplyBody::Status(AgentStatus::from_element(status))
        } else if root.first("lrmd_rsc").is_some() {
            let resources = root.elements().filter(|child| child.name == "lrmd_rsc");
            ReplyBody::Recurring(resources.map(RecurringOps::from_element).collect())
        } else {
            ReplyBody::Plain
        };
        Some(Self {
            msg_id: number("lrmd_remote_msg_id").unwrap_or(0),
            rc: Rc(number("lrmd_rc")?),
            call_id: number("lrmd_callid").unwrap_or(0),
            body,
            origin: root.attr("lrmd_origin").unwrap_or_default().to_owned(),
        })
    }
}

impl RecurringOps {
    fn to_element(&self) -> Element {
        self.ops.iter().fold(Element::new("lrmd_rsc").with("lrmd_rsc_id", &self.rsc_id), |rsc, op| {
            rsc.child(
                Element::new("lrmd_rsc_op")
                    .with("lrmd_rsc_action", &op.action)
                    .with("lrmd_rsc_interval", op.interval)
                    .with("lrmd_timeout", op.timeout),
            )
        })
    }

    fn from_element(rsc: &Element) -> Self {
        Self {
            rsc_id: rsc.attr("lrmd_rsc_id").unwrap_or_default().to_owned(),
            ops: rsc
                .elements()
                .map(|op| RecurringOp {
                    action: op.attr("lrmd_rsc_action").unwrap_or_default().to_owned(),
                    interval: millis(op.attr("lrmd_rsc_interval")),
                    timeout: millis(op.attr("lrmd_timeout")),
                })
                .collect(),
        }
    }
}
