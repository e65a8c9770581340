//! The controller: who this node is, and who else there is.

use std::time::Instant;

use picket_proto::ipc::endpoint::Endpoint;
use picket_proto::ipc::header::Flags;
use picket_proto::xml::Element;

use super::{ClusterError, LIMIT, connect};
use crate::ipc::client::{Connection, Received};

/// A node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Peer {
    /// Cluster-internal id: a number, or a remote node's name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// A Pacemaker Remote node.
    pub remote: bool,
    /// Whether its partition has quorum.
    pub quorum: bool,
    /// `member` or `lost`, in lists.
    pub state: String,
}

/// A conversation with the controller.
#[derive(Debug)]
pub struct Nodes {
    connection: Connection,
    program: String,
    questions: u32,
}

impl Nodes {
    /// Says hello.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn connect(program: &str) -> Result<Self, ClusterError> {
        let mut connection = connect(Endpoint::Controller)?;
        let pid = std::process::id();
        let options = Element::new("options")
            .with("major_version", 1)
            .with("minor_version", 0)
            .with("client_name", program)
            .with("client_uuid", pid);
        let hello = Element::new("hello")
            .with("t", "crmd")
            .with("version", "3.16.1")
            .with("subt", "request")
            .with("reference", format!("hello-{program}-{pid}-0"))
            .with("crm_task", "hello")
            .with("crm_sys_from", format!("{pid}_{program}"))
            .child(Element::new("crm_xml").child(options));
        connection.send(&hello.to_string(), Flags(0), Instant::now() + LIMIT)?;
        Ok(Self { connection, program: program.to_owned(), questions: 0 })
    }

    /// This node.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn local(&mut self) -> Result<Peer, ClusterError> {
        self.info(None)
    }

    /// The node with that numeric id.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn by_id(&mut self, id: u32) -> Result<Peer, ClusterError> {
        self.info(Some(id))
    }

    /// Every cluster node, without remote ones.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub fn list(&mut self) -> Result<Vec<Peer>, ClusterError> {
        let reply = self.ask("list-nodes", None)?;
        let nodes = reply.find("nodes").map(|nodes| nodes.elements().map(peer).collect());
        Ok(nodes.unwrap_or_default())
    }

    fn info(&mut self, id: Option<u32>) -> Result<Peer, ClusterError> {
        let reply = self.ask("node-info", id)?;
        Ok(reply.find("node").map(peer).unwrap_or_default())
    }

    /// The controller answers by an event, which it correlates by the reference.
    fn ask(&mut self, task: &str, about: Option<u32>) -> Result<Element, ClusterError> {
        self.questions += 1;
        let (program, pid) = (&self.program, std::process::id());
        let reference = format!("{task}-{program}-{pid}-{}", self.questions);
        let question = Element::new("request")
            .with("t", "crmd")
            .with("version", "3.16.1")
            .with("subt", "request")
            .with("reference", &reference)
            .with("crm_task", task)
            .with("crm_sys_to", "crmd")
            .with("crm_sys_from", format!("{pid}_{program}"))
            .with_some("id", about);
        let deadline = Instant::now() + LIMIT;
        self.connection.send(&question.to_string(), Flags::RESPONSE_WANTED, deadline)?;
        loop {
            if let Received::Event(event) = self.connection.receive(deadline)? {
                let answer = Element::parse(&event.text)?;
                if answer.attr("reference") == Some(&reference) {
                    return Ok(answer);
                }
            }
        }
    }
}

fn peer(node: &Element) -> Peer {
    let text = |name| node.attr(name).unwrap_or_default().to_owned();
    let truth = |name| node.attr(name).is_some_and(picket_proto::number::truth);
    Peer {
        id: text("id"),
        name: text("uname"),
        remote: truth("remote_node"),
        quorum: truth("have-quorum"),
        state: text("in_ccm"),
    }
}
