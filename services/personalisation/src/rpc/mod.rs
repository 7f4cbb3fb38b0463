//! Personalisation's calls: parse, do, render.

mod action;
mod contact;
mod decision;
mod erasure;

pub use action::ActionRpc;
pub use contact::ContactRpc;
pub use decision::DecisionRpc;
pub use erasure::ErasureRpc;
