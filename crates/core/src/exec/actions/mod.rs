//! Actions that are carried out without a tool.

pub(super) mod check;
pub(super) mod write_file;
