//! What runs where, read out of the CIB: as much of `crm_mon`'s XML as resource agents look for.
//!
//! The original computes the roles with its scheduler. Here the history of each resource on each node decides: the last
//! operation that says something about the state. Names and values are those of Pacemaker 2.1.5, as observed.

use std::collections::BTreeMap;

use picket_proto::number::{leading_int, truth};
use picket_proto::xml::Element;

/// Result codes of operations that tell a state.
const RUNNING: i64 = 0;
const NOT_RUNNING: i64 = 7;
const PROMOTED: i64 = 8;
const PROMOTED_FAILED: i64 = 9;

/// How a resource is on a node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct State {
    active: bool,
    promoted: bool,
    failed: bool,
}

/// The nodes and what is active on them.
#[must_use]
pub fn picture(cib: &Element, request: &str) -> Element {
    let configured = cib.find("resources");
    let (mut nodes, mut resources) = (Element::new("nodes"), BTreeMap::new());
    for node in cib.find("status").into_iter().flat_map(Element::elements) {
        let name = node.attr("uname").or(node.attr("id")).unwrap_or_default();
        let online = is_online(node);
        nodes = nodes.child(
            Element::new("node")
                .with("name", name)
                .with("id", node.attr("id").unwrap_or(name))
                .with("online", online)
                .with("unclean", false)
                .with("type", if is_remote(node) { "remote" } else { "member" }),
        );
        let history = node.find("lrm_resources").filter(|_| online);
        for resource in history.into_iter().flat_map(Element::elements) {
            let state = state(resource);
            if state.active {
                let id = resource.attr("id").unwrap_or_default();
                resources
                    .entry(id)
                    .or_insert_with(Vec::new)
                    .push(entry(configured, resource, id, state, name));
            }
        }
    }
    let active = resources.into_values().flatten();
    Element::new("pacemaker-result")
        .with("api-version", "2.25")
        .with("request", request)
        .child(nodes)
        .child(active.fold(Element::new("resources"), Element::child))
        .child(Element::new("status").with("code", 0).with("message", "OK"))
}

/// A cluster node is a member whose controller runs; of a remote node the first alone is known.
fn is_online(node: &Element) -> bool {
    // Newer clusters write since when.
    let since = |value: &str| leading_int(value).is_some_and(|seconds| seconds > 0);
    let member = node.attr("in_ccm").is_some_and(|value| truth(value) || since(value));
    let controller = node.attr("crmd").is_some_and(|value| value == "online" || since(value));
    member && (controller || is_remote(node))
}

fn is_remote(node: &Element) -> bool {
    node.attr("remote_node").is_some_and(truth)
}

/// What the history comes to.
fn state(resource: &Element) -> State {
    let number = |op: &Element, name| op.attr(name).and_then(leading_int);
    let mut ops: Vec<_> = resource.elements().filter(|op| op.name == "lrm_rsc_op").collect();
    ops.sort_by_key(|op| number(op, "call-id"));
    // Pending ones say nothing yet.
    let ended = ops.into_iter().filter(|op| number(op, "op-status").is_none_or(|status| status >= 0));
    ended.fold(State::default(), |state, op| {
        let (task, rc) = (op.attr("operation").unwrap_or_default(), number(op, "rc-code").unwrap_or(RUNNING));
        let running = |promoted| State { active: true, promoted, failed: false };
        match (task, rc) {
            ("stop" | "migrate_to", RUNNING) | (_, NOT_RUNNING) => State::default(),
            ("promote", RUNNING) | ("monitor", PROMOTED) => running(true),
            ("start" | "demote" | "monitor" | "migrate_from", RUNNING) => running(false),
            (_, PROMOTED_FAILED) => State { failed: true, ..running(true) },
            ("start" | "stop" | "promote" | "demote" | "monitor", _) => {
                State { active: true, failed: true, ..state }
            }
            _ => state,
        }
    })
}

fn entry(configured: Option<&Element>, resource: &Element, id: &str, state: State, node: &str) -> Element {
    let text = |name| resource.attr(name).unwrap_or_default();
    let agent = match text("provider") {
        "" => format!("{}:{}", text("class"), text("type")),
        provider => format!("{}:{provider}:{}", text("class"), text("type")),
    };
    // An instance of a clone has a number behind its name.
    let base = id.split(':').next().unwrap_or(id);
    let known = configured.and_then(|all| ancestry(all, base));
    let promotable = known.as_ref().is_some_and(|(_, promotable)| *promotable);
    let role = match (state.promoted, promotable) {
        (true, _) => "Promoted",
        (false, true) => "Unpromoted",
        (false, false) => "Started",
    };
    Element::new("resource")
        .with("id", id)
        .with("resource_agent", agent)
        .with("role", role)
        .with("active", true)
        .with("orphaned", known.is_none())
        .with("failed", state.failed)
        .with("nodes_running_on", 1)
        .child(Element::new("node").with("name", node).with("cached", true))
}

/// A configured resource, and whether it is inside a clone that promotes.
fn ancestry<'a>(inside: &'a Element, id: &str) -> Option<(&'a Element, bool)> {
    inside.elements().find_map(|child| {
        if child.attr("id") == Some(id) && child.name == "primitive" {
            return Some((child, promotes(inside)));
        }
        let (found, promotable) = ancestry(child, id)?;
        Some((found, promotable || promotes(inside)))
    })
}

fn promotes(clone: &Element) -> bool {
    let meta =
        || clone.elements().filter(|child| child.name == "meta_attributes").flat_map(Element::elements);
    let set =
        |pair: &Element| pair.attr("name") == Some("promotable") && pair.attr("value").is_some_and(truth);
    clone.name == "master" || (clone.name == "clone" && meta().any(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib(history: &str) -> Element {
        Element::parse(&format!(
            r#"<cib><configuration><resources><clone id="c"><meta_attributes id="m"><nvpair id="p" name="promotable"
            value="true"/></meta_attributes><primitive id="db"/></clone></resources></configuration><status>
            <node_state id="1" uname="node1" in_ccm="true" crmd="online"/>
            <node_state id="2" uname="node2" in_ccm="1795240000" crmd="0"/>
            <node_state id="guest1" uname="guest1" in_ccm="true" remote_node="true"><lrm id="guest1"><lrm_resources>
            <lrm_resource id="db" class="ocf" provider="heartbeat" type="redis">{history}</lrm_resource>
            </lrm_resources></lrm></node_state></status></cib>"#
        ))
        .unwrap()
    }

    fn op(call: u8, task: &str, rc: u8) -> String {
        format!(r#"<lrm_rsc_op call-id="{call}" operation="{task}" rc-code="{rc}" op-status="0"/>"#)
    }

    fn role(history: &[(u8, &str, u8)]) -> Option<(String, String)> {
        let history: String = history.iter().map(|(call, task, rc)| op(*call, task, *rc)).collect();
        let picture = picture(&cib(&history), "crm_mon");
        let resource = picture.find("resource")?;
        Some((resource.attr("role")?.to_owned(), resource.attr("failed")?.to_owned()))
    }

    #[test]
    fn the_last_operation_decides_in_the_order_of_calls() {
        let some = |role: &str, failed: &str| Some((role.to_owned(), failed.to_owned()));
        assert_eq!(role(&[(3, "monitor", 7)]), None);
        assert_eq!(role(&[(4, "start", 0), (3, "monitor", 7)]), some("Unpromoted", "false"));
        assert_eq!(role(&[(9, "promote", 0), (4, "start", 0)]), some("Promoted", "false"));
        assert_eq!(
            role(&[(4, "start", 0), (9, "promote", 0), (12, "monitor", 8)]),
            some("Promoted", "false")
        );
        assert_eq!(role(&[(9, "promote", 0), (12, "demote", 0)]), some("Unpromoted", "false"));
        assert_eq!(role(&[(9, "promote", 0), (12, "monitor", 1)]), some("Promoted", "true"));
        assert_eq!(role(&[(9, "promote", 0), (12, "stop", 0)]), None);
    }

    #[test]
    fn what_agents_look_for_is_there_in_their_order() {
        let text = picture(&cib(&op(4, "promote", 0)), "crm_mon").to_string();
        assert!(text.contains(r#"<resource id="db" resource_agent="ocf:heartbeat:redis" role="Promoted" active="true" orphaned="false" failed="false""#), "{text}");
        assert!(text.contains(r#"<node name="node1" id="1" online="true""#), "{text}");
        assert!(text.contains(r#"<node name="node2" id="2" online="false""#), "{text}");
        assert!(
            text.contains(r#"<node name="guest1" id="guest1" online="true" unclean="false" type="remote""#),
            "{text}"
        );
    }
}
