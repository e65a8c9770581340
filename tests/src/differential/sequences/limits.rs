//! Timeouts.

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("timeout-with-output", timeout_with_output),
    Sequence::new("timeout-wording", timeout_wording),
    Sequence::new("timeout-ends-the-process-group", timeout_ends_the_group),
    Sequence::new("timeout-block-spares-the-process-group", timeout_block_spares_the_group),
    Sequence::new("timeout-zero", timeout_zero),
    Sequence::new("timeout-then-next", timeout_then_next),
    Sequence::new("timeout-of-lsb", timeout_of_lsb),
];

fn timeout_with_output(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("echo so far; sleep 20").within(1_000));
    s.run(&op("r1", "start").doing("echo out; echo err >&2; sleep 20").within(1_000));
    s.run(&op("r1", "monitor"));
}

fn timeout_wording(s: &mut Session<'_>) {
    s.register("r1", "Script");
    for limit in [400, 1_000, 1_500, 2_000] {
        s.run(&op("r1", "start").doing("sleep 20").within(limit));
    }
}

/// The grandchild and the agent share a process group; after the timeout neither lives.
fn timeout_ends_the_group(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("(sleep 3; : >/run/picket-test/survived) & sleep 20").within(500));
    s.listen(3_500).show("survived");
}

fn timeout_block_spares_the_group(s: &mut Session<'_>) {
    s.register("r1", "Script");
    let start = op("r1", "start").with("CRM_meta_on_fail", "block").within(500);
    s.run(&start.doing("(sleep 2; : >/run/picket-test/survived) & sleep 5"));
    s.wait_for_file("survived", true).show("survived");
}

fn timeout_zero(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("sleep 1.2").within(0));
}

/// The queue goes on after a timeout.
fn timeout_then_next(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").doing("sleep 20").within(500)).exec(&op("r1", "stop")).hear(2);
}

fn timeout_of_lsb(s: &mut Session<'_>) {
    s.register_as("r1", "lsb", None, "/run/picket-test/slow");
    s.put("slow", "#!/bin/sh\necho slow; sleep 20\n");
    s.run(&op("r1", "monitor").within(300)).run(&op("r1", "stop").within(300));
}
