//! The gateway's configuration.

use rapport_data::DatabaseConfig;
use rapport_kernel::{Fault, Reason};
use rapport_platform::config::{About, Describe};
use serde::{Deserialize, Serialize};

use crate::domain::KeyHash;
use crate::door::{KeyConfig, QuotaConfig};
use crate::page::PageConfig;

/// The gateway's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Its database.
    pub database: DatabaseConfig,
    /// SHA-256 of the operator's key, in hexadecimal digits. Without it nobody calls `TenantService` from outside.
    pub operator_key_sha256: Option<String>,
    /// How API keys are remembered.
    pub keys: KeyConfig,
    /// How much each tenant may call.
    pub quota: QuotaConfig,
    /// How much metadata a call may bring, names and values together.
    pub metadata_bytes: usize,
    /// The respondents' page.
    pub page: PageConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database: DatabaseConfig::default(),
            operator_key_sha256: None,
            keys: KeyConfig::default(),
            quota: QuotaConfig::default(),
            metadata_bytes: 8 * 1024,
            page: PageConfig::default(),
        }
    }
}

impl Config {
    /// The hash of the operator's key, where there is one.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where it is not 64 hexadecimal digits.
    pub(crate) fn operator(&self) -> Result<Option<KeyHash>, Fault> {
        let wrong = || Fault::new(Reason::InvalidField, "operator_key_sha256 must be 64 hexadecimal digits");
        self.operator_key_sha256.as_deref().map(|text| KeyHash::from_hex(text).ok_or_else(wrong)).transpose()
    }
}

impl Describe for Config {
    fn describe(about: &mut About) {
        about
            .section::<DatabaseConfig>("database")
            .key("operator_key_sha256", "SHA-256 of the operator's key (hex): printf %s \"$KEY\" | sha256sum")
            .section::<KeyConfig>("keys")
            .section::<QuotaConfig>("quota")
            .key("metadata_bytes", "metadata of one call, names and values together")
            .section::<PageConfig>("page");
    }
}
