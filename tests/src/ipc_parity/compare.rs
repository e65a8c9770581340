//! Point 1: the same command lines in a guest of either agent, compared answer by answer.

use std::time::Duration;

use anyhow::Result;

use super::stage::Stage;
use crate::agent::Agent;
use crate::host::Host;
use crate::report::Finding;

const COMMANDS: &str = include_str!("commands.txt");

/// Longer than any tool's own timeout.
const PATIENCE: Duration = Duration::from_secs(45);

/// What a command line gave, without what differs from run to run.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    stderr: String,
}

/// Every command line.
pub(super) fn full() -> Result<Finding> {
    compare(&lines(), &[])
}

/// Every command line again over datagram sockets.
pub(super) fn sockets() -> Result<Finding> {
    compare(&lines(), &[("PCMK_ipc_type", "socket")])
}

/// One of each kind.
pub(super) fn short() -> Result<Finding> {
    compare(
        &[
            "crm_node -n",
            "attrd_updater -n level -U 1",
            "attrd_updater -n level -Q -A",
            "crm_attribute -t crm_config -n stonith-enabled -G",
            "crm_attribute -t nonsense -n x -G",
            "crm_resource -L",
            "cibadmin -Q -o resources",
            "cibadmin -Q -o nonsense",
            "crm_mon -1 --output-as=xml",
            "stonith_admin -l guest1",
            "pacemakerd -S",
            "setpriv --reuid=nobody --regid=nogroup --clear-groups crm_node -n",
        ],
        &[],
    )
}

fn lines() -> Vec<&'static str> {
    COMMANDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn compare(lines: &[&str], environment: &[(&str, &str)]) -> Result<Finding> {
    let original = answers(Agent::Original, lines, environment)?;
    let picket = answers(Agent::Picket, lines, environment)?;
    let mut differing = Vec::new();
    for ((line, expected), found) in lines.iter().zip(&original).zip(&picket) {
        if expected != found {
            differing.push(*line);
            tell(line, expected, found);
        }
    }
    let failing = original.iter().filter(|answer| answer.status != Some(0)).count();
    let mut figure = format!(
        "{} of {} command lines answered alike ({failing} of them with an error)",
        lines.len() - differing.len(),
        lines.len()
    );
    if !differing.is_empty() {
        figure.push_str(&format!("; not: {}", differing.join(", ")));
    }
    Ok(Finding { figure, holds: differing.is_empty() })
}

fn answers(agent: Agent, lines: &[&str], environment: &[(&str, &str)]) -> Result<Vec<Answer>> {
    let stage = Stage::new(agent, 1, environment)?;
    stage.add_dummy()?;
    lines.iter().map(|line| answer(&stage.guest.host, line)).collect()
}

/// Runs a command line in a shell.
pub(super) fn answer(host: &Host, line: &str) -> Result<Answer> {
    let output = host.run_within(PATIENCE, &["sh", "-c", line])?;
    Ok(Answer {
        status: output.status.code(),
        stdout: sorted(lasting(&output.stdout)),
        stderr: lasting(&output.stderr),
    })
}

/// The attribute manager lists nodes in no order, and the status section has its parts in the order in which the
/// cluster's daemons happened to write them.
fn sorted(text: String) -> String {
    if text.lines().all(|line| line.starts_with("name=\"")) {
        return sorted_lines(&text).join("\n");
    }
    match text.split_once("<status>") {
        Some((before, status)) => format!("{before}<status>{}", sorted_lines(status).join("\n")),
        None => text,
    }
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// XML attributes that say when or in which order something happened, or a checksum of that.
const PASSING: [&str; 17] = [
    "call",
    "call-id",
    "cib-last-written",
    "completed",
    "epoch",
    "exec-time",
    "execution-date",
    "last-rc-change",
    "last-run",
    "num_updates",
    "op-digest",
    "queue-time",
    "time",
    "transition-key",
    "transition-magic",
    "update-client",
    "update-origin",
];

/// A text without times, counters and checksums.
fn lasting(text: &str) -> String {
    let mut text = text.to_owned();
    for name in PASSING {
        let start = format!(" {name}=\"");
        let mut rest = text.as_str();
        let mut blanked = String::new();
        while let Some((before, value)) = rest.split_once(&start) {
            blanked.push_str(before);
            blanked.push_str(&start);
            rest = value.split_once('"').map_or("", |(_, behind)| behind);
            blanked.push_str("*\"");
        }
        blanked.push_str(rest);
        text = blanked;
    }
    let ends = [' ', '\n', '\t', '"', '\'', ',', '='];
    let mut before = "";
    let words = text.split_inclusive(ends).map(|word| {
        let bare = word.trim_end_matches(ends);
        let passing = before == "call=" || is_time(bare) || is_checksum(bare);
        before = word;
        if passing && !bare.is_empty() { word.replacen(bare, "*", 1) } else { word.to_owned() }
    });
    words.collect()
}

/// `12:34:56`, also with a zone; `123ms`; seconds since the epoch.
fn is_time(word: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let clock = |part: &str| {
        let fields: Vec<_> = part.split(':').collect();
        fields.len() == 3 && fields.iter().all(|field| field.len() == 2 && number(field))
    };
    let millis = word.trim_end_matches("):").strip_suffix("ms").is_some_and(number);
    clock(word.trim_end_matches('Z')) || millis || (word.len() == 10 && word.starts_with('1') && number(word))
}

fn is_checksum(word: &str) -> bool {
    word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[expect(clippy::print_stderr, reason = "what differs is too long for a finding")]
fn tell(line: &str, expected: &Answer, found: &Answer) {
    eprintln!("$ {line}\n--- original: {:?}\n--- picket: {:?}", expected.status, found.status);
    for (expected, found) in [(&expected.stdout, &found.stdout), (&expected.stderr, &found.stderr)] {
        only(expected, found).for_each(|line| eprintln!("-{line}"));
        only(found, expected).for_each(|line| eprintln!("+{line}"));
    }
}

/// The lines of a text that the other lacks.
fn only<'a>(text: &'a str, other: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter(|line| !other.lines().any(|theirs| theirs == *line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_blanked_and_what_lasts_stays() {
        assert_eq!(lasting("at 12:34:56 in 17ms 12:34 call=5,"), "at * in * 12:34 call=*,");
        assert_eq!(lasting(r#"<cib epoch="7" id="7" time="x">"#), r#"<cib epoch="*" id="7" time="*">"#);
    }

    #[test]
    fn the_order_within_the_status_section_does_not_matter() {
        let one = "<cib>\n<a/>\n<b/>\n<status>\n<lrm/>\n<x/>\n</status>";
        let two = "<cib>\n<a/>\n<b/>\n<status>\n<x/>\n<lrm/>\n</status>";
        let other = "<cib>\n<b/>\n<a/>\n<status>\n<lrm/>\n<x/>\n</status>";
        assert_eq!(sorted(one.to_owned()), sorted(two.to_owned()));
        assert_ne!(sorted(one.to_owned()), sorted(other.to_owned()));
    }

    #[test]
    fn there_are_enough_command_lines() {
        assert!(lines().len() >= 60, "{}", lines().len());
    }
}
