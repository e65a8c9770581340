//! Frames and documents that no controller sends, as far as a 2.1.5 agent survives them.

use picket_proto::frame::Frame;
use picket_proto::request::Operation;

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("unknown-operations", unknown_operations),
    Sequence::new("big-endian-frame", big_endian_frame),
    Sequence::new("frame-variants", frame_variants),
    Sequence::new("one-mb-request", one_mb_request),
    Sequence::new("root-element-does-not-matter", root_element_does_not_matter),
    Sequence::new("document-variants", document_variants),
    Sequence::new("not-quite-xml", not_quite_xml),
    Sequence::new("split-frame", split_frame),
    Sequence::new("check-without-watchdog", check_without_watchdog),
    Sequence::alone("check-with-watchdog", check_with_watchdog),
];

fn request(id: u32, op: &str) -> String {
    format!(
        r#"<lrmd_command t="lrmd" lrmd_op="{op}" lrmd_remote_msg_id="{id}" lrmd_remote_msg_type="request"/>"#
    )
}

fn unknown_operations(s: &mut Session<'_>) {
    for name in ["lrmd_rsc_metadata", "no_such_operation", ""] {
        s.call(Operation::Unknown(name.into()));
    }
    s.say(r#"<lrmd_command t="lrmd" lrmd_remote_msg_id="60" lrmd_remote_msg_type="request"/>"#).listen(200);
    s.call(Operation::Poke).hear(1);
}

fn big_endian_frame(s: &mut Session<'_>) {
    let mut frame = Frame::new(77, request(40, "lrmd_rsc_poke")).expect("short");
    for at in [0, 4, 24, 28, 32, 36] {
        frame.header[at..at + 4].reverse();
    }
    frame.header[8..16].reverse();
    s.say_frame(&frame).hear(2);
}

/// Version, id and flags are not looked at; the closing NUL may be missing.
fn frame_variants(s: &mut Session<'_>) {
    let mut frame = Frame::new(0, request(40, "lrmd_rsc_poke")).expect("short");
    frame.header[4] = 2;
    frame.header[16] = 0xff;
    s.say_frame(&frame).hear(2);

    let mut frame = Frame::new(0, request(41, "lrmd_rsc_poke")).expect("short");
    frame.payload.pop();
    let length = u32::try_from(frame.payload.len()).expect("short");
    frame.header[24..28].copy_from_slice(&(length + 40).to_ne_bytes());
    frame.header[36..40].copy_from_slice(&length.to_ne_bytes());
    s.say_frame(&frame).hear(2);
}

fn one_mb_request(s: &mut Session<'_>) {
    s.register("r1", "Script");
    let start = (0..16).fold(op("r1", "start"), |op, n| op.with(&format!("p{n}"), &"x".repeat(64_000)));
    s.run(&start).run(&op("r1", "stop"));
}

fn root_element_does_not_matter(s: &mut Session<'_>) {
    s.say(r#"<anything t="lrmd" lrmd_op="lrmd_rsc_poke" lrmd_remote_msg_id="40" lrmd_remote_msg_type="request"/>"#).hear(2);
    s.say(
        r#"<lrmd_command lrmd_op="lrmd_rsc_poke" lrmd_remote_msg_id="41" lrmd_remote_msg_type="request"/>"#,
    )
    .listen(300);
    s.say(r#"<lrmd_command t="other" lrmd_op="lrmd_rsc_poke" lrmd_remote_msg_id="42" lrmd_remote_msg_type="request"/>"#).listen(300);
}

/// All of them well-formed.
fn document_variants(s: &mut Session<'_>) {
    s.say("<?xml version='1.0'?>\n<lrmd_command t='lrmd' lrmd_op='lrmd_rsc_poke' lrmd_remote_msg_id='40' lrmd_remote_msg_type='request'/>\n").hear(2);
    s.say(r#"<lrmd_command t="lrmd" lrmd_op="lrmd&#x5f;rsc&#95;poke" lrmd_remote_msg_id="41" lrmd_remote_msg_type="request"><!-- hello --></lrmd_command>"#).hear(2);
    s.say(r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_register" lrmd_remote_msg_id="42" lrmd_remote_msg_type="request"><a><b><lrmd_rsc lrmd_rsc_id="r1" lrmd_class="ocf" lrmd_provider="picket-test" lrmd_type="Script"/></b></a></lrmd_command>"#).hear(2);
    s.call(Operation::RscUnregister("r1".into())).hear(1);
}

fn not_quite_xml(s: &mut Session<'_>) {
    s.say(r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_poke" lrmd_remote_msg_id="40" lrmd_remote_msg_type="request">"#).listen(400);
    s.say(r#"<lrmd_command t="lrmd" lrmd_op=lrmd_rsc_poke lrmd_remote_msg_id="41" lrmd_remote_msg_type="request"/>"#).listen(400);
    s.say("this is not XML").listen(400);
    s.say("").listen(400);
    s.say(r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_poke" lrmd_remote_msg_id="42" lrmd_remote_msg_type="request" x="&undefined;"/>"#).listen(400);
    s.call(Operation::Poke).hear(1);
}

/// Payload in several TLS records.
fn split_frame(s: &mut Session<'_>) {
    let frame = Frame::new(1, request(40, "lrmd_rsc_poke")).expect("short");
    s.say_in_pieces(&[&frame.header, &frame.payload[..10], &frame.payload[10..30], &frame.payload[30..]])
        .hear(2);
}

fn check_without_watchdog(s: &mut Session<'_>) {
    s.tell(Operation::Check { watchdog: None }).tell(Operation::Check { watchdog: Some("0".into()) });
    s.tell(Operation::Check { watchdog: Some("-1".into()) }).listen(300).call(Operation::Poke).hear(1);
}

/// The cluster relies on a watchdog that is not there: the agent must not stay.
fn check_with_watchdog(s: &mut Session<'_>) {
    s.tell(Operation::Check { watchdog: Some("10".into()) }).wait_for_end();
}
