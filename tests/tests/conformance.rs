//! The numbered behaviors of `conformance.md` that need no cluster: see `picket_tests::parity::conformance`.
//!
//! `PICKET_POINTS=76,93` runs only these; `PICKET_FULL=1` gives them the time they have in `make show-parity`.

use picket_tests::Agent;
use picket_tests::parity::conformance::{Behavior, Shown, run, table};

fn chosen() -> Vec<Behavior> {
    let points = std::env::var("PICKET_POINTS").unwrap_or_default();
    let chosen: Vec<u16> = points.split(',').filter_map(|number| number.parse().ok()).collect();
    table().into_iter().filter(|row| chosen.is_empty() || chosen.contains(&row.number)).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the report, for who runs it with --nocapture or finds it failed")]
fn every_numbered_behavior_holds_or_is_listed_with_a_reason() {
    let table = chosen();
    let full = std::env::var_os("PICKET_FULL").is_some();
    let summary = run(&table, &[Agent::Picket, Agent::Original], full, &|_| ()).unwrap();
    for outcome in &summary.outcomes {
        println!("{outcome}");
    }
    println!("{summary}");
    let unexpected = |row: &Behavior| !matches!(row.shown, Shown::Missing(_));
    let short: Vec<_> = summary.shortfalls().filter(|outcome| unexpected(&outcome.behavior)).collect();
    assert!(short.is_empty(), "see above: {} fall short", short.len());
}

#[test]
fn the_table_has_every_number_once() {
    let numbers: Vec<_> = table().iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=108).collect::<Vec<_>>());
}
