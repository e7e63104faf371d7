//! What tools print, made fit for every reader: terminals, files, CI systems, people.
//!
//! Bytes go through [`escapes`], which lets nothing through that acts on a terminal but colours, into [`Lines`], bounded
//! in memory whatever comes. [`Cap`] leaves out the middle of what is too much, [`Redactor`] puts `***` in the place of
//! secrets. Unaware of processes, events and files.

mod amounts;
mod cap;
mod encodings;
mod escapes;
mod find;
mod folded;
mod lines;
mod redact;
mod visible;

pub use amounts::{bytes, seconds};
pub use cap::{Cap, LeftOut};
pub use find::{Finder, Search};
pub use folded::command_line;
pub use lines::{Line, Lines};
pub use redact::{MIN_SECRET, Redactor};
pub use visible::{is_hidden, plain};
