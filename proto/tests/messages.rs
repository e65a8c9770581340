//! Every example document of the protocol: read, typed, written again to the letter.
use picket_proto::errno::Rc;
use picket_proto::incoming::{Incoming, MessageError};
use picket_proto::notification::Notification;
use picket_proto::outcome::{ExecStatus, OcfRc};
use picket_proto::proxy::ProxyOp;
use picket_proto::reply::ReplyBody;
use picket_proto::request::Operation;
use picket_proto::xml::{Element, XmlError};
use proptest::prelude::*;

fn write(message: &Incoming) -> String {
    match message {
        Incoming::Notification(notification) => notification.to_element().to_string(),
        Incoming::Reply(reply) => reply.to_element().to_string(),
        Incoming::Request(request) => request.to_element().to_string(),
    }
}

fn round_trip(document: &str) -> Incoming {
    let message = Incoming::parse(document).unwrap_or_else(|error| panic!("{document}: {error}"));
    assert_eq!(write(&message), document);
    message
}

fn request(document: &str) -> Operation {
    match round_trip(document) {
        Incoming::Request(request) => request.op,
        other => panic!("not a request: {other:?}"),
    }
}

/// Documents captured from Pacemaker 2.1.5 and 3.0.2, one a line.
const CAPTURED: &str = include_str!("data/captured.xml");

#[test]
fn every_captured_document_round_trips() {
    let documents: Vec<_> = CAPTURED.lines().filter(|line| line.starts_with('<')).collect();
    assert!(documents.len() >= 25, "only {} documents", documents.len());
    for document in documents {
        round_trip(document);
    }
}

#[test]
fn a_controllers_hello_is_an_ipc_provider() {
    let document = CAPTURED.lines().find(|line| line.contains("lrmd_is_ipc_provider")).unwrap();
    let Operation::Register(hello) = request(document) else { panic!("not a hello") };
    assert_eq!(hello.version.as_deref(), Some("1.1"));
    assert_eq!(hello.is_ipc_provider, Some(true));
}

#[test]
fn an_exec_request_keeps_every_parameter_exactly() {
    let document =
        CAPTURED.lines().find(|line| line.contains(r#"lrmd_op="lrmd_rsc_exec" lrmd_timeout"#)).unwrap();
    let Operation::Exec(exec) = request(document) else { panic!("not an exec") };
    assert_eq!((exec.interval, exec.timeout, exec.start_delay), (10_000, 7000, 0));
    assert_eq!(exec.params.value("fake"), Some("a <b> \"q\" \nnl \ttab é"));
    assert_eq!(exec.params.value("CRM_meta_on_fail"), Some("restart"));
}

#[test]
fn parameters_that_are_no_attribute_names_travel_as_param_children() {
    let document = r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_exec" lrmd_timeout="0" lrmd_callopt="0" lrmd_remote_msg_id="1" lrmd_remote_msg_type="request"><lrmd_calldata><lrmd_rsc lrmd_origin="lrmd_api_exec" lrmd_rsc_id="a" lrmd_rsc_action="start" lrmd_rsc_interval="0" lrmd_timeout="0" lrmd_rsc_start_delay="0"><attributes b="c"><param name="9x" value="&lt;"/></attributes></lrmd_rsc></lrmd_calldata></lrmd_command>"#;
    let Operation::Exec(exec) = request(document) else { panic!("not an exec") };
    assert_eq!(exec.params.value("9x"), Some("<"));
}

#[test]
fn a_result_is_typed() {
    let document = CAPTURED.lines().find(|line| line.contains(r#"lrmd_exec_rc="7""#)).unwrap();
    let Incoming::Notification(Notification::Executed(report)) = round_trip(document) else {
        panic!("not a result")
    };
    assert_eq!((report.outcome.rc, report.outcome.status), (OcfRc::NotRunning, ExecStatus::Done));
    assert_eq!((report.call_id, report.times.exec), (96, 7));
}

#[test]
fn the_shutdown_handshake_is_understood() {
    for (name, op) in [("ack", ProxyOp::ShutdownAck), ("nack", ProxyOp::ShutdownNack)] {
        let document = format!(
            r#"<lrmd_ipc_proxy lrmd_ipc_op="shutdown_{name}" lrmd_op="ipc_fwd" lrmd_remote_msg_id="50" lrmd_remote_msg_type="request"/>"#
        );
        let Operation::IpcForward(proxy) = request(&document) else { panic!("not a proxy document") };
        assert_eq!(proxy.op, op);
    }
}

#[test]
fn the_noise_of_older_senders_is_ignored() {
    let noisy = r#"<lrmd_command __name__="lrmd_command" t="lrmd" lrmd_op="lrmd_rsc_info" lrmd_async_id="x" lrmd_timeout="0" lrmd_callopt="0" lrmd_remote_msg_id="3" lrmd_remote_msg_type="request"><lrmd_calldata><lrmd_rsc __name__="lrmd_rsc" lrmd_rsc_id='d1'></lrmd_rsc></lrmd_calldata></lrmd_command>"#;
    let Ok(Incoming::Request(request)) = Incoming::parse(noisy) else { panic!("not a request") };
    assert_eq!(request.op, Operation::RscInfo("d1".to_owned()));
}

#[test]
fn requests_without_their_required_parts_carry_the_originals_code() {
    let rc = |op: &str| {
        let document = format!(
            r#"<lrmd_command lrmd_op="{op}" lrmd_remote_msg_id="1" lrmd_remote_msg_type="request"><lrmd_calldata><lrmd_rsc/></lrmd_calldata></lrmd_command>"#
        );
        match Incoming::parse(&document) {
            Ok(Incoming::Request(request)) => match request.op {
                Operation::Incomplete { rc, .. } => Some(rc),
                _ => None,
            },
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rc("lrmd_rsc_exec"), Some(Rc::INVALID));
    assert_eq!(rc("lrmd_rsc_cancel"), Some(Rc::INVALID));
    assert_eq!(rc("lrmd_rsc_register"), Some(Rc::INVALID));
    assert_eq!(rc("lrmd_rsc_info"), Some(Rc::NO_RESOURCE));
    assert_eq!(rc("lrmd_rsc_unregister"), Some(Rc::NO_RESOURCE));
    assert_eq!(rc("lrmd_alert_exec"), Some(Rc::INVALID));
    assert_eq!(rc("lrmd_get_recurring"), None);
}

#[test]
fn a_broken_document_still_names_the_request_to_answer() {
    let broken = r#"<lrmd_command lrmd_op="lrmd_rsc_exec" lrmd_remote_msg_id="17" lrmd_remote_msg_type="request"><attributes a="é "q" <"/></lrmd_command>"#;
    let Err(MessageError::Xml { msg_id, .. }) = Incoming::parse(broken) else { panic!("parsed") };
    assert_eq!(msg_id, Some(17));
    let Err(MessageError::Xml { msg_id, cause }) = Incoming::parse("hello") else { panic!("parsed") };
    assert_eq!((msg_id, cause), (None, XmlError::Empty));
}

#[test]
fn hostile_documents_are_refused() {
    for (document, why) in [
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><a d=\"&b;\"/>", XmlError::Doctype),
        (&"<a>".repeat(500), XmlError::TooDeep),
        ("<a/><b/>", XmlError::Trailing(8)),
        ("<a><b/>", XmlError::Truncated("a".to_owned())),
        ("", XmlError::Empty),
    ] {
        assert_eq!(Element::parse(document), Err(why), "{document}");
    }
    for document in ["<a b=\"&undefined;\"/>", "<a></b>", "<a b=c/>", "<a b=\"1\" b=\"2\"/>", "</a>"] {
        assert!(matches!(Element::parse(document), Err(XmlError::NotWellFormed { .. })), "{document}");
    }
}

#[test]
fn cdata_survives_and_cannot_be_closed_from_within() {
    let document = "<file path=\"a.rng\"><![CDATA[<x>&]]></file>";
    assert_eq!(Element::parse(document).unwrap().to_string(), document);
    let mut file = Element::new("file");
    file.children.push(picket_proto::xml::Node::Cdata("a]]>b".to_owned()));
    assert_eq!(file.to_string(), "<file><![CDATA[a]]]]><![CDATA[>b]]></file>");
}

#[test]
fn characters_that_xml_cannot_carry_are_replaced() {
    let element = Element::new("a").with("b", "\u{1b}[0m\u{1}\u{fffe}\n\u{7f}ü");
    assert_eq!(element.to_string(), "<a b=\"\u{fffd}[0m\u{fffd}\u{fffd}&#x0A;&#x7F;ü\"/>");
}

#[test]
fn reply_bodies_are_told_apart() {
    let body = |document: &str| match round_trip(document) {
        Incoming::Reply(reply) => reply.body,
        other => panic!("not a reply: {other:?}"),
    };
    for line in CAPTURED.lines().filter(|line| line.starts_with("<lrmd_reply")) {
        match body(line) {
            ReplyBody::Hello(_) => assert!(line.contains("lrmd_clientid")),
            ReplyBody::Resource(_) => assert!(line.contains("lrmd_class")),
            ReplyBody::Recurring(ops) => assert_eq!(ops[0].ops[0].timeout, 5000),
            ReplyBody::Plain => assert!(!line.contains("lrmd_clientid")),
            ReplyBody::Status(_) => panic!("no release sends {line}"),
        }
    }
}

proptest! {
    #[test]
    fn any_attribute_value_that_xml_can_carry_comes_back(value in "[\t\n\r -\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]{0,60}") {
        let document = Element::new("a").with("b", &value).to_string();
        let parsed = Element::parse(&document).unwrap();
        prop_assert_eq!(parsed.attr("b"), Some(value.as_str()));
    }

    #[test]
    fn what_is_written_is_always_well_formed(value in any::<String>()) {
        prop_assert!(Element::parse(&Element::new("a").with("b", &value).to_string()).is_ok());
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[<>/a-c=\"'& !\\[\\]#x0;-]{0,80}") {
        let _ = Incoming::parse(&text);
    }
}

#[test]
fn comments_inside_a_document_are_kept() {
    let text = "<a><!-- why --><b/><!----></a>";
    assert_eq!(Element::parse(text).unwrap().to_string(), text);
    let odd = Element::parse("<!-- before --><a><!-- x--y- --></a><!-- behind -->").unwrap().to_string();
    assert_eq!(odd, "<a><!-- x- -y- --></a>");
    assert_eq!(Element::parse(&odd).unwrap().to_string(), odd);
}
