//! What gets into the page, and what a run's folder may lack.

mod hostile;
mod kit;
mod lacking;
