//! Parameters that the cluster keeps secret: read as for a program, and kept out of everything that is told.

use std::fmt;

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};

use super::{done, failed};
use crate::class::Operation;
use crate::process::{REFERENCE, Reference, Secrets};

/// What stands in place of a reason that would show a secret.
const HIDDEN: &str = "the reason is withheld, since it has words of a secret parameter in it";

/// Shorter words of a secret are in every other sentence.
const SHORTEST: usize = 4;

/// The values of an operation's secret parameters.
#[derive(Default)]
pub(super) struct Hidden(Vec<(String, String)>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Hidden {
    /// The secrets that an operation refers to, out of their files. A stop goes on without what cannot be read.
    ///
    /// # Errors
    /// The operation's result where one is missing.
    pub(super) async fn read(secrets: Secrets) -> Result<Self, Outcome> {
        if secrets.references.is_empty() {
            return Ok(Self::default());
        }
        let read = tokio::task::spawn_blocking(move || -> Result<_, String> {
            let values = secrets.read().map_err(|error| error.to_string())?;
            let owned = values.into_iter().map(|(name, value)| match value.into_string() {
                Ok(value) => Ok((name.to_owned(), value)),
                Err(_) => Err(format!("the secret for {name} is not UTF-8")),
            });
            owned.collect::<Result<Vec<_>, _>>()
        });
        match read.await {
            Ok(Ok(values)) => Ok(Self(values)),
            Ok(Err(error)) => {
                tracing::info!("{error}");
                Err(failed(OcfRc::InvalidParameter, "Unable to load CIB secrets"))
            }
            Err(error) => Err(Outcome { status: ExecStatus::Error, ..done(OcfRc::Error) }
                .because(format!("cannot read secrets: {error}"))),
        }
    }

    /// An operation's parameters with their values.
    pub(super) fn fill<'a>(&'a self, operation: &'a Operation) -> impl Iterator<Item = (&'a str, &'a str)> {
        let params = operation.request.params.iter();
        params
            .filter(|(_, value)| *value != REFERENCE)
            .chain(self.0.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// An outcome without anything of the secrets in it.
    pub(super) fn kept_out_of(&self, mut outcome: Outcome) -> Outcome {
        let shows = |text: &String| self.0.iter().any(|(_, secret)| shows(text, secret));
        if outcome.exit_reason.as_ref().is_some_and(shows) {
            outcome.exit_reason = Some(HIDDEN.to_owned());
        }
        if outcome.output.as_ref().is_some_and(shows) {
            outcome.output = None;
        }
        outcome
    }
}

/// Which parameters of an operation are secrets.
pub(super) fn references(operation: &Operation) -> Secrets {
    let hidden = operation.request.params.iter().filter(|(_, value)| *value == REFERENCE);
    let reference = |name: &str| Reference::new(&operation.definition.id, name, name.to_owned());
    Secrets {
        references: hidden.map(|(name, _)| reference(name)).collect(),
        optional: operation.request.action == "stop",
    }
}

/// Whether a text has a secret or a word of it in it. A reason cites parts of a value, in another form now and then.
fn shows(text: &str, secret: &str) -> bool {
    let words = secret.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() >= SHORTEST);
    (!secret.is_empty() && text.contains(secret)) || words.into_iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_with_a_word_of_a_secret_is_withheld() {
        let hidden = Hidden(vec![("target".into(), "https://web/token-4711".into())]);
        let told = |reason: &str| hidden.kept_out_of(failed(OcfRc::Error, reason)).exit_reason.unwrap();
        assert_eq!(told("web:443: refused"), "web:443: refused");
        for reason in ["https://web:443/token-4711: refused", "no such path: 4711", "https://web/token-4711"]
        {
            assert_eq!(told(reason), HIDDEN);
        }
        let short = Hidden(vec![("password".into(), "x1".into())]);
        assert_eq!(short.kept_out_of(failed(OcfRc::Error, "x1 is wrong")).exit_reason.unwrap(), HIDDEN);
        assert!(!format!("{hidden:?}").contains("token"));
    }

    #[test]
    fn output_with_a_secret_is_dropped() {
        let hidden = Hidden(vec![("target".into(), "sesame".into())]);
        let outcome = Outcome { output: Some("open sesame".to_owned()), ..done(OcfRc::Ok) };
        assert_eq!(hidden.kept_out_of(outcome).output, None);
    }
}
