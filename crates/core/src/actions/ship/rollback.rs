//! The image before, under its name again.

use super::store::Store;
use super::{folder, node};
use crate::event::Failure;
use crate::exec::ActionCx;
use crate::plan::Rollback;

/// Gives the reference back to the image that had it before; yields its id, as the store calls it.
pub(in crate::actions) fn rollback(wanted: &Rollback, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let node = node(&wanted.shipment, cx)?;
    let (ship, reference) = (folder(&wanted.shipment, cx), wanted.reference.as_str());
    let session = Store { node, ship: &ship, reference, platform: "", keep: 1 }.rollback();
    let said = cx.run(&session.on(node))?.stdout;
    let said = String::from_utf8_lossy(&said);
    let (from, to) = said.trim().split_once(' ').unwrap_or(("", said.trim()));
    cx.say(format!("`{reference}` on node `{}`: {from} -> {to}", node.name));
    Ok(())
}
