//! What a resource is: the agent that stands behind an id.

use crate::xml::Element;

/// A resource as registered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Definition {
    /// Instance id, such as `db` or `clone:0`.
    pub id: String,
    /// Agent class (`ocf`, `systemd`, ...), in the spelling of the request; compared in any case.
    pub class: String,
    /// OCF provider.
    pub provider: Option<String>,
    /// Name of the agent, unit or script.
    pub agent: String,
}

impl Definition {
    /// Reads `lrmd_rsc` attributes, or those of an `lrmd_rsc_info` reply; `None` where id, class or type is missing.
    #[must_use]
    pub fn from_element(element: &Element) -> Option<Self> {
        let filled = |name| element.attr(name).filter(|value| !value.is_empty()).map(str::to_owned);
        Some(Self {
            id: filled("lrmd_rsc_id")?,
            class: filled("lrmd_class")?,
            provider: filled("lrmd_provider"),
            agent: filled("lrmd_type")?,
        })
    }

    /// Adds the attributes to `element`.
    #[must_use]
    pub fn write(&self, element: Element) -> Element {
        element
            .with("lrmd_rsc_id", &self.id)
            .with("lrmd_class", &self.class)
            .with_some("lrmd_provider", self.provider.as_ref())
            .with("lrmd_type", &self.agent)
    }
}

impl std::fmt::Display for Definition {
    /// The agent as administrators write it: `ocf:heartbeat:nginx`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.provider {
            Some(provider) => write!(f, "{}:{provider}:{}", self.class, self.agent),
            None => write!(f, "{}:{}", self.class, self.agent),
        }
    }
}
