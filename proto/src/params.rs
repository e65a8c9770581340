//! Operation parameters: instance attributes, meta-attributes and the feature set.

use crate::xml::{Element, is_name};

/// Names and values in the order received.
///
/// The controller computes configuration digests from the parameters that a result echoes, so every name and
/// value must come back unchanged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The value of a parameter.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads an `attributes` element: its attributes, then its `param` children (names that cannot be attribute
    /// names, such as `9x`).
    #[must_use]
    pub fn from_element(element: &Element) -> Self {
        let extra = element.elements().filter(|child| child.name == "param").filter_map(|param| {
            Some((param.attr("name")?.to_owned(), param.attr("value").unwrap_or_default().to_owned()))
        });
        Self(element.attributes.iter().cloned().chain(extra).collect())
    }

    /// The `attributes` element.
    #[must_use]
    pub fn to_element(&self) -> Element {
        self.iter().fold(Element::new("attributes"), |element, (name, value)| {
            if is_name(name) {
                element.with(name, value)
            } else {
                element.child(Element::new("param").with("name", name).with("value", value))
            }
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
