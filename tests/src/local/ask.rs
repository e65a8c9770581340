//! A well-behaved client of either header generation.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use picket_agent::ipc::client::{Connection, Received};
use picket_proto::ipc::BUFFER;
use picket_proto::ipc::header::{Flags, Generation};

const LIMIT: Duration = Duration::from_secs(20);

/// Sends one document and gives the response, or the first event where `SERVER` is `crmd`, which answers by events.
pub fn ask(server: &str, generation: &str, xml: &str) -> Result<String> {
    let generation = match generation {
        "old" => Generation::Old,
        "new" => Generation::New,
        other => bail!("no generation '{other}'"),
    };
    let mut connection = Connection::open(server, generation, BUFFER, LIMIT)?;
    let deadline = Instant::now() + LIMIT;
    let id = connection.send(xml, Flags::RESPONSE_WANTED, deadline)?;
    loop {
        match connection.receive(deadline)? {
            Received::Event(event) if server == "crmd" => return Ok(event.text),
            Received::Event(_) => {}
            Received::Response(response) if server != "crmd" && response.id == id => return Ok(response.text),
            Received::Response(_) => {}
        }
    }
}
