mod damage;
pub(crate) mod fixtures;
mod formats;
mod joined;
mod refusals;
mod tools;
