//! Command lines in parameters: words as a shell splits them, without any expansion, and without a shell.

use thiserror::Error;

/// Why a text is no command line.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum WordsError {
    /// Nothing follows the last backslash.
    #[error("it ends in a backslash")]
    Backslash,
    /// A quote that nothing closes.
    #[error("a {0} is not closed")]
    Quote(char),
}

/// The words of a text.
pub(super) fn split(text: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => quoted(&mut rest, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut rest, '"', word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next().ok_or(WordsError::Backslash)?),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(rest: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), WordsError> {
    while let Some(c) = rest.next() {
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match rest.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return Err(WordsError::Quote(quote)),
            },
            c => word.push(c),
        }
    }
    Err(WordsError::Quote(quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let rows: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("  a  b\n", &["a", "b"]),
            ("sh -c 'a b'", &["sh", "-c", "a b"]),
            ("a\"b c\"d", &["ab cd"]),
            ("''", &[""]),
            ("a\\ b", &["a b"]),
            ("\"a\\\"b\\n\"", &["a\"b\\n"]),
            ("'a\\'", &["a\\"]),
        ];
        for (text, words) in rows {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("a 'b"), Err(WordsError::Quote('\'')));
        assert_eq!(split("\"b\\"), Err(WordsError::Quote('"')));
        assert_eq!(split("b\\"), Err(WordsError::Backslash));
    }
}
