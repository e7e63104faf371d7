//! A child that lives beside others, until it is dropped.

use std::io;
use std::sync::{Arc, Weak};

use super::Request;
use super::spawn::{self, Child};
use crate::exec::cancel::Cancel;
use crate::exec::lifeline::Lifeline;

/// A running child. Dropping it ends its process group. Nobody reads what it prints, so it must print little.
pub(in crate::exec) struct Background(Child);

impl Background {
    pub(in crate::exec) fn start(request: &Request<'_>, cancel: &Arc<Cancel>) -> io::Result<Self> {
        spawn::spawn(request, cancel).map(Self)
    }

    pub(in crate::exec) fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// What holds its stdin open, where that is held.
    pub(in crate::exec) fn lifeline(&self) -> Option<Weak<Lifeline>> {
        self.0.stdin.as_ref().map(Arc::downgrade)
    }

    /// The exit code of a child that has ended.
    pub(in crate::exec) fn end(mut self) -> Option<i32> {
        self.0.reap().ok()?.code()
    }
}
