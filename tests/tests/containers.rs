//! Containers, in short: `make show-containers` has the full figures.

use picket_tests::Report;
use picket_tests::containers::{Kind, Tool, faults, lxc, probe, reaping};

fn holds(report: &Report) {
    assert!(report.holds(), "{:#?}", report.shortfalls());
}

#[test]
fn process_1_loses_no_exit_status_and_leaves_no_zombie() {
    holds(&reaping(100));
}

#[test]
fn an_engine_that_is_away_is_no_container_that_is_not_running() {
    holds(&faults(Kind::Docker, &mut |_| ()));
}

#[test]
fn an_lxc_container_is_a_guest_that_the_cluster_starts_recovers_and_stops() {
    holds(&lxc(Tool::Lxc, 1, &mut |_| ()));
}

#[test]
fn a_probe_trusts_the_right_authority_only_and_keeps_a_secret_target() {
    holds(&probe());
}
