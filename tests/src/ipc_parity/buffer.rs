//! Point 1: with `PCMK_ipc_buffer` an old tool gets an answer that does not fit even compressed, as from the original.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use picket_proto::xml::Element;

use crate::agent::Agent;
use crate::local;
use crate::parity::client::Client;
use crate::parity::provider::serve;
use crate::peer::Peer;
use crate::report::Finding;

/// Of an answer that hardly compresses: several times the usual buffer.
const SIZE: usize = 1_000_000;

const BUFFER: (&str, &str) = ("PCMK_ipc_buffer", "4194304");

pub(super) fn measure() -> Result<Finding> {
    let answer = Element::new("answer").with("noise", noise());
    for agent in [Agent::Original, Agent::Picket] {
        let length = ask(agent, &answer).with_context(|| format!("with {}", agent.name()))?;
        ensure!(length > SIZE, "{}: {length} bytes came through", agent.name());
    }
    Ok(Finding::good(format!("{SIZE} bytes of noise come through {BUFFER:?} of either agent")))
}

fn ask(agent: Agent, answer: &Element) -> Result<usize> {
    let peer = Peer::start(agent, &[BUFFER])?;
    let program = local::program()?;
    let program = program.to_str().context("its path is not UTF-8")?;
    let mut cluster = Client::provider(&peer, "cluster")?;
    std::thread::scope(|scope| {
        let tool = scope.spawn(|| peer.host.check(&[program, "ask", "cib_rw", "old", "<question/>"]));
        let served = serve(&mut cluster, |_| answer.clone());
        let said = tool.join().map_err(|_| anyhow::anyhow!("the tool's thread panicked"))?;
        served?;
        Ok(said?.len())
    })
}

fn noise() -> String {
    let mut noise = String::new();
    let mut value = 1_u64;
    while noise.len() < SIZE {
        value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(noise, "{:08x}", value >> 32).expect("writing to a String cannot fail");
    }
    noise
}
