//! The configuration of an instance as text, and what is another in two of them.

use std::borrow::Cow;

use serde_json::Value;

use super::Reason;
use crate::plan::{Action, Command, Instance, Place};

/// All that the recipe says about what an instance does, late values as names: canonical JSON.
///
/// How long it may take, how often it is tried and what it waits for change nothing in its result.
pub fn configuration(instance: &Instance) -> String {
    // Names and texts: there is nothing that could fail.
    let actions = serde_json::to_string(&anywhere(&instance.actions)).unwrap_or_default();
    format!("{{\"kind\":\"{}\",\"actions\":{actions}}}", instance.kind)
}

/// The actions, as if everything were built here: where an image is built does not change what it is.
fn anywhere(actions: &[Action]) -> Cow<'_, [Action]> {
    if actions.iter().all(|action| action.builder().is_none()) {
        return Cow::Borrowed(actions);
    }
    let mut actions = actions.to_vec();
    actions.retain_mut(|action| {
        match action {
            Action::MoveImage(_) => return false,
            Action::Command(command) => bring_here(command),
            Action::PinBases(bases) => bring_here(&mut bases.inspect),
            Action::EnsureBinfmt(ensure) => ensure.builder = None,
            _ => {}
        }
        true
    });
    Cow::Owned(actions)
}

fn bring_here(command: &mut Command) {
    if matches!(command.place, Place::Builder(_)) {
        command.place = Place::Here;
    }
}

/// The first difference of two configurations that differ, as a [`Reason::ConfigChanged`].
pub fn changed(old: &str, new: &str) -> Reason {
    let whole = || Reason::ConfigChanged { key: "the step".into(), old: String::new(), new: String::new() };
    let (Ok(old), Ok(new)) = (serde_json::from_str::<Value>(old), serde_json::from_str::<Value>(new)) else {
        return whole();
    };
    if old["kind"] != new["kind"] {
        return reason("uses".into(), &old["kind"], &new["kind"]);
    }
    let actions = |value: &Value| value["actions"].as_array().cloned().unwrap_or_default();
    let (old, new) = (actions(&old), actions(&new));
    // What people know is what tools are told; what we make of it ourselves differs with it.
    let differ = || old.iter().zip(&new).filter(|(old, new)| old != new);
    let told =
        |(old, new): &(&Value, &Value)| [old, new].iter().all(|action| action.get("command").is_some());
    let pair = differ().find(told).or_else(|| differ().next());
    match pair {
        Some((old, new)) => within(old, new),
        // One has more, at its end.
        None => match (old.get(new.len()), new.get(old.len())) {
            (None, Some(more)) => reason(name(more), &Value::Null, &Value::from("is new")),
            (Some(less), None) => reason(name(less), &Value::from("is gone"), &Value::Null),
            _ => whole(),
        },
    }
}

fn within(old: &Value, new: &Value) -> Reason {
    let (Some((old_kind, old_body)), Some((new_kind, new_body))) = (only(old), only(new)) else {
        return reason("the step".into(), old, new);
    };
    if old_kind != new_kind {
        return reason("the step".into(), &Value::from(name(old)), &Value::from(name(new)));
    }
    let empty = Vec::new();
    let argv = |body: &Value| body["argv"].as_array().unwrap_or(&empty).clone();
    let (before, after) = (argv(old_body), argv(new_body));
    if before != after {
        let at = before.iter().zip(&after).take_while(|(old, new)| old == new).count();
        let flag = at.checked_sub(1).and_then(|at| after.get(at)).and_then(Value::as_str);
        let flag = flag.filter(|flag| flag.starts_with('-') && !flag.contains('=') && at > 1);
        let key = match flag {
            Some(flag) => format!("{} {flag}", name(new)),
            None => format!("{}, argument {at}", name(new)),
        };
        let none = Value::Null;
        return reason(key, before.get(at).unwrap_or(&none), after.get(at).unwrap_or(&none));
    }
    let (key, old, new) = deepest(old_body, new_body, new_kind.to_owned());
    reason(key, &old, &new)
}

/// The path to the first value that differs.
fn deepest(old: &Value, new: &Value, path: String) -> (String, Value, Value) {
    if let (Value::Object(before), Value::Object(after)) = (old, new) {
        let keys = before.keys().chain(after.keys());
        if let Some(key) = keys.filter(|key| before.get(*key) != after.get(*key)).min() {
            let get = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
            return deepest(&get(before), &get(after), format!("{path}.{key}"));
        }
    }
    (path, old.clone(), new.clone())
}

/// An action is an object of one entry: its kind.
fn only(action: &Value) -> Option<(&str, &Value)> {
    action.as_object()?.iter().next().map(|(kind, body)| (kind.as_str(), body))
}

/// `docker build`, or the kind of an action that is no command.
fn name(action: &Value) -> String {
    let Some((kind, body)) = only(action) else { return action.to_string() };
    let words = body["argv"].as_array().into_iter().flatten().map_while(Value::as_str);
    let words: Vec<&str> = words.take_while(|word| !word.starts_with('-')).take(2).collect();
    if words.is_empty() { kind.to_owned() } else { format!("`{}`", words.join(" ")) }
}

fn reason(key: String, old: &Value, new: &Value) -> Reason {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Reason::ConfigChanged { key, old: text(old), new: text(new) }
}
