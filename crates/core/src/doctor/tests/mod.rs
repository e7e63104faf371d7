mod engines;
mod kit;
mod local;
mod nodes;
mod sshd;
