mod damage;
mod fixtures;
mod formats;
mod refusals;
mod tools;
