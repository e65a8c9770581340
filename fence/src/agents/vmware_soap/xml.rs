//! XML as SOAP needs it: a small tree without namespaces. Document types, and with them entities, are refused.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesStart, Event};

/// How deep a document may be; the deepest answer that is asked for has ten levels.
const DEPTH: usize = 64;

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Without its prefix.
    pub(super) name: String,
    /// The attribute `type` in any namespace: the class of an object, or of a fault.
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Node> {
        self.all(name).next()
    }

    /// All children of this name.
    pub(super) fn all<'n>(&'n self, name: &str) -> impl Iterator<Item = &'n Node> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The node at the end of these names.
    pub(super) fn at(&self, names: &[&str]) -> Option<&Node> {
        names.iter().try_fold(self, |node, name| node.child(name))
    }

    /// The text of a child, if there is one.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }
}

/// Reads a whole document.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut reader = Reader::from_str(text);
    // The document itself, as the parent of its root.
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) if open.len() < DEPTH => open.push(element(&start)?),
            Event::Start(_) => return Err("it is nested too deeply".to_owned()),
            Event::Empty(start) => {
                let node = element(&start)?;
                last(&mut open)?.children.push(node);
            }
            Event::End(_) => {
                let mut node = open.pop().ok_or("an element ends that never began")?;
                node.text = node.text.trim().to_owned();
                last(&mut open)?.children.push(node);
            }
            Event::Text(text) => last(&mut open)?.text += &text.into_inner(),
            Event::CData(data) => last(&mut open)?.text += &data.into_inner(),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|error| error.to_string())?;
                let name = reference.into_inner();
                let text = match character {
                    Some(character) => character.to_string(),
                    None => resolve_xml_entity(&name).ok_or(format!("unknown entity {name}"))?.to_owned(),
                };
                last(&mut open)?.text += &text;
            }
            Event::DocType(_) => return Err("it has a document type".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match (open.len(), open.pop().map(|mut document| document.children.pop())) {
        (1, Some(Some(root))) => Ok(root),
        _ => Err("it is not complete".to_owned()),
    }
}

fn last(open: &mut [Node]) -> Result<&mut Node, String> {
    open.last_mut().ok_or_else(|| "it ends too often".to_owned())
}

fn element(start: &BytesStart<'_>) -> Result<Node, String> {
    let mut kind = String::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.local_name().into_inner() == "type" {
            // With or without a prefix: `xsd:string`, `VirtualMachine`.
            kind = attribute.value.rsplit(':').next().unwrap_or_default().to_owned();
        }
    }
    Ok(Node { name: start.local_name().into_inner().to_owned(), kind, ..Node::default() })
}

/// An element with text.
pub(super) fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// An element which names an object of the server.
pub(super) fn object(name: &str, kind: &str, id: &str) -> String {
    format!("<{name} type=\"{kind}\">{}</{name}>", escape(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_names_kinds_and_texts() {
        let root =
            parse("<?xml version=\"1.0\"?><s:a xmlns:s='x'> <b xsi:type='v:C'>1 &lt;&#50;</b><b/>\n</s:a>")
                .unwrap();
        assert_eq!(root.name, "a");
        let b = root.child("b").unwrap();
        assert_eq!((b.kind.as_str(), b.text.as_str()), ("C", "1 <2"));
        assert_eq!(root.all("b").count(), 2);
    }

    #[test]
    fn what_is_cut_off_deep_or_has_entities_is_refused() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for text in [
            "",
            "x",
            "<a>",
            "<a><b></a>",
            "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
            "<a>&e;</a>",
            &deep,
            "{}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
