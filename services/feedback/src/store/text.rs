//! A text column that may hold what a person said: a row can be printed, this cannot.

use std::fmt;

use sea_orm::DeriveValueType;

/// Free text.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct FreeText(pub String);

impl fmt::Debug for FreeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

impl sea_orm::TryFromU64 for FreeText {
    fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
        Err(sea_orm::DbErr::ConvertFromU64("a free text is no number"))
    }
}
