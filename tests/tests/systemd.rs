//! Class `systemd` with real and scripted managers, in the short form.

use picket_tests::Report;
use picket_tests::systemd::{self, Storm};

fn assert_holds(report: &Report) {
    assert!(report.holds(), "{:#?}", report.shortfalls());
}

#[test]
fn units_of_a_real_systemd_do_as_the_cluster_says() {
    assert_holds(&systemd::real(10, Storm { units: 20, reloads: 25, reexecs: 10 }));
}

#[test]
fn every_ugly_answer_of_a_manager_has_its_result() {
    assert_holds(&systemd::answers());
}

#[test]
fn both_agents_give_the_same_answers() {
    assert_holds(&systemd::both_agents());
}
