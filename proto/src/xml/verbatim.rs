//! A document inside another one, as its text.

use super::{Element, XmlError};

/// One document that is passed on without being read. It cannot break out of the element that it is put into: it was
/// written from an [`Element`], or cut out of a document in which every tag before its end has its counterpart.
///
/// A cluster's answer to a tool has megabytes; taking it apart only to write it again would take most of the time that
/// the tool waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verbatim(String);

impl Verbatim {
    /// What was found between the tags of an element; `None` where that is no element.
    pub(super) fn cut(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let starts = text.strip_prefix('<')?.starts_with(|c: char| c.is_alphabetic() || c == '_');
        (starts && text.ends_with('>')).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, to keep.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`XmlError`]: what was cut out is not one well-formed document.
    pub fn read(&self) -> Result<Element, XmlError> {
        Element::parse(&self.0)
    }
}

impl From<&Element> for Verbatim {
    fn from(element: &Element) -> Self {
        Self(element.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Node;
    use super::*;

    fn inner(text: &str) -> Result<Vec<Node>, XmlError> {
        Element::parse_around(text, "msg").map(|root| root.first("msg").unwrap().children.clone())
    }

    #[test]
    fn the_inner_document_keeps_every_byte() {
        let document = r#"<a x='1'  y="&#x41;"><!-- <b> --><msg/><msg><c/>text</msg></a >"#;
        let found = inner(&format!("<root><msg> {document}\n</msg><z/></root>")).unwrap();
        assert_eq!(found, [Node::Verbatim(Verbatim(document.to_owned()))]);
    }

    #[test]
    fn what_surrounds_it_is_read() {
        let root = Element::parse_around("<root a='1'><x/><msg><b/></msg><y/></root>", "msg").unwrap();
        assert_eq!(root.attr("a"), Some("1"));
        assert_eq!(root.elements().map(|child| child.name.as_str()).collect::<Vec<_>>(), ["x", "msg", "y"]);
        assert_eq!(root.to_string(), "<root a=\"1\"><x/><msg><b/></msg><y/></root>");
    }

    #[test]
    fn what_is_no_element_is_no_document() {
        for text in ["", " ", "text", "<!DOCTYPE a>", "<!-- only -->", "<?pi?>"] {
            assert_eq!(inner(&format!("<root><msg>{text}</msg></root>")), Ok(Vec::new()), "{text}");
        }
        assert_eq!(inner("<root><msg/></root>"), Ok(Vec::new()));
    }

    #[test]
    fn tags_without_counterpart_are_refused() {
        for text in ["<root><msg><a></msg></root>", "<root><msg><a></b></msg></root>", "<root><msg><a/>"] {
            assert!(inner(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_can_be_read_later() {
        let element = Element::new("a").with("b", "<&>");
        assert_eq!(Verbatim::from(&element).read(), Ok(element));
    }
}
