//! Why a conversation with an agent failed.

use picket_proto::frame::FrameError;
use picket_proto::incoming::MessageError;
use thiserror::Error;

use crate::controller::REPLY_LIMIT;
use crate::wire::message::WireError;

/// Why a request was not answered, or no notification can come any more.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// The agent ended the connection.
    #[error("the agent closed the connection")]
    Closed,
    /// A document of ours does not fit into a message.
    #[error("cannot send: {0}")]
    Frame(#[from] FrameError),
    /// The agent sent a document that is none of this protocol.
    #[error("the agent sent something that cannot be understood: {0}")]
    Message(#[from] MessageError),
    /// No reply in time.
    #[error("no reply to {op} within {} s", REPLY_LIMIT.as_secs())]
    NoReply {
        /// The request's name.
        op: String,
    },
    /// The agent takes no data.
    #[error("the agent takes no data: nothing could be sent for {} s", REPLY_LIMIT.as_secs())]
    Stuck,
    /// The connection broke, or the agent's bytes are not messages.
    #[error(transparent)]
    Wire(#[from] WireError),
}
