//! Where an attribute is in the CIB.

use picket_proto::xml::Element;

use super::{ClusterError, Peer};

/// Where an attribute is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Section {
    /// A cluster property, in a set of that id or in any.
    Properties(Option<String>),
    /// A permanent attribute of a node, or its utilization.
    Nodes {
        /// The node.
        node: Peer,
        /// Among utilization attributes.
        utilization: bool,
    },
    /// A transient attribute of a node; read only, for the attribute manager writes them.
    Status(Peer),
}

impl Section {
    /// Its name for the CIB manager, and in what tools print.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Properties(_) => "crm_config",
            Self::Nodes { .. } => "nodes",
            Self::Status(_) => "status",
        }
    }

    pub(super) fn path(&self) -> Result<String, ClusterError> {
        Ok(match self {
            Self::Properties(None) => "//cib/configuration/crm_config//cluster_property_set".to_owned(),
            Self::Properties(Some(set)) => {
                format!("//cib/configuration/crm_config//cluster_property_set[@id={}]", quoted(set)?)
            }
            Self::Nodes { node, utilization } => {
                let set = if *utilization { "utilization" } else { "instance_attributes" };
                format!("//cib/configuration/nodes//node[@id={}]//{set}", quoted(&node.id)?)
            }
            Self::Status(node) => {
                format!("//cib/status//node_state[@id={}]//transient_attributes", quoted(&node.id)?)
            }
        })
    }

    /// A new attribute with all that is around it in the section.
    pub(super) fn around(&self, pair: impl Fn(&str) -> Element) -> Element {
        let set = |name: &str, set: &str| Element::new(name).with("id", set).child(pair(set));
        match self {
            Self::Properties(named) => {
                let named = named.as_deref().unwrap_or("cib-bootstrap-options");
                Element::new("crm_config").child(set("cluster_property_set", named))
            }
            Self::Nodes { node, utilization } => {
                let inner = if *utilization {
                    set("utilization", &id(&format!("nodes-{}-utilization", node.id)))
                } else {
                    set("instance_attributes", &id(&format!("nodes-{}", node.id)))
                };
                let kind = node.remote.then_some("remote");
                let node = Element::new("node")
                    .with_some("type", kind)
                    .with("id", &node.id)
                    .with("uname", &node.name);
                Element::new("nodes").child(node.child(inner))
            }
            Self::Status(node) => set("transient_attributes", &id(&format!("status-{}", node.id))),
        }
    }
}

/// A text as an XPath literal, which cannot hold its own quote.
pub(super) fn quoted(text: &str) -> Result<String, ClusterError> {
    if text.contains('\'') { Err(ClusterError::Name(text.to_owned())) } else { Ok(format!("'{text}'")) }
}

/// A text as an id: what XML does not allow there becomes a dot.
pub(super) fn id(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars().map(|c| if allowed(c) { c } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_a_query() {
        assert!(matches!(quoted("x'] | //cib[@id='"), Err(ClusterError::Name(_))));
        assert_eq!(quoted("it is \"x\"").unwrap(), "'it is \"x\"'");
    }

    #[test]
    fn ids_are_those_of_the_original() {
        assert_eq!(id("status-guest1-master-pg:0"), "status-guest1-master-pg.0");
    }

    #[test]
    fn a_new_attribute_comes_with_its_surroundings() {
        let node = Peer { id: "guest1".into(), name: "guest1".into(), remote: true, ..Peer::default() };
        let section = Section::Nodes { node, utilization: false };
        let pair = |set: &str| Element::new("nvpair").with("id", format!("{set}-color"));
        assert_eq!(
            section.around(pair).to_string(),
            "<nodes><node type=\"remote\" id=\"guest1\" uname=\"guest1\"><instance_attributes id=\"nodes-guest1\">\
             <nvpair id=\"nodes-guest1-color\"/></instance_attributes></node></nodes>"
        );
    }
}
