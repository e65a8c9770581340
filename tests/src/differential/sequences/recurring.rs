//! Recurring operations: when they run, and what is told of it.

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("recurring-changes-only", changes_only),
    Sequence::new("recurring-every-run", every_run),
    Sequence::new("recurring-status-is-a-change", status_is_a_change),
    Sequence::new("recurring-reason-is-no-change", reason_is_no_change),
    Sequence::new("recurring-first-run-fails", first_run_fails),
    Sequence::new("recurring-two-of-a-resource", two_of_a_resource),
    Sequence::new("recurring-waits-for-one-shot", waits_for_one_shot),
    Sequence::new("recurring-stop-cancels", stop_cancels),
    Sequence::new("recurring-stop-cancels-running", stop_cancels_running),
    Sequence::new("recurring-stop-cancels-pending", stop_cancels_pending),
    Sequence::new("recurring-stop-cancels-several", stop_cancels_several),
    Sequence::new("recurring-stop-in-capitals", stop_in_capitals),
    Sequence::new("duplicate-waiting", duplicate_waiting),
    Sequence::new("duplicate-running", duplicate_running),
    Sequence::new("duplicate-pending", duplicate_pending),
    Sequence::new("duplicate-by-other-case", duplicate_by_other_case),
    Sequence::new("recurring-odd-interval", odd_interval),
];

/// `monitor` follows the state file of r1, which `toggle` changes behind its back.
fn changes_only(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(200));
    s.listen(900);
    s.look("state goes", "rm /run/picket-test/r1.state").hear(1).listen(700);
    s.put("r1.state", "").hear(1).listen(500);
    s.cancel("r1", "monitor", 200).listen(500);
}

fn every_run(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start"));
    s.run(&op("r1", "monitor").every(900).options(0)).hear(2);
    s.cancel("r1", "monitor", 900);
}

/// A timeout has return code 1, as the failure before it.
fn status_is_a_change(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(
        &op("r1", "monitor").every(200).within(700).doing("[ -e /run/picket-test/slow ] && sleep 9; exit 1"),
    );
    s.put("slow", "").hear(1).listen(1_500);
    s.look("fast again", "rm /run/picket-test/slow").hear(1);
    s.cancel("r1", "monitor", 200);
}

fn reason_is_no_change(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(
        &op("r1", "monitor").every(1_500).doing(
            "f=/run/picket-test/reason; echo x >>$f; echo \"ocf-exit-reason:$(wc -l <$f)\" >&2; exit 1",
        ),
    );
    s.listen(2_400).cancel("r1", "monitor", 1_500);
}

fn first_run_fails(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "monitor").every(300)).listen(700);
    s.run(&op("r1", "start")).hear(1).listen(500).cancel("r1", "monitor", 300);
}

fn two_of_a_resource(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start"));
    s.run(&op("r1", "monitor").every(300))
        .run(&op("r1", "monitor").every(400))
        .run(&op("r1", "status").every(300));
    s.listen(1_000);
    s.cancel("r1", "monitor", 300).cancel("r1", "status", 300).cancel("r1", "monitor", 400);
}

/// A re-run that is due waits until the one-shot operation has ended, and comes right behind it.
fn waits_for_one_shot(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "monitor").every(800).options(0).doing("echo monitor >>/run/picket-test/order; exit 0"));
    s.exec(&op("r1", "start").doing("f=/run/picket-test/order; echo begin >>$f; sleep 1.5; echo end >>$f"));
    s.hear(2).cancel("r1", "monitor", 800).listen(200);
    s.look("nothing between begin and end", "sed -n '/begin/,/end/p' /run/picket-test/order");
}

fn stop_cancels(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(60_000));
    s.run(&op("r1", "stop")).cancel("r1", "monitor", 60_000);
}

fn stop_cancels_running(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "monitor").every(60_000).doing(": >/run/picket-test/running; sleep 20"));
    s.wait_for_file("running", true).run(&op("r1", "stop"));
}

fn stop_cancels_pending(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "start").doing("sleep 1.2"))
        .exec(&op("r1", "monitor").every(60_000))
        .exec(&op("r1", "monitor"));
    s.exec(&op("r1", "stop")).hear(3);
}

/// Which of the cancelled ones is told first.
fn stop_cancels_several(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start"));
    for (action, interval) in [("monitor", 60_000), ("status", 50_000), ("monitor", 40_000)] {
        s.run(&op("r1", action).every(interval));
    }
    s.exec(&op("r1", "notify").doing("sleep 1")).exec(&op("r1", "monitor").every(30_000));
    s.run(&op("r1", "stop")).hear(1);
}

fn stop_in_capitals(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "monitor").every(60_000));
    s.run(&op("r1", "STOP").doing("exit 0")).cancel("r1", "monitor", 60_000);
}

fn duplicate_waiting(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(60_000));
    let again = op("r1", "monitor").every(60_000).known_as(Some("second")).within(5_000).with("new", "yes");
    s.run(&again).run(&again).cancel("r1", "monitor", 60_000).listen(300);
}

fn duplicate_running(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.exec(&op("r1", "monitor").every(60_000).doing(": >/run/picket-test/running; sleep 1.2"));
    s.wait_for_file("running", true);
    s.exec(&op("r1", "monitor").every(60_000).known_as(Some("second")).with("new", "yes")).listen(3_000);
    s.cancel("r1", "monitor", 60_000).listen(300).show("r1.runs");
}

fn duplicate_pending(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").doing("sleep 1.2"));
    s.exec(&op("r1", "monitor").every(60_000))
        .exec(&op("r1", "monitor").every(60_000).known_as(Some("second")));
    s.hear(2).listen(500).cancel("r1", "monitor", 60_000).show("r1.runs");
}

fn duplicate_by_other_case(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "monitor").every(60_000));
    s.run(&op("r1", "Monitor").every(60_000)).cancel("r1", "monitor", 60_000).cancel("r1", "Monitor", 60_000);
}

/// Numbers are read up to the first character that is no digit.
fn odd_interval(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.say(
        r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_exec" lrmd_callopt="4" lrmd_remote_msg_id="70" lrmd_remote_msg_type="request"><lrmd_calldata><lrmd_rsc lrmd_rsc_id="r1" lrmd_rsc_action="monitor" lrmd_rsc_interval="60000ms" lrmd_timeout="5000ms"><attributes/></lrmd_rsc></lrmd_calldata></lrmd_command>"#,
    );
    s.listen(1_000).cancel("r1", "monitor", 60_000);
}
