//! `picket_status`: what an agent tells an observer about itself. Our own addition to the protocol.

use crate::number::{leading_int, millis, truth};
use crate::resource::Definition;
use crate::xml::Element;

/// The ALPN name by which `picketctl` and picket-agent recognize each other inside the TLS handshake. A client
/// that offers it is an observer until it registers: other clients are not told of it, so no cluster drops the
/// node. Peers without the extension (every Pacemaker release) ignore the offer.
pub const OBSERVER_ALPN: &str = "picket-observer/1";

/// An agent's account of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AgentStatus {
    /// Release of the agent.
    pub version: String,
    /// Seconds since its start.
    pub uptime: u64,
    /// Connected clients, the asking one excluded.
    pub clients: Vec<ClientStatus>,
    /// Registered resources.
    pub resources: Vec<ResourceStatus>,
}

impl AgentStatus {
    /// The connected clusters' controllers.
    pub fn providers(&self) -> impl Iterator<Item = &ClientStatus> {
        self.clients.iter().filter(|client| client.is_provider)
    }
}

/// One connected client.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientStatus {
    /// Its name; none before it registered.
    pub name: Option<String>,
    /// Address and port it connects from.
    pub address: String,
    /// Whether it relays IPC, as a cluster's controller does.
    pub is_provider: bool,
    /// Seconds since it connected.
    pub connected: u64,
}

/// One registered resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResourceStatus {
    /// The agent behind it.
    pub definition: Definition,
    /// The action that runs now.
    pub active: Option<String>,
    /// Operations that wait.
    pub pending: u64,
    /// Recurring operations.
    pub recurring: Vec<RecurringStatus>,
}

/// One recurring operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecurringStatus {
    /// Action.
    pub action: String,
    /// Interval in ms.
    pub interval: u64,
    /// OCF return code of the last run, once there was one.
    pub last_rc: Option<i64>,
}

impl AgentStatus {
    /// The `picket_status` element of a reply.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let root = Element::new("picket_status").with("version", &self.version).with("uptime", self.uptime);
        let root = self.clients.iter().fold(root, |root, client| {
            root.child(
                Element::new("client")
                    .with_some("name", client.name.as_ref())
                    .with("address", &client.address)
                    .with("provider", client.is_provider)
                    .with("connected", client.connected),
            )
        });
        self.resources.iter().fold(root, |root, resource| root.child(resource.to_element()))
    }

    /// Reads the element; parts that are not understood are left out.
    #[must_use]
    pub fn from_element(element: &Element) -> Self {
        let children = |name: &'static str| element.elements().filter(move |child| child.name == name);
        Self {
            version: element.attr("version").unwrap_or_default().to_owned(),
            uptime: millis(element.attr("uptime")),
            clients: children("client")
                .map(|client| ClientStatus {
                    name: client.attr("name").map(str::to_owned),
                    address: client.attr("address").unwrap_or_default().to_owned(),
                    is_provider: client.attr("provider").is_some_and(truth),
                    connected: millis(client.attr("connected")),
                })
                .collect(),
            resources: children("resource").filter_map(ResourceStatus::from_element).collect(),
        }
    }
}

impl ResourceStatus {
    fn to_element(&self) -> Element {
        let root = self
            .definition
            .write(Element::new("resource"))
            .with_some("active", self.active.as_ref())
            .with("pending", self.pending);
        self.recurring.iter().fold(root, |root, op| {
            root.child(
                Element::new("recurring")
                    .with("action", &op.action)
                    .with("interval", op.interval)
                    .with_some("last_rc", op.last_rc),
            )
        })
    }

    fn from_element(element: &Element) -> Option<Self> {
        Some(Self {
            definition: Definition::from_element(element)?,
            active: element.attr("active").map(str::to_owned),
            pending: millis(element.attr("pending")),
            recurring: element
                .elements()
                .filter(|child| child.name == "recurring")
                .map(|op| RecurringStatus {
                    action: op.attr("action").unwrap_or_default().to_owned(),
                    interval: millis(op.attr("interval")),
                    last_rc: op.attr("last_rc").and_then(leading_int),
                })
                .collect(),
        })
    }
}
