//! `--help` (fence-contract, section 14): descriptions from column 31 on, continued after 40 spaces, 85 columns wide.

use super::wrap;
use crate::core::agent::Agent;

const COLUMN: usize = 31;
const CONTINUED: usize = 40;
const WIDTH: usize = 85;

/// The text for an agent called by this name.
pub fn text(agent: &Agent, name: &str) -> String {
    let mut text = format!("Usage:\n\t{name} [options]\nOptions:\n");
    for opt in agent.table() {
        if opt.deprecated {
            continue;
        }
        let left = format!("   {}", opt.usage());
        let about = match opt.key {
            "action" => {
                let names: Vec<&str> = agent.advertised().map(|(name, _)| name).collect();
                format!("Action: {} (default: {})", names.join(", "), opt.default.unwrap_or("none"))
            }
            _ => match opt.default {
                Some(default) if !default.is_empty() => format!("{} (default: {default})", opt.about),
                _ => opt.about.to_owned(),
            },
        };
        let mut lines = wrap(&about, WIDTH - CONTINUED).into_iter().peekable();
        let first = lines.peek().map_or(0, |line| line.chars().count());
        if left.chars().count().max(COLUMN) + 3 + first <= WIDTH {
            text += &format!("{left:COLUMN$}   {}\n", lines.next().unwrap_or_default());
        } else {
            text += &format!("{left}\n");
        }
        for line in lines {
            text += &format!("{:CONTINUED$}{line}\n", "");
        }
    }
    text
}
