//! The same conversations with pacemaker-remoted and with picket-agent: see `picket_tests::differential`.
//!
//! `PICKET_SEQUENCES=text` runs only the sequences whose names contain the text.

use picket_tests::Agent;
use picket_tests::differential::run;

fn filter() -> String {
    std::env::var("PICKET_SEQUENCES").unwrap_or_default()
}

#[test]
#[expect(clippy::print_stdout, reason = "the summary, for who runs it with --nocapture or finds it failed")]
fn picket_agent_behaves_as_the_original() {
    let filter = filter();
    let verdict = run(Agent::Original, Agent::Picket, &filter).unwrap().judge(filter.is_empty());
    println!("{verdict}");
    assert!(verdict.complaints.is_empty(), "see above: {} complaints", verdict.complaints.len());
}

/// The normalization leaves nothing that depends on chance. To be run after a change of sequences.
#[test]
#[ignore = "tests the test: two originals, half a minute"]
fn original_behaves_as_itself() {
    let report = run(Agent::Original, Agent::Original, &filter()).unwrap();
    let differences: Vec<_> = report
        .results
        .iter()
        .flat_map(|r| r.differences.iter().map(|d| format!("{}: {d}", r.name)))
        .collect();
    assert!(differences.is_empty(), "{differences:#?}");
}
