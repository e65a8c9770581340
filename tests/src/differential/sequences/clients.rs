//! Several clients, and clients that go.

use picket_proto::request::Operation;

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("protocol-versions", protocol_versions),
    Sequence::new("hello-twice", hello_twice),
    Sequence::new("provider-hello", provider_hello),
    Sequence::new("unnamed-client", unnamed_client),
    Sequence::new("name-in-a-later-message", name_in_a_later_message),
    Sequence::new("second-client", second_client),
    Sequence::new("handshake-alone-is-announced", handshake_alone_is_announced),
    Sequence::new("originator-only", originator_only),
    Sequence::new("originator-gone", originator_gone),
    Sequence::new("first-client-leaves", first_client_leaves),
    Sequence::new("last-client-leaves", last_client_leaves),
    Sequence::new("last-client-leaves-no-drop", last_client_leaves_no_drop),
    Sequence::new("reconnect-while-busy", reconnect_while_busy),
    Sequence::new("vanish-while-busy", vanish_while_busy),
    Sequence::new("vanish-with-pending", vanish_with_pending),
    Sequence::new("poke", poke),
    Sequence::new("call-ids", call_ids),
];

fn protocol_versions(s: &mut Session<'_>) {
    for version in [
        Some("0.9"),
        Some(""),
        Some("abc"),
        None,
        Some("1"),
        Some("1.0"),
        Some("1.1"),
        Some("1.2"),
        Some("2.0"),
    ] {
        s.connect("B").hello_as(Some("b"), version, None).call(Operation::Poke).listen(60).leave();
        s.on("A").hear(1);
    }
    s.listen(100);
}

fn hello_twice(s: &mut Session<'_>) {
    s.hello().hello().call(Operation::Poke).hear(1);
}

fn provider_hello(s: &mut Session<'_>) {
    s.connect("B").hello_as(Some("b"), Some("1.1"), Some(true)).hello_as(Some("b"), Some("1.1"), Some(false));
    s.leave().on("A").hear(1);
}

fn unnamed_client(s: &mut Session<'_>) {
    s.connect("B").call(Operation::Poke).hello_as(None, Some("1.1"), None).call(Operation::Poke);
    s.register_with("r1", "ocf", Some("picket-test"), "Script", 0).exec(&op("r1", "start")).listen(400);
    s.on("A").hear(5);
}

/// The first name counts, in whichever message.
fn name_in_a_later_message(s: &mut Session<'_>) {
    s.connect("B").call(Operation::Poke);
    s.say(
        r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_poke" lrmd_clientname="late" lrmd_remote_msg_id="40" lrmd_remote_msg_type="request"/>"#,
    );
    s.hear(2).call(Operation::Poke).hear(1).on("A").hear(4);
}

fn second_client(s: &mut Session<'_>) {
    s.register("r1", "Script").join("B").on("A").hear(1);
    s.on("B").run(&op("r1", "start")).on("A").hear(1);
    s.run(&op("r1", "monitor").every(300)).on("B").hear(1);
    s.look("state goes", "rm /run/picket-test/r1.state").hear(1).on("A").hear(1);
    s.cancel("r1", "monitor", 300).on("B").hear(1).leave().on("A").call(Operation::Poke).hear(1);
}

fn handshake_alone_is_announced(s: &mut Session<'_>) {
    s.connect("B").on("A").hear(1).on("B").leave().on("A").listen(200);
}

fn originator_only(s: &mut Session<'_>) {
    s.register("r1", "Script").join("B").on("A").hear(1);
    s.on("B").run(&op("r1", "start").options(2));
    s.run(&op("r1", "monitor").every(300).options(6))
        .look("state goes", "rm /run/picket-test/r1.state")
        .hear(1);
    s.cancel("r1", "monitor", 300).on("A").listen(300);
}

/// Its results go to nobody, and no harm is done.
fn originator_gone(s: &mut Session<'_>) {
    s.register("r1", "Script").join("B").on("A").hear(1);
    s.on("B").exec(&op("r1", "start").options(2).doing("sleep 1")).leave();
    s.on("A").listen(1_500).run(&op("r1", "monitor"));
}

fn first_client_leaves(s: &mut Session<'_>) {
    s.register_with("r1", "ocf", Some("picket-test"), "Script", 3).hear(1).run(&op("r1", "start"));
    s.run(&op("r1", "monitor").every(300)).join("B").on("A").hear(1).leave();
    s.on("B").listen(700).look("state goes", "rm /run/picket-test/r1.state").hear(1);
    s.cancel("r1", "monitor", 300);
}

/// Recurring operations of a resource registered with option 3 end with the last client.
fn last_client_leaves(s: &mut Session<'_>) {
    s.register_with("r1", "ocf", Some("picket-test"), "Script", 3).hear(1).run(&op("r1", "start"));
    s.run(&op("r1", "monitor").every(300)).leave().look("a pause", "sleep 0.7").join("B");
    s.call(Operation::RscInfo("r1".into())).call(Operation::GetRecurring(Some("r1".into())));
    s.cancel("r1", "monitor", 300).listen(500);
}

fn last_client_leaves_no_drop(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start"));
    s.run(&op("r1", "monitor").every(300)).vanish().look("a pause", "sleep 0.7").join("B");
    s.call(Operation::GetRecurring(Some("r1".into())))
        .look("state goes", "rm /run/picket-test/r1.state")
        .hear(1);
    s.cancel("r1", "monitor", 300);
}

fn reconnect_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").doing("sleep 1.5; echo done")).leave();
    s.join("B").call(Operation::RscInfo("r1".into())).hear(1).run(&op("r1", "monitor"));
}

fn vanish_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script")
        .exec(&op("r1", "start").doing("sleep 1; : >/run/picket-test/finished"))
        .vanish();
    s.wait_for_file("finished", true).look("a pause", "sleep 0.4").join("B").run(&op("r1", "monitor"));
}

fn vanish_with_pending(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").doing("sleep 1")).exec(&op("r1", "stop")).vanish();
    s.join("B").hear(2);
}

/// Reply first, then the notification.
fn poke(s: &mut Session<'_>) {
    for _ in 0..3 {
        s.call(Operation::Poke).hear(1);
    }
    s.tell(Operation::Poke).tell(Operation::Poke).hear(4);
}

/// Every request counts, whoever sends it, answered or not.
fn call_ids(s: &mut Session<'_>) {
    s.call(Operation::Poke).hear(1).tell(Operation::Check { watchdog: None }).call(Operation::Poke).hear(1);
    s.join("B").call(Operation::RscInfo("none".into())).on("A").hear(1);
    s.call(Operation::Unknown("no_such_operation".into())).call(Operation::Poke).hear(1).on("B").hear(1);
}
