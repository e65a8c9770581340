//! The attribute manager: transient attributes, with dampening.

use picket_proto::ipc::endpoint::Endpoint;
use picket_proto::xml::Element;

use super::{ClusterError, ask, connect};

/// A change of an attribute. Without a node it is that of the node which asks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Change {
    /// The attribute.
    pub name: String,
    /// Its new value, also `++` and the like; nothing deletes it.
    pub value: Option<String>,
    /// Dampening, as written by the caller.
    pub delay: Option<String>,
    /// Whether the dampening is changed, too, or alone.
    pub task: Task,
    /// Another node, and whether it is a remote one.
    pub node: Option<(String, bool)>,
    /// Kept out of the CIB.
    pub private: bool,
}

/// What a change changes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Task {
    /// The value.
    #[default]
    Value,
    /// Value and dampening.
    Both,
    /// The dampening.
    Delay,
    /// Nothing: every value is written to the CIB again.
    Refresh,
}

/// A node's value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// The node.
    pub node: String,
    /// Its value.
    pub value: String,
}

/// Changes an attribute.
///
/// # Errors
/// [`ClusterError`]
pub fn change(program: &str, change: &Change) -> Result<(), ClusterError> {
    let task = match change.task {
        Task::Value => "update",
        Task::Both => "update-both",
        Task::Delay => "update-delay",
        Task::Refresh => "refresh",
    };
    let named = change.task != Task::Refresh;
    let (node, remote) = match &change.node {
        Some((node, remote)) => (Some(node), *remote),
        None => (None, false),
    };
    let document = request(program)
        .with_some("attr_name", named.then_some(&change.name))
        .with("task", task)
        .with_some("attr_value", change.value.as_ref())
        .with_some("attr_dampening", change.delay.as_ref())
        .with_some("attr_host", node)
        .with("attr_is_remote", u8::from(remote))
        .with("attr_is_private", u8::from(change.private));
    ask(&mut connect(Endpoint::Attributes)?, &document).map(drop)
}

/// The values of an attribute on one node, or on all; `None` where there is no such attribute.
///
/// # Errors
/// [`ClusterError`]
pub fn query(program: &str, name: &str, node: Option<&str>) -> Result<Option<Vec<Value>>, ClusterError> {
    let document =
        request(program).with("attr_name", name).with("task", "query").with_some("attr_host", node);
    let reply = ask(&mut connect(Endpoint::Attributes)?, &document)?;
    let value = |node: &Element| {
        // One that was removed has a node and no value.
        let value = node.attr("attr_value").unwrap_or_default().to_owned();
        Some(Value { node: node.attr("attr_host")?.to_owned(), value })
    };
    Ok(reply.attr("attr_name").map(|_| reply.elements().filter_map(value).collect()))
}

fn request(program: &str) -> Element {
    Element::new("attrd_op").with("t", "attrd").with("src", program)
}
