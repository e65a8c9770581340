//! Output and exit reasons.

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("stdout-and-stderr", stdout_and_stderr),
    Sequence::new("output-of-300-kb", output_of_300_kb),
    Sequence::new("output-while-busy", output_while_busy),
    Sequence::new("exit-reason", exit_reason),
    Sequence::new("exit-reason-not-in-stderr", exit_reason_elsewhere),
    Sequence::new("exit-reason-long", exit_reason_long),
    Sequence::new("exit-reason-of-the-killed", exit_reason_of_the_killed),
    Sequence::new("output-special-characters", output_special_characters),
    Sequence::new("output-forbidden-characters", output_forbidden_characters),
    Sequence::new("output-not-utf8", output_not_utf8),
    Sequence::new("grandchild-keeps-stdout", grandchild_keeps_stdout),
];

fn stdout_and_stderr(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("echo out"));
    s.run(&op("r1", "start").doing("echo err >&2"));
    s.run(&op("r1", "start").doing("echo out; echo err >&2; echo out2"));
    s.run(&op("r1", "start").doing("printf 'no newline'"));
    s.run(&op("r1", "start").doing("printf '  spaces around  '; exit 1"));
    s.run(&op("r1", "start").doing("exec >&- 2>&-; sleep 0.1"));
}

fn output_of_300_kb(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("i=0; while [ $i -lt 3000 ]; do printf '%099d ' $i; i=$((i+1)); done"));
    s.run(&op("r1", "stop"));
}

fn output_while_busy(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("for i in 1 2 3; do printf 'out%s ' $i; sleep 0.1; done"));
}

fn exit_reason(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("echo 'ocf-exit-reason:disk full' >&2; exit 1"));
    s.run(
        &op("r1", "start")
            .doing("echo 'ocf-exit-reason:one' >&2; echo x >&2; echo 'ocf-exit-reason:two' >&2; exit 5"),
    );
    s.run(&op("r1", "start").doing("echo 'ocf-exit-reason:fine, too' >&2; exit 0"));
    s.run(&op("r1", "start").doing("echo 'ERROR: ocf-exit-reason:in the middle' >&2; exit 1"));
    s.run(&op("r1", "start").doing("echo 'ocf-exit-reason:' >&2; exit 1"));
    s.run(&op("r1", "start").doing("printf 'ocf-exit-reason:  no newline ' >&2; exit 1"));
}

fn exit_reason_elsewhere(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("echo 'ocf-exit-reason:in stdout'; exit 1"));
    s.run(&op("r1", "start").doing("echo 'ocf-exit-reason:in stdout'; echo other >&2; exit 1"));
}

fn exit_reason_long(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("printf 'ocf-exit-reason:%0200d\\n' 7 >&2; exit 1"));
    s.run(&op("r1", "start").doing("printf 'ocf-exit-reason:%0128d\\n' 7 >&2; exit 1"));
    s.run(&op("r1", "start").doing("printf 'ocf-exit-reason:%0129d\\n' 7 >&2; exit 1"));
}

fn exit_reason_of_the_killed(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("echo 'ocf-exit-reason:mine' >&2; sleep 9").within(500));
    s.run(&op("r1", "start").doing("echo 'ocf-exit-reason:mine' >&2; kill $$; sleep 9"));
}

fn output_special_characters(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing(r#"printf '<a b="c">&amp; it'"'"'s'"#));
    s.run(&op("r1", "start").doing(r"printf 'two\nlines\n'"));
    s.run(&op("r1", "start").doing(r"printf 'a\ttab\rreturn'"));
    s.run(&op("r1", "start").doing(r"printf 'caf\303\251'"));
}

fn output_forbidden_characters(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing(r"printf '\033[1mbold\033[0m bell\007'"));
    s.run(&op("r1", "start").doing(r"printf 'before\000after'"));
}

fn output_not_utf8(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing(r"printf 'caf\351 latin'"));
}

fn grandchild_keeps_stdout(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing("echo started; (sleep 2; : >/run/picket-test/survived) & "));
    s.run(&op("r1", "monitor"));
    s.wait_for_file("survived", true).show("survived");
}
