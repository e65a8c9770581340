//! The manual page as roff, for packaging.

use crate::core::agent::Agent;
use crate::core::option::Kind;

/// The page for an agent called by this name.
pub fn page(agent: &Agent, name: &str) -> String {
    let mut page =
        format!(".TH {} 8\n.SH NAME\n{} \\- {}\n", name.to_uppercase(), roff(name), roff(agent.title));
    for other in std::iter::once(&agent.name).chain(agent.aliases).filter(|other| **other != name) {
        page += &format!(".br\n{} \\- the same program\n", roff(other));
    }
    page += ".SH DESCRIPTION\n";
    for paragraph in agent.about.split("\n\n") {
        page += &format!(".P\n{}\n", roff(&paragraph.replace('\n', " ")));
    }
    page += ".P\nOptions are read from the command line or, if there are none, from standard input, one\nkey=value a line.\n";
    page += &format!(".P\nVendor: {}\n.SH PARAMETERS\n", roff(agent.url));
    for opt in agent.table().iter().filter(|opt| !opt.deprecated) {
        let mut text = roff(opt.about);
        if let Kind::Select(words) = opt.kind {
            text += &format!(" ({})", words.join(", "));
        }
        if let Some(default) = opt.default.filter(|default| !default.is_empty()) {
            text += &format!(" (Default: {})", roff(default));
        } else if opt.required {
            text += " This parameter is always required.";
        }
        page += &format!(".TP\n.B {}\n{text}\n", roff(&opt.usage()));
    }
    page += ".SH ACTIONS\n";
    for (name, _) in agent.advertised() {
        page += &format!(".TP\n.B {}\n{}\n", roff(name), sentence(name));
    }
    page += ".SH STDIN PARAMETERS\n";
    for opt in agent.table() {
        let old = opt.old.map(|old| format!(" Obsoletes: {}", roff(old))).unwrap_or_default();
        page += &format!(".TP\n.B {}\n{}{old}\n", roff(opt.key), roff(opt.about));
    }
    page += ".SH EXIT STATUS\n0 for success, 1 for failure, 2 if status finds the machine off.\n";
    page
}

fn sentence(action: &str) -> &'static str {
    match action {
        "on" => "Power the machine on and confirm it.",
        "off" => "Power the machine off and confirm it.",
        "reboot" => "Power the machine off, confirm it, and power it on.",
        "status" => "Print the power state.",
        "list" => "Print the machines, a line each.",
        "list-status" => "Print the machines with their power state.",
        "monitor" => "Prove that the device would fence: log in, find the machine, check the permission.",
        "metadata" => "Print the parameters and actions as XML.",
        "manpage" => "Print the same, for tools that make a manual page of it.",
        "validate-all" => "Check all parameters, and that the device would fence.",
        "null" => "Send a request that changes nothing.",
        "diag" => "Send a diagnostic interrupt. It proves nothing about power.",
        _ => "",
    }
}

/// Text with roff's own characters taken from it.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.chars().next() {
        Some('.' | '\'') => format!("\\&{text}"),
        _ => text,
    }
}
