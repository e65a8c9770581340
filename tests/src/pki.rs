//! Certificates of every kind that an agent may meet.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

/// Serial number of the certificate that a CA's list revokes.
const REVOKED: u64 = 66;

/// What is special about a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Nothing: years are left.
    Good,
    /// It ended in 2020.
    Expired,
    /// It begins in 2090.
    Early,
    /// It is on its CA's list.
    Revoked,
}

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub cert: String,
    /// The private key.
    pub key: String,
}

/// A certification authority.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, in PEM.
    pub cert: String,
}

impl Ca {
    /// One with a fresh key. All have the same name.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let cert = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), cert })
    }

    /// A new certificate with a new key.
    pub fn issue(&self, kind: Kind) -> Result<Identity> {
        self.with(|params| match kind {
            Kind::Good => {}
            Kind::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Kind::Early => params.not_before = date_time_ymd(2090, 1, 1),
            Kind::Revoked => params.serial_number = Some(SerialNumber::from(REVOKED)),
        })
    }

    /// A new certificate that ends in so many days.
    pub fn issue_for(&self, days: u32) -> Result<Identity> {
        let now = std::time::SystemTime::now();
        let end = now + std::time::Duration::from_secs(u64::from(days) * 24 * 3600);
        self.with(|params| params.not_after = end.into())
    }

    /// A new certificate for a server of that name or address.
    pub fn issue_to(&self, name: &str) -> Result<Identity> {
        self.named(name, |_| {})
    }

    fn with(&self, change: impl FnOnce(&mut CertificateParams)) -> Result<Identity> {
        self.named("host", change)
    }

    fn named(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Result<Identity> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        change(&mut params);
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer).context("sign a certificate")?;
        Ok(Identity { cert: cert.pem(), key: key.serialize_pem() })
    }

    /// The list of what it revokes, in PEM.
    pub fn revocations(&self) -> Result<String> {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(REVOKED),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}
