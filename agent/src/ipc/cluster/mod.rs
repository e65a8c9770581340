//! The cluster's daemons, asked through local servers: what a guest without Pacemaker's packages needs of them.
//!
//! The documents were observed with the tools of Pacemaker 2.1.5.

mod attributes;
mod cib;
mod nodes;
mod picture;
mod schemas;
mod section;

use std::time::{Duration, Instant};

use picket_proto::ipc::BUFFER;
use picket_proto::ipc::endpoint::Endpoint;
use picket_proto::ipc::header::{Flags, Generation};
use picket_proto::xml::{Element, XmlError};
use thiserror::Error;

use super::client::{ClientError, Connection, Received};

pub use attributes::{Change, Task, Value, change, query};
pub use cib::{Cib, Pair};
pub use nodes::{Nodes, Peer};
pub use picture::picture;
pub use schemas::schemas;
pub use section::Section;

/// How long a question may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// On the way.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Not a word of the cluster's language.
    #[error("{0:?} cannot be part of a query")]
    Name(String),
    /// The answer.
    #[error("the cluster's answer is no XML: {0}")]
    Xml(#[from] XmlError),
    /// The answer says no.
    #[error("the cluster refuses: {}", std::io::Error::from_raw_os_error(*.0))]
    Refused(i32),
}

fn connect(endpoint: Endpoint) -> Result<Connection, ClientError> {
    // The newer layout has no limit on answers.
    Connection::open(endpoint.name(), Generation::New, BUFFER, LIMIT)
}

/// Sends a document and waits for the response to it.
fn ask(connection: &mut Connection, document: &Element) -> Result<Element, ClusterError> {
    let deadline = Instant::now() + LIMIT;
    let id = connection.send(&document.to_string(), Flags::RESPONSE_WANTED, deadline)?;
    loop {
        match connection.receive(deadline)? {
            Received::Response(response) if response.id == id => return Ok(Element::parse(&response.text)?),
            Received::Response(_) | Received::Event(_) => {}
        }
    }
}
