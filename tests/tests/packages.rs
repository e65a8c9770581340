//! The packages that `make packages` makes, or `PICKET_PROFILE=dev packaging/build deb rpm` in less time. What needs
//! more than a clean root of Debian's smallest system is run by `make show-packages`.

use picket_tests::Report;
use picket_tests::packages::{
    Packages, beside, containers, deb, devices, document, fence, fencer, migration, rpm, size, unit,
};

#[track_caller]
fn holds(report: &Report) {
    assert!(report.holds(), "{:#?}", report.shortfalls());
}

#[test]
fn systemd_has_no_complaint_about_the_unit() {
    let finding = unit::verified().unwrap();
    assert!(finding.holds, "{}", finding.figure);
}

#[test]
fn the_unit_exposes_no_more_than_the_original() {
    let finding = unit::exposure().unwrap();
    assert!(finding.holds, "{}", finding.figure);
}

#[test]
fn every_message_in_the_troubleshooting_document_is_the_agents() {
    assert_eq!(document::unknown_messages().unwrap(), [""; 0]);
}

#[test]
fn every_command_of_the_readme_is_run_by_a_test() {
    assert_eq!(document::unclaimed().unwrap(), []);
}

#[test]
fn every_place_in_the_architecture_exists() {
    assert_eq!(document::unknown_places().unwrap(), [""; 0]);
}

#[test]
fn every_limit_and_measure_in_the_specification_exists() {
    assert_eq!(document::unknown_measures().unwrap(), [""; 0]);
}

#[test]
fn the_deb_installs_upgrades_and_goes_without_a_trace() {
    holds(&deb::life_cycle(&Packages::find().unwrap()));
}

#[test]
fn the_rpm_installs_upgrades_and_goes_without_a_trace() {
    holds(&rpm::life_cycle(&Packages::find().unwrap()));
}

#[test]
fn the_fence_packages_install_upgrade_and_go_without_a_trace() {
    let packages = Packages::find().unwrap();
    holds(&fence::debs(&packages));
    holds(&fence::rpms(&packages));
}

#[test]
fn the_names_of_fence_agents_are_taken_and_given_back() {
    let packages = Packages::find().unwrap();
    holds(&beside::debs(&packages));
    holds(&beside::rpms(&packages));
}

#[test]
fn every_agent_has_a_device_in_the_document_that_it_takes() {
    holds(&devices::tried(&Packages::find().unwrap()));
}

#[test]
fn lintian_finds_no_error() {
    let finding = deb::lint(&Packages::find().unwrap()).unwrap();
    assert!(finding.holds, "{}", finding.figure);
}

#[test]
#[ignore = "needs the packages: make packages, then cargo test -p picket-tests --test packages -- --ignored"]
fn an_empty_root_needs_less_for_ours() {
    let finding = size::compare(&Packages::find().unwrap()).unwrap();
    assert!(finding.holds, "{}", finding.figure);
}

#[test]
#[ignore = "needs the packages: make packages, then cargo test -p picket-tests --test packages -- --ignored"]
fn a_guest_migrates_under_a_running_cluster_by_the_document() {
    holds(&migration::follow(&Packages::find().unwrap(), migration::MOVING));
}

#[test]
#[ignore = "needs the packages: make packages, then cargo test -p picket-tests --test packages -- --ignored"]
fn the_readme_makes_a_guest() {
    holds(&migration::follow_readme(&Packages::find().unwrap()));
}

#[test]
#[ignore = "needs the packages: make packages, then cargo test -p picket-tests --test packages -- --ignored"]
fn services_survive_upgrade_restart_watchdog_and_stop_of_the_agent() {
    holds(&unit::life(&Packages::find().unwrap()));
}

#[test]
#[ignore = "needs pcs: packaging/dev/install shells, then cargo test -p picket-tests --test packages -- --ignored"]
fn pcs_takes_every_device_of_the_document_and_one_fences() {
    holds(&devices::used(&Packages::find().unwrap()));
}

#[test]
fn a_device_migrates_under_a_running_cluster_by_the_document() {
    holds(&fencer::follow(&Packages::find().unwrap()));
}

#[test]
#[ignore = "needs the packages and pcs: make packages, then cargo test -p picket-tests --test packages -- --ignored"]
fn the_readme_makes_a_bundle_and_a_container() {
    holds(&containers::follow_readme(&Packages::find().unwrap()));
}

#[test]
fn the_document_makes_an_lxc_guest_with_libvirt_and_without() {
    holds(&containers::follow_lxc());
}
