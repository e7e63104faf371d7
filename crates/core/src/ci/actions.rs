//! The actions of others that workflows use, each pinned to a commit of a release.

/// The action at a commit, and the release that this is.
type Pinned = (&'static str, &'static str);

pub(super) const CHECKOUT: Pinned = ("actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1");
pub(super) const UPLOAD: Pinned =
    ("actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "v7.0.0");
pub(super) const DOWNLOAD: Pinned =
    ("actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1");
pub(super) const CACHE_RESTORE: Pinned =
    ("actions/cache/restore@27d5ce7f107fe9357f9df03efb73ab90386fccae", "v5.0.5");
pub(super) const CACHE_SAVE: Pinned =
    ("actions/cache/save@27d5ce7f107fe9357f9df03efb73ab90386fccae", "v5.0.5");
