//! The faults of the wire and of the server.

/// What happens instead of the answer, or to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody listens any more.
    Refused,
    /// The connection is reset, and the request was not carried out.
    Reset,
    /// The request is carried out, and the connection reset.
    ResetAfter,
    /// No answer, ever.
    Hang,
    /// Status and headers, then nothing.
    HangInBody,
    /// A byte a second.
    Drip,
    /// The connection ends in the middle of the body.
    CutOff,
    /// Status 200 and half a document.
    Garbled,
    /// Status 200 and an empty object.
    Empty,
    /// Status 200 and a login page.
    Html,
    /// Status 200 and more than anybody would send.
    Flood,
    /// A redirect to the same place.
    Moved,
    /// A redirect to another host.
    MovedAway,
    /// This status.
    Status(u16),
    /// This answer, of a protocol whose answers are a byte.
    Byte(u8),
    /// Whoever answers does not know the secret.
    Stranger,
}

/// How often it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Often {
    /// With this call only.
    Once,
    /// With this call, and all later ones of the same method and path.
    Always,
}

/// All of HTTP.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::Refused,
    Fault::Reset,
    Fault::ResetAfter,
    Fault::Hang,
    Fault::HangInBody,
    Fault::Drip,
    Fault::CutOff,
    Fault::Garbled,
    Fault::Empty,
    Fault::Html,
    Fault::Flood,
    Fault::Moved,
    Fault::MovedAway,
    Fault::Status(400),
    Fault::Status(401),
    Fault::Status(403),
    Fault::Status(404),
    Fault::Status(409),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(501),
    Fault::Status(503),
];

impl Fault {
    /// Whether a client must get over it when it happens once.
    pub(crate) fn passes(self) -> bool {
        matches!(
            self,
            Self::Reset
                | Self::ResetAfter
                | Self::Hang
                | Self::HangInBody
                | Self::Drip
                | Self::CutOff
                | Self::Status(409 | 429 | 500 | 503)
        )
    }

    /// Whether the request takes effect although its answer is spoilt.
    pub(crate) fn is_carried_out(self) -> bool {
        matches!(self, Self::ResetAfter | Self::Drip)
    }

    /// Whether it looks like success to those who only look at the status.
    pub(crate) fn looks_good(self) -> bool {
        matches!(self, Self::Garbled | Self::Empty | Self::Html | Self::Flood)
    }
}
