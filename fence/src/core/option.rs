//! One option of an agent: everything its command line, stdin, metadata, help and manual page need to know.

/// What an option accepts, and so its `content type` in metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No value on the command line; a boolean word on stdin.
    Flag,
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// Whole seconds.
    Seconds,
    /// One of these words, in any case.
    Select(&'static [&'static str]),
}

impl Kind {
    /// The `content type` word of the metadata.
    pub fn content(self) -> &'static str {
        match self {
            Self::Flag => "boolean",
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Seconds => "second",
            Self::Select(_) => "select",
        }
    }
}

/// One row of an agent's option table.
///
/// Built by `const` calls, so that a table is data: `Opt::text("ip", "[ip]", "Address").short('a').old("ipaddr")`.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Name on stdin and in metadata, for example `power_timeout`.
    pub key: &'static str,
    /// The older name of the same option, printed as deprecated, for example `ipaddr`.
    pub old: Option<&'static str>,
    /// Long option without dashes, for example `power-timeout`.
    pub long: &'static str,
    /// Short option letter.
    pub short: Option<char>,
    /// Placeholder in help, `[seconds]`. Some upstream options take a value without showing one.
    pub value: Option<&'static str>,
    /// What it accepts.
    pub kind: Kind,
    /// Default as metadata shows it. [`Values`](super::input::Values) applies it too.
    pub default: Option<&'static str>,
    /// The static `required` of the metadata.
    pub required: bool,
    /// Place in help and metadata; upstream's numbers, ours are 210 to 299.
    pub order: u16,
    /// The value must never be shown.
    pub secret: bool,
    /// One line for people.
    pub about: &'static str,
}

impl Opt {
    /// An option without a value.
    pub const fn flag(key: &'static str, long: &'static str, about: &'static str) -> Self {
        Self {
            key,
            old: None,
            long,
            short: None,
            value: None,
            kind: Kind::Flag,
            default: None,
            required: false,
            order: 1,
            secret: false,
            about,
        }
    }

    /// An option with a text value; `value` is its placeholder with brackets, or empty for none.
    pub const fn text(
        key: &'static str,
        long: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> Self {
        let value = if value.is_empty() { None } else { Some(value) };
        Self { kind: Kind::Text, value, ..Self::flag(key, long, about) }
    }

    /// An option with a whole number.
    pub const fn integer(
        key: &'static str,
        long: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> Self {
        Self { kind: Kind::Integer, ..Self::text(key, long, value, about) }
    }

    /// An option with whole seconds, placeholder `[seconds]`.
    pub const fn seconds(key: &'static str, long: &'static str, about: &'static str) -> Self {
        Self { kind: Kind::Seconds, ..Self::text(key, long, "[seconds]", about) }
    }

    /// An option with one of a few words.
    pub const fn select(
        key: &'static str,
        long: &'static str,
        value: &'static str,
        words: &'static [&'static str],
        about: &'static str,
    ) -> Self {
        Self { kind: Kind::Select(words), ..Self::text(key, long, value, about) }
    }

    /// The same with a short letter.
    pub const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    /// The same with an older, deprecated name.
    pub const fn old(self, old: &'static str) -> Self {
        Self { old: Some(old), ..self }
    }

    /// The same with a default.
    pub const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same, marked as required in metadata. Whether a run needs it is checked by the request.
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same, not required.
    pub const fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// The same at another place in help and metadata.
    pub const fn order(self, order: u16) -> Self {
        Self { order, ..self }
    }

    /// The same with a value that is never shown.
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The same with an agent's own description.
    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// The same with another placeholder.
    pub const fn value(self, value: &'static str) -> Self {
        Self { value: Some(value), ..self }
    }

    /// Whether the command line expects a value.
    pub fn takes_value(&self) -> bool {
        self.kind != Kind::Flag
    }

    /// The left column of the help: `-o, --action=[action]`; also `getopt mixed` of the metadata.
    pub fn usage(&self) -> String {
        let short = self.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let value = self.value.map(|value| format!("={value}")).unwrap_or_default();
        format!("{short}--{}{value}", self.long)
    }
}
