mod bundles;
mod keys;
mod statements;
