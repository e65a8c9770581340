//! The harness itself: its fencing is real, so "the guest was never fenced" means something.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use picket_tests::fence::frozen;
use picket_tests::{Agent, Cluster, Power};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn dead_agent_gets_its_guest_fenced() {
    let mut cluster = Cluster::start(1).unwrap();
    let guest = cluster.guest("guest1", Agent::Original, &[]).unwrap();
    let online = |status: &picket_tests::Status| status.is_online("guest1") && status.failures.is_empty();
    cluster.wait("guest is online", SOON, online).unwrap();

    let agent = guest.host.pid("agent").unwrap();
    kill(agent, Signal::SIGKILL).unwrap();
    cluster.wait("guest is fenced", SOON, |_| !cluster.fencing().against("guest1").is_empty()).unwrap();
    let fenced = cluster.fencing().record().remove(0);
    assert_eq!((fenced.action, fenced.by.as_str()), (Power::Reboot, "node1"));

    cluster.wait("guest is back", SOON, |status| status.is_online("guest1")).unwrap();
    assert_ne!(guest.host.pid("agent").unwrap(), agent);
}

#[test]
fn a_frozen_container_is_fenced_by_picket_fence_and_comes_back() {
    let report = frozen::container(&mut |_| {});
    assert!(report.holds(), "{:#?}", report.shortfalls());
}
