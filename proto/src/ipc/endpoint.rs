//! The names under which cluster daemons are reached on a node.

/// A local server name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Endpoint {
    /// `lrmd`: the executor itself.
    Executor,
    /// `cib_ro`
    CibReadOnly,
    /// `cib_rw`
    CibReadWrite,
    /// `cib_shm`: the same to the cluster as `cib_rw`.
    CibShared,
    /// `attrd`
    Attributes,
    /// `stonith-ng`
    Fencer,
    /// `pacemakerd`: always refused, by which tools learn that they run on a remote node.
    Pacemakerd,
    /// `crmd`
    Controller,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// Served here.
    Executor,
    /// Relayed to the cluster, under this name.
    Relayed(&'static str),
    /// Always refused.
    Refused,
}

impl Endpoint {
    /// All, in the order in which the original creates them.
    pub const ALL: [Self; 8] = [
        Self::Executor,
        Self::CibReadOnly,
        Self::CibReadWrite,
        Self::CibShared,
        Self::Attributes,
        Self::Fencer,
        Self::Pacemakerd,
        Self::Controller,
    ];

    /// The name clients connect to.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Executor => "lrmd",
            Self::CibReadOnly => "cib_ro",
            Self::CibReadWrite => "cib_rw",
            Self::CibShared => "cib_shm",
            Self::Attributes => "attrd",
            Self::Fencer => "stonith-ng",
            Self::Pacemakerd => "pacemakerd",
            Self::Controller => "crmd",
        }
    }

    /// What becomes of its connections.
    #[must_use]
    pub fn service(self) -> Service {
        match self {
            Self::Executor => Service::Executor,
            Self::CibShared => Service::Relayed(Self::CibReadWrite.name()),
            Self::Pacemakerd => Service::Refused,
            Self::CibReadOnly | Self::CibReadWrite | Self::Attributes | Self::Fencer | Self::Controller => {
                Service::Relayed(self.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_cib_name_is_relayed_as_the_writable_one() {
        assert_eq!(Endpoint::CibShared.service(), Service::Relayed("cib_rw"));
    }

    #[test]
    fn every_name_is_served_once() {
        let names: std::collections::BTreeSet<_> =
            Endpoint::ALL.iter().map(|endpoint| endpoint.name()).collect();
        assert_eq!(names.len(), Endpoint::ALL.len());
    }
}
