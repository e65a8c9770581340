//! The XML subset of the protocol: elements, attributes, CDATA and comments, without text nodes.
//!
//! Reading accepts any well-formed document, refuses a DTD, resolves only the five named entities and
//! character references, and bounds the depth. Writing emits only well-formed XML 1.0: a strict peer
//! (Pacemaker 3.0) drops a whole document for one forbidden character, and with it an operation's result.

mod verbatim;

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

pub use verbatim::Verbatim;

/// Deepest nesting accepted; CIB documents stay below 20.
const MAX_DEPTH: usize = 200;

/// Why a text is not a document of this protocol.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum XmlError {
    /// A document type declaration, which could define entities.
    #[error("document type declarations are refused")]
    Doctype,
    /// Nothing but white space and comments.
    #[error("no element")]
    Empty,
    /// The parser's complaint.
    #[error("not well-formed at byte {at}: {cause}")]
    NotWellFormed {
        /// Offset in the text.
        at: u64,
        /// What is wrong there.
        cause: String,
    },
    /// Nested deeper than any real message.
    #[error("nested deeper than {MAX_DEPTH} elements")]
    TooDeep,
    /// A second root element, or an end tag without its element.
    #[error("text goes on after the root element, at byte {0}")]
    Trailing(u64),
    /// The text ends inside an element.
    #[error("ends inside element <{0}>")]
    Truncated(String),
}

/// Content of an element.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Node {
    /// Character data, sent as a CDATA section (schema files).
    Cdata(String),
    /// A comment: administrators put them into the configuration, and they count as children in its patches.
    Comment(String),
    /// A child element.
    Element(Element),
    /// A child element as its text.
    Verbatim(Verbatim),
}

/// An element with its attributes in document order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Element {
    /// Tag name.
    pub name: String,
    /// Attributes, unescaped.
    pub attributes: Vec<(String, String)>,
    /// Children in document order.
    pub children: Vec<Node>,
}

impl Element {
    /// An element without attributes or children.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds an attribute behind the others.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "literals and numbers are passed most")]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds an attribute where there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a child behind the others.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Cdata(_) | Node::Comment(_) | Node::Verbatim(_) => None,
        })
    }

    /// The first child element of that name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    /// The first element of that name at any depth, this one included, in document order. The original looks
    /// for `lrmd_rsc` this way.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name { Some(self) } else { self.elements().find_map(|child| child.find(name)) }
    }

    /// Parses one document.
    ///
    /// # Errors
    /// [`XmlError`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, XmlError> {
        Self::parse_around(text, "")
    }

    /// Parses one document but for what is inside elements of the name `sealed`, which becomes a [`Verbatim`].
    ///
    /// # Errors
    /// [`XmlError`] as above.
    pub fn parse_around(text: &str, sealed: &str) -> Result<Self, XmlError> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = false;
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        loop {
            let broken = |reader: &Reader<&[u8]>, cause: String| XmlError::NotWellFormed {
                at: reader.error_position(),
                cause,
            };
            let event = reader.read_event().map_err(|error| broken(&reader, error.to_string()))?;
            let closed = match event {
                Event::Start(start) if start.name().as_ref() == sealed => {
                    let mut done = element(&start).map_err(|cause| broken(&reader, cause))?;
                    let inside = reader.read_to_end(start.name());
                    let inside = inside.map_err(|error| broken(&reader, error.to_string()))?;
                    // The span is one of this text, so it is there.
                    let inside = usize::try_from(inside.start)
                        .ok()
                        .zip(usize::try_from(inside.end).ok())
                        .and_then(|(start, end)| text.get(start..end));
                    done.children.extend(inside.and_then(Verbatim::cut).map(Node::Verbatim));
                    Some(done)
                }
                Event::Start(start) if open.len() < MAX_DEPTH => {
                    open.push(element(&start).map_err(|cause| broken(&reader, cause))?);
                    None
                }
                Event::Start(_) => return Err(XmlError::TooDeep),
                Event::Empty(start) => Some(element(&start).map_err(|cause| broken(&reader, cause))?),
                Event::End(_) => open.pop(),
                Event::CData(data) => {
                    let data = data.to_string();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(Node::Cdata(data)),
                        None => return Err(XmlError::Trailing(reader.buffer_position())),
                    }
                    None
                }
                Event::Comment(text) => {
                    // Outside the root element nobody keeps them.
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(Node::Comment(text.to_string()));
                    }
                    None
                }
                Event::Text(text)
                    if open.is_empty() && !text.bytes().all(|byte| byte.is_ascii_whitespace()) =>
                {
                    return Err(match root {
                        None => XmlError::Empty,
                        Some(_) => XmlError::Trailing(reader.buffer_position()),
                    });
                }
                Event::DocType(_) => return Err(XmlError::Doctype),
                Event::Eof => break,
                Event::Text(_) | Event::Decl(_) | Event::PI(_) | Event::GeneralRef(_) => None,
            };
            match (closed, open.last_mut()) {
                (Some(done), Some(parent)) => parent.children.push(Node::Element(done)),
                (Some(done), None) if root.is_none() => root = Some(done),
                (Some(_), None) => return Err(XmlError::Trailing(reader.buffer_position())),
                (None, _) => {}
            }
        }
        match open.pop() {
            Some(unfinished) => Err(XmlError::Truncated(unfinished.name)),
            None => root.ok_or(XmlError::Empty),
        }
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.write(out),
                Node::Cdata(data) => write_cdata(data, out),
                Node::Comment(text) => write_comment(text, out),
                Node::Verbatim(text) => out.push_str(text.as_str()),
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

impl std::fmt::Display for Element {
    /// The document as it travels: no declaration, no white space between elements.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

/// Whether `name` can be an attribute name; others travel as `<param name=".." value=".."/>`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let start = |c: char| c.is_alphabetic() || c == '_';
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.starts_with(start) && name.chars().all(inside)
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|error| format!("attribute {}: {error}", attribute.key.as_ref()))?;
        element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

/// Escapes an attribute value as Pacemaker 3.0 does: four entities, control characters as `&#xHH;`. A character
/// that XML 1.0 cannot carry becomes U+FFFD.
fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' | '\u{7f}' => {
                write!(out, "&#x{:02X};", u32::from(c)).expect("writing to a String cannot fail");
            }
            c if is_allowed(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
}

fn write_cdata(data: &str, out: &mut String) {
    out.push_str("<![CDATA[");
    let data: String = data.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect();
    out.push_str(&data.replace("]]>", "]]]]><![CDATA[>"));
    out.push_str("]]>");
}

/// Two hyphens, or one at the end, are not allowed in a comment.
fn write_comment(text: &str, out: &mut String) {
    out.push_str("<!--");
    for c in text.chars() {
        if c == '-' && out.ends_with('-') {
            out.push(' ');
        }
        out.push(if is_allowed(c) { c } else { '\u{fffd}' });
    }
    if out.ends_with('-') && !text.is_empty() {
        out.push(' ');
    }
    out.push_str("-->");
}

/// XML 1.0 (fifth edition), production 2 `Char`.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
