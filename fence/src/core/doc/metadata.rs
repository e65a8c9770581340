//! Metadata XML (fence-contract, section 13): no attribute or element beyond those, since pcs refuses what it does not
//! know.

use quick_xml::escape::escape;

use crate::core::action::Action;
use crate::core::agent::Agent;
use crate::core::option::{Kind, Opt};

/// The document for an agent called by this name.
pub fn document(agent: &Agent, name: &str) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" ?>\n");
    let title = escape(agent.title);
    xml += &format!("<resource-agent name=\"{}\" shortdesc=\"{title}\" >\n", escape(name));
    for other in std::iter::once(&agent.name).chain(agent.aliases).filter(|other| **other != name) {
        xml += &format!("<symlink name=\"{other}\" shortdesc=\"{title}\"/>\n");
    }
    xml += &format!("<longdesc>{}</longdesc>\n", escape(agent.about));
    xml += &format!("<vendor-url>{}</vendor-url>\n<parameters>\n", escape(agent.url));
    for (name, opt) in parameters(agent) {
        xml += &parameter(name, &opt);
    }
    xml += "</parameters>\n<actions>\n";
    for (name, action) in agent.advertised() {
        // Nothing in our scope un-fences by itself: power fencing needs no "automatic" (fence-contract, 4.2).
        let automatic = if action == Action::On { "automatic=\"0\"" } else { "" };
        xml += &format!("\t<action name=\"{name}\" {automatic}/>\n");
    }
    xml += "</actions>\n</resource-agent>\n";
    xml
}

/// Every option under each of its names, by order and then by name.
fn parameters(agent: &Agent) -> Vec<(&'static str, Opt)> {
    let mut rows: Vec<(&'static str, Opt)> = Vec::new();
    for opt in agent.table() {
        rows.extend(opt.old.map(|old| (old, opt)));
        rows.push((opt.key, opt));
    }
    rows.sort_by_key(|(name, opt)| (opt.order, *name));
    rows
}

fn parameter(name: &str, opt: &Opt) -> String {
    let relation = match opt.old {
        Some(old) if old == name => " deprecated=\"1\"".to_owned(),
        Some(old) => format!(" obsoletes=\"{old}\""),
        None if opt.deprecated => " deprecated=\"1\"".to_owned(),
        None => String::new(),
    };
    let usage = if opt.old == Some(name) { opt.old_usage() } else { opt.usage() };
    let default = opt.default.map(|value| format!(" default=\"{}\"", escape(value))).unwrap_or_default();
    let content = opt.content();
    let content = match opt.kind {
        Kind::Select(words) if opt.content.is_none() => {
            let options: String =
                words.iter().map(|word| format!("\t\t\t<option value=\"{word}\" />\n")).collect();
            format!("\t\t<content type=\"{content}\"{default}  >\n{options}\t\t</content>\n")
        }
        _ => format!("\t\t<content type=\"{content}\"{default}  />\n"),
    };
    format!(
        "\t<parameter name=\"{name}\" unique=\"0\" required=\"{}\"{relation}>\n\
         \t\t<getopt mixed=\"{}\" />\n{content}\
         \t\t<shortdesc lang=\"en\">{}</shortdesc>\n\t</parameter>\n",
        u8::from(opt.required),
        escape(usage),
        escape(opt.about),
    )
}
