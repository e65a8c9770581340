//! What an operation's result says: exit codes, agents that cannot run, signals, classes.

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("lifecycle", lifecycle),
    Sequence::new("roles", roles),
    Sequence::new("reload", reload),
    Sequence::new("migrate", migrate),
    Sequence::new("validate-and-metadata", validate_and_metadata),
    Sequence::new("unknown-action", unknown_action),
    Sequence::new("exit-codes", exit_codes),
    Sequence::new("unknown-agent", unknown_agent),
    Sequence::alone("missing-provider", missing_provider),
    Sequence::new("missing-class", missing_class),
    Sequence::new("unknown-class", unknown_class),
    Sequence::new("class-in-capitals", class_in_capitals),
    Sequence::new("not-executable", not_executable),
    Sequence::new("bad-interpreter", bad_interpreter),
    Sequence::new("agent-is-a-folder", agent_is_a_folder),
    Sequence::new("agent-name-with-slashes", agent_name_with_slashes),
    Sequence::new("killed-by-signal", killed_by_signal),
    Sequence::new("lsb-status-codes", lsb_status_codes),
    Sequence::new("lsb-other-codes", lsb_other_codes),
    Sequence::new("lsb-absent", lsb_absent),
    Sequence::new("lsb-not-executable", lsb_not_executable),
    Sequence::new("service-is-lsb", service_is_lsb),
    Sequence::new("systemd-without-bus", systemd_without_bus),
];

fn lifecycle(s: &mut Session<'_>) {
    s.register("r1", "Script");
    for action in ["monitor", "start", "monitor", "start", "stop", "monitor", "stop"] {
        s.run(&op("r1", action));
    }
    s.unregister("r1");
}

fn roles(s: &mut Session<'_>) {
    s.register("r1", "Script");
    for action in ["start", "notify", "promote", "demote", "notify", "stop"] {
        s.run(&op("r1", action));
    }
    s.run(&op("r1", "monitor").doing("exit 8"));
    s.run(&op("r1", "monitor").doing("exit 9"));
}

fn reload(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start")).run(&op("r1", "reload")).run(&op("r1", "reload-agent")).run(&op("r1", "stop"));
}

fn migrate(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "migrate_from").with("CRM_meta_migrate_source", "a"));
    s.run(&op("r1", "monitor"));
    s.run(&op("r1", "migrate_to").with("CRM_meta_migrate_target", "b"));
    s.run(&op("r1", "monitor"));
}

fn validate_and_metadata(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "validate-all")).run(&op("r1", "meta-data"));
}

fn unknown_action(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "dance")).run(&op("r1", "start now")).run(&op("r1", "MONITOR"));
}

fn exit_codes(s: &mut Session<'_>) {
    s.register("r1", "Script");
    for code in (0..=10).chain([77, 126, 127, 128, 150, 190, 191, 193, 255]) {
        s.run(&op("r1", "start").doing(&format!("exit {code}")));
    }
}

fn unknown_agent(s: &mut Session<'_>) {
    s.register("r1", "NoSuch").register_as("r2", "ocf", Some("no-such-provider"), "Script");
    for rsc in ["r1", "r2"] {
        s.run(&op(rsc, "monitor")).run(&op(rsc, "start")).run(&op(rsc, "stop"));
    }
}

/// Once only: a 2.1.5 agent that has worked before can crash at the second time.
fn missing_provider(s: &mut Session<'_>) {
    s.register_as("r1", "ocf", None, "Script");
    s.run(&op("r1", "monitor"));
}

/// Without an execution, which ends the life of a 2.1.5 agent.
fn missing_class(s: &mut Session<'_>) {
    s.say(
        r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_register" lrmd_callopt="0" lrmd_remote_msg_id="50" lrmd_remote_msg_type="request"><lrmd_calldata><lrmd_rsc lrmd_rsc_id="r1" lrmd_type="Script"/></lrmd_calldata></lrmd_command>"#,
    );
    s.listen(300);
}

fn unknown_class(s: &mut Session<'_>) {
    s.register_as("r1", "no-such-class", Some("picket-test"), "Script");
    s.register_as("r2", "no-such-class", None, "Script");
    for rsc in ["r1", "r2"] {
        s.run(&op(rsc, "monitor")).run(&op(rsc, "start")).run(&op(rsc, "stop"));
    }
}

fn class_in_capitals(s: &mut Session<'_>) {
    s.register_as("r1", "OCF", Some("picket-test"), "Script");
    s.run(&op("r1", "start")).run(&op("r1", "stop"));
}

fn not_executable(s: &mut Session<'_>) {
    s.register("r1", "NotExecutable");
    s.run(&op("r1", "monitor")).run(&op("r1", "start")).run(&op("r1", "stop"));
}

fn bad_interpreter(s: &mut Session<'_>) {
    s.register("r1", "NoInterpreter").register("r2", "NoShebang");
    for rsc in ["r1", "r2"] {
        s.run(&op(rsc, "start")).run(&op(rsc, "stop"));
    }
}

fn agent_is_a_folder(s: &mut Session<'_>) {
    s.register("r1", "Folder");
    s.run(&op("r1", "start"));
}

fn agent_name_with_slashes(s: &mut Session<'_>) {
    s.register("r1", "../picket-test/Script");
    s.run(&op("r1", "start")).run(&op("r1", "stop"));
}

fn killed_by_signal(s: &mut Session<'_>) {
    s.register("r1", "Script");
    for signal in ["TERM", "KILL", "SEGV", "HUP", "PIPE"] {
        s.run(&op("r1", "start").doing(&format!("ulimit -c 0; echo before; kill -{signal} $$; sleep 5")));
    }
}

fn lsb_status_codes(s: &mut Session<'_>) {
    s.register_as("r1", "lsb", None, "picket-lsb");
    for code in ["0", "1", "2", "3", "4", "5", "150", "151", "199", "255"] {
        s.put("lsb.status", code).run(&op("r1", "monitor"));
    }
    s.put("lsb.status", "3").run(&op("r1", "status"));
}

fn lsb_other_codes(s: &mut Session<'_>) {
    s.register_as("r1", "lsb", None, "picket-lsb");
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "150", "255"] {
        s.put("lsb.start", code).run(&op("r1", "start"));
    }
    s.run(&op("r1", "stop"));
}

fn lsb_absent(s: &mut Session<'_>) {
    s.register_as("r1", "lsb", None, "no-such-script");
    s.register_as("r2", "lsb", None, "/etc/init.d/picket-lsb");
    s.register_as("r3", "lsb", None, "/no/such/script");
    for rsc in ["r1", "r2", "r3"] {
        s.run(&op(rsc, "monitor")).run(&op(rsc, "start")).run(&op(rsc, "stop"));
    }
}

fn lsb_not_executable(s: &mut Session<'_>) {
    s.register_as("r1", "lsb", None, "picket-not-executable");
    s.register_as("r2", "service", None, "picket-not-executable");
    s.run(&op("r1", "monitor")).run(&op("r1", "start")).run(&op("r1", "stop")).run(&op("r2", "start"));
}

fn service_is_lsb(s: &mut Session<'_>) {
    s.register_as("r1", "service", None, "picket-lsb");
    s.put("lsb.status", "3").run(&op("r1", "monitor")).run(&op("r1", "start"));
}

fn systemd_without_bus(s: &mut Session<'_>) {
    s.register_as("r1", "systemd", None, "no-such-unit");
    for action in ["monitor", "start", "stop", "promote"] {
        s.run(&op("r1", action));
    }
}
