//! Contract ⇄ domain. After it an invalid question cannot exist.

pub mod answer;
pub mod question;
