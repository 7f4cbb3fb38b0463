//! Tickets: what sources tell of them ([`told`]), what that comes to ([`story`]), which of them are about one issue
//! ([`issue`]), and how they are held ([`held`]).

pub mod filter;
pub mod held;
pub mod issue;
pub mod message;
pub mod story;
pub mod told;
pub mod windows;
pub mod words;

pub use held::{Deletion, DeletionReason, Derived, Held, Owner, Ticket, TicketId, TicketKey, Which};
pub use message::{Attachment, Message, MessageId, Said};
pub use story::Story;
pub use told::{Field, Push, Stamp, Told};
pub use windows::Windows;
pub use words::{Author, Direction, Fcr, Kind, Order, Priority, Status};
