//! One option of an agent: everything its command line, stdin, metadata, help and manual page need to know.

/// What an option accepts, and so its `content type` in metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No value on the command line; a boolean word on stdin.
    Flag,
    /// Counted on the command line; a number or a boolean word on stdin.
    Level,
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
            Self::Flag | Self::Level => "boolean",
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
    /// Long option without dashes, for example `power-timeout`. Options of programs with getopt(3) have none; the key is
    /// understood as one for all.
    pub long: Option<&'static str>,
    /// Short option letter.
    pub short: Option<char>,
    /// A second letter, which metadata shows with the older name.
    pub also: Option<char>,
    /// The value where the letter comes without one attached, for an option whose value may be left out.
    pub bare: Option<&'static str>,
    /// Placeholder in help, `[seconds]`. Some upstream options take a value without showing one.
    pub value: Option<&'static str>,
    /// What it accepts.
    pub kind: Kind,
    /// The `content type` of the metadata, where it is not that of the kind.
    pub content: Option<&'static str>,
    /// Deprecated with nothing in its place under another name: no letter, and in metadata only.
    pub deprecated: bool,
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
            long: Some(long),
            short: None,
            also: None,
            bare: None,
            value: None,
            kind: Kind::Flag,
            content: None,
            deprecated: false,
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

    /// The same with a letter and without a long option, as programs with getopt(3) have it.
    pub const fn only(self, short: char) -> Self {
        Self { short: Some(short), long: None, value: None, ..self }
    }

    /// The same with a second letter.
    pub const fn also(self, letter: char) -> Self {
        Self { also: Some(letter), ..self }
    }

    /// The same with a value that may be left out.
    pub const fn bare(self, value: &'static str) -> Self {
        Self { bare: Some(value), ..self }
    }

    /// The same with another type in metadata.
    pub const fn shown_as(self, content: &'static str) -> Self {
        Self { content: Some(content), ..self }
    }

    /// The same, known on stdin and in metadata only, and deprecated.
    pub const fn deprecated(self) -> Self {
        Self { deprecated: true, short: None, long: None, value: None, ..self }
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
        !matches!(self.kind, Kind::Flag | Kind::Level)
    }

    /// The `content type` of the metadata.
    pub fn content(&self) -> &'static str {
        self.content.unwrap_or_else(|| self.kind.content())
    }

    /// Its names on the command line, the letter first.
    pub fn flags(&self) -> impl Iterator<Item = String> {
        let short = self.short.map(|letter| format!("-{letter}"));
        short.into_iter().chain(self.long.map(|long| format!("--{long}")))
    }

    /// The left column of the help: `-o, --action=[action]`; also `getopt mixed` of the metadata.
    pub fn usage(&self) -> String {
        let value = self.value.map(|value| format!("={value}")).unwrap_or_default();
        self.flags().collect::<Vec<_>>().join(", ") + &value
    }

    /// `getopt mixed` of the older name.
    pub fn old_usage(&self) -> String {
        self.also.map_or_else(|| self.usage(), |letter| format!("-{letter}"))
    }
}
