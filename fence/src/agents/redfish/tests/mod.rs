mod bmc;
mod service;
mod validator;

use self::bmc::{Bmc, Kind};
use super::AGENT;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Bench, IP_AND_PORT, Platform};

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "username=u\npassword=p",
    address: IP_AND_PORT,
    ca: "ca_file",
    plug: Some("101"),
    wildcard: Some("vm1*"),
    names_repeat: true,
    optional: &[("DELETE", "/redfish/v1/SessionService")],
    platform: || Box::new(Bmc::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

#[test]
fn no_fault_makes_it_lie_with_a_session() {
    let options = "username=u\npassword=p\nauth=session";
    matrix::run(&Bench { options, ..BENCH });
}

/// Runs an action on `vm1`, which is on, against a service of this kind.
fn run(platform: fn() -> Box<dyn Platform>, action: Action) -> matrix::Outcome {
    Case::new(&Bench { platform, ..BENCH }, action, action != Action::On).run()
}

#[test]
fn several_systems_without_a_name_are_an_error_that_lists_them() {
    // Upstream takes the last one (fence-drivers, 4.1).
    let outcome = Case::new(&Bench { plug: None, ..BENCH }, Action::Off, true).run();
    let failure = outcome.failure.unwrap().to_string();
    assert!(failure.contains("Systems/101") && failure.contains("Systems/102"), "{failure}");
    assert!(outcome.world.machines.iter().all(|machine| machine.on));
}

#[test]
fn a_system_is_found_by_its_id_its_name_and_its_uuid_in_any_case() {
    for plug in ["101", "VM1", "UUID-101"] {
        let outcome = Case { plug: Some(plug), ..Case::new(&BENCH, Action::Off, true) }.run();
        assert_eq!(outcome.exit, Exit::Success, "{plug}: {:?}", outcome.failure);
        assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
    }
}

#[test]
fn a_node_name_from_the_cluster_does_not_stand_in_the_way_of_a_path() {
    let more = "nodename=node1\nport=node1\nsystems_uri=/redfish/v1/Systems/101/";
    let bench = Bench { plug: None, ..BENCH };
    let outcome = Case { more, ..Case::new(&bench, Action::Off, true) }.run();
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
}

#[test]
fn a_redirected_reset_is_posted_to_the_same_system_elsewhere() {
    // Upstream turns it into a GET, which changes nothing and succeeds (fence-drivers, 4.1).
    for platform in [
        (|| Box::new(Bmc::new(Kind::Moved(301)))) as fn() -> Box<dyn Platform>,
        || Box::new(Bmc::new(Kind::Moved(302))),
        || Box::new(Bmc::new(Kind::Moved(308))),
    ] {
        let outcome = run(platform, Action::Off);
        assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
        assert!(!outcome.world.machines[0].on);
    }
}

#[test]
fn without_force_off_it_fails_at_once_and_says_what_there_is() {
    let outcome = run(|| Box::new(Bmc::new(Kind::NoForceOff)), Action::Off);
    assert!(outcome.failure.unwrap().to_string().contains("GracefulShutdown"));
    assert!(outcome.elapsed.as_secs() < 2);
    let monitor = run(|| Box::new(Bmc::new(Kind::NoForceOff)), Action::Monitor);
    assert_eq!(monitor.exit, Exit::Failure, "monitor must tell before it is needed");
}

#[test]
fn a_precondition_is_met_with_the_etag() {
    assert_eq!(run(|| Box::new(Bmc::new(Kind::Etag)), Action::Off).exit, Exit::Success);
}

#[test]
fn reset_kinds_are_found_in_an_action_info() {
    assert_eq!(run(|| Box::new(Bmc::new(Kind::ActionInfo)), Action::Reboot).exit, Exit::Success);
}

#[test]
fn already_off_is_an_answer_to_be_checked() {
    assert_eq!(run(|| Box::new(Bmc::new(Kind::Already)), Action::Off).exit, Exit::Success);
}

#[test]
fn a_task_that_fails_tells_why() {
    let outcome = run(|| Box::new(Bmc::new(Kind::FailingTask)), Action::Off);
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.row().number, 7);
    assert!(failure.hint().contains("fuse blown"), "{}", failure.hint());
}

#[test]
fn kubevirt_redfish_must_say_off_for_longer_than_its_cache() {
    let bench = Bench { platform: || Box::new(Bmc::new(Kind::KubeVirt)), ..BENCH };
    for (action, on) in [(Action::Off, false), (Action::Off, true), (Action::Reboot, true)] {
        let outcome = Case::new(&bench, action, on).run();
        assert_eq!(outcome.exit, Exit::Success, "{action:?}: {:?}", outcome.failure);
        assert!(outcome.elapsed.as_secs() >= 31, "{action:?}: {:?}", outcome.elapsed);
    }
}

#[test]
fn a_session_is_ended_on_every_way_out() {
    let bench = Bench { options: "username=u\npassword=p\nauth=session", ..BENCH };
    assert_eq!(Case::new(&bench, Action::Off, true).run().world.note, "+-");
    assert_eq!(Case { plug: Some("nobody"), ..Case::new(&bench, Action::Off, true) }.run().world.note, "+-");
}

#[test]
fn an_expected_number_of_calls_is_made_for_status() {
    let outcome = run(BENCH.platform, Action::Status);
    assert_eq!(outcome.log.len(), 3, "{:?}", outcome.log);
}
