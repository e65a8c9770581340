//! IPC relay documents and the end of an agent.

use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::request::Operation;

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("proxy-unknown-session", unknown_session),
    Sequence::new("proxy-odd-documents", odd_documents),
    Sequence::new("shutdown-answer-unasked", shutdown_answer_unasked),
    Sequence::alone("terminated-without-cluster", terminated_without_cluster),
    Sequence::alone("terminated-while-busy", terminated_while_busy),
    Sequence::alone("terminated-with-cluster", terminated_with_cluster),
];

fn forward(op: ProxyOp, session: Option<&str>) -> Operation {
    Operation::IpcForward(ProxyMessage::new(op, session))
}

/// A destroy for the session comes before the reply.
fn unknown_session(s: &mut Session<'_>) {
    s.connect("B").hello_as(Some("b"), Some("1.1"), Some(true)).on("A").hear(1).on("B");
    for op in [ProxyOp::Destroy, ProxyOp::Event, ProxyOp::Response, ProxyOp::Request, ProxyOp::New] {
        s.call(forward(op, Some("11111111-2222-3333-4444-555555555555"))).listen(60);
    }
    s.leave();
}

fn odd_documents(s: &mut Session<'_>) {
    s.connect("B").hello_as(Some("b"), Some("1.1"), Some(true)).on("A").hear(1).on("B");
    s.call(forward(ProxyOp::Event, None)).listen(60);
    s.call(forward(ProxyOp::Other("no_such_thing".into()), Some("x"))).listen(60);
    s.leave();
}

fn shutdown_answer_unasked(s: &mut Session<'_>) {
    s.connect("B").hello_as(Some("b"), Some("1.1"), Some(true)).on("A").hear(1).on("B");
    s.call(forward(ProxyOp::ShutdownAck, None)).listen(200).call(Operation::Poke).hear(1).leave();
}

fn terminated_without_cluster(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(300));
    s.terminate().wait_for_end();
}

/// A one-shot operation is left alone, a recurring one is not.
fn terminated_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script").register("r2", "Script");
    s.exec(
        &op("r1", "start").doing(": >/run/picket-test/one; sleep 1.5; : >/run/picket-test/one-shot-survived"),
    );
    s.exec(
        &op("r2", "monitor")
            .every(5_000)
            .doing(": >/run/picket-test/two; sleep 1.5; : >/run/picket-test/recurring-survived"),
    );
    s.wait_for_file("one", true).wait_for_file("two", true).terminate().wait_for_end();
    s.look("a pause", "sleep 2").show("one-shot-survived").show("recurring-survived");
}

fn terminated_with_cluster(s: &mut Session<'_>) {
    s.connect("B").hello_as(Some("b"), Some("1.1"), Some(true)).on("A").hear(1).leave();
    s.on("B").terminate().hear(1).call(forward(ProxyOp::ShutdownAck, None));
    s.call(Operation::Poke).hear(1).leave().wait_for_end();
}
