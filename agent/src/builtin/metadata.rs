//! Metadata of an agent, in the XML of OCF API 1.1.

use std::fmt::Write as _;

use super::table::{Agent, Kind, Param};

/// The document.
pub(super) fn document(agent: &Agent) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>\n");
    let params: String = agent.params.iter().map(parameter).collect();
    let actions: String = agent
        .actions
        .iter()
        .map(|action| {
            let interval =
                action.interval.map(|time| format!(" interval=\"{time}\" depth=\"0\"")).unwrap_or_default();
            format!("<action name=\"{}\" timeout=\"{}\"{interval}/>\n", action.name, action.timeout)
        })
        .collect();
    write!(
        xml,
        "<resource-agent name=\"{}\" version=\"{}\">\n<version>1.1</version>\n\
         <longdesc lang=\"en\">{}</longdesc>\n<shortdesc lang=\"en\">{}</shortdesc>\n\
         <parameters>\n{params}</parameters>\n\
         <actions>\n{actions}<action name=\"meta-data\" timeout=\"5s\"/>\n</actions>\n</resource-agent>\n",
        agent.name,
        env!("CARGO_PKG_VERSION"),
        escape(agent.text),
        escape(agent.summary),
    )
    .expect("writing to a String cannot fail");
    xml
}

fn parameter(param: &Param) -> String {
    let default = param.default.map(|value| format!(" default=\"{}\"", escape(value))).unwrap_or_default();
    let content = match param.kind {
        Kind::Boolean => format!("<content type=\"boolean\"{default}/>"),
        Kind::Choice(words) => {
            let options: String = words.iter().map(|word| format!("<option value=\"{word}\"/>")).collect();
            format!("<content type=\"select\"{default}>{options}</content>")
        }
        Kind::Text => format!("<content type=\"string\"{default}/>"),
        Kind::Time => format!("<content type=\"time\"{default}/>"),
    };
    format!(
        "<parameter name=\"{}\" required=\"{}\">\n<longdesc lang=\"en\">{}</longdesc>\n\
         <shortdesc lang=\"en\">{}</shortdesc>\n{content}\n</parameter>\n",
        param.name,
        u8::from(param.required),
        escape(param.text),
        escape(param.summary),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_describes_every_parameter_and_action() {
        for agent in super::super::AGENTS {
            let xml = document(agent);
            let opens = |tag: &str| xml.matches(&format!("<{tag} ")).count();
            assert_eq!(opens("parameter"), agent.params.len(), "{}", agent.name);
            assert_eq!(opens("action"), agent.actions.len() + 1, "{}", agent.name);
            for param in agent.params {
                assert!(!param.summary.is_empty() && !param.text.is_empty(), "{} {}", agent.name, param.name);
                assert!(param.summary.len() < 60, "{} {}", agent.name, param.name);
            }
        }
    }

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escape("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
    }
}
