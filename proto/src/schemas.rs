//! Schema transfer: XML schemas of a newer cluster for the tools on a node (LRMD 1.2, Pacemaker 2.1.8).
//!
//! The agent asks through its own local endpoint, as a tool would; the cluster never pushes.

use thiserror::Error;

use crate::xml::{Element, Node};

/// A schema file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SchemaFile {
    /// A plain file name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A file that nobody should write.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0:?} is no name for a schema file")]
pub struct NameError(String);

/// The newest of the cluster's main schemas among file names: `pacemaker-3.10` is newer than `pacemaker-3.9`.
/// Without the ending.
#[must_use]
pub fn newest<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let versions = names.into_iter().filter_map(|name| {
        let version = name.strip_prefix("pacemaker-")?.strip_suffix(".rng")?;
        let (major, minor) = version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    });
    versions.max().map(|(major, minor)| format!("pacemaker-{major}.{minor}"))
}

/// The question for every schema that is newer than `known`.
#[must_use]
pub fn question(known: &str) -> Element {
    let schema = Element::new("schema").with("version", known);
    Element::new("cib_command")
        .with("t", "cib")
        .with("cib_op", "cib_schemas")
        .with("cib_callid", 3)
        .with("cib_callopt", 0x1000)
        .child(Element::new("cib_calldata").child(schema))
}

/// The files of an answer; none where nothing is newer.
///
/// # Errors
/// [`NameError`] where a name could lead elsewhere, or is of another kind of file. Nothing is to be written then.
pub fn files(answer: &Element) -> Result<Vec<SchemaFile>, NameError> {
    let schemas = answer.find("schemas").into_iter().flat_map(Element::elements);
    schemas
        .flat_map(Element::elements)
        .filter(|file| file.name == "file")
        .map(|file| {
            let name = file.attr("path").unwrap_or_default();
            if !is_plain(name) {
                return Err(NameError(name.to_owned()));
            }
            let parts = file.children.iter().filter_map(|node| match node {
                Node::Cdata(text) => Some(text.as_str()),
                _ => None,
            });
            Ok(SchemaFile { name: name.to_owned(), text: parts.collect() })
        })
        .collect()
}

/// Whether it is a name of this folder, of a schema or of a transformation.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    let ends = [".rng", ".xsl"].iter().any(|end| name.len() > end.len() && name.ends_with(end));
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    ends && name.len() < 256 && !name.starts_with('.') && name.bytes().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_schema_is_found_by_number() {
        let names = ["pacemaker-3.9.rng", "pacemaker-3.10.rng", "nodes-4.0.rng", "pacemaker-next.rng"];
        assert_eq!(newest(names).as_deref(), Some("pacemaker-3.10"));
        assert_eq!(newest(["crm_mon.rng"]), None);
    }

    #[test]
    fn an_answer_gives_its_files_and_none_where_nothing_is_newer() {
        let text = r#"<cib-reply t="cib" cib_op="cib_schemas" cib_rc="0"><cib_calldata><schemas>
            <schema version="pacemaker-3.10.rng"><file path="nodes-3.9.rng"><![CDATA[<a b="c"/>]]></file>
            <file path="upgrade-3.10-0.xsl"><![CDATA[x]]></file></schema></schemas></cib_calldata></cib-reply>"#;
        let found = files(&Element::parse(text).unwrap()).unwrap();
        let found: Vec<_> = found.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
        assert_eq!(found, [("nodes-3.9.rng", r#"<a b="c"/>"#), ("upgrade-3.10-0.xsl", "x")]);
        let empty = Element::parse("<cib-reply><cib_calldata><schemas/></cib_calldata></cib-reply>").unwrap();
        assert_eq!(files(&empty), Ok(Vec::new()));
    }

    #[test]
    fn names_that_lead_elsewhere_spoil_the_whole_answer() {
        for name in ["../authkey.rng", "/etc/passwd", "a/b.rng", ".rng", "..rng", "a\0.rng", "a.sh", ""] {
            assert!(!is_plain(name), "{name:?}");
        }
        let file = Element::new("file").with("path", "../../etc/cron.d/x.rng");
        let schema = Element::new("schema").child(file);
        let answer = Element::new("cib-reply").child(Element::new("schemas").child(schema));
        assert!(files(&answer).is_err());
    }
}
