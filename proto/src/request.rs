//! Requests: what a controller asks of an agent.

use crate::errno::Rc;
use crate::exec::ExecRequest;
use crate::number::{leading_int, millis, truth};
use crate::params::Params;
use crate::proxy::ProxyMessage;
use crate::resource::Definition;
use crate::xml::Element;

/// `lrmd_callopt` bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CallOptions(pub i64);

impl CallOptions {
    /// What controllers send with every execution.
    pub const CHANGES_ONLY: Self = Self(0x4);
    /// What Pacemaker 3 controllers send at registration; 2.1 ones send 3.
    pub const DROP_RECURRING: Self = Self(0x1);

    /// On registration: cancel the resource's recurring operations when the last client is gone. Only bit 0x1 is
    /// looked at, which covers the 3 of 2.1 and the 1 of 3.x.
    #[must_use]
    pub fn drop_recurring(self) -> bool {
        self.0 & 0x1 != 0
    }

    /// On execution: results go to the requesting connection only.
    #[must_use]
    pub fn originator_only(self) -> bool {
        self.0 & 0x2 != 0
    }

    /// On recurring execution: report only when return code or status changed.
    #[must_use]
    pub fn changes_only(self) -> bool {
        self.0 & 0x4 != 0
    }
}

/// A request with its envelope.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Correlates the reply.
    pub msg_id: i64,
    /// The client's name, in whichever message it is given.
    pub client_name: Option<String>,
    /// Call options.
    pub options: CallOptions,
    /// The client's own limit for the call in ms; informational.
    pub timeout: u64,
    /// What is asked.
    pub op: Operation,
}

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Operation {
    /// `lrmd_alert_exec`
    Alert(Alert),
    /// `lrmd_rsc_cancel`
    Cancel(CancelRequest),
    /// `lrmd_check`, with the cluster's watchdog timeout where it has one.
    Check {
        /// `stonith-watchdog-timeout` as text.
        watchdog: Option<String>,
    },
    /// `lrmd_rsc_exec`
    Exec(ExecRequest),
    /// `lrmd_get_recurring`, of one resource or of all.
    GetRecurring(Option<String>),
    /// Something required is missing: the reply is this code.
    Incomplete {
        /// The operation's name.
        op: String,
        /// The reply the original gives.
        rc: Rc,
    },
    /// `ipc_fwd`
    IpcForward(ProxyMessage),
    /// `picket_status`: our own, answered to observers without disturbing the cluster.
    PicketStatus,
    /// `picket_watch`: our own; from now on this observer gets a copy of every notification.
    PicketWatch,
    /// `lrmd_rsc_poke`
    Poke,
    /// `register`
    Register(Hello),
    /// `lrmd_rsc_info`
    RscInfo(String),
    /// `lrmd_rsc_register`
    RscRegister(Definition),
    /// `lrmd_rsc_unregister`
    RscUnregister(String),
    /// Any other name.
    Unknown(String),
}

/// Data of `register`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hello {
    /// LRMD protocol version of the client.
    pub version: Option<String>,
    /// Whether the client relays local IPC: a cluster's controller does.
    pub is_ipc_provider: Option<bool>,
}

/// Data of `lrmd_rsc_cancel`; there is no call id in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CancelRequest {
    /// The resource.
    pub rsc_id: String,
    /// The action as it was requested.
    pub action: String,
    /// The interval in ms.
    pub interval: u64,
}

/// Data of `lrmd_alert_exec`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alert {
    /// Alert id.
    pub id: String,
    /// Program to run.
    pub path: String,
    /// Limit in ms.
    pub timeout: u64,
    /// Its environment.
    pub params: Params,
}

impl Request {
    /// A request without client name, options and timeout.
    #[must_use]
    pub fn new(msg_id: i64, op: Operation) -> Self {
        Self { msg_id, client_name: None, options: CallOptions::default(), timeout: 0, op }
    }

    /// Reads a request document. The operation's name decides, not the root element's.
    #[must_use]
    pub fn from_element(root: &Element) -> Self {
        let number = |name| root.attr(name).and_then(leading_int).unwrap_or(0);
        Self {
            msg_id: number("lrmd_remote_msg_id"),
            client_name: root.attr("lrmd_clientname").filter(|name| !name.is_empty()).map(str::to_owned),
            options: CallOptions(number("lrmd_callopt")),
            timeout: millis(root.attr("lrmd_timeout")),
            op: Operation::from_element(root),
        }
    }

    /// The document as a controller writes it.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let envelope = |root: Element| {
            root.with("lrmd_remote_msg_id", self.msg_id).with("lrmd_remote_msg_type", "request")
        };
        let command = Element::new("lrmd_command").with("t", "lrmd").with("lrmd_op", self.op.name());
        let data = match &self.op {
            Operation::IpcForward(proxy) => {
                return proxy.attach(envelope(proxy.to_element().with("lrmd_op", "ipc_fwd")));
            }
            Operation::Register(hello) => {
                return envelope(
                    command
                        .with_some("lrmd_clientname", self.client_name.as_ref())
                        .with_some("lrmd_protocol_version", hello.version.as_ref())
                        .with_some("lrmd_is_ipc_provider", hello.is_ipc_provider),
                );
            }
            op => op.data(),
        };
        let root = envelope(command.with("lrmd_timeout", self.timeout).with("lrmd_callopt", self.options.0));
        match data {
            Some(data) => root.child(Element::new("lrmd_calldata").child(data)),
            None => root,
        }
    }
}

impl Operation {
    fn from_element(root: &Element) -> Self {
        let name = root.attr("lrmd_op").unwrap_or_default();
        let rsc = root.find("lrmd_rsc");
        let rsc_id = || rsc?.attr("lrmd_rsc_id").filter(|id| !id.is_empty()).map(str::to_owned);
        let or_incomplete = |op: Option<Self>, rc| op.unwrap_or(Self::Incomplete { op: name.to_owned(), rc });
        match name {
            "ipc_fwd" => Self::IpcForward(ProxyMessage::from_element(root)),
            "lrmd_alert_exec" => or_incomplete(
                root.find("lrmd_alert").and_then(Alert::from_element).map(Self::Alert),
                Rc::INVALID,
            ),
            "lrmd_check" => Self::Check {
                watchdog: root.first("lrmd_calldata").and_then(|data| {
                    data.elements().find_map(|child| child.attr("lrmd_watchdog")).map(str::to_owned)
                }),
            },
            "lrmd_get_recurring" => Self::GetRecurring(rsc_id()),
            "lrmd_rsc_cancel" => {
                or_incomplete(rsc.and_then(CancelRequest::from_element).map(Self::Cancel), Rc::INVALID)
            }
            "lrmd_rsc_exec" => {
                or_incomplete(rsc.and_then(ExecRequest::from_element).map(Self::Exec), Rc::INVALID)
            }
            "lrmd_rsc_info" => or_incomplete(rsc_id().map(Self::RscInfo), Rc::NO_RESOURCE),
            "lrmd_rsc_poke" => Self::Poke,
            "lrmd_rsc_register" => {
                or_incomplete(rsc.and_then(Definition::from_element).map(Self::RscRegister), Rc::INVALID)
            }
            "lrmd_rsc_unregister" => or_incomplete(rsc_id().map(Self::RscUnregister), Rc::NO_RESOURCE),
            "picket_status" => Self::PicketStatus,
            "picket_watch" => Self::PicketWatch,
            "register" => Self::Register(Hello {
                version: root.attr("lrmd_protocol_version").map(str::to_owned),
                is_ipc_provider: root.attr("lrmd_is_ipc_provider").map(truth),
            }),
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The name in `lrmd_op`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Alert(_) => "lrmd_alert_exec",
            Self::Cancel(_) => "lrmd_rsc_cancel",
            Self::Check { .. } => "lrmd_check",
            Self::Exec(_) => "lrmd_rsc_exec",
            Self::GetRecurring(_) => "lrmd_get_recurring",
            Self::IpcForward(_) => "ipc_fwd",
            Self::PicketStatus => "picket_status",
            Self::PicketWatch => "picket_watch",
            Self::Poke => "lrmd_rsc_poke",
            Self::Register(_) => "register",
            Self::RscInfo(_) => "lrmd_rsc_info",
            Self::RscRegister(_) => "lrmd_rsc_register",
            Self::RscUnregister(_) => "lrmd_rsc_unregister",
            Self::Incomplete { op, .. } | Self::Unknown(op) => op,
        }
    }

    /// The element inside `lrmd_calldata`.
    fn data(&self) -> Option<Element> {
        let rsc = |origin: &str| Element::new("lrmd_rsc").with("lrmd_origin", origin);
        match self {
            Self::Alert(alert) => Some(alert.to_element()),
            Self::Cancel(cancel) => Some(
                rsc("lrmd_api_cancel")
                    .with("lrmd_rsc_action", &cancel.action)
                    .with("lrmd_rsc_id", &cancel.rsc_id)
                    .with("lrmd_rsc_interval", cancel.interval),
            ),
            Self::Check { watchdog } => Some(
                Element::new("lrmd_op")
                    .with("lrmd_origin", "lrmd__validate_remote_settings")
                    .with_some("lrmd_watchdog", watchdog.as_ref()),
            ),
            Self::Exec(exec) => Some(exec.to_element()),
            Self::GetRecurring(id) => {
                Some(rsc("lrmd_api_get_recurring_ops").with("lrmd_rsc_id", id.as_ref()?))
            }
            Self::Poke => Some(rsc("lrmd_api_poke_connection")),
            Self::RscInfo(id) => Some(rsc("lrmd_api_get_rsc_info").with("lrmd_rsc_id", id)),
            Self::RscRegister(definition) => Some(definition.write(rsc("lrmd_api_register_rsc"))),
            Self::RscUnregister(id) => Some(rsc("lrmd_api_unregister_rsc").with("lrmd_rsc_id", id)),
            Self::Incomplete { .. }
            | Self::IpcForward(_)
            | Self::PicketStatus
            | Self::PicketWatch
            | Self::Register(_)
            | Self::Unknown(_) => None,
        }
    }
}

impl CancelRequest {
    fn from_element(rsc: &Element) -> Option<Self> {
        Some(Self {
            rsc_id: rsc.attr("lrmd_rsc_id")?.to_owned(),
            action: rsc.attr("lrmd_rsc_action")?.to_owned(),
            interval: millis(rsc.attr("lrmd_rsc_interval")),
        })
    }
}

impl Alert {
    fn from_element(alert: &Element) -> Option<Self> {
        Some(Self {
            id: alert.attr("lrmd_alert_id")?.to_owned(),
            path: alert.attr("lrmd_alert_path")?.to_owned(),
            timeout: millis(alert.attr("lrmd_timeout")),
            params: alert.first("attributes").map(Params::from_element).unwrap_or_default(),
        })
    }

    fn to_element(&self) -> Element {
        Element::new("lrmd_alert")
            .with("lrmd_origin", "lrmd_api_exec_alert")
            .with("lrmd_alert_id", &self.id)
            .with("lrmd_alert_path", &self.path)
            .with("lrmd_timeout", self.timeout)
            .child(self.params.to_element())
    }
}
