//! What arrived, and what checks ask of it.

use anyhow::{Context, Result, ensure};
use picket_proto::xml::Element;

/// A document, with what checks ask of it.
#[derive(Debug)]
pub(super) struct Doc(pub(super) Element);

impl Doc {
    /// An attribute, empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.attr(name).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Result<i64> {
        self.text(name).parse().with_context(|| format!("{name} is no number in {}", self.0))
    }

    pub(super) fn rc(&self) -> Result<i64> {
        self.number("lrmd_rc")
    }

    /// Fails unless the attribute has this value.
    #[expect(clippy::needless_pass_by_value, reason = "literals and numbers are passed most")]
    pub(super) fn is(&self, name: &str, value: impl ToString) -> Result<&Self> {
        let (value, found) = (value.to_string(), self.0.attr(name));
        ensure!(found == Some(value.as_str()), "{name} should be '{value}' and is {found:?} in {}", self.0);
        Ok(self)
    }

    /// Fails where the attribute is there.
    pub(super) fn lacks(&self, name: &str) -> Result<&Self> {
        ensure!(self.0.attr(name).is_none(), "{name} should not be in {}", self.0);
        Ok(self)
    }

    /// The result of an operation: return code and status.
    pub(super) fn ended(&self, rc: i64, status: i64) -> Result<&Self> {
        self.is("lrmd_exec_rc", rc)?.is("lrmd_exec_op_status", status)
    }

    /// The parameters of a result.
    pub(super) fn params(&self) -> Result<&Element> {
        self.0.first("attributes").with_context(|| format!("no parameters in {}", self.0))
    }

    pub(super) fn is_result(&self) -> bool {
        self.text("lrmd_op") == "lrmd_rsc_exec" && self.0.attr("lrmd_exec_rc").is_some()
    }
}
