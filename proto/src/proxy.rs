//! `lrmd_ipc_proxy`: documents of the IPC relay and of the shutdown handshake.

use crate::number::leading_int;
use crate::xml::{Element, Node, Verbatim};

/// The element around a relayed document.
pub const SEALED: &str = "lrmd_ipc_msg";

/// What a proxy document is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProxyOp {
    /// A session ends, from either side.
    Destroy,
    /// The cluster pushes a document to the local client.
    Event,
    /// A local client opened a session.
    New,
    /// A local client's document.
    Request,
    /// The cluster's answer to a request.
    Response,
    /// The cluster moves resources away, then disconnects.
    ShutdownAck,
    /// The cluster will not move anything (maintenance): stop at once, leave resources running.
    ShutdownNack,
    /// The agent asks for leave.
    ShutdownReq,
    /// Anything else.
    Other(String),
}

impl ProxyOp {
    const NAMES: [(&'static str, Self); 8] = [
        ("destroy", Self::Destroy),
        ("event", Self::Event),
        ("new", Self::New),
        ("request", Self::Request),
        ("response", Self::Response),
        ("shutdown_ack", Self::ShutdownAck),
        ("shutdown_nack", Self::ShutdownNack),
        ("shutdown_req", Self::ShutdownReq),
    ];

    fn from_name(name: &str) -> Self {
        let known = Self::NAMES.into_iter().find(|(known, _)| *known == name);
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, op)| op)
    }

    fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => Self::NAMES.iter().find(|(_, op)| op == known).expect("every other variant is listed").0,
        }
    }
}

/// One proxy document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProxyMessage {
    /// `lrmd_ipc_op`.
    pub op: ProxyOp,
    /// The local server name, in `new`.
    pub server: Option<String>,
    /// Session id.
    pub session: Option<String>,
    /// Client name, in `request`.
    pub client: Option<String>,
    /// User name of the local client, in `request`.
    pub user: Option<String>,
    /// The local message's id, in `request` and `response`.
    pub msg_id: Option<i64>,
    /// The local message's flags, in `request`.
    pub msg_flags: Option<i64>,
    /// The relayed document.
    pub msg: Option<Verbatim>,
}

impl ProxyMessage {
    /// A document of that kind about a session.
    #[must_use]
    pub fn new(op: ProxyOp, session: Option<&str>) -> Self {
        let session = session.map(str::to_owned);
        Self { op, server: None, session, client: None, user: None, msg_id: None, msg_flags: None, msg: None }
    }

    /// Reads an `lrmd_ipc_proxy` element; the kind may be missing, as anything a peer sends.
    #[must_use]
    pub fn from_element(element: &Element) -> Self {
        let text = |name| element.attr(name).map(str::to_owned);
        let number = |name| element.attr(name).and_then(leading_int);
        Self {
            op: ProxyOp::from_name(element.attr("lrmd_ipc_op").unwrap_or_default()),
            server: text("lrmd_ipc_server"),
            session: text("lrmd_ipc_session"),
            client: text("lrmd_ipc_client"),
            user: text("lrmd_ipc_user"),
            msg_id: number("lrmd_ipc_msg_id"),
            msg_flags: number("lrmd_ipc_msg_flags"),
            msg: element.first(SEALED).and_then(|msg| msg.children.iter().find_map(document)),
        }
    }

    /// The element, without the envelope's closing attributes and without the relayed document.
    #[must_use]
    pub fn to_element(&self) -> Element {
        Element::new("lrmd_ipc_proxy")
            .with("lrmd_ipc_op", self.op.name())
            .with_some("lrmd_ipc_server", self.server.as_ref())
            .with_some("lrmd_ipc_session", self.session.as_ref())
            .with_some("lrmd_ipc_client", self.client.as_ref())
            .with_some("lrmd_ipc_user", self.user.as_ref())
            .with_some("lrmd_ipc_msg_id", self.msg_id)
            .with_some("lrmd_ipc_msg_flags", self.msg_flags)
    }

    /// Adds the relayed document to an element whose attributes are complete.
    #[must_use]
    pub fn attach(&self, element: Element) -> Element {
        match &self.msg {
            Some(msg) => {
                let mut sealed = Element::new(SEALED);
                sealed.children.push(Node::Verbatim(msg.clone()));
                element.child(sealed)
            }
            None => element,
        }
    }
}

fn document(node: &Node) -> Option<Verbatim> {
    match node {
        Node::Element(element) => Some(element.into()),
        Node::Verbatim(text) => Some(text.clone()),
        Node::Cdata(_) | Node::Comment(_) => None,
    }
}
