//! What runs told, read again: from the events of one that goes on, or from the folder that one left.
//!
//! An [`Account`] is everything that a run's events say, instance by instance; whoever shows or exports a run (terminal,
//! summary, report, trace) starts from it and the plan, so all of them say the same. Nothing here prints.

mod account;
mod critical;
mod difference;
mod ending;
mod folder;
mod images;
mod merge;
mod outcome;
mod retention;

pub use account::{Account, Built, Course, Emulated};
pub use critical::{Link, critical_path};
pub use difference::{Change, Difference, Section, difference};
pub use ending::Ending;
pub use folder::{RunFolder, Unread, runs};
pub use images::{ImageFile, LocatedImage, Pushed, images};
pub use merge::{Merged, Part, merge};
pub use outcome::{Arrival, Image, Outcome, Target};
pub use retention::{Rule, removable};

#[cfg(test)]
mod tests;
