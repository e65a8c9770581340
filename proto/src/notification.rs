//! Notifications: what an agent tells its clients without being asked.

use crate::errno::Rc;
use crate::exec::ExecReport;
use crate::number::leading_int;
use crate::proxy::ProxyMessage;
use crate::xml::Element;

/// `lrmd_notify`, or `lrmd_ipc_proxy` from agent to provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notification {
    /// The result of an operation.
    Executed(Box<ExecReport>),
    /// A poke, registration or unregistration was carried out.
    Generic {
        /// The request's name. A poke's notification is what makes a connection monitor succeed.
        op: String,
        /// The resource, where there is one.
        rsc_id: Option<String>,
        /// As in the reply.
        rc: Rc,
        /// As in the reply.
        call_id: i64,
    },
    /// Another client finished its TLS handshake. A controller that did not expect it gives the node up.
    NewClient,
    /// IPC relay and shutdown request.
    Proxy(ProxyMessage),
}

impl Notification {
    /// The document.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let envelope =
            |root: Element| root.with("lrmd_remote_msg_id", 0).with("lrmd_remote_msg_type", "notify");
        let notify = |origin: &str| Element::new("lrmd_notify").with("lrmd_origin", origin);
        match self {
            Self::Executed(report) => {
                let mut root = report.to_element();
                let params = root.children.split_off(0);
                let mut root = envelope(root);
                root.children = params;
                root
            }
            Self::Generic { op, rsc_id, rc, call_id } => envelope(
                notify("execd_send_generic_notify")
                    .with("lrmd_rc", rc.0)
                    .with("lrmd_callid", call_id)
                    .with("lrmd_op", op)
                    .with_some("lrmd_rsc_id", rsc_id.as_ref()),
            ),
            Self::NewClient => {
                envelope(notify("notify_of_new_client").with("lrmd_op", "lrmd_rsc_new_client"))
            }
            Self::Proxy(proxy) => proxy.attach(envelope(proxy.to_element())),
        }
    }

    /// Reads a notification; `None` for one that is not of this protocol.
    #[must_use]
    pub fn from_element(root: &Element) -> Option<Self> {
        if root.name == "lrmd_ipc_proxy" {
            return Some(Self::Proxy(ProxyMessage::from_element(root)));
        }
        match root.attr("lrmd_op")? {
            "lrmd_rsc_exec" => ExecReport::from_element(root).map(|report| Self::Executed(Box::new(report))),
            "lrmd_rsc_new_client" => Some(Self::NewClient),
            op => Some(Self::Generic {
                op: op.to_owned(),
                rsc_id: root.attr("lrmd_rsc_id").map(str::to_owned),
                rc: Rc(root.attr("lrmd_rc").and_then(leading_int)?),
                call_id: root.attr("lrmd_callid").and_then(leading_int).unwrap_or(0),
            }),
        }
    }
}
