//! Everything that is printed about an agent, generated from its table.

pub mod completion;
pub mod help;
pub mod man;
pub mod metadata;
#[cfg(test)]
mod tests;

/// Breaks text at spaces so that lines have at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
