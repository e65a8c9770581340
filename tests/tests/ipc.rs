//! Cluster tools in a guest, in the short form; `make show-ipc` measures everything.

use anyhow::{Context as _, Result, ensure};
use picket_tests::ipc_parity;

fn holds(number: u8) -> Result<()> {
    let point = ipc_parity::SHORT.iter().find(|point| point.number == number).context("no such point")?;
    let finding = (point.measure)()?;
    ensure!(finding.holds, "{}: {}", point.words, finding.figure);
    Ok(())
}

#[test]
fn tools_answer_as_through_the_original() {
    holds(1).unwrap();
}

#[test]
fn hostile_local_clients_reach_and_disturb_nobody() {
    holds(4).unwrap();
}
