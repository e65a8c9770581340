//! Cluster tools in a guest, in the short form; `make show-ipc` measures everything.

use anyhow::{Context as _, Result, ensure};
use picket_tests::ipc_parity;

fn holds(words: &str) -> Result<()> {
    let point =
        ipc_parity::SHORT.iter().find(|point| point.words.contains(words)).context("no such point")?;
    let finding = (point.measure)()?;
    ensure!(finding.holds, "{}: {}", point.words, finding.figure);
    Ok(())
}

#[test]
fn tools_answer_as_through_the_original() {
    holds("tools answer alike").unwrap();
}

#[test]
fn the_executor_serves_local_clients_and_no_cluster_hears_of_them() {
    holds("clients of the executor").unwrap();
}

#[test]
fn node_health_is_told_only_when_it_changes() {
    holds("node health").unwrap();
}

#[test]
fn hostile_local_clients_reach_and_disturb_nobody() {
    holds("hostile").unwrap();
}

#[test]
fn a_client_that_never_reads_is_disconnected_and_others_are_served() {
    holds("never reads").unwrap();
}

#[test]
fn tools_work_over_sockets_that_are_files() {
    holds("are files").unwrap();
}

#[test]
fn a_larger_buffer_takes_larger_answers() {
    holds("larger buffer").unwrap();
}
