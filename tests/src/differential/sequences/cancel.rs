//! `lrmd_rsc_cancel` in every state of an operation.

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("cancel-pending", cancel_pending),
    Sequence::new("cancel-pending-recurring", cancel_pending_recurring),
    Sequence::new("cancel-start-delayed", cancel_start_delayed),
    Sequence::new("cancel-waiting-recurring", cancel_waiting_recurring),
    Sequence::new("cancel-waiting-failed-recurring", cancel_waiting_failed_recurring),
    Sequence::new("cancel-running-recurring", cancel_running_recurring),
    Sequence::new("cancel-running-rerun", cancel_running_rerun),
    Sequence::new("cancel-running-one-shot", cancel_running_one_shot),
    Sequence::new("cancel-nothing", cancel_nothing),
    Sequence::new("cancel-by-other-case", cancel_by_other_case),
];

fn cancel_pending(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").doing("sleep 1.2")).exec(&op("r1", "monitor")).exec(&op("r1", "notify"));
    s.cancel("r1", "monitor", 0).hear(2);
}

fn cancel_pending_recurring(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").doing("sleep 1.2")).exec(&op("r1", "monitor").every(300));
    s.cancel("r1", "monitor", 300).hear(1).listen(600);
}

fn cancel_start_delayed(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").after(30_000)).cancel("r1", "start", 0);
    s.exec(&op("r1", "monitor").every(500).after(30_000)).cancel("r1", "monitor", 500);
    s.run(&op("r1", "monitor"));
}

fn cancel_waiting_recurring(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(60_000));
    s.cancel("r1", "monitor", 60_000).cancel("r1", "monitor", 60_000);
}

/// The cancelled one repeats the code of its last run.
fn cancel_waiting_failed_recurring(s: &mut Session<'_>) {
    s.register("r1", "Script")
        .run(&op("r1", "monitor").every(60_000).doing("echo 'ocf-exit-reason:bad' >&2; exit 5"));
    s.cancel("r1", "monitor", 60_000);
}

fn cancel_running_recurring(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "monitor").every(60_000).doing(
        "echo working; : >/run/picket-test/running; (sleep 2; : >/run/picket-test/survived) & sleep 20",
    ));
    s.wait_for_file("running", true).cancel("r1", "monitor", 60_000);
    s.listen(2_500).show("survived");
}

/// Its first run has succeeded and was reported; the second is at work.
fn cancel_running_rerun(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(
        &op("r1", "monitor")
            .every(200)
            .doing("f=/run/picket-test; [ -e $f/once ] || { : >$f/once; exit 0; }; : >$f/running; sleep 20"),
    );
    s.wait_for_file("running", true).cancel("r1", "monitor", 200).run(&op("r1", "stop"));
}

fn cancel_running_one_shot(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").doing(": >/run/picket-test/running; sleep 1"));
    s.wait_for_file("running", true).cancel("r1", "start", 0).hear(1);
}

fn cancel_nothing(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(60_000));
    s.cancel("r1", "monitor", 30_000).cancel("r1", "monitor", 0).cancel("r1", "start", 0);
    s.cancel("r1", "no-such-action", 60_000).cancel("no-such-resource", "monitor", 60_000);
    s.cancel("r1", "monitor", 60_000);
}

fn cancel_by_other_case(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(60_000));
    s.cancel("r1", "Monitor", 60_000).cancel("r1", "monitor", 60_000);
}
