mod damage;
pub(crate) mod fixtures;
mod formats;
mod refusals;
mod tools;
