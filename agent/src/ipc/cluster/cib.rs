//! The CIB: permanent attributes, and what transient ones are now.

use picket_proto::ipc::endpoint::Endpoint;
use picket_proto::xml::Element;

use super::section::{Section, id, quoted};
use super::{ClusterError, Peer, ask, connect};
use crate::ipc::client::Connection;

/// Synchronous, answered by the node that is asked.
const LOCAL: i64 = 0x1000 | 0x100;

/// The same with an XPath.
const QUERY: i64 = LOCAL | 0x2;

/// Synchronous, and what is not there is created.
const WRITE: i64 = 0x1000 | 0x10_0000;

const NOT_THERE: i32 = 6;

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

    /// All of it.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn whole(&mut self) -> Result<Element, ClusterError> {
        let reply = self.call(LOCAL, "cib_query", None, None)?;
        let data = reply.first("cib_calldata").and_then(|data| data.elements().next().cloned());
        data.ok_or(ClusterError::Refused(NOT_THERE))
    }

    fn query(&mut self, path: &str) -> Result<Option<Element>, ClusterError> {
        match self.call(QUERY, "cib_query", Some(path), None) {
            Ok(reply) => Ok(reply.first("cib_calldata").and_then(|data| data.elements().next().cloned())),
            Err(ClusterError::Refused(NOT_THERE)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, op: &str, section: &Section, data: Element) -> Result<(), ClusterError> {
        self.call(WRITE, op, Some(section.name()), Some(data)).map(drop)
    }

    fn call(
        &mut self,
        options: i64,
        op: &str,
        section: Option<&str>,
        data: Option<Element>,
    ) -> Result<Element, ClusterError> {
        self.calls += 1;
        let command = Element::new("cib_command")
            .with("t", "cib")
            .with("cib_async_id", &self.client)
            .with("cib_op", op)
            .with_some("cib_section", section)
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
