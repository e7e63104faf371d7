//! The one rule by which tables are merged: of included files, overlays, targets that are extended, defaults of kinds.
//!
//! **Tables are merged key by key; everything else, arrays too, is replaced as a whole.** Steps are told apart by their ids.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Lays `over` on `under`.
pub(super) fn lay<'i>(under: &mut DeTable<'i>, over: DeTable<'i>) {
    for (key, value) in over {
        if let (Some(DeValue::Table(below)), DeValue::Table(above)) =
            (under.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value.get_ref())
        {
            lay(below, above.clone());
        } else {
            // With the key, which tells where the value comes from.
            under.remove(key.get_ref().as_ref());
            under.insert(key, value);
        }
    }
}

/// Lays steps on steps: one with the id of another is merged with it, the others follow.
pub(super) fn lay_steps<'i>(under: &mut DeArray<'i>, over: DeArray<'i>) {
    let mut ids = HashMap::new();
    for (at, step) in under.iter().enumerate() {
        if let Some(id) = step_id(step) {
            ids.entry(id).or_insert(at);
        }
    }
    for step in over {
        // Once: two of one file with one id are a slip.
        let below = step_id(&step).and_then(|id| ids.remove(&id));
        match (below.and_then(|at| under.get_mut(at)).map(Spanned::get_mut), step.get_ref()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) => lay(below, above.clone()),
            _ => under.push(step),
        }
    }
}

/// `id`, else `uses`.
pub(super) fn step_id(step: &Spanned<DeValue<'_>>) -> Option<String> {
    let table = step.get_ref().as_table()?;
    let value = table.get("id").or_else(|| table.get("uses"))?;
    value.get_ref().as_str().map(str::to_owned)
}

/// The value with all its places moved.
pub(super) fn moved(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let inner = match value.into_inner() {
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(|item| moved(item, by)).collect()),
        DeValue::Table(table) => DeValue::Table(moved_table(table, by)),
        other => other,
    };
    Spanned::new(span.start + by..span.end + by, inner)
}

/// The same for a table.
pub(super) fn moved_table(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            (Spanned::new(span.start + by..span.end + by, key.into_inner()), moved(value, by))
        })
        .collect()
}
