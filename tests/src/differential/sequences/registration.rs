//! Resources come and go.

use picket_proto::request::Operation;

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("register-twice", register_twice),
    Sequence::new("register-another-definition", register_another_definition),
    Sequence::new("register-another-while-busy", register_another_while_busy),
    Sequence::new("unregister-unknown", unregister_unknown),
    Sequence::new("unregister-with-recurring", unregister_with_recurring),
    Sequence::new("unregister-with-pending", unregister_with_pending),
    Sequence::new("unregister-with-both", unregister_with_both),
    Sequence::new("unregister-while-busy", unregister_while_busy),
    Sequence::new("unregister-and-register-while-busy", unregister_and_register_while_busy),
    Sequence::new("exec-unknown-resource", exec_unknown_resource),
    Sequence::new("resource-info", resource_info),
    Sequence::new("get-recurring", get_recurring),
    Sequence::new("odd-resource-ids", odd_resource_ids),
    Sequence::new("missing-parts", missing_parts),
];

fn register_twice(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(60_000));
    s.register("r1", "Script").cancel("r1", "monitor", 60_000);
}

fn register_another_definition(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start")).run(&op("r1", "monitor").every(60_000));
    s.exec(&op("r1", "notify").after(30_000));
    s.register_with("r1", "ocf", Some("picket-test"), "NoSuch", 0).listen(300);
    s.call(Operation::RscInfo("r1".into())).run(&op("r1", "monitor"));
}

fn register_another_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").doing("sleep 1.2")).exec(&op("r1", "monitor"));
    s.register_with("r1", "ocf", Some("picket-test"), "NoSuch", 0).hear(2);
    s.listen(300).run(&op("r1", "monitor"));
}

fn unregister_unknown(s: &mut Session<'_>) {
    s.unregister("no-such-resource");
}

fn unregister_with_recurring(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "start"));
    s.run(&op("r1", "monitor").every(60_000)).unregister("r1").listen(300);
    s.call(Operation::RscInfo("r1".into()));
}

fn unregister_with_pending(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").after(30_000)).exec(&op("r1", "monitor").every(500));
    s.unregister("r1").listen(700);
}

/// Which of the cancelled ones is told first.
fn unregister_with_both(s: &mut Session<'_>) {
    s.register("r1", "Script").run(&op("r1", "monitor").every(60_000)).run(&op("r1", "status").every(50_000));
    s.exec(&op("r1", "start").after(30_000)).exec(&op("r1", "notify")).unregister("r1").listen(300);
}

fn unregister_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").doing("sleep 1.2; exit 5"));
    s.exec(&op("r1", "monitor")).exec(&op("r1", "monitor").every(500));
    s.unregister("r1").call(Operation::RscInfo("r1".into())).hear(1).listen(300);
}

/// The old operation's result must not be taken for one of the new registration's.
fn unregister_and_register_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script").exec(&op("r1", "start").doing("sleep 1.5; echo old"));
    s.unregister("r1").register("r1", "Script").run(&op("r1", "monitor").doing("echo new; exit 0")).hear(1);
}

fn exec_unknown_resource(s: &mut Session<'_>) {
    s.exec(&op("no-such-resource", "start")).exec(&op("no-such-resource", "monitor").every(500));
}

fn resource_info(s: &mut Session<'_>) {
    s.register("r1", "Script").register_as("r2", "lsb", None, "picket-lsb");
    for rsc in ["r1", "r2", "no-such-resource"] {
        s.call(Operation::RscInfo(rsc.into()));
    }
}

fn get_recurring(s: &mut Session<'_>) {
    s.call(Operation::GetRecurring(None));
    s.register("r1", "Script").register("r2", "Script");
    s.run(&op("r1", "monitor").every(60_000).within(7_000)).run(&op("r1", "status").every(50_000));
    s.exec(&op("r2", "monitor").every(40_000).after(30_000));
    s.call(Operation::GetRecurring(Some("r1".into()))).call(Operation::GetRecurring(Some("r2".into())));
    s.call(Operation::GetRecurring(None)).call(Operation::GetRecurring(Some("no-such-resource".into())));
    s.cancel("r2", "monitor", 40_000);
}

fn odd_resource_ids(s: &mut Session<'_>) {
    for rsc in ["clone:0", "with space", "R1", "r1", "é"] {
        s.register(rsc, "Script").run(&op(rsc, "start")).run(&op(rsc, "stop"));
    }
}

/// Documents without the attributes that they need.
fn missing_parts(s: &mut Session<'_>) {
    s.register("r1", "Script");
    let data = [
        ("lrmd_rsc_exec", r#"<lrmd_rsc lrmd_rsc_action="start"/>"#),
        ("lrmd_rsc_exec", ""),
        ("lrmd_rsc_cancel", r#"<lrmd_rsc lrmd_rsc_id="r1" lrmd_rsc_interval="0"/>"#),
        ("lrmd_rsc_cancel", r#"<lrmd_rsc lrmd_rsc_action="monitor" lrmd_rsc_interval="0"/>"#),
        ("lrmd_rsc_cancel", ""),
        ("lrmd_rsc_info", "<lrmd_rsc/>"),
        ("lrmd_rsc_info", ""),
        ("lrmd_rsc_unregister", "<lrmd_rsc/>"),
        ("lrmd_rsc_unregister", ""),
        ("lrmd_get_recurring", "<lrmd_rsc/>"),
        ("lrmd_alert_exec", r#"<lrmd_alert lrmd_alert_id="a"/>"#),
        ("lrmd_alert_exec", r#"<lrmd_alert lrmd_alert_path="/bin/true"/>"#),
        ("lrmd_alert_exec", ""),
        ("lrmd_rsc_poke", ""),
    ];
    for (id, (op, data)) in (100..).zip(data) {
        s.say(&format!(
            r#"<lrmd_command t="lrmd" lrmd_op="{op}" lrmd_remote_msg_id="{id}" lrmd_remote_msg_type="request"><lrmd_calldata>{data}</lrmd_calldata></lrmd_command>"#
        ));
        s.listen(120);
    }
}
