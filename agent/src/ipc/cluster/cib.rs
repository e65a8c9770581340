//! The CIB: permanent attributes, and what transient ones are now.

use picket_proto::ipc::endpoint::Endpoint;
use picket_proto::xml::Element;

use super::{ClusterError, Peer, ask, connect};
use crate::ipc::client::Connection;

/// Synchronous, answered by the node that is asked, with an XPath.
const QUERY: i64 = 0x1000 | 0x100 | 0x2;

/// Synchronous, and what is not there is created.
const WRITE: i64 = 0x1000 | 0x10_0000;

const NOT_THERE: i32 = 6;

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

/// An attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pair {
    /// Its id in the CIB.
    pub id: String,
    /// Its value.
    pub value: String,
}

/// A conversation with the CIB manager.
#[derive(Debug)]
pub struct Cib {
    connection: Connection,
    client: String,
    calls: i64,
}

impl Cib {
    /// Registers.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn connect(program: &str) -> Result<Self, ClusterError> {
        let mut connection = connect(Endpoint::CibReadWrite)?;
        let register = Element::new("cib_command")
            .with("t", "cib")
            .with("cib_op", "register")
            .with("cib_clientname", program)
            .with("cib_callopt", 0x1000);
        let reply = ask(&mut connection, &register)?;
        Ok(Self { connection, client: reply.attr("cib_clientid").unwrap_or_default().to_owned(), calls: 1 })
    }

    /// A node by its name; `None` where the cluster knows none. A remote node's id is its name.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn node(&mut self, name: &str) -> Result<Option<Peer>, ClusterError> {
        let quoted = quoted(name)?;
        let state = self.query(&format!("//cib/status/node_state[@uname={quoted} or @id={quoted}]"))?;
        let Some(state) = state else { return Ok(None) };
        let remote = state.attr("remote_node").is_some_and(picket_proto::number::truth);
        let id = state.attr("id").unwrap_or(name).to_owned();
        Ok(Some(Peer { id, name: name.to_owned(), remote, ..Peer::default() }))
    }

    /// An attribute, if it is there.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn get(&mut self, section: &Section, name: &str) -> Result<Option<Pair>, ClusterError> {
        let path = format!("{}//nvpair[@name={}]", section.path()?, quoted(name)?);
        let Some(found) = self.query(&path)? else { return Ok(None) };
        // Several come in a list; the first one counts.
        let pair = found.find("nvpair");
        Ok(pair.and_then(|pair| {
            Some(Pair { id: pair.attr("id")?.to_owned(), value: pair.attr("value")?.to_owned() })
        }))
    }

    /// Writes an attribute.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn set(&mut self, section: &Section, name: &str, value: &str) -> Result<(), ClusterError> {
        let pair = |id: &str| Element::new("nvpair").with("id", id).with("name", name).with("value", value);
        let data = match self.get(section, name)? {
            // Where it is, whatever set that is in.
            Some(found) => pair(&found.id),
            None => section.around(|set| pair(&id(&format!("{set}-{name}")))),
        };
        self.write("cib_modify", section, data)
    }

    /// Removes an attribute; says what it was.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn delete(&mut self, section: &Section, name: &str) -> Result<Option<Pair>, ClusterError> {
        let Some(found) = self.get(section, name)? else { return Ok(None) };
        let data = Element::new("nvpair").with("id", &found.id).with("name", name);
        self.write("cib_delete", section, data)?;
        Ok(Some(found))
    }

    fn query(&mut self, path: &str) -> Result<Option<Element>, ClusterError> {
        match self.call(QUERY, "cib_query", path, None) {
            Ok(reply) => Ok(reply.first("cib_calldata").and_then(|data| data.elements().next().cloned())),
            Err(ClusterError::Refused(NOT_THERE)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, op: &str, section: &Section, data: Element) -> Result<(), ClusterError> {
        self.call(WRITE, op, section.name(), Some(data)).map(drop)
    }

    fn call(
        &mut self,
        options: i64,
        op: &str,
        section: &str,
        data: Option<Element>,
    ) -> Result<Element, ClusterError> {
        self.calls += 1;
        let command = Element::new("cib_command")
            .with("t", "cib")
            .with("cib_async_id", &self.client)
            .with("cib_op", op)
            .with("cib_section", section)
            .with("cib_callid", self.calls)
            .with("cib_callopt", options);
        let command = match data {
            Some(data) => command.child(Element::new("cib_calldata").child(data)),
            None => command,
        };
        let reply = ask(&mut self.connection, &command)?;
        let rc = reply.attr("cib_rc").or(reply.attr("rc")).and_then(picket_proto::number::leading_int);
        match rc {
            Some(rc) if rc < 0 => Err(ClusterError::Refused(i32::try_from(-rc).unwrap_or(i32::MAX))),
            Some(_) | None => Ok(reply),
        }
    }
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

    fn path(&self) -> Result<String, ClusterError> {
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
    fn around(&self, pair: impl Fn(&str) -> Element) -> Element {
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
fn quoted(text: &str) -> Result<String, ClusterError> {
    if text.contains('\'') { Err(ClusterError::Name(text.to_owned())) } else { Ok(format!("'{text}'")) }
}

/// A text as an id: what XML does not allow there becomes a dot.
fn id(text: &str) -> String {
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
