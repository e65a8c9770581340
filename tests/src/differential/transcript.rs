//! What was said and heard, with everything that depends on chance made comparable.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use picket_proto::number::leading_int;
use picket_proto::xml::{Element, Node};

/// Longest value shown and compared as it is; of longer ones length and checksum count.
const SHOWN: usize = 600;

/// Everything of one sequence with one agent.
#[derive(Clone, Debug, Default)]
pub struct Transcript(pub Vec<Entry>);

/// One document, observation or note.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Which client heard what kind of document; entries of two transcripts are matched by it.
    pub head: String,
    /// Attributes by path.
    pub fields: BTreeMap<String, String>,
}

impl Entry {
    /// What the script does, or an event without content.
    pub(super) fn note(head: String) -> Self {
        Self { head, fields: BTreeMap::new() }
    }

    /// Something with one value.
    pub(super) fn value(head: String, value: &str) -> Self {
        Self { head, fields: BTreeMap::from([("value".to_owned(), shorten(value))]) }
    }

    /// A document that `client` received. `base` is the call id that counts as 0.
    pub(super) fn document(client: &str, element: &Element, base: i64) -> Self {
        let words = ["lrmd_ipc_op", "lrmd_op", "lrmd_rsc_id", "lrmd_rsc_action"];
        let mut head = format!("{client} < {}", element.name);
        for word in words.iter().filter_map(|word| element.attr(word)) {
            head.push(' ');
            head.push_str(word);
        }
        let mut fields = BTreeMap::new();
        flatten(element, "", base, &mut fields);
        Self { head, fields }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, "\n        {name} = {value}"))
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|entry| writeln!(f, "    {entry}"))
    }
}

fn flatten(element: &Element, path: &str, base: i64, fields: &mut BTreeMap<String, String>) {
    for (name, value) in &element.attributes {
        let value = normalize(element, name, value, base);
        fields.insert(format!("{path}{name}"), shorten(&value));
    }
    for (at, child) in element.children.iter().enumerate() {
        match child {
            Node::Element(child) => {
                let key = child.attr("name").or_else(|| child.attr("lrmd_rsc_id")).map_or_else(
                    || child.attr("lrmd_rsc_action").map_or(String::new(), |action| format!("[{action}]")),
                    |key| format!("[{key}]"),
                );
                let path = format!("{path}{}{key}/", child.name);
                fields.insert(path.clone(), String::new());
                flatten(child, &path, base, fields);
            }
            Node::Cdata(text) => {
                fields.insert(format!("{path}cdata[{at}]"), shorten(text));
            }
            Node::Comment(text) => {
                fields.insert(format!("{path}comment[{at}]"), shorten(text));
            }
            // Transcripts are read to the end: there is none.
            Node::Verbatim(text) => {
                fields.insert(format!("{path}verbatim[{at}]"), shorten(text.as_str()));
            }
        }
    }
}

/// The comparable form of an attribute.
fn normalize(element: &Element, name: &str, value: &str, base: i64) -> String {
    let number = leading_int(value).filter(|number| number.to_string() == value);
    match (name, number) {
        ("lrmd_callid", Some(id)) => relative(id, base),
        ("lrmd_rc", Some(id)) if id > 0 && element.attr("lrmd_callid") == Some(value) => relative(id, base),
        ("lrmd_clientid", _) if is_uuid(value) => "a uuid".into(),
        ("lrmd_run_time" | "lrmd_rcchange_time", Some(time)) => moment(time),
        // Without a process there is nothing to measure.
        ("lrmd_exec_time", Some(_)) if found_no_process(element) => "whatever".into(),
        ("lrmd_exec_time", Some(ms)) => duration(ms, 8),
        // A busy machine takes its time to fork, and a queued operation has waited about a second at least.
        ("lrmd_queue_time", Some(ms)) => duration(ms, 700),
        ("uptime", Some(seconds)) if (0..10_000).contains(&seconds) => "some seconds".into(),
        _ => value.to_owned(),
    }
}

/// Whether an operation ended in an error of the executor, not of its agent.
fn found_no_process(element: &Element) -> bool {
    let status = element.attr("lrmd_exec_op_status").and_then(leading_int).unwrap_or(0);
    let reason = element.attr("lrmd_rsc_exit_reason").unwrap_or_default();
    // 1 is cancelled, 2 is timed out: there the time says something. Return code 4 is all that the original says of
    // an init script that cannot be executed.
    status > 2 || reason.contains("nable to") || element.attr("lrmd_exec_rc") == Some("4")
}

fn relative(id: i64, base: i64) -> String {
    format!("#{}", id - base)
}

fn moment(time: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let age = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(time);
    match (time, age) {
        (0, _) => "0".into(),
        (_, -1..=60) => "recent".into(),
        _ => format!("{time}, which is {age} s ago"),
    }
}

/// Buckets wide enough for a busy machine: sequences use delays below 0.5 s or from 1 s up.
fn duration(ms: i64, nothing: i64) -> String {
    match ms {
        i64::MIN..0 => "negative".into(),
        _ if ms <= nothing => "about 0".into(),
        0..800 => "short".into(),
        800..10_000 => "seconds".into(),
        _ => "long".into(),
    }
}

fn is_uuid(value: &str) -> bool {
    let parts: Vec<usize> = value.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && value.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn shorten(value: &str) -> String {
    if value.len() <= SHOWN {
        return value.to_owned();
    }
    // FNV-1a: only to tell contents apart.
    let sum = value
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let start: String = value.chars().take(60).collect();
    format!("{start}... ({} bytes, checksum {sum:016x})", value.len())
}
