//! Which kind of message a received document is.

use thiserror::Error;

use crate::notification::Notification;
use crate::proxy::SEALED;
use crate::reply::Reply;
use crate::request::Request;
use crate::xml::{Element, XmlError};

/// A document with its type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// From agent to controller, unasked.
    Notification(Notification),
    /// From agent to controller, in answer.
    Reply(Reply),
    /// From controller to agent.
    Request(Request),
}

/// A document that is no message. The connection stays usable: framing is intact.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum MessageError {
    /// The envelope names a type that has no meaning, or required parts are missing.
    #[error("document <{root}> of type {kind:?} is not a message of this protocol")]
    Unknown {
        /// Root element.
        root: String,
        /// `lrmd_remote_msg_type`.
        kind: Option<String>,
    },
    /// Not XML.
    #[error("message is not XML: {cause}")]
    Xml {
        /// What the parser found.
        cause: XmlError,
        /// The request id, where the root tag could still be read, so that the peer can be answered.
        msg_id: Option<i64>,
    },
}

impl Incoming {
    /// Reads one document.
    ///
    /// # Errors
    /// [`MessageError`] where it is not XML, or not a message.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let root = Element::parse_around(text, SEALED)
            .map_err(|cause| MessageError::Xml { cause, msg_id: salvage_id(text) })?;
        let kind = root.attr("lrmd_remote_msg_type");
        let message = match kind {
            // A document without a type is a request: the original dispatches on the operation alone.
            Some("request") | None => Some(Self::Request(Request::from_element(&root))),
            Some("reply") => Reply::from_element(&root).map(Self::Reply),
            Some("notify") => Notification::from_element(&root).map(Self::Notification),
            Some(_) => None,
        };
        message
            .ok_or_else(|| MessageError::Unknown { root: root.name.clone(), kind: kind.map(str::to_owned) })
    }
}

/// The request id in the root tag of a broken document. Pacemaker 2.1 can produce ill-formed values behind a
/// multi-byte character; an answered controller reports an error at once instead of waiting 10 s.
fn salvage_id(text: &str) -> Option<i64> {
    let root_tag = text.split_once('>')?.0;
    let value = root_tag.split_once(" lrmd_remote_msg_id=")?.1;
    crate::number::leading_int(value.trim_start_matches(['"', '\'']))
}
