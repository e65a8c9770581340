//! The harness itself: an agent alone on a host.

use picket_tests::{Agent, Peer};

#[test]
fn original_listens_and_stops() {
    let peer = Peer::start(Agent::Original, &[]).unwrap();
    assert!(peer.pid().unwrap().as_raw() > 1);
    peer.connect().unwrap();
    assert_eq!(std::fs::metadata(&peer.key).unwrap().len(), 4096);
    let log = std::fs::read_to_string(&peer.log).unwrap();
    assert!(log.contains("successfully started"), "{log}");
    assert!(peer.stop().unwrap().success());
}
