//! Parameters: into the agent's environment, and back in the notification.

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("parameter-markup", markup),
    Sequence::new("parameter-utf8", utf8),
    Sequence::new("parameter-white-space", white_space),
    Sequence::new("parameter-digit-leading", digit_leading),
    Sequence::new("parameter-empty", empty),
    Sequence::new("parameter-check-level", check_level),
    Sequence::new("parameter-long-name", long_name),
    Sequence::new("parameter-100-kb", big),
    Sequence::new("parameter-too-big-for-exec", too_big),
    Sequence::new("user-data", user_data),
    Sequence::new("secrets", secrets),
];

/// Writes what the agent sees of the parameters `p*` and `9*` to a file.
const DUMP: &str = r"env | grep -E '^OCF_RESKEY_[p9]' | LC_ALL=C sort >/run/picket-test/seen";

fn shown(s: &mut Session<'_>, params: &[(&str, &str)]) {
    s.register("r1", "Script");
    let start = params.iter().fold(op("r1", "start"), |op, (name, value)| op.with(name, value));
    s.run(&start.doing(DUMP)).show("seen");
}

fn markup(s: &mut Session<'_>) {
    shown(
        s,
        &[("p1", "a <b> & \"quotes\""), ("p2", "it's"), ("p3", "&amp; &lt;"), ("p4", "$HOME `x` \\ %s")],
    );
}

fn utf8(s: &mut Session<'_>) {
    shown(s, &[("p1", "café"), ("p2", "日本"), ("p3", "x € y")]);
}

fn white_space(s: &mut Session<'_>) {
    shown(
        s,
        &[
            ("p1", " around "),
            ("p2", "two  spaces"),
            ("p3", "line\nbreak"),
            ("p4", "a\ttab"),
            ("p5", "cr\rx"),
        ],
    );
}

fn digit_leading(s: &mut Session<'_>) {
    shown(s, &[("9x", "nine"), ("p1", "one"), ("9y", "<&\">")]);
}

fn empty(s: &mut Session<'_>) {
    shown(s, &[("p1", ""), ("p2", "full")]);
}

fn check_level(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(
        &op("r1", "start")
            .with("OCF_CHECK_LEVEL", "10")
            .doing("env | grep CHECK_LEVEL >/run/picket-test/seen"),
    );
    s.show("seen");
}

fn long_name(s: &mut Session<'_>) {
    shown(s, &[(&format!("p{}", "n".repeat(400)), "fits"), (&format!("p{}", "n".repeat(700)), "long")]);
}

fn big(s: &mut Session<'_>) {
    s.register("r1", "Script");
    let value = "0123456789".repeat(10_000);
    s.run(&op("r1", "start").with("p1", &value).doing("printf %s \"$OCF_RESKEY_p1\" | wc -c"));
}

/// Linux allows 128 KiB for one variable.
fn too_big(s: &mut Session<'_>) {
    s.register("r1", "Script");
    let value = "0123456789".repeat(20_000);
    s.run(&op("r1", "start").with("p1", &value)).run(&op("r1", "monitor"));
}

fn user_data(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").known_as(None)).run(&op("r1", "monitor").known_as(Some("")));
    s.run(&op("r1", "stop").known_as(Some("1:2:0:<&> key")));
}

/// Values that stand for files; their signature is the MD5 of the value.
fn secrets(s: &mut Session<'_>) {
    s.look(
        "secrets are there",
        r"d=/var/lib/pacemaker/lrm/secrets; rm -rf $d; mkdir -p $d/r1 $d/r2
          printf 'geheim\n' >$d/r1/p1; printf geheim | md5sum | cut -d' ' -f1 >$d/r1/p1.sign
          printf 'falsch\n' >$d/r2/p1; printf other | md5sum | cut -d' ' -f1 >$d/r2/p1.sign",
    );
    for rsc in ["r1", "r2", "r3"] {
        s.register(rsc, "Script");
        for action in ["start", "stop"] {
            s.run(&op(rsc, action).with("p1", "lrm://").with("p2", "open").doing(DUMP));
        }
        s.show("seen").look("forget", "rm -f /run/picket-test/seen");
    }
}
