//! The agent description of a unit: systemd has none, so all units have the same.

use picket_proto::xml::{Element, Node};

/// Actions with their timeouts and intervals in seconds; the original's.
const ACTIONS: [(&str, u32, Option<u32>); 5] = [
    ("start", 100, None),
    ("stop", 100, None),
    ("status", 100, None),
    ("monitor", 100, Some(60)),
    ("meta-data", 5, None),
];

/// The document, for a unit with systemd's description of it.
pub(super) fn document(agent: &str, description: Option<&str>) -> String {
    let short = format!("systemd unit file for {agent}");
    let long = description.filter(|text| !text.is_empty()).unwrap_or(&short);
    let actions = ACTIONS.iter().fold(Element::new("actions"), |actions, (name, timeout, interval)| {
        actions.child(
            Element::new("action")
                .with("name", name)
                .with("timeout", format!("{timeout}s"))
                .with_some("interval", interval.map(|interval| format!("{interval}s")).as_ref()),
        )
    });
    Element::new("resource-agent")
        .with("name", agent)
        .with("version", "0.1")
        .child(said(Element::new("version"), "1.1"))
        .child(said(Element::new("longdesc").with("lang", "en"), long))
        .child(said(Element::new("shortdesc").with("lang", "en"), &short))
        .child(Element::new("parameters"))
        .child(actions)
        .child(Element::new("special").with("tag", "systemd"))
        .to_string()
}

fn said(mut element: Element, text: &str) -> Element {
    element.children.push(Node::Cdata(text.to_owned()));
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_description_gives_a_document() {
        let described = document("x", Some("a < b ]]> & \u{1}c"));
        let root = Element::parse(&described).unwrap();
        assert_eq!((root.name.as_str(), root.attr("name")), ("resource-agent", Some("x")));
        let actions: Vec<_> =
            root.first("actions").unwrap().elements().filter_map(|it| it.attr("name")).collect();
        assert_eq!(actions, ["start", "stop", "status", "monitor", "meta-data"]);
        assert!(document("x", Some("")).contains("systemd unit file for x"));
    }
}
