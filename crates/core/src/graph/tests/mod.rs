//! Graphs of plans made by hand: what each format writes, and what holds for any plan.

mod formats;
mod kit;
mod properties;
