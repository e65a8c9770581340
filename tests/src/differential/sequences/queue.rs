//! One resource does one thing after the other, several resources work at the same time.

use picket_proto::request::Operation;

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("serial-per-resource", serial_per_resource),
    Sequence::new("resources-are-concurrent", resources_are_concurrent),
    Sequence::new("start-delay", start_delay),
    Sequence::new("start-delay-holds-the-queue", start_delay_holds_the_queue),
    Sequence::new("start-delay-while-busy", start_delay_while_busy),
    Sequence::new("start-delay-recurring", start_delay_recurring),
    Sequence::new("reply-comes-before-the-work", reply_comes_before_the_work),
];

fn serial_per_resource(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").doing("sleep 1.2"));
    for action in ["monitor", "notify", "monitor", "stop"] {
        s.exec(&op("r1", action));
    }
    s.hear(5).show("r1.runs");
}

/// Six agents that wait for each other.
fn resources_are_concurrent(s: &mut Session<'_>) {
    let meet = "f=/run/picket-test/met; echo x >>$f; while [ $(wc -l <$f) -lt 6 ]; do sleep 0.05; done";
    let resources = ["r1", "r2", "r3", "r4", "r5", "r6"];
    for rsc in resources {
        s.register(rsc, "Script");
    }
    for rsc in resources {
        s.exec(&op(rsc, "start").doing(meet));
    }
    s.hear_in_any_order(6);
}

fn start_delay(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").after(1_200)).listen(900).hear(1);
}

fn start_delay_holds_the_queue(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").after(1_500)).exec(&op("r1", "monitor")).listen(1_000).hear(2);
}

/// The delay counts from receipt, not from the head of the queue.
fn start_delay_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").doing("sleep 1.5")).exec(&op("r1", "monitor").after(1_000)).hear(2);
    s.exec(&op("r1", "monitor")).exec(&op("r1", "notify").after(1_200)).exec(&op("r1", "stop")).hear(3);
}

fn start_delay_recurring(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start"));
    s.exec(&op("r1", "monitor").every(300).after(1_200).options(0)).listen(900).hear(3);
    s.cancel("r1", "monitor", 300);
}

fn reply_comes_before_the_work(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").doing("sleep 1.2"));
    s.call(Operation::Poke).hear(1).call(Operation::RscInfo("r1".into())).hear(1);
}
